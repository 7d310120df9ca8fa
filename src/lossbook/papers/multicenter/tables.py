"""The runs behind the tables of `multicenter` at every tier.

Quick tier: MNIST at 14 x 14 pixels, 2,000 training images, mostly with the ten digits merged into five classes of two,
so that the sub-classes are known; AdamW with the paper's weight decay, 40 epochs.  The learning rate is the best of
0.001, 0.003 and 0.01 for the *linear* classifier.  Every table has the method as printed (``sigma_scale`` 1) and as in
the authors' code (0.1); the linear classifier is the same objective with no sub-centre.

Paper tier: as printed.  Tables 4 and 5 tell what Table 1 leaves open: its ResNet-50 has label smoothing (76.8 and 77.7
are the numbers of LS and MC + LS), its Swin-T alternates MixUp and CutMix (81.3 and 81.7).  Both scales of sigma run, since
the printed numbers may come from either.  The text does not give the numbers of sub-centres of Fig. 4; 1 to 5 are run here.
SGFormer is left out, since timm does not have it.
"""

from __future__ import annotations

from collections.abc import Callable

from lossbook.papers import frozen_tier
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

PRINTED, CODE = 1.0, 0.1  # sigma_scale
SETTINGS = ((0, PRINTED), (2, PRINTED), (2, CODE))  # (K, sigma_scale); K = 0 is the linear classifier
VARIANTS = ("multicenter", "multicenter-lsoftmax", "multicenter-arc")  # the objectives of Table 6
MIXED = ("mixup|cutmix",)  # the views of Table 5

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
_DIGITS = _QUICK.replace(dataset="digits", image_size=0)
_CIFAR100 = RunSpec(
    dataset="cifar100",
    model="resnet18-cifar",
    augment=("shift", "flip"),
    epochs=60,
    batch_size=128,
    optimizer="adamw",
    lr=0.001,
    weight_decay=0.05,
    warmup_epochs=3.0,
    suites=("diversity",),
)
_SUPER = _CIFAR100.replace(groups=SUPERCLASSES)
# A superclass holds five classes: 250 images of it are as many as the tier's 50 of each class.
_FROZEN = frozen_tier.CIFAR100.replace(
    groups=SUPERCLASSES, train_per_class=250, optimizer="adamw", lr=0.003, weight_decay=0.05, suites=("diversity",)
)
_CLOTHES = _FROZEN.replace(dataset=frozen_tier.FASHION.dataset, groups=())
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
    """Linear, multi-centre as printed, multi-centre as in the authors' code."""
    return tuple(_multicenter(base, k, scale, **arguments) for k, scale in SETTINGS)


def _library(base: RunSpec) -> tuple[RunSpec, ...]:
    """Two learned sub-centres per class."""
    names = ("softtriple", "subcenter-arcface")
    return tuple(base.replace(objective=name, objective_args={"num_subcenters": 2}) for name in names)


def _small(base: RunSpec, sizes: tuple[int, ...]) -> tuple[RunSpec, ...]:
    return tuple(spec for size in sizes for spec in _three(base.replace(train_per_class=size)))


def _smoothed(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(spec for amount in (0.0, 0.1) for spec in _three(base, **({"label_smoothing": amount} if amount else {})))


def _views(base: RunSpec) -> tuple[RunSpec, ...]:
    return (*_three(base), *_three(base.replace(views=MIXED)))


def _variants(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(spec.replace(objective=name) for name in VARIANTS for spec in _three(base))


def _without_kl(base: RunSpec) -> tuple[RunSpec, ...]:
    weights = ({}, {"kl_weight": 0.0})
    return tuple(_multicenter(base, 2, scale, **weight) for scale in (PRINTED, CODE) for weight in weights)


def _numbers(base: RunSpec, numbers: tuple[int, ...]) -> tuple[RunSpec, ...]:
    pairs = ((number, scale) for scale in (PRINTED, CODE) for number in numbers)
    return (_multicenter(base, 0), *(_multicenter(base, number, scale) for number, scale in pairs))


def _models(base: RunSpec, cnns: tuple[str, ...], transformers: tuple[str, ...]) -> tuple[RunSpec, ...]:
    """The three classifiers with the regularisation that Tables 4 and 5 imply."""
    smoothed = (spec for model in cnns for spec in _three(base.replace(model=model), label_smoothing=0.1))
    mixed = (spec for model in transformers for spec in _three(base.replace(model=model, views=MIXED)))
    return (*smoothed, *mixed)


def _ablated(build: Callable[..., tuple[RunSpec, ...]], *arguments: object, mixed: bool = True) -> tuple[RunSpec, ...]:
    """A table's runs on the two models of Tables 4-7; Swin-T with its own MixUp / CutMix unless the table varies that."""
    resnet, swin = (_IMAGENET.replace(model=model) for model in ABLATED)
    return (*build(resnet, *arguments), *build(swin.replace(views=MIXED) if mixed else swin, *arguments))


_SMALL_TRANSFORMERS = tuple(name for name in TRANSFORMERS if name.startswith("swin"))
_FIVE = {"quick": 5, "standard": 3, "paper": 1}

TABLES = (
    Table(
        "1",
        "Linear and multi-centre classifiers on classes with sub-classes",
        {
            "quick": (
                *_three(_PAIRS),
                *_library(_PAIRS),
                *_three(_QUICK.replace(groups=TOGETHER)),
            ),
            "frozen": (*_three(_FROZEN), *_library(_FROZEN)[:1]),
            "standard": (*_three(_SUPER), *_library(_SUPER)),
            "paper": _models(_IMAGENET, CNNS, TRANSFORMERS),
        },
        seeds=_FIVE,
        small_tables=("classes",),
    ),
    Table("1-cnn", "The same with a convolutional network", {"quick": _three(_PAIRS.replace(model="cnn"))}),
    Table(
        "2",
        "Few training images: MNIST, ten classes",
        {
            "quick": _small(_QUICK, (20, 60, 200)),
            "standard": _small(_CIFAR100, (50, 150, 500)),
            "paper": _models(_IMAGENET.replace(dataset="cifar100"), CNNS, _SMALL_TRANSFORMERS),
        },
        seeds=_FIVE,
    ),
    Table(
        "3",
        "Few training images: digits, ten classes",
        {
            "quick": _small(_DIGITS, (10, 30, 90)),
            "frozen": _small(_CLOTHES, (50, 150, 500)),
            "paper": _models(_IMAGENET.replace(dataset="mini-imagenet"), CNNS, _SMALL_TRANSFORMERS),
        },
        seeds=_FIVE,
    ),
    Table(
        "4",
        "With label smoothing",
        {"quick": _smoothed(_PAIRS), "standard": _smoothed(_SUPER), "paper": _ablated(_smoothed, mixed=False)},
        seeds=_FIVE,
    ),
    Table(
        "5",
        "With MixUp and CutMix",
        {"quick": _views(_PAIRS), "standard": _views(_SUPER), "paper": _ablated(_views, mixed=False)},
        seeds=_FIVE,
    ),
    Table(
        "6",
        "With a large margin and an additive angular margin",
        {"quick": _variants(_PAIRS), "standard": _variants(_SUPER), "paper": _ablated(_variants)},
    ),
    Table(
        "7",
        "Without the standard deviation loss",
        {"quick": _without_kl(_PAIRS), "standard": _without_kl(_SUPER), "paper": _ablated(_without_kl)},
        seeds=_FIVE,
    ),
    Table(
        "fig-4",
        "The number of sub-centres",
        {
            "quick": _numbers(_PAIRS, (1, 2, 4, 16)),
            "standard": _numbers(_SUPER, (1, 2, 4, 8)),
            "paper": _ablated(_numbers, (1, 2, 3, 4, 5)),
        },
    ),
    Table(
        "sigma-scale",
        "The scale of the noise",
        {"quick": tuple(_multicenter(_PAIRS, 2, scale) for scale in (0.0, 0.03, 0.1, 0.3, 1.0, 3.0))},
    ),
    Table(
        "center-weight",
        "The class centre's share of the label, and the label of the authors' code",
        {
            "quick": (
                *(_multicenter(_PAIRS, 2, CODE, center_weight=weight) for weight in (0.25, 0.5, 0.75, 1.0)),
                _multicenter(_PAIRS, 2, CODE, center_weight=5 / 9, label_smoothing=0.1),
            )
        },
    ),
    Table(
        "epochs",
        "The length of the training",
        {"quick": tuple(spec for epochs in (10, 20, 40, 80) for spec in _three(_PAIRS.replace(epochs=epochs)))},
    ),
)
