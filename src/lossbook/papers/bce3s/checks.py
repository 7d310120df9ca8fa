"""How the claims of `bce3s` are checked on results.

Accuracies are shares of 1 and become percentage points here; the geometry is in per cent already.  Every effect is a
difference of two means of one seed, so that the interval is over independent trainings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from lossbook.papers.bce3s.read import EVIDENCE, METHODS, Stage, with_stage, with_terms
from lossbook.papers.bce3s.tables import BCE3S, CE, WEIGHTS_CC, Terms, family_terms
from lossbook.papers.claims import Verdict, by_seed, by_setting, rows_of
from lossbook.papers.rules import decide, decide_all, decide_best, decide_range, decide_within

Check = Callable[[pd.DataFrame], Verdict]
# What is compared -> metric, row of Table 2 that is claimed to have more of it, other row.
Comparisons = dict[str, tuple[str, Terms, Terms]]


def _values(rows: pd.DataFrame, metric: str = "accuracy_all") -> pd.Series:
    """A metric in per cent: one value per seed."""
    return by_seed(rows, metric, factor=100.0 if EVIDENCE.is_share(metric) else 1.0)


def difference(table: str, metric: str, one: dict[str, Any], other: dict[str, Any], bound: float = 0.0, note: str = "") -> Check:
    """Is the metric of some runs above that of others by more than ``bound``?  ``one`` and ``other`` are values of columns."""

    def check(results: pd.DataFrame) -> Verdict:
        first, second = (_values(rows_of(results, table, **columns), metric) for columns in (one, other))
        return decide(first - second, bound, note=note)

    return check


def difference_of_terms(metric: str, one: Terms, other: Terms, note: str = "") -> Check:
    """Is the metric of one row of Table 2 above that of another?"""
    return difference("2", metric, one.columns, other.columns, note=note)


def all_differences_of_terms(comparisons: Comparisons) -> Check:
    """Is the metric of one row of Table 2 above that of another, in every comparison?"""

    def check(results: pd.DataFrame) -> Verdict:
        def values(terms: Terms, metric: str) -> pd.Series:
            return _values(rows_of(results, "2", **terms.columns), metric)

        gains = {name: values(one, metric) - values(other, metric) for name, (metric, one, other) in comparisons.items()}
        return decide_all(pd.DataFrame(gains))

    return check


def ce_terms_change_nothing(bound: float, metric: str = "compactness_train") -> Check:
    """Do the four rows of Table 2 that are of CE only have the same metric, but for ``bound``?"""

    def check(results: pd.DataFrame) -> Verdict:
        rows = {str(terms): rows_of(results, "2", **terms.columns) for terms in family_terms("ce", "ce")}
        return decide_range(pd.DataFrame({name: _values(part, metric) for name, part in rows.items()}), bound)

    return check


def three_terms_are_best(results: pd.DataFrame) -> Verdict:
    rows = with_terms(rows_of(results, "2"))
    found = by_setting(rows.assign(terms=rows["terms"].map(str)), "terms", "accuracy_all")
    return decide_best(found[str(BCE3S)], found.drop(columns=str(BCE3S)))


def classifier_only_is_best(results: pd.DataFrame) -> Verdict:
    found = by_setting(rows_of(results, "6"), "arg_normalise", "accuracy_all")
    return decide_best(found["classifier"], found.drop(columns="classifier"), note="against normalising {}")


def both_is_like_neither(bound: float) -> Check:
    """Does normalising both differ from normalising neither by less than ``bound``?"""

    def check(results: pd.DataFrame) -> Verdict:
        found = by_setting(rows_of(results, "6"), "arg_normalise", "accuracy_all")
        return decide_within((found["both"] - found["neither"]).to_numpy(), bound)

    return check


def etf(results: pd.DataFrame) -> Verdict:
    """Eq. 20: the mean separability of the simplex is 50 K / (K - 1), that of right angles 50: ten classes."""
    simplex = 50 * 10 / 9
    rows = with_terms(rows_of(results, "2"))
    rows = rows.assign(terms=rows["terms"].map(str), distance=(rows["classifier_separability"] - simplex).abs())
    distances = by_setting(rows, "terms", "distance", factor=1.0)
    return decide_all(distances, bound=(simplex - 50) / 10, above=False, note="from the simplex, the farthest row: {}")


def benchmark_best(results: pd.DataFrame) -> Verdict:
    """Against every other method on every tail."""
    gains = {}
    for (dataset, imbalance), tail in with_stage(rows_of(results, "3")).groupby(["dataset", "imbalance"]):
        own = _values(tail[tail["objective"].eq("bce3s") & tail["stage"].eq(Stage.TWO)])
        for name, rows in tail[tail["objective"] != "bce3s"].groupby("objective"):
            gains[f"{METHODS[name]}, {dataset} with IF {imbalance:g}"] = own - _values(rows)
    return decide_all(pd.DataFrame(gains), note="against {}")


def longer_is_better(results: pd.DataFrame) -> Verdict:
    """The longer of Table 5's two trainings against the shorter one."""
    found = by_setting(rows_of(results, "5"), "epochs", "accuracy_all")
    return decide(found[found.columns.max()] - found[found.columns.min()])


def second_stage_gain(results: pd.DataFrame) -> Verdict:
    rows = with_stage(rows_of(results, "stage2", **BCE3S.columns))
    one, two = (_values(rows[rows["stage"] == stage]) for stage in (Stage.ONE, Stage.TWO))
    return decide(two - one)


def second_stages(metric: str) -> Check:
    """Is BCE3S above CE3S after the same second stage?"""

    def check(results: pd.DataFrame) -> Verdict:
        rows = with_stage(rows_of(results, "stage2"))
        two = rows[rows["stage"] == Stage.TWO]
        bce, ce = (_values(two[two["arg_joint"] == form], metric) for form in ("bce", "ce"))
        return decide(bce - ce)

    return check


def weight_has_an_optimum(results: pd.DataFrame) -> Verdict:
    ends = [WEIGHTS_CC[0], WEIGHTS_CC[-1]]
    rows = rows_of(results, "fig-5-lambda-cc", arg_joint="bce", arg_lambda_cc=[1.25, *ends])
    found = by_setting(rows, "arg_lambda_cc", "accuracy_all")
    return decide_best(found[1.25], found[ends], note="against {:g}")


def kept(r: float) -> dict[str, Any]:
    return {"arg_r": r, "arg_resampling": "sample"}


def contrast(weight: float, tau: float) -> dict[str, Any]:
    return {"arg_lambda_ss": weight, "arg_tau": tau}


def joint_with_all_negatives(results: pd.DataFrame) -> Verdict:
    bce, ce = rows_of(results, "fig-5-r", **kept(1.0)), rows_of(results, "2", **CE.columns)
    return decide(_values(bce) - _values(ce))
