"""How the claims of `warped` are checked on results.

Effects are in percentage points, seed by seed: the seeds' own spread is larger than most effects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from lossbook.papers.claims import Unit, Verdict, by_seed, by_setting, means_by, rows_of
from lossbook.papers.rules import decide, decide_all, decide_best
from lossbook.papers.warped.read import Kind, corrupted, functions, reality_check, with_retrieval
from lossbook.papers.warped.searches import ALPHAS, BASELINES, DTP_ALPHAS, FORMULAS, K1, K2

TABLE_1 = ("recall@1", "recall@2", "recall@4", "NMI")  # the metrics of CUB and Cars
Check = Callable[[pd.DataFrame], Verdict]
Method = tuple[str, bool]  # its objective, and whether it is trained in two phases

SOFTMAX, WARPED, NCA, ARCFACE = ((name, False) for name in ("euclidean-softmax", "warped-softmax", "proxy-nca++", "arcface"))
SOFTMAX_2, WARPED_2 = ((name, True) for name in ("euclidean-softmax", "warped-softmax"))


def _table_1(results: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    return rows_of(with_retrieval(results), "I", **columns)


def _of(results: pd.DataFrame, method: Method) -> pd.DataFrame:
    objective, two_phases = method
    return _table_1(results, objective=objective, two_phases=two_phases)


def gain(method: Method, control: Method, metric: str = "recall@1") -> Check:
    """Is a metric of one method above that of another?"""

    def check(results: pd.DataFrame) -> Verdict:
        own, other = (by_seed(_of(results, one), metric) for one in (method, control))
        return decide(own - other)

    return check


def every_metric(method: Method, control: Method) -> Check:
    """Is one method above another by each of the paper's four metrics?"""

    def check(results: pd.DataFrame) -> Verdict:
        own, other = (_of(results, one) for one in (method, control))
        return decide_all(pd.DataFrame({metric: by_seed(own, metric) - by_seed(other, metric) for metric in TABLE_1}))

    return check


def above_all_baselines(metric: str = "recall@1") -> Check:
    """Is the warp in two phases above each of the eight other losses?"""

    def check(results: pd.DataFrame) -> Verdict:
        others = by_setting(_table_1(results, objective=list(BASELINES)), "objective", metric)
        return decide_best(by_seed(_of(results, WARPED_2), metric), others)

    return check


def not_a_temperature(metric: str = "recall@1") -> Check:
    """Is the warp above Eq. 4 at each temperature?"""

    def check(results: pd.DataFrame) -> Verdict:
        others = by_setting(rows_of(results, "temperature"), "arg_temperature", f"unknown_{metric}")
        return decide_best(by_seed(_of(results, WARPED), metric), others, note="against T = {:g}")

    return check


def mlp_gain(metric: str = "recall@1") -> Check:
    """Is the warp above Eq. 4 on the perceptron?"""

    def check(results: pd.DataFrame) -> Verdict:
        own = _unknown(results, "mlp", metric, arg_alpha=8.0)
        return decide(own - _unknown(results, "mlp", metric, objective="euclidean-softmax"))

    return check


def _unknown(results: pd.DataFrame, table: str, metric: str = "recall@1", **columns: Any) -> pd.Series:
    """A retrieval metric of the unknown classes per seed, the mean over the runs with these columns."""
    return by_seed(rows_of(results, table, **columns), f"unknown_{metric}")


def _identity(rows: pd.DataFrame) -> pd.Series:
    return by_seed(rows[rows["kind"] == Kind.EQ_4], "recall@1")


def identity_best(results: pd.DataFrame) -> Verdict:
    rows = functions(results)
    shared = by_setting(rows[rows["kind"] == Kind.SHARED], "arg_f1", "recall@1")
    return decide_best(_identity(rows), shared.rename(columns=FORMULAS), note="against f(x) = {}")


def _slope_of(kind: Kind) -> tuple[str, str]:
    """The column of the slope by which the half warps of a kind differ, and its name."""
    return ("arg_k1", "k1") if kind is Kind.OUTWARD else ("arg_k2", "k2")


def half_warps_fail(kind: Kind) -> Check:
    """Is each of the half warps below Eq. 4?"""

    def check(results: pd.DataFrame) -> Verdict:
        rows = functions(results)
        column, name = _slope_of(kind)
        warps = by_setting(rows[rows["kind"] == kind], column, "recall@1")
        return decide_best(_identity(rows), warps, note=f"against {name} = {{:g}}")

    return check


def ends_away(kind: Kind, formulas: tuple[str, ...]) -> Check:
    """Do the functions whose forces all point outward (inward) end farther from their proxies (closer to them) than Eq. 4?

    Args:
        kind: the kind of the half warps among them.
        formulas: the functions of both distances among them.
    """

    def check(results: pd.DataFrame) -> Verdict:
        rows = functions(results)
        plain = by_seed(rows[rows["kind"] == Kind.EQ_4], "train_avg_dtp")
        column, name = _slope_of(kind)
        warps = by_setting(rows[rows["kind"] == kind], column, "train_avg_dtp").rename(columns=lambda k: f"{name} = {k:g}")
        shared = by_setting(rows[rows["kind"] == Kind.SHARED], "arg_f1", "train_avg_dtp")
        ends = warps.join(shared[list(formulas)].rename(columns=lambda f: f"f(x) = {FORMULAS[f]}"))
        longer = 100 * (ends.div(plain, axis=0) - 1)
        return decide_all(longer, above=kind is Kind.OUTWARD, unit=Unit.PERCENT, note="for {}")

    return check


def dtp_follows_alpha(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "III", arg_alpha=[4.0, 8.0, 16.0])
    rows = rows.assign(off=(rows["train_avg_dtp"] / rows["arg_alpha"] - 1).abs())
    return decide_all(by_setting(rows, "arg_alpha", "off"), bound=15.0, above=False, unit=Unit.PERCENT, note="of α = {:g}")


def middle_dtp_best(results: pd.DataFrame) -> Verdict:
    """The warp with α = 8, at each of three slopes, against those with a smaller and a larger α, and so AvgDTP."""
    rows = rows_of(results, "dtp")
    gains = {}
    for k1, of_slope in rows.groupby("arg_k1"):
        recalls = by_setting(of_slope, "arg_alpha", "unknown_recall@1")
        low, middle, high = DTP_ALPHAS
        gains |= {f"α = {end:g} (k1 = {k1:g})": recalls[middle] - recalls[end] for end in (low, high)}
    return decide_all(pd.DataFrame(gains), note="against {}")


def alpha_has_a_peak(results: pd.DataFrame) -> Verdict:
    ends = by_setting(rows_of(results, "fig-6", arg_alpha=[ALPHAS[0], ALPHAS[-1]]), "arg_alpha", "unknown_recall@1")
    return decide_best(_unknown(results, "fig-6", arg_alpha=[2.0, 4.0, 8.0]), ends, note="against α = {:g}")


def both_slopes_needed(results: pd.DataFrame) -> Verdict:
    """Warps with neither slope equal to 1, against warps with the one, and with the other slope equal to 1."""
    bent_1, bent_2 = list(K1[:2]), list(K2[1:])
    flat = {
        "k1 = 1": _unknown(results, "fig-7", arg_k1=1.0, arg_k2=bent_2),
        "k2 = 1": _unknown(results, "fig-7", arg_k1=bent_1, arg_k2=1.0),
    }
    return decide_best(_unknown(results, "fig-7", arg_k1=bent_1, arg_k2=bent_2), flat)


def margin_helps(results: pd.DataFrame) -> Verdict:
    return decide(_unknown(results, "fig-8", arg_margin=1.3) - _unknown(results, "fig-8", arg_margin=1.0))


def margin_too_large(results: pd.DataFrame) -> Verdict:
    return decide(_unknown(results, "fig-8", arg_margin=[1.3, 2.0]) - _unknown(results, "fig-8", arg_margin=4.0))


def _corrupted(rows: pd.DataFrame, lost: bool) -> pd.Series:
    """Recall@1 per seed, the mean over the corruptions; with ``lost``, minus that of the clean images."""
    level = rows[corrupted(rows)].mean(axis=1)
    return by_seed(rows.assign(level=level - rows["corrupted_none"] if lost else level), "level")


def robust(method: Method, control: Method, lost: bool = False) -> Check:
    """Is the recall of one method on corrupted images above that of another?"""

    def check(results: pd.DataFrame) -> Verdict:
        own, other = (_corrupted(_of(results, one), lost) for one in (method, control))
        return decide(own - other)

    return check


_REPETITION = ["dataset", "classes", "seed"]


def reality(method: str, control: str) -> Check:
    """Under the reality check, is MAP@R of one method above that of another in every setting?"""

    def check(results: pd.DataFrame) -> Verdict:
        rows = reality_check(results)
        rows = rows[rows["setting"] != "validation"]
        own, other = (
            means_by(rows[rows["objective"] == name], [*_REPETITION, "setting"], "MAP@R").unstack("setting")
            for name in (method, control)
        )
        return decide_all(own - other)

    return check


def reality_of_settings(better: str, other: str) -> Check:
    """Is MAP@R in one setting above that in another, mean over the methods?"""

    def check(results: pd.DataFrame) -> Verdict:
        rows = reality_check(results)
        first, second = (means_by(rows[rows["setting"] == name], _REPETITION, "MAP@R") for name in (better, other))
        return decide(first - second)

    return check
