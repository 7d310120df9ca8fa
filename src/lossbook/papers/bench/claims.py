"""The claims of the bench: the headline of each paper, then the predictions for the combinations.

The predictions were written down and committed before the first of their runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from lossbook.papers.bench.read import idle, paired, with_methods
from lossbook.papers.claims import Claim, Unit, Verdict, rows_of, values_of
from lossbook.papers.rules import decide, decide_within
from lossbook.runs.tables import TIERS


def _trained(verdict: Verdict, results: pd.DataFrame, table: str, *methods: str) -> Verdict:
    """The verdict; undecided where a side does not train, because the losses are not compared then."""
    if not (names := idle(results, table, methods)):
        return verdict
    note = f"{verdict.note} (not half as accurate as CE: {', '.join(names)})".strip()
    return replace(verdict, reproduced=None, low=-math.inf, high=math.inf, note=note)


def _gain(table: str, metric: str, method: str, control: str) -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        return _trained(decide(paired(results, table, metric, method, control)), results, table, method, control)

    return check


def _fall(metric: str, method: str, control: str) -> Callable[[pd.DataFrame], Verdict]:
    """By how many per cent of the control's mean is the metric lower?"""

    def check(results: pd.DataFrame) -> Verdict:
        rows = with_methods(rows_of(results, "bench"))
        mean = values_of(rows[rows["method"] == control], metric).mean()
        fall = -100 * paired(results, "bench", metric, method, control) / mean
        return _trained(decide(fall, unit=Unit.PERCENT, note=f"lower than {control}"), results, "bench", method, control)

    return check


def _less_compact(results: pd.DataFrame) -> Verdict:
    """The compactness is in per cent already."""
    sides = "multi-centre BCE", "BCE"
    difference = -paired(results, "bench", "compactness_test", *sides, factor=1.0)
    return _trained(decide(difference, note="less compact"), results, "bench", *sides)


def _accuracy_stays(results: pd.DataFrame) -> Verdict:
    sides = "CE+uniform", "CE, unit w"
    verdict = decide_within(paired(results, "bench", "A_SW", *sides), bound=1.0, note="of change")
    return _trained(verdict, results, "bench", *sides)


def _warp_moves_less(results: pd.DataFrame) -> Verdict:
    softmax, binary = ("warped", "Euclidean"), ("warped BCE", "Euclidean BCE")
    more = paired(results, "bench", "avg_dtp", *softmax, 1.0) - paired(results, "bench", "avg_dtp", *binary, 1.0)
    verdict = decide(more, unit=Unit.DISTANCE, note="(what the warp adds in softmax less in BCE)")
    return _trained(verdict, results, "bench", *softmax, *binary)


_RESULTS_PAGE, _COMBINED_PAGE, _PREDICTION = "02-results-by-goal", "03-combinations", "prediction"

CLAIMS = (
    Claim(
        "bench-uniform",
        "uniform, Table II",
        "BCE has a higher A_Uni than the softmax cross entropy.",
        _RESULTS_PAGE,
        _gain("bench", "A_Uni", "BCE", "CE"),
        TIERS,
    ),
    Claim(
        "bench-bce3s",
        "bce3s, Table 2",
        "On the long tail BCE3S (one stage) is more accurate on the few classes than the cross entropy.",
        _RESULTS_PAGE,
        _gain("tail", "accuracy_few", "BCE3S", "CE"),
        TIERS,
    ),
    Claim(
        "bench-multicenter",
        "multicenter, Table 2",
        "The multi-centre classifier is more accurate than the cross entropy.",
        _RESULTS_PAGE,
        _gain("bench", "A_SW", "multi-centre", "CE"),
        TIERS,
    ),
    Claim(
        "bench-warped",
        "warped, Table I",
        "The warp raises the retrieval (MAP@R) of unknown classes over the Euclidean softmax.",
        _RESULTS_PAGE,
        _gain("bench", "MAP@R", "warped", "Euclidean"),
        TIERS,
    ),
    Claim(
        "bench-onecold",
        "onecold, Table 3",
        "The one-cold term raises the OSCR of the cross entropy.",
        _RESULTS_PAGE,
        _gain("bench", "oscr", "CE+OCCE", "CE"),
        TIERS,
    ),
    Claim(
        "bench-occe-uniform",
        _PREDICTION,
        "BCE + OCCE: equal negatives leave a lower largest one, so A_Uni is higher than with BCE alone.",
        _COMBINED_PAGE,
        _gain("bench", "A_Uni", "BCE+OCCE", "BCE"),
        TIERS,
    ),
    Claim(
        "bench-occe-etf",
        _PREDICTION,
        "BCE + OCCE: equal negatives are a property of the simplex, so NC2 is lower than with BCE alone.",
        _COMBINED_PAGE,
        _fall("nc2", "BCE+OCCE", "BCE"),
        TIERS,
    ),
    Claim(
        "bench-centres-uniform",
        _PREDICTION,
        "Multi-centre BCE: it sees the common shift of all metrics, so A_Uni is higher than with the multi-centre softmax.",
        _COMBINED_PAGE,
        _gain("bench", "A_Uni", "multi-centre BCE", "multi-centre"),
        TIERS,
    ),
    Claim(
        "bench-centres-diversity",
        _PREDICTION,
        "Multi-centre BCE: sampled centres keep the features of a class apart, so they are less compact than with BCE.",
        _COMBINED_PAGE,
        _less_compact,
        TIERS,
    ),
    Claim(
        "bench-term-etf",
        _PREDICTION,
        "CE + uniform term: the term is smallest at the simplex, so NC2 is lower than without it.",
        _COMBINED_PAGE,
        _fall("nc2", "CE+uniform", "CE, unit w"),
        TIERS,
    ),
    Claim(
        "bench-term-accuracy",
        _PREDICTION,
        "CE + uniform term: with balanced classes CE goes to the simplex anyway, so A_SW changes by less than 1 point.",
        _COMBINED_PAGE,
        _accuracy_stays,
        TIERS,
    ),
    Claim(
        "bench-term-few",
        _PREDICTION,
        "CE + uniform term: on a long tail the few classes' vectors need the term, so the accuracy on them is higher.",
        _COMBINED_PAGE,
        _gain("tail", "accuracy_few", "CE+uniform", "CE, unit w"),
        TIERS,
    ),
    Claim(
        "bench-ball-uniform",
        _PREDICTION,
        "Euclidean BCE: one radius for all proxies is one threshold, so A_Uni is higher than with the Euclidean softmax.",
        _COMBINED_PAGE,
        _gain("bench", "A_Uni", "Euclidean BCE", "Euclidean"),
        TIERS,
    ),
    Claim(
        "bench-ball-warp",
        _PREDICTION,
        "Warped BCE: pull and push are not tied, so the warp adds less to the distance to the own proxy than in a softmax.",
        _COMBINED_PAGE,
        _warp_moves_less,
        TIERS,
    ),
)
