"""The cross-paper comparison: the five papers' losses and their baselines on one bench, and four combinations of them.

It is registered like a paper, so that runs, results, claims and pages work as in a chapter; its claims are *predictions*,
written down before the runs.

Two scenarios.  ``bench``: some classes are known and trained on, the others are unknown; one run is scored by every paper's
metrics.  Every seed has its own random draw of the known classes.  ``tail``: all classes, an exponential long tail.
Quick tier: a perceptron on MNIST at 14 x 14 pixels, 100 training images a known class.  Frozen tier: a linear map on features
of CIFAR-100, chosen anew from the same four settings a method.  Standard tier: CIFAR-100, with the quick tier's settings,
not tuned.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from lossbook.papers import frozen as _frozen
from lossbook.papers.claims import Claim, Verdict, decide, rows_of
from lossbook.papers.paper import Evidence, Paper
from lossbook.papers.statistics import (
    critical_difference,
    held_out_gain,
    mean_interval,
    mean_ranks,
    paired_tests,
    rank_correlation,
)
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

# Method -> the objective, the arguments that stay, and where it comes from.
METHODS = {
    "CE": ("soft-d", {}, "baseline"),
    "label smoothing": ("label-smoothing", {}, "baseline"),
    "focal": ("focal", {}, "baseline"),
    "ArcFace": ("arcface", {}, "baseline"),
    "Proxy-Anchor": ("proxy-anchor", {}, "baseline"),
    "soft-nu": ("soft-nu", {}, "uniform"),
    "BCE": ("bce-d", {}, "uniform"),
    "bce-nu": ("bce-nu", {}, "uniform"),
    "UCE": ("uce", {"scale": 16.0}, "uniform"),
    "CE3S": ("ce3s", {}, "bce3s"),
    "BCE3S": ("bce3s", {"r": 1.0}, "bce3s"),
    "multi-centre": ("multicenter", {"num_subcenters": 2}, "multicenter"),
    "Euclidean": ("euclidean-softmax", {}, "warped"),
    "warped": ("warped-softmax", {"k1": 0.8, "k2": 1.3, "temperature": 1.0, "margin": 1.0}, "warped"),
    "OCCE": ("occe", {}, "onecold"),
    "CE+OCCE": ("ce+occe", {}, "onecold"),
    "CE+OCCE class": ("ce+occe-class", {}, "onecold"),
}
_RATES = (0.03, 0.1)


def _rates(*values: float) -> tuple[dict[str, float], ...]:
    return tuple({"lr": lr} for lr in values)


def _grid(argument: str, *values: float) -> tuple[dict[str, float], ...]:
    return tuple({"lr": lr, argument: value} for lr in _RATES for value in values)


# The same budget for every method: four settings.  Where there is an argument of its own that matters, two rates by two values
# of it; otherwise four rates.  No rate above 0.1: at 0.3, which was tried, BCE fails.
SETTINGS = {name: _rates(0.01, 0.03, 0.06, 0.1) for name in METHODS} | {
    "label smoothing": _grid("smoothing", 0.05, 0.1),
    "focal": _grid("gamma", 1.0, 2.0),
    "ArcFace": _grid("scale", 16.0, 64.0),
    "Proxy-Anchor": _grid("alpha", 16.0, 32.0),
    "soft-nu": _grid("scale", 8.0, 16.0),
    "bce-nu": _grid("scale", 8.0, 16.0),
    "UCE": _grid("margin", 0.1, 0.4),
    "CE3S": _grid("lambda_cc", 0.2, 1.0),
    "BCE3S": _grid("lambda_cc", 0.2, 1.0),
    "multi-centre": _grid("sigma_scale", 0.1, 1.0),
    "warped": _grid("alpha", 4.0, 8.0),
    "CE+OCCE": _grid("occe_weight", 0.1, 1.0),
    "CE+OCCE class": _grid("occe_weight", 0.1, 1.0),
}


# Combination -> the objective, its arguments, and the method whose tuned setting it takes over: combinations are not tuned.
COMBINATIONS = {
    "BCE+OCCE": ("bce+occe", {"occe_weight": 1.0}, "BCE"),
    "multi-centre BCE": ("multicenter-bce", {"num_subcenters": 2}, "multi-centre"),
    "CE, unit w": ("bce3s", {"joint": "ce", "contrastive": None, "uniform": None}, "CE3S"),  # the control of the next one
    "CE+uniform": ("bce3s", {"joint": "ce", "contrastive": None, "uniform": "bce"}, "CE3S"),
    "Euclidean BCE": ("euclidean-bce", {"temperature": 1.0}, "Euclidean"),  # the control of the next one
    "warped BCE": ("warped-bce", {"k1": 0.8, "k2": 1.3, "temperature": 1.0}, "warped"),
}
# Only on the long tail, with the rate of CE.
TAIL_ONLY = {"balanced softmax": "balanced-softmax", "LDAM": "ldam"}


# Which of the four settings: what `chosen` finds in the tuning runs of a tier (a test compares).
CHOSEN = {
    **{"CE": 3, "label smoothing": 3, "focal": 2, "ArcFace": 1, "Proxy-Anchor": 0, "soft-nu": 0, "BCE": 3, "bce-nu": 1, "UCE": 2},
    **{"CE3S": 2, "BCE3S": 3, "multi-centre": 2, "Euclidean": 3, "warped": 2, "OCCE": 3, "CE+OCCE": 2, "CE+OCCE class": 2},
}
CHOSEN_FROZEN = {
    **{"CE": 1, "label smoothing": 0, "focal": 0, "ArcFace": 3, "Proxy-Anchor": 2, "soft-nu": 0, "BCE": 0, "bce-nu": 1, "UCE": 2},
    **{"CE3S": 1, "BCE3S": 0, "multi-centre": 0, "Euclidean": 3, "warped": 3, "OCCE": 3, "CE+OCCE": 1, "CE+OCCE class": 1},
}


@dataclass(frozen=True)
class Draws(Table):
    """A table whose seed k trains on the k-th random draw of ``known`` of ``classes`` classes.

    Attributes:
        known: tier -> (classes, how many of them are known).
        first: the first seed.
    """

    known: dict[str, tuple[int, int]] | None = None
    first: int = 0

    def runs(self, tier: str) -> list[RunSpec]:
        if tier not in self.specs:
            return []
        classes, known = self.known[tier]
        seeds = range(self.first, self.first + self.seeds[tier])
        draws = {seed: tuple(sorted(random.Random(seed).sample(range(classes), known))) for seed in seeds}
        return [spec.replace(seed=seed, classes=draws[seed]) for spec in self.specs[tier] for seed in seeds]


_BENCH = RunSpec(
    dataset="mnist5k",
    model="mlp",
    image_size=14,
    train_per_class=100,
    epochs=15,
    batch_size=50,
    suites=("uniformity", "geometry", "collapse", "openset", "bench"),
)
_TAIL = _BENCH.replace(train_per_class=0, imbalance=100.0, epochs=20, suites=("longtail",))
# Data and schedule of the frozen tier's other tables.
_FROZEN = _frozen.CIFAR100.replace(suites=_BENCH.suites)
_FROZEN_TAIL = _frozen.LONG_TAIL.replace(suites=_TAIL.suites)
_CIFAR100 = RunSpec(
    dataset="cifar100",
    model="resnet18-cifar",
    augment=("shift", "flip"),
    epochs=60,
    batch_size=128,
    warmup_epochs=3.0,
    suites=_BENCH.suites,
)
_CIFAR100_TAIL = _CIFAR100.replace(imbalance=100.0, epochs=100, suites=("longtail",))
_TUNED_ON = ("uniformity", "openset", "bench")


def _with(base: RunSpec, name: str, setting: dict[str, float]) -> RunSpec:
    objective, fixed, _ = METHODS[name]
    arguments = {key: value for key, value in setting.items() if key != "lr"}
    return base.replace(objective=objective, objective_args=fixed | arguments, lr=setting["lr"])


def _combined(base: RunSpec, name: str, chosen: dict[str, int]) -> RunSpec:
    objective, own, parent = COMBINATIONS[name]
    setting = SETTINGS[parent][chosen[parent]]
    # BCE and Euclidean have no argument to hand on; of CE3S, lambda_cc weighs the uniform term.
    arguments = {key: value for key, value in setting.items() if key != "lr"}
    return base.replace(objective=objective, objective_args=arguments | own, lr=setting["lr"])


def _every_setting(base: RunSpec) -> tuple[RunSpec, ...]:
    base = base.replace(suites=_TUNED_ON)
    return tuple(_with(base, name, setting) for name in METHODS for setting in SETTINGS[name])


def _all(base: RunSpec, chosen: dict[str, int]) -> tuple[RunSpec, ...]:
    tuned = (_with(base, name, SETTINGS[name][chosen[name]]) for name in METHODS)
    return (*tuned, *(_combined(base, name, chosen) for name in COMBINATIONS))


def _tail(base: RunSpec, chosen: dict[str, int]) -> tuple[RunSpec, ...]:
    """All methods, BCE3S with the share of negatives that its paper keeps on a tail, and two losses made for one."""
    specs = _all(base, chosen)
    specs = [s.replace(objective_args=s.objective_args | {"r": 0.4}) if "r" in s.objective_args else s for s in specs]
    lr = SETTINGS["CE"][chosen["CE"]]["lr"]
    return (*specs, *(base.replace(objective=objective, lr=lr) for objective in TAIL_ONLY.values()))


TABLES = (
    Draws(
        "tuning",
        "Four settings of every method, on draws of the known classes that are not reported",
        {"quick": _every_setting(_BENCH), "frozen": _every_setting(_FROZEN)},
        seeds={"quick": 3, "frozen": 3},
        known={"quick": (10, 6), "frozen": (100, 60)},
        first=100,
    ),
    Draws(
        "bench",
        "Known and unknown classes: every method and combination",
        {"quick": _all(_BENCH, CHOSEN), "frozen": _all(_FROZEN, CHOSEN_FROZEN), "standard": _all(_CIFAR100, CHOSEN)},
        seeds={"quick": 10, "frozen": 5, "standard": 3},
        known={"quick": (10, 6), "frozen": (100, 60), "standard": (100, 60)},
    ),
    Draws(
        "rates",
        "After the results were seen: the BCE of distances at lower rates, on the draws of the tuning",
        {"frozen": tuple(_combined(_FROZEN, "Euclidean BCE", CHOSEN_FROZEN).replace(lr=lr) for lr in (0.003, 0.01, 0.03, 0.1))},
        seeds={"frozen": 3},
        known={"frozen": (100, 60)},
        first=100,
    ),
    Table(
        "tail",
        "A long tail: every method and combination",
        {
            "quick": _tail(_TAIL, CHOSEN),
            "frozen": _tail(_FROZEN_TAIL, CHOSEN_FROZEN),
            "standard": _tail(_CIFAR100_TAIL, CHOSEN),
        },
        seeds={"quick": 5, "frozen": 3, "standard": 3},
    ),
)


# Reading the results ------------------------------------------------------------------------------------------------

_NAMES = {objective: name for name, (objective, _, _) in METHODS.items()}
_NAMES |= {objective: name for name, (objective, _, _) in COMBINATIONS.items()}
_NAMES |= {objective: name for name, objective in TAIL_ONLY.items()}
_NAMES["bce3s"] = "BCE3S"
_EUCLIDEAN = ("Euclidean", "warped", "Euclidean BCE", "warped BCE")


def with_methods(results: pd.DataFrame) -> pd.DataFrame:
    """Results with a column ``method``.  NC2 to NC4 read the classifier as a linear one, so proxies of distances have none."""
    method = results["objective"].map(_NAMES)
    if "arg_joint" in results:
        control = np.where(results["arg_uniform"].isna(), "CE, unit w", "CE+uniform")
        method = method.where(results["arg_joint"] != "ce", control)
    linear = ~method.isin(_EUCLIDEAN)
    return results.assign(method=method, **{m: results[m].where(linear) for m in ("nc2", "nc3", "nc4") if m in results})


@dataclass(frozen=True)
class Goal:
    """What a reader may want of a loss, and the metric that stands for it.

    Attributes:
        table: whose runs are asked.
        metric: a column of the results.
        better: +1 where more is better, -1 where less is.
    """

    name: str
    table: str
    metric: str
    better: int = 1


GOALS = (
    Goal("accuracy", "bench", "A_SW"),
    Goal("one threshold", "bench", "A_Uni"),
    Goal("retrieval", "bench", "MAP@R"),
    Goal("unknown classes", "bench", "oscr"),
    Goal("other data (logits)", "bench", "ood_msp"),
    Goal("other data (features)", "bench", "ood_knn"),
    Goal("calibration", "bench", "ece", -1),
    Goal("long tail, all", "tail", "accuracy_all"),
    Goal("long tail, few", "tail", "accuracy_few"),
)


def _with_failures(rows: pd.DataFrame, goals: tuple[Goal, ...]) -> pd.DataFrame:
    """A run that diverged has no metrics; for every goal it counts as the worst there is."""
    return rows.fillna({goal.metric: 0.0 if goal.better > 0 else 1.0 for goal in goals})


def scores(results: pd.DataFrame, goal: Goal) -> pd.DataFrame:
    """A goal's metric in per cent: one row a seed, one column a method."""
    rows = with_methods(_with_failures(rows_of(results, goal.table), (goal,)))
    return 100 * rows.pivot(index="seed", columns="method", values=goal.metric)[rows["method"].unique()]


def means(results: pd.DataFrame) -> pd.DataFrame:
    """Mean score over the seeds in per cent: one row a method, one column a goal."""
    return pd.DataFrame({goal.name: scores(results, goal).mean() for goal in GOALS})


def ranks(results: pd.DataFrame) -> pd.DataFrame:
    """Mean rank over the seeds, 1 is best: one row a method (without those of the tail only), one column a goal."""
    methods = [*METHODS, *COMBINATIONS]
    columns = {g.name: mean_ranks(scores(results, g)[methods].to_numpy(), g.better > 0) for g in GOALS}
    return pd.DataFrame(columns, methods)


def change(results: pd.DataFrame, method: str, control: str) -> pd.DataFrame:
    """Method against control, one row a goal whose runs have both: mean and 95 % interval of the paired differences in points;
    ``side`` is +1 where the method is better, -1 where it is worse, 0 where the interval contains 0."""
    rows = {}
    for goal in GOALS:
        values = scores(results, goal)
        if not {method, control} <= {*values}:
            continue
        mean, low, high, _ = mean_interval((values[method] - values[control]).to_numpy())
        side = 0 if low <= 0 <= high else goal.better * int(np.sign(mean))
        rows[goal.name] = {"mean": mean, "low": low, "high": high, "side": side}
    return pd.DataFrame.from_dict(rows, orient="index")


def agreement(first: pd.DataFrame, second: pd.DataFrame, methods: Iterable[str] = (*METHODS, *COMBINATIONS)) -> pd.DataFrame:
    """How alike two tiers order the methods by their mean scores, one row a goal: Spearman's correlation in ``between``
    (:func:`rank_correlation`) and, as what could be reached at best, that of the even seeds with the odd seeds within each tier,
    ``first`` and ``second``."""

    def table(frame: pd.DataFrame) -> pd.DataFrame:
        return means(frame).loc[[*methods]]

    own, other = table(first), table(second)
    halves = [[table(frame[frame["seed"] % 2 == half]) for half in (0, 1)] for frame in (first, second)]
    rows = {}
    for goal in own:
        within = [scipy.stats.spearmanr(even[goal], odd[goal]).statistic for even, odd in halves]
        rows[goal] = {
            "between": rank_correlation(own[goal].to_numpy(), other[goal].to_numpy()),
            "first": float(within[0]),
            "second": float(within[1]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("goal")


def tuning(results: pd.DataFrame) -> pd.DataFrame:
    """The tuning runs: one row a setting, mean over the draws of the metric of every goal of the bench, in per cent."""
    goals = tuple(goal for goal in GOALS if goal.table == "bench")
    rows = with_methods(_with_failures(rows_of(results, "tuning"), goals))
    own = [c for c in rows.columns if c.startswith("arg_") and rows.groupby("method")[c].nunique().max() > 1]
    metrics = [goal.metric for goal in goals]
    return 100 * rows.groupby(["method", "lr", *own], sort=False, dropna=False)[metrics].mean()


def chosen(results: pd.DataFrame) -> dict[str, int]:
    """The rule: for every method the setting with the highest accuracy on the known classes; the first one of equals."""
    accuracy = tuning(results)["A_SW"].round(3)  # equal but for rounding is equal
    return {name: int(group.to_numpy().argmax()) for name, group in accuracy.groupby(level="method", sort=False)}


def answers(results: pd.DataFrame, control: str = "CE") -> pd.DataFrame:
    """Which loss for which goal: one row a goal.

    ``best`` by mean rank; ``gain``: of whatever was best on the other seeds, on the control (:func:`held_out_gain`); ``level``:
    the methods whose mean rank is within the critical difference of the best one's; ``better`` and ``worse``: methods that
    differ from the control by Wilcoxon's test at 5 %, all methods together (Holm).
    """
    rows = {}
    for goal in GOALS:
        values = scores(results, goal)
        ranks = pd.Series(mean_ranks(values.to_numpy(), goal.better > 0), values.columns)
        others = values.drop(columns=control)
        different = paired_tests(others.to_numpy(), values[control].to_numpy()) < 0.05
        sign = goal.better * np.sign((others.sub(values[control], axis=0)).mean().to_numpy())
        rows[goal.name] = {
            "best": ranks.idxmin(),
            "score": values[ranks.idxmin()].mean(),
            control: values[control].mean(),
            "gain": held_out_gain(values.to_numpy(), values[control].to_numpy(), goal.better > 0),
            "level": int((ranks - ranks.min() < critical_difference(len(ranks), len(values))).sum()),
            "better": int((different & (sign > 0)).sum()),
            "worse": int((different & (sign < 0)).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("goal")


# Claims -------------------------------------------------------------------------------------------------------------
# Both sides of a comparison share the seed, and with it the classes, the images, their order and the backbone's start.  First
# the headline of each paper, then the predictions for the combinations, committed before the first of their runs.


def paired(results: pd.DataFrame, table: str, metric: str, method: str, control: str, unit: float = 100.0) -> np.ndarray:
    """Method less control, one value a seed.  A run that diverged has the worst value of a goal's metric; of another metric it
    has none, and its seed is not a number."""
    rows = with_methods(_with_failures(rows_of(results, table), GOALS))
    values = unit * rows.pivot(index="seed", columns="method", values=metric)
    return (values[method] - values[control]).to_numpy()


def _gain(table: str, metric: str, method: str, control: str) -> Callable[[pd.DataFrame], Verdict]:
    return lambda results: decide(paired(results, table, metric, method, control))


def _fall(metric: str, method: str, control: str) -> Callable[[pd.DataFrame], Verdict]:
    """By how many per cent of the control's mean is the metric lower?"""

    def check(results: pd.DataFrame) -> Verdict:
        rows = with_methods(rows_of(results, "bench"))
        mean = rows.loc[rows["method"] == control, metric].mean()
        return decide(-paired(results, "bench", metric, method, control) / mean, unit=f"% lower than {control}")

    return check


def _less_compact(results: pd.DataFrame) -> Verdict:
    difference = -paired(results, "bench", "compactness_test", "multi-centre BCE", "BCE", unit=1.0)
    return decide(difference, unit="points of compactness less")


def _accuracy_stays(results: pd.DataFrame) -> Verdict:
    """The whole interval must lie within one point of 0: its mean decides which of the two bounds is the nearer one."""
    change = paired(results, "bench", "A_SW", "CE+uniform", "CE, unit w")
    rises = change.mean() > 0
    return decide(change, bound=1.0 if rises else -1.0, above=not rises)


def _warp_moves_less(results: pd.DataFrame) -> Verdict:
    softmax = paired(results, "bench", "avg_dtp", "warped", "Euclidean", 1.0)
    binary = paired(results, "bench", "avg_dtp", "warped BCE", "Euclidean BCE", 1.0)
    return decide(softmax - binary, unit="of distance, what the warp adds in softmax less in BCE")


_RESULTS_PAGE, _COMBINED_PAGE, _PREDICTION = "02-results-by-goal", "03-combinations", "prediction"

CLAIMS = (
    Claim(
        "bench-uniform",
        "uniform, Table II",
        "BCE has a higher A_Uni than the softmax cross entropy.",
        _RESULTS_PAGE,
        _gain("bench", "A_Uni", "BCE", "CE"),
    ),
    Claim(
        "bench-bce3s",
        "bce3s, Table 2",
        "On the long tail BCE3S (one stage) is more accurate on the few classes than the cross entropy.",
        _RESULTS_PAGE,
        _gain("tail", "accuracy_few", "BCE3S", "CE"),
    ),
    Claim(
        "bench-multicenter",
        "multicenter, Table 2",
        "The multi-centre classifier is more accurate than the cross entropy.",
        _RESULTS_PAGE,
        _gain("bench", "A_SW", "multi-centre", "CE"),
    ),
    Claim(
        "bench-warped",
        "warped, Table I",
        "The warp raises the retrieval (MAP@R) of unknown classes over the Euclidean softmax.",
        _RESULTS_PAGE,
        _gain("bench", "MAP@R", "warped", "Euclidean"),
    ),
    Claim(
        "bench-onecold",
        "onecold, Table 3",
        "The one-cold term raises the OSCR of the cross entropy.",
        _RESULTS_PAGE,
        _gain("bench", "oscr", "CE+OCCE", "CE"),
    ),
    Claim(
        "bench-occe-uniform",
        _PREDICTION,
        "BCE + OCCE: equal negatives leave a lower largest one, so A_Uni is higher than with BCE alone.",
        _COMBINED_PAGE,
        _gain("bench", "A_Uni", "BCE+OCCE", "BCE"),
    ),
    Claim(
        "bench-occe-etf",
        _PREDICTION,
        "BCE + OCCE: equal negatives are a property of the simplex, so NC2 is lower than with BCE alone.",
        _COMBINED_PAGE,
        _fall("nc2", "BCE+OCCE", "BCE"),
    ),
    Claim(
        "bench-centres-uniform",
        _PREDICTION,
        "Multi-centre BCE: it sees the common shift of all metrics, so A_Uni is higher than with the multi-centre softmax.",
        _COMBINED_PAGE,
        _gain("bench", "A_Uni", "multi-centre BCE", "multi-centre"),
    ),
    Claim(
        "bench-centres-diversity",
        _PREDICTION,
        "Multi-centre BCE: sampled centres keep the features of a class apart, so they are less compact than with BCE.",
        _COMBINED_PAGE,
        _less_compact,
    ),
    Claim(
        "bench-term-etf",
        _PREDICTION,
        "CE + uniform term: the term is smallest at the simplex, so NC2 is lower than without it.",
        _COMBINED_PAGE,
        _fall("nc2", "CE+uniform", "CE, unit w"),
    ),
    Claim(
        "bench-term-accuracy",
        _PREDICTION,
        "CE + uniform term: with balanced classes CE goes to the simplex anyway, so A_SW changes by less than 1 point.",
        _COMBINED_PAGE,
        _accuracy_stays,
    ),
    Claim(
        "bench-term-few",
        _PREDICTION,
        "CE + uniform term: on a long tail the few classes' vectors need the term, so the accuracy on them is higher.",
        _COMBINED_PAGE,
        _gain("tail", "accuracy_few", "CE+uniform", "CE, unit w"),
    ),
    Claim(
        "bench-ball-uniform",
        _PREDICTION,
        "Euclidean BCE: one radius for all proxies is one threshold, so A_Uni is higher than with the Euclidean softmax.",
        _COMBINED_PAGE,
        _gain("bench", "A_Uni", "Euclidean BCE", "Euclidean"),
    ),
    Claim(
        "bench-ball-warp",
        _PREDICTION,
        "Warped BCE: pull and push are not tied, so the warp adds less to the distance to the own proxy than in a softmax.",
        _COMBINED_PAGE,
        _warp_moves_less,
    ),
)

EVIDENCE = Evidence(
    name="bench",
    tables=TABLES,
    shares=("ece",),
    headings={"ece": "ECE"},
)

PAPER = Paper("Five papers on one bench", EVIDENCE, CLAIMS)
