"""The runs behind the tables of `onecold`, at every tier.

Quick tier: 2,000 training images of MNIST at 14 x 14 pixels (or 900 of the 8 x 8 digits), 20 epochs from scratch; for
transfer, a linear classifier on frozen ImageNet features of patches of twelve photographs.  Frozen tier: 10 epochs.  Twice
the epochs at the same rate, over two seeds, change the error by less than half a point on images and by up to 0.7 points (of
45 %) on features, where a smaller rate undoes it; but RCE goes on learning, and table "rce" has four times the epochs as well.

At these two tiers every loss has its own tuned learning rate on every network and data set; transfer has the printed one.
Where the weight of OCCE is varied to see what it does to the features (tables "gamma", "course", "layers"), the rate is that of
weight 1, as in the paper: the accuracy hardly depends on the rate, while the measures of collapse do, so that rates of their
own would show which one chance has chosen.  In table "gamma-tuned", for the errors, every weight has its own.  At the quick tier
these four tables take the next lower rate of the ladder ("gamma-tuned" for the perceptron with weight 10 only): at the chosen
one, three of twenty perceptrons with weight 10 diverged, which the three trainings of the search had not shown.
Paper tier: as printed, with two substitutes: ``resnet18-cifar`` is ResNet-18 and not its pre-activation form, and the
random crop is a random shift.  The gammas of the paper's figures are on the axes only; text and captions name 0, 1, 10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lossbook.papers import frozen_tier, standard_tier
from lossbook.papers.tuning import RATES, Search, tuned
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import EVIDENCE, Draws, Table

GAMMAS = (0.0, 0.1, 1.0, 3.0, 10.0)
# The baselines of Table 1 in its order: name as printed -> objectives without and with the one-cold term.
PAIRS = {
    "CE": ("soft-d", "ce+occe"),
    "LSCE": ("label-smoothing", "label-smoothing+occe"),
    "CE+NL": ("ce+nl", "ce+nl+occe"),
    "COT": ("cot", "cot+occe"),
    "CCE": ("cce", "cce+occe"),
    "FL": ("focal", "focal+occe"),
    "ASL": ("asymmetric", "asymmetric+occe"),
    "CFL": ("cyclical-focal", "cyclical-focal+occe"),
    "ADAFL": ("adafocal", "adafocal+occe"),
    "BCE": ("bce-d", "bce+occe"),  # ours: not a row of Table 1
}
PRINTED = tuple(name for name in PAIRS if name != "BCE")
OPEN_SET_LOSSES = ("bce-d", "soft-d", "occe", "ce+occe", "ce+occe-dual")
SOFT_TARGETS = ("soft-d", "occe", "ce+occe", "ce+occe-instance", "ce+occe-class")
SWEEP = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # learning rates
LONGER = 4  # times the epochs, for the reverse cross entropy
_ALPHAS = {"ce+occe-instance": 0.1, "ce+occe-class": 0.5}
_PAPER_MODELS = ("resnet18-cifar", "mobilenetv2_100", "densenet121")

_MLP = RunSpec(dataset="mnist5k", model="mlp", image_size=14, epochs=20, batch_size=100, lr=0.1, suites=("collapse",))
_CNN = _MLP.replace(model="cnn")
_DIGITS = _MLP.replace(dataset="digits", image_size=0)
_CIFAR100 = RunSpec(
    dataset="cifar100",
    model="resnet18-cifar",
    augment=("shift", "flip"),
    epochs=150,
    batch_size=128,
    lr=0.1,
    lr_steps=(50, 100),
    weight_decay=1e-4,
    warmup_epochs=0.0,
    suites=("collapse",),
)
_SWIN = "swin_tiny_patch4_window7_224"
# Table 2's optimiser; 500 steps at the quick tier (ten per pass over 120 patches), 10,000 at the others.
_FINE = RunSpec(pretrained=True, lr=0.01, weight_decay=0.0, warmup_epochs=0.0, suites=("collapse",))
_PROBE = _FINE.replace(
    dataset="patches", model="efficientnet_lite0", frozen=True, epochs=50, batch_size=12, lr_steps=(15, 30, 45)
)
_LITE = _FINE.replace(
    model="efficientnet_lite0",
    image_size=96,
    augment=("flip",),
    epochs=26,
    batch_size=128,
    lr_steps=(8, 16, 23),
    evaluate_every=2,
)
_TINY = _CIFAR100.replace(dataset="tinyimagenet", epochs=90, lr_steps=(30, 60, 80))
_STANDARD = standard_tier.CIFAR100.replace(suites=("collapse",))
# One run for neural collapse and for detection.
_STANDARD_OOD = _STANDARD.replace(suites=("collapse", "ood"))

_FROZEN = frozen_tier.CIFAR100.replace(suites=("collapse",))
_TWENTY = _FROZEN.replace(train_per_class=250)  # as many images of twenty classes as of a hundred


def _loss(base: RunSpec, loss: str, **arguments: float) -> RunSpec:
    return base.replace(objective=loss, objective_args=arguments)


def _gammas(*bases: RunSpec, every: int = 0) -> tuple[RunSpec, ...]:
    """CE + OCCE over its weight; ``every``: also measured every so many epochs."""
    bases = tuple(base.replace(evaluate_every=every) for base in bases)
    return tuple(_loss(base, "ce+occe", occe_weight=gamma) for base in bases for gamma in GAMMAS)


def _baselines(base: RunSpec, names: tuple[str, ...] = tuple(PAIRS)) -> tuple[RunSpec, ...]:
    return tuple(_loss(base, loss) for loss in ("occe", *(loss for name in names for loss in PAIRS[name])))


def _sweep(base: RunSpec) -> tuple[RunSpec, ...]:
    """Cross entropy and reverse cross entropy over the learning rate."""
    return tuple(_loss(base.replace(lr=lr), loss) for loss in ("soft-d", "occe") for lr in SWEEP)


def _reverse(base: RunSpec) -> tuple[RunSpec, ...]:
    """Both for as long as usual and longer, with all classes and with three."""
    lengths = (base, base.replace(epochs=LONGER * base.epochs))
    cases = [case for one in lengths for case in (one, one.replace(classes=(0, 1, 2)))]
    return tuple(_loss(case, loss) for case in cases for loss in ("soft-d", "occe"))


def _open_set(base: RunSpec, known: int) -> tuple[RunSpec, ...]:
    """Some of the classes are known (:class:`Draws` says which)."""
    base = base.replace(classes=tuple(range(known)), suites=("openset",))
    return tuple(_loss(base, loss) for loss in OPEN_SET_LOSSES)


def _ood(base: RunSpec, gammas: tuple[float, ...], suite: str = "ood") -> tuple[RunSpec, ...]:
    base = base.replace(suites=(suite,))
    return (_loss(base, "soft-d"), *(_loss(base, "ce+occe", occe_weight=gamma) for gamma in gammas))


def _soft_targets(*bases: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(
        _loss(base, loss, **({"alpha": _ALPHAS[loss]} if loss in _ALPHAS else {})) for base in bases for loss in SOFT_TARGETS
    )


def _pairs(*bases: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_loss(base, loss) for base in bases for loss in ("soft-d", "ce+occe"))


def _transfer() -> tuple[RunSpec, ...]:
    """10,000 steps of 512 images (ImageNet 20,000), the rate divided by 10 after 30, 60 and 90 % of them."""
    schedules = {
        "stl10": (1024, (307, 614, 922)),
        "cifar100": (102, (31, 61, 92)),
        "tinyimagenet": (51, (15, 31, 46)),
        "imagenet1k": (8, (2, 5, 7)),
    }
    base = _FINE.replace(image_size=224, augment=("flip",), batch_size=512)
    return _pairs(
        *(
            base.replace(model=model, dataset=dataset, epochs=epochs, lr_steps=steps)
            for model in ("wide_resnet50_2", _SWIN)
            for dataset, (epochs, steps) in schedules.items()
        )
    )


def _entities() -> tuple[RunSpec, ...]:
    """Table 6: three epochs of AdamW, batches of 32 sentences, the best of three learning rates."""
    base = RunSpec(dataset="conll2003", pretrained=True, epochs=3, batch_size=32, optimizer="adamw", suites=())
    return _pairs(
        *(base.replace(model=model, lr=lr) for model in ("roberta", "bert", "distilbert", "gpt-2") for lr in (1e-4, 2e-4, 4e-4))
    )


_IMAGENET200 = _CIFAR100.replace(dataset="imagenet200", model="resnet18", image_size=224, epochs=90, lr_steps=(30, 60, 80))
_LAYERS = _MLP.replace(suites=("layers",))
_TWENTY_KNOWN = _open_set(_TWENTY, 20)

# The first so many classes stand for any draw of as many: the rates are theirs.
_SPECS = {
    "quick": (
        *_baselines(_MLP),
        *_gammas(_MLP, _CNN),
        *_reverse(_MLP),
        *_open_set(_MLP, 4),
        *_open_set(_MLP, 6),
        *_ood(_CNN, (0.1, 1.0)),
        *_soft_targets(_MLP, _DIGITS),
    ),
    "frozen": (
        *_baselines(_FROZEN),
        *_gammas(_FROZEN),
        *_open_set(frozen_tier.FASHION, 4),
        *_TWENTY_KNOWN,
        *_ood(_FROZEN, (0.1, 1.0)),
        *_soft_targets(_FROZEN),
    ),
}
SEARCHES = {tier: tuple({search.family: search for search in map(Search, specs)}.values()) for tier, specs in _SPECS.items()}


def _weight_one(spec: RunSpec) -> RunSpec:
    return _loss(spec.replace(evaluate_every=0), "ce+occe", occe_weight=1.0)


def _tuned(specs: Sequence[RunSpec], like: Callable[[RunSpec], RunSpec] = lambda spec: spec) -> tuple[RunSpec, ...]:
    """The runs at the rates that were chosen for them, or for other ones that they are like."""
    return tuple(spec.replace(lr=tuned("onecold", Search(like(spec))).lr) for spec in specs)


def _one_step_lower(specs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """The runs at the next lower rate of the ladder."""
    return tuple(spec.replace(lr=RATES[RATES.index(spec.lr) - 1]) for spec in specs)


def _tuned_each(specs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """The runs at rates of their own; that of the perceptron with weight 10 is one step lower, as is said above."""
    heavy = [spec for spec in specs if (spec.model, spec.objective_args["occe_weight"]) == ("mlp", 10.0)]
    return (*_tuned([spec for spec in specs if spec not in heavy]), *_one_step_lower(_tuned(heavy)))


TABLES = (
    Table(
        "gamma",
        "Figs. 4 and 5a: neural collapse and independence over the weight of OCCE",
        {
            "quick": _one_step_lower(_tuned(_gammas(_MLP, _CNN), _weight_one)),
            "frozen": _tuned(_gammas(_FROZEN), _weight_one),
            "standard": _gammas(_STANDARD_OOD),
            "paper": _gammas(_CIFAR100, every=5),
        },
        seeds=EVIDENCE | {"paper": 10},
        small_tables=("independence",),
    ),
    Table(
        "gamma-tuned",
        "Figs. 5b and c: generalisation over the weight of OCCE",
        {
            "quick": _tuned_each(_gammas(_MLP, _CNN)),
            "frozen": _tuned(_gammas(_FROZEN)),
            "standard": _gammas(_STANDARD_OOD),
            "paper": _gammas(_CIFAR100, every=5),
        },
        seeds=EVIDENCE | {"paper": 10},
    ),
    Table(
        "course",
        "Figs. 4 and 6: the course of the training over the weight of OCCE",
        {
            "quick": _one_step_lower(_tuned(_gammas(_MLP, _CNN, every=1), _weight_one)),
            "standard": _gammas(_STANDARD, every=5),
            "paper": _gammas(_CIFAR100, every=5),
        },
        small_tables=("curves",),
    ),
    Table(
        "swin",
        "Figs. 15 and 16: the same for Swin-T",
        # The paper prints no settings: those of Table 2.
        {
            "paper": _gammas(
                _FINE.replace(
                    dataset="cifar100",
                    model=_SWIN,
                    image_size=224,
                    augment=("flip",),
                    batch_size=512,
                    epochs=102,
                    lr_steps=(31, 61, 92),
                ),
                every=5,
            )
        },
        small_tables=("independence", "curves"),
    ),
    Table(
        "1",
        "Nine baselines without and with OCCE",
        {
            "quick": _tuned(_baselines(_MLP)),
            "frozen": _tuned(_baselines(_FROZEN)),
            "standard": _baselines(_STANDARD_OOD, ("CE", "LSCE", "FL")),
            "paper": tuple(
                spec
                for data in (_CIFAR100, _TINY)
                for model in _PAPER_MODELS
                for spec in _baselines(data.replace(model=model), PRINTED)
            ),
        },
        seeds=EVIDENCE | {"paper": 3},
    ),
    Table("rates", "Reverse cross entropy over the learning rate", {"quick": _sweep(_MLP)}),
    Table(
        "rce",
        "Reverse cross entropy with a tuned rate: more epochs, fewer classes",
        {"quick": _tuned(_reverse(_MLP))},
        seeds=EVIDENCE,
    ),
    Table(
        "2",
        "Transfer learning",
        {
            "quick": _pairs(_PROBE),
            "standard": _pairs(*(_LITE.replace(dataset=dataset) for dataset in ("cifar100", "cifar10"))),
            "paper": _transfer(),
        },
        seeds=EVIDENCE | {"paper": 5},
        small_tables=("curves",),
    ),
    Draws(
        "3",
        "Open-set recognition with one and two heads",
        {
            # With two known classes OCCE is the cross entropy.
            "quick": _tuned((*_open_set(_MLP, 4), *_open_set(_MLP, 6))),
            "frozen": _tuned((*_open_set(frozen_tier.FASHION, 4), *_TWENTY_KNOWN)),
            "standard": (*_open_set(_STANDARD, 60), *_open_set(standard_tier.FASHION, 4)),
            "paper": (
                *_open_set(_CIFAR100.replace(dataset="fashion-mnist"), 4),
                *_open_set(_CIFAR100, 20),
                *_open_set(_TINY, 40),
            ),
        },
        seeds=EVIDENCE | {"paper": 5},
        all_classes={"tinyimagenet": 200},
    ),
    Table(
        "4",
        "Tables 4, 7 and 8: out-of-distribution detection by ten scores",
        {
            "quick": _tuned(_ood(_CNN, (0.1, 1.0))),
            "frozen": _tuned(_ood(_FROZEN, (0.1, 1.0))),
            "standard": tuple(spec.replace(suites=_STANDARD_OOD.suites) for spec in _ood(_STANDARD, (0.1, 1.0, 10.0))),
            "paper": _ood(_CIFAR100, (0.1,), "ood_printed") + _ood(_IMAGENET200, (0.1,), "ood_printed"),
        },
        seeds=EVIDENCE | {"paper": 3},
    ),
    Table(
        "5",
        "Soft anti-class targets",
        {
            "quick": _tuned(_soft_targets(_MLP, _DIGITS)),
            "frozen": _tuned(_soft_targets(_FROZEN)),
            "standard": _soft_targets(_STANDARD),
            "paper": _soft_targets(
                _CIFAR100.replace(dataset="mnist", augment=()), _CIFAR100.replace(dataset="cifar10"), _CIFAR100, _TINY
            ),
        },
        seeds=EVIDENCE | {"paper": 3},
    ),
    Table("6", "Named entities", {"paper": _entities()}, seeds={"quick": 1, "standard": 1, "paper": 5}),
    Table(
        "layers",
        "Figs. 11 and 13: activations and ranks of the Jacobians",
        {
            "quick": (
                *_one_step_lower(_tuned([_loss(_LAYERS, "ce+occe", occe_weight=w) for w in (0.0, 1.0, 10.0)], _weight_one)),
                *_tuned([_loss(_LAYERS, "occe")]),
            )
        },
        seeds=EVIDENCE,
        small_tables=("activations",),
    ),
)
