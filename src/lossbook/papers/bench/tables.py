"""The runs of the bench: the five papers' losses and their baselines under equal conditions, and combinations of them.

Two scenarios.  ``bench``: some classes are known and trained on, the others are unknown; one run is scored by every paper's
metrics.  Every seed has its own random draw of the known classes.  ``tail``: all classes, an exponential long tail.
Quick tier: a perceptron on MNIST at 14 x 14 pixels, 100 training images per known class.  Frozen tier: a linear map on
features of CIFAR-100.  Standard tier: CIFAR-100, ten methods with the arguments of the frozen tier, and the tier's own rate.

At the quick and the frozen tier every method and combination is tuned by its accuracy on held-out training images: on
``bench`` its rate and the argument that matters, on draws of the known classes that are not reported; on ``tail`` its rate.
Twice the epochs at the same rate, over two draws, change the accuracy of CE and BCE by at most 0.3 points on digits and by a
point on features; OCCE goes on learning on features at a rate of 0.1 (45.0, 52.4 and 56.2 % after 10, 20 and 40 epochs).
``slow`` is the cross entropy at a tenth of its rate: what a learning rate does without a new loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lossbook.papers import frozen_tier, standard_tier
from lossbook.papers.tuning import RATES, Search, chosen, tuned, with_setting
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import EVIDENCE, Draws, Table

Arguments = dict[str, float | str | None]


@dataclass(frozen=True)
class Method:
    """A loss of the bench.

    Attributes:
        objective: its name in the registry of objectives.
        source: the paper that it comes from, ``"baseline"`` or ``"combination"``.
        arguments: of the objective; where they are tuned, the values that the search starts from.
        ladders: argument that is tuned -> its values in order.  The learning rate is tuned for every method.
    """

    objective: str
    source: str
    arguments: Arguments = field(default_factory=dict)
    ladders: dict[str, tuple[float, ...]] = field(default_factory=dict)


_WEIGHTS, _SCALES, _TEMPERATURES = (0.1, 0.3, 1.0), (4.0, 8.0, 16.0, 32.0, 64.0), (0.25, 0.5, 1.0, 2.0, 4.0)
_NOISE, _LAMBDAS, _ALPHAS = (0.03, 0.1, 0.3, 1.0), (0.05, 0.2, 1.0), (4.0, 8.0)
_WARP: Arguments = {"alpha": 8.0, "k1": 0.8, "k2": 1.3, "temperature": 1.0}

METHODS = {
    "CE": Method("soft-d", "baseline"),
    "label smoothing": Method("label-smoothing", "baseline", {"smoothing": 0.1}, {"smoothing": (0.05, 0.1, 0.2)}),
    "focal": Method("focal", "baseline", {"gamma": 1.0}, {"gamma": (0.5, 1.0, 2.0)}),
    "ArcFace": Method("arcface", "baseline", {"scale": 16.0}, {"scale": _SCALES}),
    "Proxy-Anchor": Method("proxy-anchor", "baseline", {"alpha": 16.0}, {"alpha": (4.0, 8.0, 16.0, 32.0)}),
    "soft-nu": Method("soft-nu", "uniform", {"scale": 16.0}, {"scale": _SCALES}),
    "BCE": Method("bce-d", "uniform"),
    "bce-nu": Method("bce-nu", "uniform", {"scale": 16.0}, {"scale": _SCALES}),
    "UCE": Method("uce", "uniform", {"scale": 16.0, "margin": 0.1}, {"margin": (0.05, 0.1, 0.2, 0.4)}),
    "CE3S": Method("ce3s", "bce3s", {"lambda_cc": 0.2}, {"lambda_cc": _LAMBDAS}),
    "BCE3S": Method("bce3s", "bce3s", {"lambda_cc": 0.2, "r": 1.0}, {"lambda_cc": _LAMBDAS}),
    "multi-centre": Method("multicenter", "multicenter", {"sigma_scale": 0.1, "num_subcenters": 2}, {"sigma_scale": _NOISE}),
    "Euclidean": Method("euclidean-softmax", "warped", {"temperature": 1.0}, {"temperature": _TEMPERATURES}),
    # Its authors tune rate and temperature first, then the warp.
    "warped": Method("warped-softmax", "warped", _WARP | {"margin": 1.0}, {"temperature": _TEMPERATURES, "alpha": _ALPHAS}),
    "OCCE": Method("occe", "onecold"),
    "CE+OCCE": Method("ce+occe", "onecold", {"occe_weight": 1.0}, {"occe_weight": _WEIGHTS}),
    "CE+OCCE class": Method("ce+occe-class", "onecold", {"occe_weight": 1.0}, {"occe_weight": _WEIGHTS}),
}
# Losses that no paper has, tuned like the others.
COMBINATIONS = {
    "BCE+OCCE": Method("bce+occe", "combination", {"occe_weight": 1.0}, {"occe_weight": _WEIGHTS}),
    "multi-centre BCE": Method(
        "multicenter-bce", "combination", {"sigma_scale": 0.1, "num_subcenters": 2}, {"sigma_scale": _NOISE}
    ),
    # "CE, unit w" is the control of "CE+uniform", "Euclidean BCE" that of "warped BCE".
    "CE, unit w": Method("bce3s", "combination", {"joint": "ce", "contrastive": None, "uniform": None}),
    "CE+uniform": Method(
        "bce3s",
        "combination",
        {"joint": "ce", "contrastive": None, "uniform": "bce", "lambda_cc": 0.2},
        {"lambda_cc": _LAMBDAS},
    ),
    "Euclidean BCE": Method("euclidean-bce", "combination", {"temperature": 1.0}, {"temperature": _TEMPERATURES}),
    "warped BCE": Method("warped-bce", "combination", _WARP, {"temperature": _TEMPERATURES, "alpha": _ALPHAS}),
}
# Losses that run on the long tail only.
TAIL_ONLY = {"balanced softmax": Method("balanced-softmax", "baseline"), "LDAM": Method("ldam", "baseline")}
_BOTH = METHODS | COMBINATIONS

# The three draws of the known classes that settings are chosen on.
TUNED_ON = (100, 101, 102)

_BENCH = RunSpec(
    dataset="mnist5k",
    classes=tuple(range(6)),
    model="mlp",
    image_size=14,
    train_per_class=100,
    epochs=30,
    batch_size=50,
    suites=("uniformity", "geometry", "collapse", "openset", "bench", "posthoc"),
)
_TAIL = _BENCH.replace(classes=(), train_per_class=0, imbalance=100.0, epochs=40, suites=("longtail", "posthoc"))
_FROZEN = frozen_tier.CIFAR100.replace(classes=tuple(range(60)), epochs=20, suites=_BENCH.suites)
_FROZEN_TAIL = frozen_tier.LONG_TAIL.replace(suites=_TAIL.suites)
_CIFAR100 = standard_tier.CIFAR100.replace(classes=tuple(range(60)), suites=_BENCH.suites)
_CIFAR100_TAIL = standard_tier.LONG_TAIL.replace(suites=_TAIL.suites)
# Every paper's own method, its control, and the strongest baselines.
_STANDARD = ("CE", "ArcFace", "BCE", "bce-nu", "UCE", "BCE3S", "multi-centre", "Euclidean", "warped", "CE+OCCE")
_STANDARD_TAIL = ("CE", "balanced softmax", "LDAM", "BCE", "bce-nu", "CE3S", "BCE3S", "multi-centre", "warped", "CE+OCCE")
_BASES = {"quick": (_BENCH, _TAIL), "frozen": (_FROZEN, _FROZEN_TAIL)}
# What a choice by another goal would look at; on features the other data sets would take most of the time.
_GOALS = {
    "quick": (("uniformity", "openset", "bench"), {"A_Uni": 1, "MAP@R": 1, "oscr": 1, "ood_msp": 1, "ood_knn": 1, "ece": -1}),
    "frozen": (("uniformity", "openset"), {"A_Uni": 1, "oscr": 1}),
}


def _spec(base: RunSpec, method: Method) -> RunSpec:
    return base.replace(objective=method.objective, objective_args=method.arguments)


def _tail_spec(base: RunSpec, method: Method) -> RunSpec:
    """BCE3S keeps a share of the negatives on a long tail, as in its paper."""
    spec = _spec(base, method)
    return spec.replace(objective_args=spec.objective_args | {"r": 0.4}) if "r" in method.arguments else spec


def _bench_search(tier: str, method: Method) -> Search:
    suites, others = _GOALS[tier]
    ladders = {"lr": RATES} | {f"arg_{name}": ladder for name, ladder in method.ladders.items()}
    return Search(_spec(_BASES[tier][0], method), ladders, suites=suites, draws=TUNED_ON, others=others)


def _tail_search(tier: str, method: Method) -> Search:
    return Search(_tail_spec(_BASES[tier][1], method), metric="accuracy_all", suites=("longtail",))


# Tier -> name of the method -> its search, on the bench and on the long tail.
BENCH_SEARCHES = {tier: {name: _bench_search(tier, method) for name, method in _BOTH.items()} for tier in _BASES}
TAIL_SEARCHES = {tier: {name: _tail_search(tier, method) for name, method in (_BOTH | TAIL_ONLY).items()} for tier in _BASES}
SEARCHES = {tier: (*BENCH_SEARCHES[tier].values(), *TAIL_SEARCHES[tier].values()) for tier in _BASES}


def _tuned(searches: Mapping[str, Search]) -> tuple[RunSpec, ...]:
    return tuple(tuned("bench", search) for search in searches.values())


def _as_on_features(spec: RunSpec, method: str) -> RunSpec:
    """The run with the arguments, not the rate, that were chosen for the method on the bench's features."""
    if method not in BENCH_SEARCHES["frozen"]:
        return spec
    setting = chosen("bench", BENCH_SEARCHES["frozen"][method]) or {}
    return with_setting(spec, {name: value for name, value in setting.items() if name != "lr"})


def _slow(tier: str) -> tuple[RunSpec, ...]:
    spec = tuned("bench", BENCH_SEARCHES[tier]["CE"])
    return (spec.replace(lr=spec.lr / 10),)


# A run on features takes most of its time for the other data sets, so there are ten draws of it.
_DRAWS = EVIDENCE | {"frozen": 10}

TABLES = (
    Draws(
        "bench",
        "Known and unknown classes: every method and combination",
        {tier: _tuned(searches) for tier, searches in BENCH_SEARCHES.items()}
        | {"standard": tuple(_as_on_features(_spec(_CIFAR100, METHODS[name]), name) for name in _STANDARD)},
        seeds=_DRAWS,
    ),
    Draws(
        "slow",
        "The same classes: the cross entropy at a tenth of its rate",
        {tier: _slow(tier) for tier in _BASES},
        seeds=_DRAWS,
    ),
    Table(
        "tail",
        "A long tail: every method and combination",
        {tier: _tuned(searches) for tier, searches in TAIL_SEARCHES.items()}
        | {
            "standard": tuple(
                _as_on_features(_tail_spec(_CIFAR100_TAIL, (METHODS | TAIL_ONLY)[name]), name) for name in _STANDARD_TAIL
            )
        },
        seeds=_DRAWS,
    ),
)
