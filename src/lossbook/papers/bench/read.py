"""The results of the bench as numbers: what its figures, tables and claims share.

Both sides of a comparison share the seed, and with it the classes, the images, their order and the backbone's start.  Scores
are in per cent, differences in percentage points.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from lossbook.papers.bench.tables import COMBINATIONS, METHODS, TABLES, TAIL_ONLY
from lossbook.papers.claims import rows_of, values_of
from lossbook.papers.paper import Evidence
from lossbook.papers.statistics import (
    critical_difference,
    held_out_gain,
    mean_interval,
    mean_ranks,
    paired_tests,
    rank_correlation,
)

EVIDENCE = Evidence(
    name="bench",
    tables=TABLES,
    shares=("A_SW", "A_CW", "A_Uni", "MAP@R", "recall@1", "oscr", "auroc", "ood", "ece", "accuracy", "error"),
    headings={
        "A_SW": "A<sub>SW</sub>",
        "A_CW": "A<sub>CW</sub>",
        "A_Uni": "A<sub>Uni</sub>",
        "recall@1": "R@1",
        "oscr": "OSCR",
        "ece": "ECE",
        "nc1": "NC<sub>1</sub>",
        "nc2": "NC<sub>2</sub>",
        "nc3": "NC<sub>3</sub>",
        "nc4": "NC<sub>4</sub>",
    },
)

# Method or combination -> where it comes from.
SOURCES = {name: method.source for name, method in METHODS.items()} | dict.fromkeys(COMBINATIONS, "combination")

# The objective `bce3s` alone is that of a method and of two combinations.
_NAMES = {one.objective: name for name, one in (COMBINATIONS | METHODS).items()}
_NAMES |= {objective: name for name, objective in TAIL_ONLY.items()}
_EUCLIDEAN = ("Euclidean", "warped", "Euclidean BCE", "warped BCE")


def with_methods(results: pd.DataFrame) -> pd.DataFrame:
    """Results with a column ``method``.  NC2 to NC4 are for linear classifiers, so methods of distances to proxies have none."""
    combined = np.where(results["arg_uniform"].isna(), "CE, unit w", "CE+uniform")
    method = results["objective"].map(_NAMES).where(results["arg_joint"] != "ce", combined)
    linear = ~method.isin(_EUCLIDEAN)
    return results.assign(method=method, **{metric: results[metric].where(linear) for metric in ("nc2", "nc3", "nc4")})


def reported(results: pd.DataFrame) -> list[str]:
    """The methods and combinations that the bench has results of, in the order of METHODS and COMBINATIONS."""
    found = {*with_methods(rows_of(results, "bench"))["method"]}
    return [name for name in SOURCES if name in found]


@dataclass(frozen=True)
class Goal:
    """What a reader may want of a loss, and the metric that stands for it.

    Attributes:
        name: how the pages call it.
        table: the table whose runs are compared.
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


def scores(results: pd.DataFrame, goal: Goal) -> pd.DataFrame:
    """A goal's metric: one row per seed, one column per method; NaN where a run failed."""
    return _by_method(results, goal.table, goal.metric)


def _by_method(results: pd.DataFrame, table: str, metric: str, factor: float = 100.0) -> pd.DataFrame:
    rows = with_methods(rows_of(results, table))
    rows = rows.assign(value=values_of(rows, metric, factor))
    return rows.pivot(index="seed", columns="method", values="value")[rows["method"].unique()]


def means(results: pd.DataFrame) -> pd.DataFrame:
    """Mean score over the seeds whose run did not fail: one row per method, one column per goal."""
    return pd.DataFrame({goal.name: scores(results, goal).mean() for goal in GOALS})


def ranks(results: pd.DataFrame) -> pd.DataFrame:
    """Mean rank over the seeds, 1 is best, a run that failed is last: one row per method (without those of the tail only), one
    column per goal."""
    methods = reported(results)
    columns = {g.name: mean_ranks(scores(results, g)[methods].to_numpy(), g.better > 0) for g in GOALS}
    return pd.DataFrame(columns, methods)


def change(results: pd.DataFrame, method: str, control: str) -> pd.DataFrame:
    """Method against control, one row per goal whose runs have both: mean and 95 % interval of the paired differences;
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


def agreement(first: pd.DataFrame, second: pd.DataFrame, methods: Iterable[str]) -> pd.DataFrame:
    """How alike two tiers order some methods by their mean scores, one row per goal: Spearman's correlation in ``between``
    (:func:`rank_correlation`).  ``first`` and ``second`` are the same between the even and the odd seeds of each tier: the best
    that could be reached."""
    methods = [*methods]

    def table(frame: pd.DataFrame) -> pd.DataFrame:
        return means(frame).loc[methods]

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


def paired(results: pd.DataFrame, table: str, metric: str, method: str, control: str, factor: float = 100.0) -> np.ndarray:
    """A metric of the method less that of the control, times a factor: one value per seed, NaN where a run failed."""
    values = _by_method(results, table, metric, factor)
    return (values[method] - values[control]).to_numpy()


def tuning(results: pd.DataFrame) -> pd.DataFrame:
    """The tuning runs: one row per setting, mean over the draws of the metric of every goal of the bench; NaN if a run failed."""
    metrics = [goal.metric for goal in GOALS if goal.table == "bench"]
    rows = with_methods(rows_of(results, "tuning"))
    rows = rows.assign(**{metric: values_of(rows, metric) for metric in metrics})
    own = [c for c in rows.columns if c.startswith("arg_") and rows.groupby("method")[c].nunique().max() > 1]
    grouped = rows.groupby(["method", "lr", *own], sort=False, dropna=False)
    return grouped[metrics].mean().where(grouped[metrics].count().eq(grouped.size(), axis=0))


def answers(results: pd.DataFrame, control: str = "CE") -> pd.DataFrame:
    """Which loss for which goal: one row per goal.

    ``best`` by mean rank; ``gain`` on the control, of whatever was best on the other seeds (:func:`held_out_gain`); ``level``:
    the methods whose mean rank is within the critical difference of the best one's; ``better`` and ``worse``: methods that
    differ from the control by Wilcoxon's test at 5 %, all methods together (Holm).  A run that failed ranks last; for ``gain``
    and the tests its seed is left out.
    """
    rows = {}
    for goal in GOALS:
        values = scores(results, goal)
        ranks = pd.Series(mean_ranks(values.to_numpy(), goal.better > 0), values.columns)
        complete = values.dropna()
        others = complete.drop(columns=control)
        different = paired_tests(others.to_numpy(), complete[control].to_numpy()) < 0.05
        sign = goal.better * np.sign((others.sub(complete[control], axis=0)).mean().to_numpy())
        rows[goal.name] = {
            "best": ranks.idxmin(),
            "score": values[ranks.idxmin()].mean(),
            control: values[control].mean(),
            "gain": held_out_gain(complete.to_numpy(), complete[control].to_numpy(), goal.better > 0),
            "level": int((ranks - ranks.min() < critical_difference(len(ranks), len(values))).sum()),
            "better": int((different & (sign > 0)).sum()),
            "worse": int((different & (sign < 0)).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("goal")
