"""The claims of `warped` as checks over the results.

Effects are in percentage points, seed by seed: the seeds' own spread is larger than most effects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lossbook.papers.claims import Claim, Unit, Verdict, by_seed, decide, rows_of
from lossbook.papers.warped.read import Kind, corrupted, functions, reality_check, with_retrieval
from lossbook.papers.warped.tables import ALPHAS, BASELINES, FORMULAS, K1, K2, TUNED
from lossbook.runs.tables import TIERS

Check = Callable[[pd.DataFrame], Verdict]
Method = tuple[str, bool]  # its objective, and whether it is trained in two phases

SOFTMAX, WARPED, NCA, ARCFACE = ((name, False) for name in ("euclidean-softmax", "warped-softmax", "proxy-nca++", "arcface"))
SOFTMAX_2, WARPED_2 = ((name, True) for name in ("euclidean-softmax", "warped-softmax"))


def _table_1(results: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """Runs of Table I, without the direction in which the warp's numbers were chosen."""
    rows = rows_of(with_retrieval(results), "I", **columns)
    return rows[~rows["classes"].isin([TUNED])]


def _of(results: pd.DataFrame, method: Method) -> pd.DataFrame:
    objective, two_phases = method
    return _table_1(results, objective=objective, two_phases=two_phases)


def _gain(method: Method, control: Method, metric: str = "recall@1") -> Check:
    """Is a metric of one method above that of another?"""

    def check(results: pd.DataFrame) -> Verdict:
        own, other = (by_seed(_of(results, one), metric) for one in (method, control))
        return decide((own - other).to_numpy())

    return check


def _best(rows: pd.DataFrame, column: str, metric: str) -> tuple[Any, pd.Series]:
    """The value of a column with the best mean of a metric, and that metric per seed."""
    found = {value: by_seed(part, metric) for value, part in rows.groupby(column)}
    best = max(found, key=lambda value: found[value].mean())
    return best, found[best]


def _above_all_baselines(results: pd.DataFrame) -> Verdict:
    runner_up, recall = _best(_table_1(results, objective=list(BASELINES)), "objective", "recall@1")
    own = by_seed(_of(results, WARPED_2), "recall@1")
    return decide((own - recall).to_numpy(), note=f"against {runner_up}")


def _not_a_temperature(results: pd.DataFrame) -> Verdict:
    temperature, recall = _best(rows_of(results, "temperature"), "arg_temperature", "unknown_recall@1")
    own = by_seed(_of(results, WARPED), "recall@1")
    return decide((own - recall).to_numpy(), note=f"against T = {temperature:g}")


def _recall(results: pd.DataFrame, table: str, **columns: Any) -> np.ndarray:
    """Recall@1 per seed, the mean over the runs with these columns."""
    return by_seed(rows_of(results, table, **columns), "unknown_recall@1").to_numpy()


def _mlp_gain(results: pd.DataFrame) -> Verdict:
    return decide(_recall(results, "mlp", arg_alpha=8.0) - _recall(results, "mlp", objective="euclidean-softmax"))


def _identity_best(results: pd.DataFrame) -> Verdict:
    rows = functions(results)
    best, recall = _best(rows[rows["kind"] == Kind.SHARED], "arg_f1", "recall@1")
    identity = by_seed(rows[rows["kind"] == Kind.EQ_4], "recall@1")
    return decide((identity - recall).to_numpy(), note=f"against f(x) = {FORMULAS[best]}")


def _half_warps_fail(kind: Kind) -> Check:
    """The better of the half warps is below Eq. 4, seed by seed."""

    def check(results: pd.DataFrame) -> Verdict:
        rows = functions(results)
        warps = [by_seed(part, "recall@1") for _, part in rows[rows["kind"] == kind].groupby(["arg_k1", "arg_k2"])]
        identity = by_seed(rows[rows["kind"] == Kind.EQ_4], "recall@1")
        return decide(identity.to_numpy() - np.maximum.reduce(warps))

    return check


def _dtp_follows_alpha(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "III", arg_alpha=[4.0, 8.0, 16.0])
    rows = rows.assign(off=(rows["train_avg_dtp"] / rows["arg_alpha"] - 1).abs())
    return decide(by_seed(rows, "off").to_numpy(), bound=15.0, above=False, unit=Unit.PERCENT, note="of α")


def _middle_dtp_best(results: pd.DataFrame) -> Verdict:
    rows = functions(results)
    low, middle, high = (by_seed(rows[rows["dtp_third"] == third], "recall@1").to_numpy() for third in range(3))
    return decide(middle - np.maximum(low, high))


def _alpha_has_a_peak(results: pd.DataFrame) -> Verdict:
    ends = np.maximum(_recall(results, "fig-6", arg_alpha=ALPHAS[0]), _recall(results, "fig-6", arg_alpha=ALPHAS[-1]))
    return decide(_recall(results, "fig-6", arg_alpha=[2.0, 4.0, 8.0]) - ends)


def _both_slopes_needed(results: pd.DataFrame) -> Verdict:
    """Warps with neither slope equal to 1, against warps with one slope equal to 1."""
    bent_1, bent_2 = list(K1[:2]), list(K2[1:])
    flat_1 = _recall(results, "fig-7", arg_k1=1.0, arg_k2=bent_2)
    flat_2 = _recall(results, "fig-7", arg_k1=bent_1, arg_k2=1.0)
    return decide(_recall(results, "fig-7", arg_k1=bent_1, arg_k2=bent_2) - (flat_1 + flat_2) / 2)


def _margin_helps(results: pd.DataFrame) -> Verdict:
    return decide(_recall(results, "fig-8", arg_margin=1.3) - _recall(results, "fig-8", arg_margin=1.0))


def _margin_too_large(results: pd.DataFrame) -> Verdict:
    return decide(_recall(results, "fig-8", arg_margin=[1.3, 2.0]) - _recall(results, "fig-8", arg_margin=4.0))


def _corrupted(rows: pd.DataFrame, lost: bool) -> pd.Series:
    """Recall@1 per seed, the mean over the corruptions; with ``lost``, minus that of the clean images."""
    level = rows[corrupted(rows)].mean(axis=1)
    return by_seed(rows.assign(level=level - rows["corrupted_none"] if lost else level), "level")


def _robust(method: Method, control: Method, lost: bool = False) -> Check:
    """Is the recall of one method on corrupted images above that of another?"""

    def check(results: pd.DataFrame) -> Verdict:
        own, other = (_corrupted(_of(results, one), lost) for one in (method, control))
        return decide((own - other).to_numpy())

    return check


def _map_at_r(results: pd.DataFrame, column: str, value: str) -> np.ndarray:
    """MAP@R in points under the reality check, one number per repetition: the mean over the other methods, or settings."""
    rows = reality_check(results)
    rows = rows[(rows["setting"] != "validation") & (rows[column] == value)]
    return 100 * rows.fillna({"MAP@R": 0.0}).groupby(["dataset", "classes", "seed"])["MAP@R"].mean().to_numpy()


def _reality(column: str, better: str, other: str) -> Check:
    """Is MAP@R of one method, or of one way to evaluate, above that of another?"""

    def check(results: pd.DataFrame) -> Verdict:
        return decide(_map_at_r(results, column, better) - _map_at_r(results, column, other))

    return check


CLAIMS = (
    Claim(
        "warped-beats-euclidean",
        "Table I",
        "The warp retrieves unknown classes better than the plain Euclidean softmax, Eq. 4 (recall@1, one phase).",
        "04-retrieval",
        _gain(WARPED, SOFTMAX),
        tiers=TIERS,
    ),
    Claim(
        "warped-beats-euclidean-map",
        "Ours (App. D)",
        "The same by MAP@R, which looks at all neighbours.",
        "04-retrieval",
        _gain(WARPED, SOFTMAX, "MAP@R"),
        tiers=TIERS,
    ),
    Claim(
        "warped-two-phases",
        "Sec. IV-B",
        "Also where both are trained in two phases with the same temperatures and learning rates (recall@1).",
        "04-retrieval",
        _gain(WARPED_2, SOFTMAX_2),
        tiers=TIERS,
    ),
    Claim(
        "warped-no-temperature",
        "Ours (Table I)",
        "The warp is more than another temperature: it is better than Eq. 4 at the best of four (recall@1, one phase).",
        "04-retrieval",
        _not_a_temperature,
    ),
    Claim(
        "warped-beats-proxy-nca",
        "Table I",
        "The warp in two phases is better than ProxyNCA++ (recall@1, cosine for the latter).",
        "04-retrieval",
        _gain(WARPED_2, NCA),
        tiers=TIERS,
    ),
    Claim(
        "warped-best",
        "Table I",
        "The warp in two phases is better than the best of the eight other losses (recall@1).",
        "04-retrieval",
        _above_all_baselines,
    ),
    Claim(
        "warped-mlp",
        "Ours (Table I)",
        "Another backbone: the same warp is better than Eq. 4 on a perceptron (recall@1).",
        "04-retrieval",
        _mlp_gain,
    ),
    Claim(
        "warped-identity-best",
        "Sec. IV-E, Table III",
        "Of the functions f = f1 = f2, the identity (Eq. 4) is the best (recall@1, against the best of three others).",
        "05-functions",
        _identity_best,
    ),
    Claim(
        "warped-outward-fails",
        "Sec. IV-E, Table III",
        "Half warps that push outward everywhere are worse than Eq. 4 (recall@1, the better of two).",
        "05-functions",
        _half_warps_fail(Kind.OUTWARD),
    ),
    Claim(
        "warped-inward-fails",
        "Sec. IV-E, Table III",
        "Half warps that pull inward everywhere are worse than Eq. 4 (recall@1, the better of two).",
        "05-functions",
        _half_warps_fail(Kind.INWARD),
    ),
    Claim(
        "warped-dtp-follows-alpha",
        "Sec. IV-E, Table III",
        "AvgDTP ends near α: off by less than 15 % for α = 4, 8 and 16.",
        "05-functions",
        _dtp_follows_alpha,
    ),
    Claim(
        "warped-dtp-between",
        "Sec. IV-E, Table III",
        "The best AvgDTP lies between the extremes: the middle third of the functions retrieves better than both outer thirds.",
        "05-functions",
        _middle_dtp_best,
    ),
    Claim(
        "warped-alpha-peak",
        "Fig. 6",
        "Recall@1 rises with α, is level for a while, and falls: α = 2 to 8 is better than both 0 and 32.",
        "06-hyper-parameters",
        _alpha_has_a_peak,
    ),
    Claim(
        "warped-both-slopes",
        "Fig. 7",
        "Recall@1 is higher where neither k1 nor k2 is 1 than where one of them is.",
        "06-hyper-parameters",
        _both_slopes_needed,
    ),
    Claim(
        "warped-margin-helps",
        "Fig. 8",
        "A factor m a little above 1 improves recall@1 (1.3 against 1).",
        "06-hyper-parameters",
        _margin_helps,
    ),
    Claim(
        "warped-margin-too-large",
        "Fig. 8",
        "Past a certain point it falls again (4 against 1.3 and 2).",
        "06-hyper-parameters",
        _margin_too_large,
    ),
    Claim(
        "warped-robust-softmax",
        "Table IV",
        "On corrupted images the warp retrieves better than Eq. 4 (mean of the corruptions, one phase).",
        "07-robustness",
        _robust(WARPED, SOFTMAX),
    ),
    Claim(
        "warped-robust-nca",
        "Table IV",
        "On corrupted images the warp retrieves better than ProxyNCA++ (mean of the corruptions, two phases).",
        "07-robustness",
        _robust(WARPED_2, NCA),
    ),
    Claim(
        "warped-softmax-robust-nca",
        "Table IV",
        "On corrupted images Eq. 4 retrieves better than ProxyNCA++ (mean of the corruptions, two phases).",
        "07-robustness",
        _robust(SOFTMAX_2, NCA),
    ),
    Claim(
        "warped-loses-less",
        "Ours (Sec. IV-F)",
        "The corruptions cost the warp fewer points than they cost ProxyNCA++ (two phases).",
        "07-robustness",
        _robust(WARPED_2, NCA, lost=True),
    ),
    Claim(
        "warped-reality-euclidean",
        "Ours (App. D)",
        "Under the reality check the warp retrieves better than Eq. 4 (MAP@R, mean of complete, ensemble and aggregate).",
        "08-reality-check-and-faces",
        _reality("objective", "warped-softmax", "euclidean-softmax"),
        tiers=TIERS,
    ),
    Claim(
        "warped-reality-nca",
        "App. D-C",
        "Under the reality check the warp retrieves better than ProxyNCA++ (MAP@R, mean of complete, ensemble and aggregate).",
        "08-reality-check-and-faces",
        _reality("objective", "warped-softmax", "proxy-nca++"),
        tiers=TIERS,
    ),
    Claim(
        "warped-ensemble-best",
        "App. D-D",
        "An ensemble of four retrieves better than one complete model (MAP@R, mean of the three losses).",
        "08-reality-check-and-faces",
        _reality("setting", "ensemble", "complete"),
        tiers=TIERS,
    ),
    Claim(
        "warped-complete-aggregate",
        "App. D-D",
        "One complete model retrieves better than the models of the folds on their own (MAP@R, mean of the three losses).",
        "08-reality-check-and-faces",
        _reality("setting", "complete", "aggregate"),
        tiers=TIERS,
    ),
    Claim(
        "warped-verification",
        "Table V",
        "The warp verifies pairs of unknown classes better than Eq. 4 (accuracy, one phase).",
        "08-reality-check-and-faces",
        _gain(WARPED, SOFTMAX, "pair_accuracy"),
    ),
    Claim(
        "warped-verification-margin",
        "Sec. IV-H",
        "Eq. 4 verifies less well than ArcFace.",
        "08-reality-check-and-faces",
        _gain(ARCFACE, SOFTMAX, "pair_accuracy"),
    ),
)
