"""The runs behind the tables of `uniform`, at every tier.

The quick tier trains on 2,000 images of MNIST at 14 x 14 pixels (or on 900 of the 8 x 8 digits), 10 epochs from scratch.  Its
scale is 16, because 10 classes need a smaller one than ImageNet's 1,000.  The paper tier is as printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossbook.papers import frozen_tier
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

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
# Five draws of six known digits; the other four are unknown.
KNOWN_CLASSES = ((0, 1, 2, 3, 4, 5), (4, 5, 6, 7, 8, 9), (0, 2, 4, 6, 8, 9), (1, 3, 5, 7, 8, 9), (0, 1, 4, 5, 7, 9))

_MNIST = RunSpec(dataset="mnist5k", model="cnn", image_size=14, epochs=10, batch_size=100, lr=0.03)
_MLP = _MNIST.replace(model="mlp")
_DIGITS = _MNIST.replace(dataset="digits", image_size=0)
_CIFAR100 = RunSpec(
    dataset="cifar100", model="resnet18-cifar", augment=("shift", "flip"), epochs=60, batch_size=128, lr=0.05, warmup_epochs=3.0
)
_IMAGENET = RunSpec(dataset="imagenet1k", pretrained=True, image_size=224, epochs=30, lr=1e-4)
_FGVC = _IMAGENET.replace(epochs=100, lr=1e-3)


def _with_loss(base: RunSpec, loss: str, scale: float, **arguments: float) -> RunSpec:
    """A run with one of the twelve losses; only those with a normalised head have a scale."""
    return base.replace(objective=loss, objective_args=({"scale": scale} if loss in COSINE_LOSSES else {}) | arguments)


def _twelve(base: RunSpec, models: tuple[str, ...], scale: float) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base.replace(model=model), loss, scale) for model in models for loss in LOSSES)


def _scales(base: RunSpec, loss: str, scales: tuple[float, ...]) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base, loss, float(scale)) for scale in scales)


def _modes(base: RunSpec, scale: float) -> tuple[RunSpec, ...]:
    losses = ("soft-d", "soft-nd", "bce-d", "bce-nd")
    return tuple(_with_loss(base, loss, scale, bias_mode=mode) for loss in losses for mode in BIAS_MODES)


def _starts(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base, loss, 16.0, bias_start=start) for loss in ("bce-u", "bce-nu") for start in BIAS_STARTS)


def _open_set(base: RunSpec, scale: float, draws: tuple[tuple[int, ...], ...]) -> tuple[RunSpec, ...]:
    base = base.replace(suites=("uniformity", "rejection"))
    return tuple(_with_loss(base.replace(classes=classes), loss, scale) for loss in LOSSES for classes in draws)


TABLES = (
    Table(
        "II",
        "Twelve losses, three backbones",
        {
            "quick": _twelve(_MNIST, QUICK_MODELS, 16.0),
            "frozen": _twelve(frozen_tier.CIFAR100, ("identity",), 32.0),
            "standard": _twelve(_CIFAR100, ("resnet18-cifar",), 32.0),
            "paper": _twelve(_IMAGENET, PAPER_MODELS, 96.0),
        },
        small_tables=("classes", "histogram"),
    ),
    Table(
        "III",
        "bce-nu over the scale",
        {
            "quick": _scales(_MLP, "bce-nu", QUICK_SCALES),
            "paper": _scales(_IMAGENET.replace(model="resnet50"), "bce-nu", PAPER_SCALES),
        },
    ),
    Table(
        "S.I",
        "soft-nu over the scale",
        {
            "quick": _scales(_MLP, "soft-nu", QUICK_SCALES),
            "paper": _scales(_IMAGENET.replace(model="resnet50"), "soft-nu", PAPER_SCALES),
        },
    ),
    Table(
        "V-IX",
        "Twelve losses on small data sets",
        {
            "quick": _twelve(_DIGITS, QUICK_MODELS, 16.0),
            "frozen": _twelve(frozen_tier.FASHION, ("identity",), 16.0),
            "paper": tuple(spec for name in FINE_GRAINED for spec in _twelve(_FGVC.replace(dataset=name), PAPER_MODELS, 96.0)),
        },
    ),
    Table(
        "X",
        "Eight initialisations of the diverse bias",
        {"quick": _modes(_DIGITS, 16.0), "paper": _modes(_FGVC.replace(dataset="cub", model="resnet50"), 96.0)},
        small_tables=("classes",),
    ),
    Table("bias-start", "Five initialisations of the unified bias", {"quick": _starts(_MLP)}),
    Table(
        "more-losses",
        "bce-di and uce beside bce-nu",
        {
            "quick": (
                _MNIST.replace(objective="bce-di"),
                *(_MNIST.replace(objective="uce", objective_args={"scale": 16.0, "margin": m}) for m in (0.0, 0.1, 0.2, 0.4)),
            )
        },
    ),
    Table(
        "open-set",
        "Rejection and verification with one threshold",
        {"quick": _open_set(_MLP, 16.0, KNOWN_CLASSES), "frozen": _open_set(frozen_tier.FASHION, 16.0, KNOWN_CLASSES)},
        seeds={"quick": 1, "frozen": 1, "standard": 1, "paper": 1},
    ),
)
