"""The runs behind the tables of `uniform`, at every tier.

The quick tier trains on 2,000 images of MNIST at 14 x 14 pixels (or on 900 of the 8 x 8 digits), 20 epochs from scratch.  Its
scale is 16, because 10 classes need a smaller one than ImageNet's 1,000.  At the quick and the frozen tier every loss has its
own tuned learning rate on every backbone and data set; where one argument of a loss is varied (scale, start of the bias), the
rate is that of its usual value.  At the standard tier all losses have the rate of the tier, and the scale of the frozen one.
The paper tier is as printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossbook.papers import frozen_tier, standard_tier
from lossbook.papers.tuning import Search, tuned
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import EVIDENCE, Draws, Table

# A head is linear or normalised (n), without bias (0), with a diverse (d) or with a unified one (u).
LINEAR, COSINE = ("0", "d", "u"), ("n0", "nd", "nu")
HEADS = LINEAR + COSINE


def loss_names(formulas: Sequence[str] = ("soft", "bce"), heads: Sequence[str] = HEADS) -> list[str]:
    """The losses of Table I with these formulas and heads, as the registry of objectives names them."""
    return [f"{formula}-{head}" for formula in formulas for head in heads]


LOSSES = loss_names()
SOFTMAX_LOSSES = loss_names(["soft"])
COSINE_LOSSES = loss_names(heads=COSINE)

QUICK_MODELS = ("mlp", "cnn", "resnet8")
PAPER_MODELS = ("resnet50", "resnet101", "densenet161")
FINE_GRAINED = ("cub", "aircraft", "flowers102", "cars", "dogs")
QUICK_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0, 256.0, 512.0)
PAPER_SCALES = (
    *(1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 80, 96),
    *(112, 128, 144, 160, 176, 192, 208, 256, 512),
)
BIAS_MODES = range(8)
BIAS_STARTS = (-8.0, -4.0, 0.0, 4.0, 8.0)
KNOWN = 6  # classes of a draw; the other four are unknown

_MNIST = RunSpec(dataset="mnist5k", model="cnn", image_size=14, epochs=20, batch_size=100, lr=0.1)
_MLP = _MNIST.replace(model="mlp")
_FROZEN, _FASHION = (base.replace(epochs=20, lr=0.1) for base in (frozen_tier.CIFAR100, frozen_tier.FASHION))
_DIGITS = _MNIST.replace(dataset="digits", image_size=0)
_STANDARD = standard_tier.CIFAR100.replace(suites=("uniformity", "rejection_others"))
_IMAGENET = RunSpec(dataset="imagenet1k", pretrained=True, image_size=224, epochs=30, lr=1e-4)
_FGVC = _IMAGENET.replace(epochs=100, lr=1e-3)


def _with_loss(base: RunSpec, loss: str, scale: float, **arguments: float) -> RunSpec:
    """A run with one of the twelve losses; only those with a normalised head have a scale."""
    return base.replace(objective=loss, objective_args=({"scale": scale} if loss in COSINE_LOSSES else {}) | arguments)


def _twelve(base: RunSpec, models: tuple[str, ...], scale: float) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base.replace(model=model), loss, scale) for model in models for loss in LOSSES)


def _known(base: RunSpec) -> RunSpec:
    """The same with some of the classes known (:class:`Draws` says which)."""
    return base.replace(classes=tuple(range(KNOWN)), suites=("uniformity", "rejection"))


def _more_losses(base: RunSpec) -> tuple[RunSpec, ...]:
    margins = ({"scale": 16.0, "margin": margin} for margin in (0.0, 0.1, 0.2, 0.4))
    return (base.replace(objective="bce-di"), *(base.replace(objective="uce", objective_args=args) for args in margins))


_TUNED = {
    "quick": (*_twelve(_MNIST, QUICK_MODELS, 16.0), *_twelve(_DIGITS, QUICK_MODELS, 16.0), *_more_losses(_MNIST)),
    "frozen": (*_twelve(_FROZEN, ("identity",), 32.0), *_twelve(_FASHION, ("identity",), 16.0)),
}
SEARCHES = {tier: tuple(Search(spec) for spec in specs) for tier, specs in _TUNED.items()}


def _tuned(specs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """The runs at the rates that were chosen for them."""
    return tuple(tuned("uniform", Search(spec)) for spec in specs)


def _tuned_as_usual(specs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """The runs at the rate that was chosen for their loss with its usual arguments and all classes."""
    usual = (_with_loss(spec.replace(classes=(), suites=()), spec.objective, 16.0) for spec in specs)
    return tuple(spec.replace(lr=one.lr) for spec, one in zip(specs, _tuned([*usual]), strict=True))


def _scales(base: RunSpec, loss: str, scales: tuple[float, ...]) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base, loss, float(scale)) for scale in scales)


def _modes(base: RunSpec, scale: float) -> tuple[RunSpec, ...]:
    """The eight starts of the diverse bias as printed: mode 0 is around zero."""
    losses = ("soft-d", "soft-nd", "bce-d", "bce-nd")
    return tuple(
        _with_loss(base, loss, scale, bias_mode=mode, **({} if mode else {"bias_start": 0.0}))
        for loss in losses
        for mode in BIAS_MODES
    )


def _starts(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base, loss, 16.0, bias_start=start) for loss in ("bce-u", "bce-nu") for start in BIAS_STARTS)


TABLES = (
    Table(
        "II",
        "Twelve losses, three backbones",
        {
            "quick": _tuned(_twelve(_MNIST, QUICK_MODELS, 16.0)),
            "frozen": _tuned(_twelve(_FROZEN, ("identity",), 32.0)),
            "standard": _twelve(_STANDARD, (_STANDARD.model,), 32.0),
            "paper": _twelve(_IMAGENET, PAPER_MODELS, 96.0),
        },
        small_tables=("classes", "histogram"),
        seeds=EVIDENCE,
    ),
    Table(
        "III",
        "bce-nu over the scale",
        {
            "quick": _tuned_as_usual(_scales(_MLP, "bce-nu", QUICK_SCALES)),
            "paper": _scales(_IMAGENET.replace(model="resnet50"), "bce-nu", PAPER_SCALES),
        },
        seeds=EVIDENCE,
    ),
    Table(
        "S.I",
        "soft-nu over the scale",
        {
            "quick": _tuned_as_usual(_scales(_MLP, "soft-nu", QUICK_SCALES)),
            "paper": _scales(_IMAGENET.replace(model="resnet50"), "soft-nu", PAPER_SCALES),
        },
        seeds=EVIDENCE,
    ),
    Table(
        "V-IX",
        "Twelve losses on small data sets",
        {
            "quick": _tuned(_twelve(_DIGITS, QUICK_MODELS, 16.0)),
            "frozen": _tuned(_twelve(_FASHION, ("identity",), 16.0)),
            "paper": tuple(spec for name in FINE_GRAINED for spec in _twelve(_FGVC.replace(dataset=name), PAPER_MODELS, 96.0)),
        },
        seeds=EVIDENCE,
    ),
    Table(
        "X",
        "Eight initialisations of the diverse bias",
        {"quick": _tuned_as_usual(_modes(_DIGITS, 16.0)), "paper": _modes(_FGVC.replace(dataset="cub", model="resnet50"), 96.0)},
        small_tables=("classes",),
        seeds=EVIDENCE,
    ),
    Table("bias-start", "Five initialisations of the unified bias", {"quick": _tuned_as_usual(_starts(_MLP))}),
    Table(
        "more-losses",
        "bce-di and uce beside bce-nu",
        {"quick": _tuned(_more_losses(_MNIST))},
    ),
    Draws(
        "open-set",
        "Rejection and verification with one threshold",
        {
            "quick": _tuned_as_usual(_twelve(_known(_MLP), ("mlp",), 16.0)),
            "frozen": _tuned_as_usual(_twelve(_known(_FASHION), ("identity",), 16.0)),
        },
        seeds=EVIDENCE,
    ),
)
