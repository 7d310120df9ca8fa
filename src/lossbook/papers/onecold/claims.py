"""The claims of `onecold` as checks.

Errors, accuracies and areas are in percentage points.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd

from lossbook.papers.claims import Claim, Unit, Verdict, rows_of
from lossbook.papers.onecold import printed
from lossbook.papers.onecold.read import at_gamma, baseline_gains, of_loss, ood_gains, open_set_gains
from lossbook.papers.onecold.tables import GAMMAS
from lossbook.papers.rules import decide, decide_all, decide_best, decide_rank
from lossbook.runs.tables import TIERS

# RCE is competitive if its error is less than so many points above that of CE.
COMPETITIVE = 1.0
# "Almost all" of nine baselines and "most" of ten scores: so many.
ALMOST_ALL, MOST = 8, 6
_ALMOST_ALL_NOTE, _MOST_NOTE = "less error, the eighth of nine: {}", "of AUROC, the sixth of ten scores: {}"


def _lower_error(results: pd.DataFrame) -> Verdict:
    return decide(baseline_gains(results).mean(axis=1, skipna=False), note="less error, mean of nine baselines")


def _almost_all(results: pd.DataFrame) -> Verdict:
    return decide_rank(baseline_gains(results), ALMOST_ALL, note=_ALMOST_ALL_NOTE)


def _rce_behind(results: pd.DataFrame) -> Verdict:
    difference = of_loss(results, "1", "occe", "error") - of_loss(results, "1", "soft-d", "error")
    return decide(difference, bound=COMPETITIVE, note="more error than CE")


def _rce_large_steps(results: pd.DataFrame) -> Verdict:
    """Nine times the rate of the cross entropy makes equal steps at equal logits (N - 1 = 9)."""
    ten = {"classes": (), "epochs": 10}
    lr = rows_of(results, "rce", **ten)["lr"].min()
    large = of_loss(results, "rce", "occe", "error", lr=9 * lr, **ten)
    return decide(large - of_loss(results, "rce", "soft-d", "error", lr=lr, **ten), note="more error than CE")


def _rce_three_classes(results: pd.DataFrame) -> Verdict:
    three = {"classes": (0, 1, 2)}
    lr = rows_of(results, "rce", **three)["lr"].min()
    reverse, plain = (of_loss(results, "rce", loss, "error", lr=lr, **three) for loss in ("occe", "soft-d"))
    return decide(reverse - plain, bound=COMPETITIVE, above=False, note="more error than CE, three classes")


def _collapse(metric: str) -> Callable[[pd.DataFrame], Verdict]:
    """Relative fall from gamma = 0 to gamma = 10."""

    def check(results: pd.DataFrame) -> Verdict:
        without, with_ = (at_gamma(results, gamma, metric) for gamma in (0.0, 10.0))
        return decide((100 * (1 - with_ / without)), unit=Unit.PERCENT, note="lower than at γ = 0")

    return check


def _collapse_goes_on(results: pd.DataFrame) -> Verdict:
    names = {f"NC{k}": f"nc{k}" for k in range(1, 5)}
    falls = {name: 1 - at_gamma(results, 10.0, nc) / at_gamma(results, 1.0, nc) for name, nc in names.items()}
    return decide_all(100 * pd.DataFrame(falls), unit=Unit.PERCENT, note="lower, {}, which falls least")


def _fisher(results: pd.DataFrame) -> Verdict:
    """As it must be meant: the paper prints "minimizes", and describes the opposite in its next sentence."""
    without, with_ = (at_gamma(results, gamma, "fisher") for gamma in (0.0, 10.0))
    return decide((100 * (with_ / without - 1)), unit=Unit.PERCENT, note="higher than at γ = 0")


def _more_dimensions(results: pd.DataFrame) -> Verdict:
    names = [f"dimensions_{percent}" for percent in (80, 90, 99)]
    differences = [at_gamma(results, 10.0, name, 1.0) - at_gamma(results, 0.0, name, 1.0) for name in names]
    mean = pd.concat(differences, axis=1).mean(axis=1, skipna=False)
    return decide(mean, unit=Unit.DIMENSIONS, note="more, mean of 80, 90 and 99 %")


def _smaller_gap(results: pd.DataFrame) -> Verdict:
    without, with_ = (at_gamma(results, gamma, "generalisation_gap") for gamma in (0.0, 10.0))
    return decide((without - with_), note="smaller gap at γ = 10")


def _gamma_one_is_best(results: pd.DataFrame) -> Verdict:
    accuracies = {gamma: -at_gamma(results, gamma, "error") for gamma in GAMMAS}
    return decide_best(accuracies.pop(1.0), accuracies, note="less error than at γ = {:g}")


def _less_error(table: str, loss: str, control: str, **columns: float) -> Callable[[pd.DataFrame], Verdict]:
    """The columns are those of the loss alone: the control has no weight of OCCE."""

    def check(results: pd.DataFrame) -> Verdict:
        gain = of_loss(results, table, control, "error") - of_loss(results, table, loss, "error", **columns)
        return decide(gain, note="less error")

    return check


def _open_set_gain(metric: str, loss: str = "ce+occe", prediction: str = "") -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        gains = open_set_gains(results, metric, loss, prediction)
        return decide(gains, note="over draws of the known classes")

    return check


def _ood_better(results: pd.DataFrame) -> Verdict:
    gains = ood_gains(results, 0.1).mean(axis=1, skipna=False)
    return decide(gains, note="of AUROC, mean of ten scores and all unknown sets")


def _ood_most_scores(results: pd.DataFrame) -> Verdict:
    return decide_rank(ood_gains(results, 0.1), MOST, note=_MOST_NOTE)


def _rank_early(results: pd.DataFrame) -> Verdict:
    low, high = (at_gamma(results, gamma, "rank_1", 1.0, "layers") for gamma in (0.0, 10.0))
    return decide((high - low), unit=Unit.COUNT, note="higher in rank, γ = 10 against 0")


def _rank_late(results: pd.DataFrame) -> Verdict:
    low, high = (at_gamma(results, gamma, "rank_2", 1.0, "layers") for gamma in (0.0, 10.0))
    return decide((low - high), unit=Unit.COUNT, note="lower in rank, γ = 10 against 0")


def _equal_activations(results: pd.DataFrame) -> Verdict:
    without, with_ = (at_gamma(results, gamma, "complement_spread", table="layers") for gamma in (0.0, 1.0))
    return decide((100 * (1 - with_ / without)), unit=Unit.PERCENT, note="less spread at γ = 1")


_NC = {
    "nc1": "Within-class variability NC1 is lower with γ = 10 than without OCCE.",
    "nc2": "The classifier is closer to a simplex ETF (NC2 lower) with γ = 10 than without OCCE.",
    "nc3": "Classifier and class means are closer to self-duality (NC3 lower) with γ = 10 than without OCCE.",
    "nc4": "The bias compensates the global mean better (NC4 lower) with γ = 10 than without OCCE.",
}

CLAIMS = (
    Claim(
        "onecold-rce",
        "Table 1",
        "Alone, the one-cold cross entropy (RCE) is not competitive: more than one point behind cross entropy.",
        "02-reverse-cross-entropy",
        _rce_behind,
        TIERS,
        printed=partial(printed.rce_behind, COMPETITIVE),
    ),
    Claim(
        "onecold-rce-steps",
        "Ours (Secs. 2.3, 3.2)",
        "Not only the step size: RCE stays behind with N − 1 times the learning rate.",
        "02-reverse-cross-entropy",
        _rce_large_steps,
    ),
    Claim(
        "onecold-rce-few-classes",
        "Table 5",
        "With few classes RCE is competitive: less than one point behind with three.",
        "02-reverse-cross-entropy",
        _rce_three_classes,
        printed=partial(printed.rce_few_classes, COMPETITIVE),
    ),
    *(Claim(f"onecold-{name}", "Fig. 4", text, "03-neural-collapse", _collapse(name), TIERS) for name, text in _NC.items()),
    Claim(
        "onecold-nc-consistent",
        "Sec. 3.1",
        "Larger γ consistently collapse further: all four metrics are lower at γ = 10 than at γ = 1.",
        "03-neural-collapse",
        _collapse_goes_on,
        TIERS,
    ),
    Claim(
        "onecold-fisher",
        "Sec. A.1.2",
        "As it must be meant: uniform OCCE raises the Fisher ratio tr(S_B)/tr(S_W) of the training features.",
        "03-neural-collapse",
        _fisher,
        TIERS,
    ),
    Claim(
        "onecold-dimensions",
        "Fig. 5a",
        "With γ = 10 more principal directions are needed to restore 80, 90 and 99 % of the accuracy.",
        "04-independence-deficit",
        _more_dimensions,
        TIERS,
        printed=printed.dimensions,
    ),
    Claim(
        "onecold-gap",
        "Fig. 5c",
        "A large γ makes the generalisation gap smaller.",
        "04-independence-deficit",
        _smaller_gap,
        TIERS,
    ),
    Claim(
        "onecold-best-gamma",
        "Fig. 5b",
        "γ = 1 has the lowest test error (the paper says so of ResNet-18 on CIFAR-100 only).",
        "04-independence-deficit",
        _gamma_one_is_best,
        TIERS,
    ),
    Claim(
        "onecold-lower-error",
        "Table 1",
        "Adding OCCE with γ = 1 lowers the test error, on average over the baselines.",
        "05-baselines",
        _lower_error,
        TIERS,
        printed=printed.lower_error,
    ),
    Claim(
        "onecold-almost-all",
        "Table 1",
        "It does so for almost all of them (at least eight of nine).",
        "05-baselines",
        _almost_all,
        TIERS,
        printed=partial(printed.almost_all, ALMOST_ALL, _ALMOST_ALL_NOTE),
    ),
    Claim(
        "onecold-instance",
        "Table 5",
        "Instance-based soft targets have a lower error than the uniform target.",
        "06-soft-targets",
        _less_error("5", "ce+occe-instance", "ce+occe"),
        TIERS,
        printed=partial(printed.soft_targets, "ce+occe-instance"),
    ),
    Claim(
        "onecold-class",
        "Table 5",
        "Class-based soft targets have a lower error than the uniform target.",
        "06-soft-targets",
        _less_error("5", "ce+occe-class", "ce+occe"),
        TIERS,
        printed=partial(printed.soft_targets, "ce+occe-class"),
    ),
    Claim(
        "onecold-oscr",
        "Table 3",
        "CE + OCCE has a higher OSCR than CE.",
        "07-open-set",
        _open_set_gain("oscr"),
        TIERS,
        printed=partial(printed.open_set, "oscr"),
    ),
    Claim(
        "onecold-auroc",
        "Table 3",
        "CE + OCCE has a higher AUROC than CE.",
        "07-open-set",
        _open_set_gain("auroc_msp"),
        TIERS,
        printed=partial(printed.open_set, "auroc"),
    ),
    Claim(
        "onecold-dual-occe",
        "Table 3, Sec. 3.3",
        "The OCCE head of the dual architecture has a higher OSCR than CE.",
        "07-open-set",
        _open_set_gain("oscr", "ce+occe-dual", "occe"),
        TIERS,
        printed=partial(printed.open_set, "oscr", "ce+occe-dual", "occe"),
    ),
    Claim(
        "onecold-dual-ce",
        "Table 3, Sec. 3.3",
        "The CE head profits from its neighbour: in the dual architecture it has a higher OSCR than CE alone.",
        "07-open-set",
        _open_set_gain("oscr", "ce+occe-dual", "ce"),
        TIERS,
        printed=partial(printed.open_set, "oscr", "ce+occe-dual", "ce"),
    ),
    Claim(
        "onecold-ood",
        "Table 4",
        "OCCE with γ = 0.1 raises the AUROC against other data sets.",
        "08-out-of-distribution",
        _ood_better,
        TIERS,
        printed=printed.ood_better,
    ),
    Claim(
        "onecold-ood-methods",
        "Fig. 10, Tables 7, 8",
        "Most of the ten scores gain from OCCE with γ = 0.1 (at least six).",
        "08-out-of-distribution",
        _ood_most_scores,
        TIERS,
        printed=partial(printed.ood_most_scores, MOST, _MOST_NOTE),
    ),
    Claim(
        "onecold-ood-accuracy",
        "Sec. 3.4",
        "OCCE with γ = 0.1 also lowers the error on the known data set.",
        "08-out-of-distribution",
        _less_error("4", "ce+occe", "soft-d", arg_occe_weight=0.1),
        TIERS,
    ),
    Claim(
        "onecold-transfer",
        "Table 2",
        "Transfer from a pretrained network: CE + OCCE has a lower test error than CE.",
        "09-representations",
        _less_error("2", "ce+occe", "soft-d"),
        printed=printed.transfer,
    ),
    Claim(
        "onecold-activations",
        "Fig. 11",
        "OCCE makes an image's complementary activations more alike (relative to their distance from its own).",
        "09-representations",
        _equal_activations,
    ),
    Claim(
        "onecold-rank-early",
        "Fig. 13",
        "With a large γ the first layer has Jacobians of higher rank.",
        "09-representations",
        _rank_early,
    ),
    Claim(
        "onecold-rank-late",
        "Fig. 13",
        "With a large γ the last layer of the backbone has Jacobians of lower rank.",
        "09-representations",
        _rank_late,
    ),
)
