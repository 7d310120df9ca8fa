"""The results of the bench as numbers: what its figures, tables and claims share.

Both sides of a comparison share the seed, and with it the classes, the images, their order and the backbone's start.  Scores
are in per cent, differences in percentage points.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from lossbook.papers.bench.tables import BENCH_SEARCHES, COMBINATIONS, METHODS, SEARCHES, TABLES, TAIL_ONLY
from lossbook.papers.claims import by_seed, rows_of, values_of
from lossbook.papers.paper import Evidence
from lossbook.papers.statistics import (
    critical_difference,
    held_out_gain,
    mean_interval,
    mean_ranks,
    paired_tests,
    rank_correlation,
)
from lossbook.papers.tuning import read_tuned

EVIDENCE = Evidence(
    name="bench",
    tables=TABLES,
    searches=SEARCHES,
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
SOURCES = {name: method.source for name, method in (METHODS | COMBINATIONS).items()}

# The objective `bce3s` alone is that of a method and of two combinations.
_NAMES = {one.objective: name for name, one in (COMBINATIONS | METHODS | TAIL_ONLY).items()}
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


def tuning(tier: str) -> pd.DataFrame:
    """What the search of the known classes tried at a tier: one row per ``method`` and ``setting``, the mean over the draws of
    each metric that was looked at, on held-out training images, within [0, 1]; ``chosen`` says which setting is reported.
    Settings with a run that failed are left out."""
    rows = []
    tried = read_tuned(EVIDENCE.name)
    for name, search in BENCH_SEARCHES[tier].items():
        for row in tried:
            if row["spec"] == search.family and row["failed"] == "0":
                means = {search.metric: float(row["mean"])} | json.loads(row["others"])
                rows.append({"method": name, "setting": json.loads(row["setting"]), "chosen": row["chosen"] == "1"} | means)
    return pd.DataFrame(rows)


def choices(tier: str) -> pd.DataFrame:
    """What is lost by choosing by accuracy: one row per method, per goal two columns, the score on held-out training images (%)
    of the setting that is best ``by accuracy`` and of the one that is best by the ``goal`` itself.  Both scores are those that
    the choice was made by, so the second is too good by the luck of the best of several."""
    rows = tuning(tier).set_index("method")
    by_accuracy = rows[rows["chosen"]]
    columns = {}
    for goal in GOALS:
        if goal.table == "bench" and goal.metric in rows:
            best = (goal.better * rows[goal.metric]).groupby(level="method", sort=False).max() * goal.better
            columns[goal.name, "by accuracy"] = 100 * by_accuracy[goal.metric]
            columns[goal.name, "by the goal"] = 100 * best
    return pd.DataFrame(columns)


# What stands beside a new loss without being one: name, goal, and the metric of the cross entropy's runs, or of table "slow".
_POSTHOC = (
    ("temperature scaling", "calibration", "ece_scaled"),
    ("logit adjustment", "long tail, all", "accuracy_all_adjusted"),
    ("logit adjustment", "long tail, few", "accuracy_few_adjusted"),
    ("ten nearest neighbours", "accuracy", "accuracy_neighbours"),
)


def rivals(results: pd.DataFrame) -> pd.DataFrame:
    """What the cross entropy reaches without a new loss: at a tenth of its rate, and by what is done after the training.

    One row per goal and rival: its ``score`` and that of ``CE`` (%), mean, low and high of the paired difference, and how many
    of the other methods (``of``) have a mean that is worse than the rival's (``beaten``)."""
    found = []
    for goal in GOALS:
        values = scores(results, goal)
        own = {rival: _of_ce(results, goal.table, metric) for rival, name, metric in _POSTHOC if name == goal.name}
        if goal.table == "bench" and (results["table"] == "slow").any():
            own = {"a tenth of the rate": _of_ce(results, "slow", goal.metric)} | own
        others = goal.better * values.drop(columns="CE").mean()
        for rival, column in own.items():
            mean, low, high, _ = mean_interval((column - values["CE"]).to_numpy())
            beaten = int((others < goal.better * column.mean()).sum())
            row = {"goal": goal.name, "rival": rival, "score": column.mean(), "CE": values["CE"].mean()}
            found.append(row | {"mean": mean, "low": low, "high": high, "beaten": beaten, "of": len(others)})
    return pd.DataFrame(found).set_index(["goal", "rival"])


def _of_ce(results: pd.DataFrame, table: str, metric: str) -> pd.Series:
    """A metric of the runs of the cross entropy (%), one value per seed."""
    rows = with_methods(rows_of(results, table))
    return by_seed(rows[rows["method"] == "CE"], metric)


def idle(results: pd.DataFrame, table: str, methods: Iterable[str]) -> list[str]:
    """Which of some methods do not train: their mean accuracy is less than half of that of the cross entropy."""
    accuracy = _by_method(results, table, {"bench": "A_SW", "tail": "accuracy_all"}[table]).mean()
    return [name for name in methods if not accuracy[name] >= accuracy["CE"] / 2]


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
