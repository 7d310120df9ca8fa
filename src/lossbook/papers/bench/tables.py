"""The runs of the bench: the five papers' losses and their baselines under equal conditions, and combinations of them.

Two scenarios.  ``bench``: some classes are known and trained on, the others are unknown; one run is scored by every paper's
metrics.  Every seed has its own random draw of the known classes.  ``tail``: all classes, an exponential long tail.
Quick tier: a perceptron on MNIST at 14 x 14 pixels, 100 training images per known class.  Frozen tier: a linear map on
features of CIFAR-100.  At both, each method is tuned (``tuning``); what was chosen stands in ``data/bench/chosen.csv``, which
``lossbook choose bench`` writes.  Standard tier: CIFAR-100, with the settings chosen at the quick tier, not tuned.

A method that is not in that file has tuning runs only; a combination whose parent is not in it has no runs.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from lossbook.papers import frozen_tier
from lossbook.paths import in_project
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Draws, Table

Setting = dict[str, float]
# A path below the project's root.
CHOSEN_FILE = Path("data") / "bench" / "chosen.csv"


def _rates(*values: float) -> tuple[Setting, ...]:
    return tuple({"lr": lr} for lr in values)


def _grid(argument: str, *values: float) -> tuple[Setting, ...]:
    return tuple({"lr": lr, argument: value} for lr in (0.03, 0.1) for value in values)


@dataclass(frozen=True)
class Method:
    """A loss that is tuned.

    Attributes:
        objective: its name in the registry of objectives.
        source: the paper that it comes from, or ``"baseline"``.
        settings: what the tuning tries: learning rates, and values of one argument.
        arguments: of the objective, the same in every setting.
    """

    objective: str
    source: str
    settings: tuple[Setting, ...] = _rates(0.01, 0.03, 0.06, 0.1)
    arguments: dict[str, float] = field(default_factory=dict)


# The same budget for every method: four settings.  A method with an argument that matters gets two rates by two values of it,
# the others get four rates.  No rate is above 0.1: at 0.3, which was tried, BCE fails.
METHODS = {
    "CE": Method("soft-d", "baseline"),
    "label smoothing": Method("label-smoothing", "baseline", _grid("smoothing", 0.05, 0.1)),
    "focal": Method("focal", "baseline", _grid("gamma", 1.0, 2.0)),
    "ArcFace": Method("arcface", "baseline", _grid("scale", 16.0, 64.0)),
    "Proxy-Anchor": Method("proxy-anchor", "baseline", _grid("alpha", 16.0, 32.0)),
    "soft-nu": Method("soft-nu", "uniform", _grid("scale", 8.0, 16.0)),
    "BCE": Method("bce-d", "uniform"),
    "bce-nu": Method("bce-nu", "uniform", _grid("scale", 8.0, 16.0)),
    "UCE": Method("uce", "uniform", _grid("margin", 0.1, 0.4), {"scale": 16.0}),
    "CE3S": Method("ce3s", "bce3s", _grid("lambda_cc", 0.2, 1.0)),
    "BCE3S": Method("bce3s", "bce3s", _grid("lambda_cc", 0.2, 1.0), {"r": 1.0}),
    "multi-centre": Method("multicenter", "multicenter", _grid("sigma_scale", 0.1, 1.0), {"num_subcenters": 2}),
    "Euclidean": Method("euclidean-softmax", "warped"),
    "warped": Method(
        "warped-softmax", "warped", _grid("alpha", 4.0, 8.0), {"k1": 0.8, "k2": 1.3, "temperature": 1.0, "margin": 1.0}
    ),
    "OCCE": Method("occe", "onecold"),
    "CE+OCCE": Method("ce+occe", "onecold", _grid("occe_weight", 0.1, 1.0)),
    "CE+OCCE class": Method("ce+occe-class", "onecold", _grid("occe_weight", 0.1, 1.0)),
}


@dataclass(frozen=True)
class Combination:
    """A loss that no paper has.  It is not tuned: it takes over the chosen setting of a parent.

    Attributes:
        objective: its name in the registry of objectives.
        parent: the method whose setting it takes over.
        arguments: of the objective, before those of the setting.
    """

    objective: str
    parent: str
    arguments: dict[str, float | str | None]


# BCE and Euclidean hand on their rate only; CE3S also hands on lambda_cc, the weight of the uniform term.
COMBINATIONS = {
    "BCE+OCCE": Combination("bce+occe", "BCE", {"occe_weight": 1.0}),
    "multi-centre BCE": Combination("multicenter-bce", "multi-centre", {"num_subcenters": 2}),
    # "CE, unit w" is the control of "CE+uniform", "Euclidean BCE" that of "warped BCE".
    "CE, unit w": Combination("bce3s", "CE3S", {"joint": "ce", "contrastive": None, "uniform": None}),
    "CE+uniform": Combination("bce3s", "CE3S", {"joint": "ce", "contrastive": None, "uniform": "bce"}),
    "Euclidean BCE": Combination("euclidean-bce", "Euclidean", {"temperature": 1.0}),
    "warped BCE": Combination("warped-bce", "warped", {"k1": 0.8, "k2": 1.3, "temperature": 1.0}),
}
# Objectives that run on the long tail only, with the learning rate of CE.
TAIL_ONLY = {"balanced softmax": "balanced-softmax", "LDAM": "ldam"}


def setting_columns(setting: Setting) -> dict[str, str]:
    """A setting as columns of the file of the chosen ones: learning rate, the varied argument and its value (empty if none)."""
    argument, value = next(((key, f"{value:g}") for key, value in setting.items() if key != "lr"), ("", ""))
    return {"lr": f"{setting['lr']:g}", "argument": argument, "value": value}


def read_chosen() -> dict[str, dict[str, int]]:
    """Tier -> method -> the index of its chosen setting.

    A row that does not describe a setting of METHODS counts as none: the grid has changed since it was written.  Empty where
    the file does not exist yet, and outside a copy of the project.
    """
    try:
        text = in_project(CHOSEN_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    chosen: dict[str, dict[str, int]] = {}
    for row in csv.DictReader(text.splitlines()):
        settings = METHODS[row["method"]].settings if row["method"] in METHODS else ()
        for index, setting in enumerate(settings):
            if {"setting": str(index), **setting_columns(setting)}.items() <= row.items():
                chosen.setdefault(row["tier"], {})[row["method"]] = index
    return chosen


CHOSEN = read_chosen()


def chosen_settings(tier: str) -> dict[str, Setting]:
    """Method -> its chosen setting at a tier; a method without one is left out."""
    return {name: METHODS[name].settings[index] for name, index in CHOSEN.get(tier, {}).items()}


_BENCH = RunSpec(
    dataset="mnist5k",
    classes=tuple(range(6)),
    model="mlp",
    image_size=14,
    train_per_class=100,
    epochs=15,
    batch_size=50,
    suites=("uniformity", "geometry", "collapse", "openset", "bench"),
)
_TAIL = _BENCH.replace(classes=(), train_per_class=0, imbalance=100.0, epochs=20, suites=("longtail",))
# Data and schedule of the frozen tier's other tables.
_FROZEN = frozen_tier.CIFAR100.replace(classes=tuple(range(60)), suites=_BENCH.suites)
_FROZEN_TAIL = frozen_tier.LONG_TAIL.replace(suites=_TAIL.suites)
_CIFAR100 = RunSpec(
    dataset="cifar100",
    classes=tuple(range(60)),
    model="resnet18-cifar",
    augment=("shift", "flip"),
    epochs=60,
    batch_size=128,
    warmup_epochs=3.0,
    suites=_BENCH.suites,
)
_CIFAR100_TAIL = _CIFAR100.replace(classes=(), imbalance=100.0, epochs=100, suites=("longtail",))
_TUNED_ON = ("uniformity", "openset", "bench")


def _arguments(setting: Setting) -> Setting:
    return {key: value for key, value in setting.items() if key != "lr"}


def _tuned(base: RunSpec, method: Method, setting: Setting) -> RunSpec:
    arguments = method.arguments | _arguments(setting)
    return base.replace(objective=method.objective, objective_args=arguments, lr=setting["lr"])


def _combined(base: RunSpec, combination: Combination, setting: Setting) -> RunSpec:
    arguments = _arguments(setting) | combination.arguments
    return base.replace(objective=combination.objective, objective_args=arguments, lr=setting["lr"])


def every_setting(base: RunSpec) -> tuple[RunSpec, ...]:
    """Every setting of every method, settings innermost."""
    base = base.replace(suites=_TUNED_ON)
    return tuple(_tuned(base, method, setting) for method in METHODS.values() for setting in method.settings)


def bench_specs(base: RunSpec, chosen: dict[str, Setting]) -> tuple[RunSpec, ...]:
    """Every method that has a chosen setting, and every combination whose parent has one."""
    tuned = (_tuned(base, method, chosen[name]) for name, method in METHODS.items() if name in chosen)
    combined = (_combined(base, one, chosen[one.parent]) for one in COMBINATIONS.values() if one.parent in chosen)
    return (*tuned, *combined)


def tail_specs(base: RunSpec, chosen: dict[str, Setting]) -> tuple[RunSpec, ...]:
    """The same for a long tail: BCE3S keeps a share of the negatives, as in its paper; two losses made for tails are added."""
    specs = bench_specs(base, chosen)
    specs = tuple(s.replace(objective_args=s.objective_args | {"r": 0.4}) if "r" in s.objective_args else s for s in specs)
    own = TAIL_ONLY.values() if "CE" in chosen else ()
    return (*specs, *(base.replace(objective=objective, lr=chosen["CE"]["lr"]) for objective in own))


def _lower_rates() -> tuple[RunSpec, ...]:
    return tuple(_combined(_FROZEN, COMBINATIONS["Euclidean BCE"], {"lr": lr}) for lr in (0.003, 0.01, 0.03, 0.1))


_ON_DIGITS, _ON_FEATURES = chosen_settings("quick"), chosen_settings("frozen")

TABLES = (
    Draws(
        "tuning",
        "Four settings of every method, on draws of the known classes that are not reported",
        {"quick": every_setting(_BENCH), "frozen": every_setting(_FROZEN)},
        seeds={"quick": 3, "frozen": 3},
        first=100,
    ),
    Draws(
        "bench",
        "Known and unknown classes: every method and combination",
        {
            "quick": bench_specs(_BENCH, _ON_DIGITS),
            "frozen": bench_specs(_FROZEN, _ON_FEATURES),
            "standard": bench_specs(_CIFAR100, _ON_DIGITS),
        },
        seeds={"quick": 10, "frozen": 5, "standard": 3},
    ),
    Draws(
        "rates",
        "After the results were seen: the BCE of distances at lower rates, on the draws of the tuning",
        {"frozen": _lower_rates()},
        seeds={"frozen": 3},
        first=100,
    ),
    Table(
        "tail",
        "A long tail: every method and combination",
        {
            "quick": tail_specs(_TAIL, _ON_DIGITS),
            "frozen": tail_specs(_FROZEN_TAIL, _ON_FEATURES),
            "standard": tail_specs(_CIFAR100_TAIL, _ON_DIGITS),
        },
        seeds={"quick": 5, "frozen": 3, "standard": 3},
    ),
)
