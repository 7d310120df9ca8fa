"""The runs behind the tables and figures of `warped` at every tier.

Quick tier: a small CNN with 16-dimensional embeddings on half of MNIST's digits (1,000 training images, 14 x 14 pixels);
retrieval among the test images of the other half.  The warp's numbers were chosen by training on digits 0-4 and retrieving
5-9.  The pages report the other direction, which had been looked at, too, before the choice was final (page 4 says how).

Paper tier: the authors' released hyper-parameters.
"""

from __future__ import annotations

from typing import Any

from lossbook.papers import frozen_tier
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

BASELINES = (
    *("proxy-nca++", "proxy-anchor", "normalized-softmax", "softtriple", "arcface", "cosface"),
    *("multi-similarity", "contrastive"),
)
# The two directions: train on these digits, retrieve the others.
REPORTED, TUNED = (5, 6, 7, 8, 9), (0, 1, 2, 3, 4)
ALPHAS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
K1, K2 = (0.5, 0.8, 1.0), (1.0, 1.3, 2.0)
MARGINS = (1.0, 1.3, 2.0, 4.0)
TEMPERATURES = (0.5, 1.0, 2.0, 4.0)
FORMULAS = {"log1p": "log(1 + x)", "power-1.5": "x^1.5", "square": "x²"}  # of generalized-softmax, f1 = f2
EVERYWHERE = 1e6  # no distance reaches this alpha: the half warp that pushes outward

_RETRIEVAL = ("retrieval",)
_PAIRS = ("retrieval", "verification")
_ROBUST = (*_PAIRS, "corruption")
_WARP = {"alpha": 8.0, "k1": 0.8, "k2": 1.3, "temperature": 1.0, "margin": 1.0}
_BASE = RunSpec(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    dataset="mnist5k",
    classes=REPORTED,
    model="cnn",
    image_size=14,
    embedding_size=16,
    batch_size=100,
    batch_classes=5,
    lr=0.03,
    suites=_RETRIEVAL,
)
_TWO = {"epochs": 3, "lr": 0.003}


def _warped(base: RunSpec, **changes: float) -> RunSpec:
    return base.replace(objective="warped-softmax", objective_args=_WARP | changes)


def _two_phases(base: RunSpec) -> tuple[RunSpec, RunSpec]:
    """Eq. 4 and the warp with the same epochs, rates and temperatures: the control, and the method."""
    base = base.replace(epochs=7)
    control = base.replace(objective_args={"temperature": 2.0}, second_phase=_TWO | {"objective_args": {"temperature": 1.0}})
    second = {"alpha": 4.0, "k2": 1.5, "temperature": 1.0}
    return control, _warped(base, temperature=2.0).replace(second_phase=_TWO | {"objective_args": second})


def _four(base: RunSpec) -> tuple[RunSpec, ...]:
    """The losses of Table IV that are here, the Euclidean ones also in two phases."""
    control, two = _two_phases(base)
    nca = base.replace(objective="proxy-nca++", objective_args={})
    return base, _warped(base), control, two, nca


def _generalized(base: RunSpec, name: str) -> RunSpec:
    return base.replace(objective="generalized-softmax", objective_args={"f1": name, "f2": name})


_REPORTED = _BASE.replace(suites=_ROBUST)


def _three(base: RunSpec) -> tuple[RunSpec, RunSpec, RunSpec]:
    """Eq. 4, the warp and the paper's baseline."""
    return base, _warped(base), base.replace(objective="proxy-nca++", objective_args={})


def _sweep(*settings: dict[str, float]) -> tuple[RunSpec, ...]:
    """The warp with some arguments changed; the unchanged one is the run of Table I."""
    specs = (_warped(_BASE, **changes) for changes in settings)
    return tuple(_warped(_REPORTED) if spec == _warped(_BASE) else spec for spec in specs)


_COMPARED = (
    *_four(_REPORTED),
    *(_BASE.replace(objective=name, objective_args={}, suites=_PAIRS) for name in BASELINES[1:]),
    *_four(_BASE.replace(classes=TUNED)),
)
# Ten digits make five pairs: eight digits train, in four folds of two, and two are unknown.
_FOLDED = tuple(
    _BASE.replace(
        classes=tuple(digit for digit in range(10) if digit // 2 != pair),
        train_per_class=100,
        embedding_size=64,
        suites=("reality_check",),
    )
    for pair in range(5)
)
# Fig. 10: all digits, few images, many epochs, embeddings in the plane.
_PLANE = _BASE.replace(classes=(), train_per_class=30, embedding_size=2, batch_classes=0, epochs=100, suites=("plane",))
_FUNCTIONS = (
    _REPORTED,
    *(_generalized(_BASE, name) for name in FORMULAS),
    *(_warped(_BASE, alpha=EVERYWHERE, k1=k1) for k1 in (0.9, 0.5)),
    *(_warped(_BASE, alpha=0.0, k2=k2) for k2 in (1.3, 3.0)),
    *_sweep(*({"alpha": alpha} for alpha in (4.0, 8.0, 16.0, 32.0))),
)


# Standard tier: half of CIFAR-100's classes, and Omniglot's 964 background characters; the quick tier's warp, not tuned.
_CIFAR = RunSpec(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    dataset="cifar100",
    classes=tuple(range(50)),
    model="resnet18-cifar",
    embedding_size=128,
    augment=("shift", "flip"),
    epochs=60,
    batch_size=128,
    batch_classes=16,
    lr=0.05,
    warmup_epochs=3.0,
    suites=_ROBUST,
)
_OMNIGLOT = _CIFAR.replace(dataset="omniglot", classes=tuple(range(964)), batch_classes=32, augment=("shift",))
_STANDARD = tuple(
    spec
    for base in (_CIFAR, _OMNIGLOT)
    for spec in (base, _warped(base), *(base.replace(objective=name, objective_args={}) for name in BASELINES))
)
_FASHION = _PLANE.replace(dataset="fashion-mnist", train_per_class=100, image_size=0, epochs=200)

_HALF = frozen_tier.CIFAR100.replace(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    classes=frozen_tier.HALF,
    batch_classes=25,
    suites=("neighbours",),
)
_CHARACTERS = _HALF.replace(dataset="omniglot-efficientnet_lite0", classes=tuple(range(200)), train_per_class=0)
# Paper tier: the authors' released values, first phase -> second phase.
_RESNET = RunSpec(
    objective="euclidean-softmax",
    dataset="cub-retrieval",
    classes=tuple(range(100)),
    model="resnet50",
    pretrained=True,
    embedding_size=512,
    image_size=224,
    augment=("flip",),
    optimizer="adam",
    optimizer_args={"eps": 1.0},
    weight_decay=1e-7,
    gradient_clip=10.0,
    suites=_ROBUST,
)


def _released(
    dataset: str,
    classes: int,
    batch: tuple[int, int],
    epochs: tuple[int, int],
    lr: tuple[float, float],
    proxy_lr: tuple[float, float],
    temperature: float,
    margin: float,
    **warps: tuple[float, float],
) -> tuple[RunSpec, RunSpec, RunSpec]:
    """Eq. 4, the warp and ProxyNCA++ on one data set; the temperature ends at 1."""
    first, second = ({name: values[phase] for name, values in warps.items()} for phase in (0, 1))
    then: dict[str, Any] = {"epochs": epochs[1], "lr": lr[1], "head_lr": proxy_lr[1]}
    base = _RESNET.replace(
        dataset=dataset,
        classes=tuple(range(classes)),
        batch_size=batch[0],
        batch_classes=batch[1],
        epochs=epochs[0],
        lr=lr[0],
        head_lr=proxy_lr[0],
    )
    cooled = {"temperature": 1.0}
    return (
        base.replace(objective_args={"temperature": temperature}, second_phase=then | {"objective_args": cooled}),
        base.replace(
            objective="warped-softmax",
            objective_args=first | {"temperature": temperature, "margin": margin},
            second_phase=then | {"objective_args": second | cooled},
        ),
        base.replace(objective="proxy-nca++", second_phase=then),
    )


_CUB = _released(
    "cub-retrieval",
    classes=100,
    batch=(64, 8),
    epochs=(20, 30),
    lr=(0.01, 0.001),
    proxy_lr=(1.0, 5e-4),
    temperature=4.525,
    margin=1.30,
    alpha=(28.40, 24.68),
    k1=(0.93, 0.95),
    k2=(1.15, 1.20),
)
_CARS = _released(
    "cars-retrieval",
    classes=98,
    batch=(64, 4),
    epochs=(50, 50),
    lr=(0.01, 0.001),
    proxy_lr=(1.0, 5e-4),
    temperature=5.0,
    margin=1.50,
    alpha=(30.15, 23.25),
    k1=(0.80, 0.50),
    k2=(1.15, 1.55),
)
_SOP = _released(
    "sop",
    classes=11318,
    batch=(192, 64),
    epochs=(60, 20),
    lr=(0.024, 0.0075),
    proxy_lr=(225.0, 0.001),
    temperature=3.7442,
    margin=1.348,
    alpha=(13.025, 5.842),
    k1=(0.8563, 0.8024),
    k2=(1.1181, 1.6175),
)
_CUB_ONE = _CUB[0].replace(objective_args={"temperature": 1.0}, epochs=50, second_phase={}, augment=())


def _cub(**changes: float) -> RunSpec:
    """The first phase's warp on CUB, all epochs in one phase."""
    return _CUB[1].replace(objective_args=_CUB[1].objective_args | changes, epochs=50, second_phase={})


# The paper averages five trainings in Table I, and does not say how many in the other tables.
_FIVE, _ONE = {"quick": 5, "standard": 3, "paper": 5}, {"quick": 5, "standard": 3, "paper": 1}

TABLES = (
    Table(
        "I",
        "Retrieval of unknown classes, losses compared",
        {
            "quick": _COMPARED,
            "frozen": (*_four(_HALF), *_four(_CHARACTERS)),
            "standard": _STANDARD,
            "paper": (*_CUB, *_CARS, *_SOP),
        },
        seeds=_FIVE,
    ),
    Table(
        "III",
        "Functions in place of f1 and f2",
        {
            "quick": _FUNCTIONS,
            "paper": (
                _CUB_ONE,
                *(_generalized(_CUB_ONE, name) for name in FORMULAS),
                *(_cub(alpha=EVERYWHERE, k1=k1).replace(augment=()) for k1 in (0.9, 0.5)),
                *(_cub(alpha=0.0, k2=k2).replace(augment=()) for k2 in (1.15, 3.0)),
                *(_cub(alpha=alpha).replace(augment=()) for alpha in (50.0, 25.0, 8.0)),
            ),
        },
        seeds=_ONE,
        small_tables=("curves",),
    ),
    Table(
        "fig-6",
        "alpha",
        {"quick": _sweep(*({"alpha": a} for a in ALPHAS)), "paper": tuple(_cub(alpha=5.0 * i) for i in range(20))},
        seeds=_ONE,
    ),
    Table(
        "fig-7",
        "k1 and k2",
        {
            "quick": _sweep(*({"k1": k1, "k2": k2} for k1 in K1 for k2 in K2)),
            "paper": tuple(_cub(k1=k1, k2=k2) for k1 in (0.5, 0.7, 0.93, 1.0) for k2 in (1.0, 1.15, 1.5, 2.0)),
        },
        seeds=_ONE,
    ),
    Table(
        "fig-8",
        "The factor of Delta",
        {"quick": _sweep(*({"margin": m} for m in MARGINS)), "paper": tuple(_cub(margin=1 + 0.5 * i) for i in range(10))},
        seeds=_ONE,
    ),
    Table(
        "temperature",
        "Eq. 4 at four temperatures",
        {"quick": tuple(_REPORTED if t == 1 else _BASE.replace(objective_args={"temperature": t}) for t in TEMPERATURES)},
        seeds=_FIVE,
    ),
    Table(
        "VI",
        "The reality check: four folds, three ways to evaluate",
        {
            "quick": tuple(spec for base in _FOLDED for spec in _three(base)),
            "frozen": _three(_HALF.replace(embedding_size=512, suites=("reality_check",))),
            "standard": tuple(
                spec
                for base in (_CIFAR, _OMNIGLOT)
                for spec in _three(base.replace(embedding_size=512, suites=("reality_check",)))
            ),
            "paper": tuple(spec.replace(suites=("reality_check",)) for spec in (*_CUB, *_CARS, *_SOP)),
        },
        seeds={"quick": 1, "standard": 3, "paper": 10},
    ),
    Table(
        "fig-10",
        "Overfitted embeddings in the plane",
        {tier: (base, _warped(base, alpha=4.0)) for tier, base in (("quick", _PLANE), ("standard", _FASHION))},
        seeds={"quick": 3, "standard": 1},
        small_tables=("plane",),
    ),
    Table(
        "mlp",
        "The warp on another backbone",
        {"quick": tuple(s.replace(model="mlp") for s in (_BASE, _warped(_BASE, alpha=4.0), _warped(_BASE)))},
        seeds=_FIVE,
    ),
)
