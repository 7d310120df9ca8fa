"""The runs behind the tables of `multicenter` at every tier.

Quick tier: MNIST at 14 x 14 pixels, 2,000 training images, mostly with the ten digits merged into five classes of two,
so that the sub-classes are known; AdamW with the paper's weight decay.  Every table has the method as printed
(``sigma_scale`` 1) and with the narrow noise of the authors' code (0.1); the code has another label, too, which table
"center-weight" has.  The linear classifier is the same objective with no sub-centre.

From scratch the perceptron makes 800 updates, 40 epochs.  Near the best rates twice as many change one seed's accuracy by at
most 0.4 points with each classifier.  At a third of such a rate the method as printed still gains a whole point, and on
features, after 500 updates, more than three, because its start is slow; the frozen tier has 800 updates, too.  The
convolutional network, whose start is slower by far, has three times as many: with 800 and ``sigma_scale`` 1 it gets about half
of the images right.  Where images are few, there are more epochs, so that the number of updates is that of all images.

At the quick and the frozen tier every run has its own tuned rate, also at every value of a parameter and every length,
because the pages compare them.  The score is the accuracy on held-out images.  A run with few images has the rate of the
same run with all of them, as a fifth of few is too few to choose by.

Standard tier: the paper's optimizer and rate.

Paper tier: as printed.  Tables 4 and 5 tell what Table 1 leaves open: its ResNet-50 has label smoothing (76.8 and 77.7
are the numbers of LS and MC + LS), its Swin-T alternates MixUp and CutMix (81.3 and 81.7).  Both scales of sigma run, since
the printed numbers may come from either.  The text does not give the numbers of sub-centres of Fig. 4; 1 to 5 are run here.
SGFormer is left out, since timm does not have it.
"""

from __future__ import annotations

from collections.abc import Callable

from lossbook.papers import frozen_tier, standard_tier
from lossbook.papers.tuning import Search, tuned
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import EVIDENCE, Table

PRINTED, NARROW = 1.0, 0.1  # sigma_scale
SETTINGS = ((0, PRINTED), (2, PRINTED), (2, NARROW))  # (K, sigma_scale); K = 0 is the linear classifier
VARIANTS = ("multicenter", "multicenter-lsoftmax", "multicenter-arc")  # the objectives of Table 6
MIXED = ("mixup|cutmix",)  # the views of Table 5
SMOOTHING = 0.1  # of the labels, in Table 4
WIDTHS = (32, 128, 512)  # features

# Digits that look alike lie in different classes (apart), or in the same one (together).
APART = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
TOGETHER = ((0, 6), (1, 7), (2, 8), (3, 5), (4, 9))

# CIFAR-100: the superclass of each of the 100 classes, in the data set's own (alphabetical) order.
_COARSE = (
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10),
    *(12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16),
    *(12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
)
SUPERCLASSES = tuple(tuple(i for i, coarse in enumerate(_COARSE) if coarse == k) for k in range(20))

CNNS = ("resnet50", "regnety_040", "resnet101", "regnety_160")
TRANSFORMERS = (
    *("deit_small_patch16_224", "swin_tiny_patch4_window7_224"),
    *("deit_base_patch16_224", "swin_base_patch4_window7_224"),
)
ABLATED = ("resnet50", "swin_tiny_patch4_window7_224")  # the models of Tables 4-7

_QUICK = RunSpec(
    dataset="mnist5k",
    model="mlp",
    image_size=14,
    epochs=40,
    optimizer="adamw",
    lr=0.01,
    weight_decay=0.05,
    suites=("diversity",),
)
_PAIRS = _QUICK.replace(groups=APART)
_DIGITS = _QUICK.replace(dataset="digits", image_size=0, epochs=80)  # as many updates as with MNIST
_CNN = _PAIRS.replace(model="cnn", epochs=120)
_CIFAR100 = standard_tier.CIFAR100.replace(optimizer="adamw", lr=0.001, weight_decay=0.05, suites=("diversity",))
_ALL_IMAGES = _CIFAR100.replace(train_per_class=500)
_SUPER = _CIFAR100.replace(groups=SUPERCLASSES)
# A superclass holds five classes: 250 images of it are as many as the tier's 50 of each class.
_FROZEN = frozen_tier.CIFAR100.replace(
    groups=SUPERCLASSES, train_per_class=250, epochs=16, optimizer="adamw", lr=0.003, weight_decay=0.05, suites=("diversity",)
)
_CLOTHES = _FROZEN.replace(dataset=frozen_tier.FASHION.dataset, groups=())
# Data set of Tables 2 and 3 -> training images per class; the last number is all that there are.
SIZES = {"mnist5k": (20, 60, 200), "digits": (10, 30, 90), _CLOTHES.dataset: (50, 150, 500)}
_IMAGENET = RunSpec(
    dataset="imagenet1k",
    image_size=224,
    augment=("shift", "flip"),
    epochs=300,
    batch_size=1024,
    optimizer="adamw",
    lr=0.001,
    weight_decay=0.05,
    warmup_epochs=20.0,
    suites=("diversity",),
)


def _multicenter(base: RunSpec, num_subcenters: int, sigma_scale: float = PRINTED, **arguments: float) -> RunSpec:
    """A run of the multi-centre classifier; without sub-centres there is no sigma to scale."""
    own = {"num_subcenters": num_subcenters} | ({"sigma_scale": sigma_scale} if num_subcenters else {})
    return base.replace(objective="multicenter", objective_args=own | arguments)


def _three(base: RunSpec, **arguments: float) -> tuple[RunSpec, ...]:
    """Linear, multi-centre as printed, multi-centre with narrow noise."""
    return tuple(_multicenter(base, k, scale, **arguments) for k, scale in SETTINGS)


def _library(base: RunSpec) -> tuple[RunSpec, ...]:
    """Two learned sub-centres per class."""
    names = ("softtriple", "subcenter-arcface")
    return tuple(base.replace(objective=name, objective_args={"num_subcenters": 2}) for name in names)


def _each(*bases: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(spec for base in bases for spec in _three(base))


def _sizes(base: RunSpec) -> tuple[RunSpec, ...]:
    """Few images, with as many updates as with all."""
    sizes = SIZES[base.dataset]
    return _each(*(base.replace(train_per_class=size, epochs=round(base.epochs * sizes[-1] / size)) for size in sizes))


def _smoothed(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(spec for amount in (0.0, SMOOTHING) for spec in _three(base, **({"label_smoothing": amount} if amount else {})))


def _views(base: RunSpec) -> tuple[RunSpec, ...]:
    return _each(base, base.replace(views=MIXED))


def _variants(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(spec.replace(objective=name) for name in VARIANTS for spec in _three(base))


def _without_kl(base: RunSpec) -> tuple[RunSpec, ...]:
    weights = ({}, {"kl_weight": 0.0})
    return tuple(_multicenter(base, 2, scale, **weight) for scale in (PRINTED, NARROW) for weight in weights)


def _numbers(base: RunSpec, numbers: tuple[int, ...]) -> tuple[RunSpec, ...]:
    pairs = ((number, scale) for scale in (PRINTED, NARROW) for number in numbers)
    return (_multicenter(base, 0), *(_multicenter(base, number, scale) for number, scale in pairs))


def _authors_label(base: RunSpec) -> RunSpec:
    """With the label of the authors' code: 0.5, 0.2, 0.2, and 0.1 over all centres."""
    return _multicenter(base, 2, NARROW, center_weight=5 / 9, label_smoothing=SMOOTHING)


def _shares(base: RunSpec) -> tuple[RunSpec, ...]:
    """The class centre's share of the label, and the label of the authors' code."""
    return (*(_multicenter(base, 2, NARROW, center_weight=share) for share in (0.25, 0.5, 0.75, 1.0)), _authors_label(base))


def _models(base: RunSpec, cnns: tuple[str, ...], transformers: tuple[str, ...]) -> tuple[RunSpec, ...]:
    """The three classifiers with the regularisation that Tables 4 and 5 imply."""
    smoothed = (spec for model in cnns for spec in _three(base.replace(model=model), label_smoothing=SMOOTHING))
    mixed = (spec for model in transformers for spec in _three(base.replace(model=model, views=MIXED)))
    return (*smoothed, *mixed)


def _ablated(build: Callable[..., tuple[RunSpec, ...]], *arguments: object, mixed: bool = True) -> tuple[RunSpec, ...]:
    """A table's runs on the two models of Tables 4-7; Swin-T with its own MixUp / CutMix unless the table varies that."""
    resnet, swin = (_IMAGENET.replace(model=model) for model in ABLATED)
    return (*build(resnet, *arguments), *build(swin.replace(views=MIXED) if mixed else swin, *arguments))


_SMALL_TRANSFORMERS = tuple(name for name in TRANSFORMERS if name.startswith("swin"))


_STARTS = {
    "quick": {
        "1": (*_three(_PAIRS), *_library(_PAIRS), *_three(_QUICK.replace(groups=TOGETHER))),
        "1-cnn": _three(_CNN),
        "features": _each(*(_PAIRS.replace(embedding_size=width) for width in WIDTHS)),
        "2": _sizes(_QUICK),
        "3": _sizes(_DIGITS),
        "4": _smoothed(_PAIRS),
        "5": _views(_PAIRS),
        "6": _variants(_PAIRS),
        "7": _without_kl(_PAIRS),
        "fig-4": _numbers(_PAIRS, (1, 2, 4, 16)),
        "sigma-scale": tuple(_multicenter(_PAIRS, 2, scale) for scale in (0.0, 0.03, 0.1, 0.3, 1.0, 3.0)),
        "center-weight": _shares(_PAIRS),
        "epochs": _each(*(_PAIRS.replace(epochs=epochs) for epochs in (10, 20, 40, 80))),
    },
    "frozen": {
        "1": (*_three(_FROZEN), *_library(_FROZEN)[:1]),
        "3": _sizes(_CLOTHES),
        "4": _smoothed(_FROZEN),
        "7": _without_kl(_FROZEN),
        "center-weight": (_authors_label(_FROZEN),),
    },
}


def search(spec: RunSpec) -> Search:
    """The search for a run's rate: its own, or with few images that of the same run with all."""
    all_images = SIZES.get(spec.dataset, (0,))[-1]
    if spec.train_per_class and spec.dataset in SIZES:
        epochs = round(spec.epochs * spec.train_per_class / all_images)
        spec = spec.replace(train_per_class=all_images, epochs=epochs)
    return Search(spec, metric="accuracy", suites=("diversity",))


def _searches(tables: dict[str, tuple[RunSpec, ...]]) -> tuple[Search, ...]:
    """The searches of some tables; one that two of them need comes once."""
    found = (search(spec) for specs in tables.values() for spec in specs)
    return tuple({one.family: one for one in found}.values())


SEARCHES = {tier: _searches(tables) for tier, tables in _STARTS.items()}


def _specs(table: str, **as_given: tuple[RunSpec, ...]) -> dict[str, tuple[RunSpec, ...]]:
    """The runs of a table by tier: tuned at the quick and the frozen one, as they are given at the others."""
    starts = {tier: tables[table] for tier, tables in _STARTS.items() if table in tables}
    own = {
        tier: tuple(spec.replace(lr=tuned("multicenter", search(spec)).lr) for spec in specs) for tier, specs in starts.items()
    }
    return own | as_given


TABLES = (
    Table(
        "1",
        "Linear and multi-centre classifiers on classes with sub-classes",
        _specs("1", standard=(*_three(_SUPER), *_library(_SUPER)), paper=_models(_IMAGENET, CNNS, TRANSFORMERS)),
        seeds=EVIDENCE,
        small_tables=("classes",),
    ),
    Table("1-cnn", "The same with a convolutional network", _specs("1-cnn"), seeds=EVIDENCE),
    Table("features", "The number of features", _specs("features"), seeds=EVIDENCE),
    Table(
        "2",
        "Few training images: MNIST, ten classes",
        _specs(
            "2",
            standard=_each(*(_CIFAR100.replace(train_per_class=size) for size in (50, 150, 500))),
            paper=_models(_IMAGENET.replace(dataset="cifar100"), CNNS, _SMALL_TRANSFORMERS),
        ),
        seeds=EVIDENCE,
    ),
    Table(
        "3",
        "Few training images: digits, ten classes",
        _specs("3", paper=_models(_IMAGENET.replace(dataset="mini-imagenet"), CNNS, _SMALL_TRANSFORMERS)),
        seeds=EVIDENCE | {"frozen": 3},
    ),
    Table(
        "4",
        "With label smoothing",
        _specs("4", standard=_smoothed(_SUPER), paper=_ablated(_smoothed, mixed=False)),
        seeds=EVIDENCE,
    ),
    Table(
        "5",
        "With MixUp and CutMix",
        _specs("5", standard=_views(_ALL_IMAGES), paper=_ablated(_views, mixed=False)),
        seeds=EVIDENCE,
    ),
    Table(
        "6",
        "With a large margin and an additive angular margin",
        _specs("6", standard=_variants(_SUPER), paper=_ablated(_variants)),
        seeds=EVIDENCE,
    ),
    Table(
        "7",
        "Without the standard deviation loss",
        _specs("7", standard=_without_kl(_SUPER), paper=_ablated(_without_kl)),
        seeds=EVIDENCE,
    ),
    Table(
        "fig-4",
        "The number of sub-centres",
        _specs("fig-4", standard=_numbers(_SUPER, (1, 2, 4, 8)), paper=_ablated(_numbers, (1, 2, 3, 4, 5))),
        seeds=EVIDENCE,
    ),
    Table("sigma-scale", "The scale of the noise", _specs("sigma-scale")),
    Table(
        "center-weight",
        "The class centre's share of the label, and the label of the authors' code",
        _specs("center-weight", standard=(_authors_label(_ALL_IMAGES), _authors_label(_ALL_IMAGES.replace(views=MIXED)))),
        seeds=EVIDENCE,
    ),
    Table("epochs", "The length of the training", _specs("epochs"), seeds=EVIDENCE),
)
