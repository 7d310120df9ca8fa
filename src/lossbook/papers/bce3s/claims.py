"""The claims of `bce3s` as checks.

Accuracies are shares of 1 and become percentage points here; the geometry is in per cent already.  Every effect is a
difference of two means of one seed, so that the interval is over independent trainings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lossbook.papers.bce3s.read import EVIDENCE, Stage, with_stage, with_terms
from lossbook.papers.bce3s.tables import BCE, BCE3S, CE, CE3S, WEIGHTS_CC, Terms
from lossbook.papers.claims import Claim, Verdict, by_seed, decide, rows_of
from lossbook.runs.tables import TIERS

Check = Callable[[pd.DataFrame], Verdict]

_SPREAD = "of separability, standard deviation over the classes"
_PAIR_SPREAD = "of separability, standard deviation over the pairs"


def _values(rows: pd.DataFrame, metric: str = "accuracy_all") -> pd.Series:
    """A metric in per cent: one value per seed."""
    return by_seed(rows, metric, factor=100.0 if EVIDENCE.is_share(metric) else 1.0)


def _difference(table: str, metric: str, one: dict[str, Any], other: dict[str, Any], bound: float = 0.0, note: str = "") -> Check:
    """Is the metric of some runs above that of others by more than ``bound``?  ``one`` and ``other`` are values of columns."""

    def check(results: pd.DataFrame) -> Verdict:
        first, second = (_values(rows_of(results, table, **columns), metric) for columns in (one, other))
        return decide((first - second).to_numpy(), bound, note=note)

    return check


def _difference_of_terms(metric: str, one: Terms, other: Terms, note: str = "") -> Check:
    """Is the metric of one row of Table 2 above that of another?"""
    return _difference("2", metric, one.columns, other.columns, note=note)


def _ahead_of_the_rest(rows: pd.DataFrame, column: str, own: object, note: str) -> Verdict:
    """Is the accuracy of the runs with one value of a column above that of the best other value, which the note names?"""
    runner_up = rows.groupby(column)["accuracy_all"].mean().drop(own).idxmax()
    first, second = (_values(rows[rows[column] == value]) for value in (own, runner_up))
    return decide((first - second).to_numpy(), note=note.format(runner_up))


def _three_terms_are_best(results: pd.DataFrame) -> Verdict:
    return _ahead_of_the_rest(with_terms(rows_of(results, "2")), "terms", BCE3S, "against {}")


def _classifier_only_is_best(results: pd.DataFrame) -> Verdict:
    return _ahead_of_the_rest(rows_of(results, "6"), "arg_normalise", "classifier", "against normalising {}")


def _etf(results: pd.DataFrame) -> Verdict:
    """Eq. 20: the mean separability of the simplex is 50 K / (K - 1), 55.6 % for ten classes."""
    rows = rows_of(results, "2")
    distance = (rows["classifier_separability"] - 500 / 9).abs().groupby(rows["seed"]).max()
    return decide(distance.to_numpy(), bound=1.0, above=False, note="from the simplex, the farthest of all rows")


def _benchmark_best(results: pd.DataFrame) -> Verdict:
    """Against the best other method of each tail: the smallest of the gains."""
    gains = []
    for _, tail in with_stage(rows_of(results, "3")).groupby(["dataset", "imbalance"]):
        own = tail[tail["objective"].eq("bce3s") & tail["stage"].eq(Stage.TWO)]
        others = tail[tail["objective"] != "bce3s"].groupby("objective")["accuracy_all"].mean()
        gains.append(_values(own) - _values(tail[tail["objective"] == others.idxmax()]))
    return decide(np.min(gains, axis=0), note="above the best other method, on the tail where that is least")


def _benchmark_few(results: pd.DataFrame) -> Verdict:
    rows = with_stage(rows_of(results, "3", imbalance=100.0))
    # The smallest class of some tails has more than 20 images.
    rows = rows[rows.groupby("dataset")["accuracy_few"].transform("count") > 0]
    own = rows[rows["objective"].eq("bce3s") & rows["stage"].eq(Stage.TWO)]
    other = rows[rows["objective"] == "soft-d"]
    return decide((_values(own, "accuracy_few") - _values(other, "accuracy_few")).to_numpy())


def _second_stage_gain(results: pd.DataFrame) -> Verdict:
    rows = with_stage(rows_of(results, "stage2", **BCE3S.columns))
    one, two = (_values(rows[rows["stage"] == stage]) for stage in (Stage.ONE, Stage.TWO))
    return decide((two - one).to_numpy())


def _weight_has_an_optimum(results: pd.DataFrame) -> Verdict:
    own, low, high = (
        _values(rows_of(results, "fig-5-lambda-cc", arg_joint="bce", arg_lambda_cc=weight))
        for weight in (1.25, WEIGHTS_CC[0], WEIGHTS_CC[-1])
    )
    return decide((own - np.maximum(low, high)).to_numpy(), note="against the better end")


def _kept(r: float) -> dict[str, Any]:
    return {"arg_r": r, "arg_resampling": "sample"}


def _contrast(weight: float, tau: float) -> dict[str, Any]:
    return {"arg_lambda_ss": weight, "arg_tau": tau}


def _joint_with_all_negatives(results: pd.DataFrame) -> Verdict:
    bce, ce = rows_of(results, "fig-5-r", **_kept(1.0)), rows_of(results, "2", **CE.columns)
    return decide((_values(bce) - _values(ce)).to_numpy())


CLAIMS = (
    Claim(
        "bce3s-joint-few",
        "Table 2",
        "With the joint term alone, BCE has a higher accuracy on the few classes than CE.",
        "05-ablation",
        _difference_of_terms("accuracy_few", BCE, CE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-joint-all",
        "Table 2",
        "With the joint term alone, BCE has a higher accuracy on all classes than CE.",
        "05-ablation",
        _difference_of_terms("accuracy_all", BCE, CE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-joint-r1-all",
        "Tables 2, 6",
        "With the joint term alone and all negatives kept (r = 1), BCE still has a higher accuracy on all classes than CE.",
        "05-ablation",
        _joint_with_all_negatives,
    ),
    Claim(
        "bce3s-joint-many",
        "Table 2",
        "What BCE's joint term gains on the tail it pays for on the many classes, where CE is more accurate.",
        "05-ablation",
        _difference_of_terms("accuracy_many", CE, BCE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-contrastive-all",
        "Table 2",
        "The BCE contrastive term raises the accuracy of the BCE joint term on all classes.",
        "05-ablation",
        _difference_of_terms("accuracy_all", Terms("bce", "bce"), BCE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-uniform-all",
        "Table 2",
        "The BCE uniform term raises the accuracy of the BCE joint term on all classes.",
        "05-ablation",
        _difference_of_terms("accuracy_all", Terms("bce", None, "bce"), BCE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-best",
        "Table 2",
        "The three BCE terms together have the highest accuracy of all rows.",
        "05-ablation",
        _three_terms_are_best,
    ),
    Claim(
        "bce3s-joint-compactness",
        "Fig. 2",
        "BCE's joint term makes the training features of a class more compact than CE's.",
        "05-ablation",
        _difference_of_terms("compactness_train", BCE, CE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-contrastive-compactness",
        "Fig. 2",
        "The BCE contrastive term makes the training features more compact still.",
        "05-ablation",
        _difference_of_terms("compactness_train", Terms("bce", "bce"), BCE),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-test-compactness",
        "Fig. 7",
        "On the test images too, BCE3S has more compact features than CE3S.",
        "05-ablation",
        _difference_of_terms("compactness_test", BCE3S, CE3S),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-benchmark-best",
        "Table 3",
        "BCE3S with its second stage is more accurate than every other method, at every length of the tail.",
        "06-benchmarks",
        _benchmark_best,
        tiers=TIERS,
    ),
    Claim(
        "bce3s-benchmark-few",
        "Tables 2, 3",
        "BCE3S with its second stage is more accurate on the few classes than plain CE.",
        "06-benchmarks",
        _benchmark_few,
        tiers=TIERS,
    ),
    Claim(
        "bce3s-stage2",
        "App. E",
        "A second, class-balanced stage raises the accuracy of BCE3S.",
        "06-benchmarks",
        _second_stage_gain,
    ),
    Claim(
        "bce3s-longer",
        "Table 5",
        "Training BCE3S 2.2 times as long raises its accuracy.",
        "06-benchmarks",
        _difference("5", "accuracy_all", {"epochs": 90}, {"epochs": 40}),
    ),
    Claim(
        "bce3s-r-all",
        "Fig. 5",
        "Keeping 40 % of the negatives is better on all classes than keeping all of them.",
        "07-parameters",
        _difference("fig-5-r", "accuracy_all", _kept(0.4), _kept(1.0)),
    ),
    Claim(
        "bce3s-r-few",
        "Fig. 5",
        "Keeping 40 % of the negatives is better on the few classes than keeping all of them.",
        "07-parameters",
        _difference("fig-5-r", "accuracy_few", _kept(0.4), _kept(1.0)),
    ),
    Claim(
        "bce3s-r-small",
        "Fig. 5",
        "Keeping too few negatives hurts: 10 % is worse on all classes than 40 %.",
        "07-parameters",
        _difference("fig-5-r", "accuracy_all", _kept(0.4), _kept(0.1)),
    ),
    Claim(
        "bce3s-lambda-cc",
        "Fig. 5",
        "The weight of the uniform term has an optimum inside: 1.25 is better than a much smaller and a much larger one.",
        "07-parameters",
        _weight_has_an_optimum,
    ),
    Claim(
        "bce3s-lambda-cc-ce",
        "Fig. 5",
        "Joint and uniform terms (weight 1.25) are more accurate in their BCE form than in their CE form.",
        "07-parameters",
        _difference(
            "fig-5-lambda-cc",
            "accuracy_all",
            {"arg_joint": "bce", "arg_lambda_cc": 1.25},
            {"arg_joint": "ce", "arg_lambda_cc": 1.25},
        ),
    ),
    Claim(
        "bce3s-contrastive-fails",
        "Fig. 5",
        "A strong contrastive term (large weight, low temperature) loses more than 10 points of accuracy.",
        "07-parameters",
        _difference("fig-5-contrastive", "accuracy_all", _contrast(0.1, 1.0), _contrast(10.0, 0.05), bound=10.0),
    ),
    Claim(
        "bce3s-normalise-best",
        "Table 6",
        "Normalising the classifier vectors only is the best of the four normalisations.",
        "07-parameters",
        _classifier_only_is_best,
    ),
    Claim(
        "bce3s-normalise-features",
        "Table 6",
        "Normalising the features only makes training fail: it loses more than 10 points against normalising nothing.",
        "07-parameters",
        _difference("6", "accuracy_all", {"arg_normalise": "neither"}, {"arg_normalise": "features"}, bound=10.0),
    ),
    Claim(
        "bce3s-uniform-spread",
        "Fig. 2",
        "The BCE uniform term evens out the separability of the classifier vectors: its spread over the classes falls.",
        "08-geometry",
        _difference_of_terms("classifier_separability_std", BCE, Terms("bce", None, "bce"), note=_SPREAD),
        tiers=TIERS,
    ),
    Claim(
        "bce3s-uniform-pairs",
        "Fig. 8",
        "The BCE uniform term evens out the separability of the pairs of classifier vectors: its spread over the pairs falls.",
        "08-geometry",
        _difference_of_terms("pair_separability_std", BCE, Terms("bce", None, "bce"), note=_PAIR_SPREAD),
    ),
    Claim(
        "bce3s-uniform-spread-ce",
        "Fig. 2",
        "The uniform term in its BCE form leaves a smaller spread than in its CE form, each with its own joint term.",
        "08-geometry",
        _difference_of_terms("classifier_separability_std", Terms("ce", None, "ce"), Terms("bce", None, "bce"), note=_SPREAD),
    ),
    Claim(
        "bce3s-contrastive-spread",
        "Fig. 2",
        "The BCE contrastive term makes the classifier vectors less even: their spread rises.",
        "08-geometry",
        _difference_of_terms("classifier_separability_std", Terms("bce", "bce"), BCE, note=_SPREAD),
    ),
    Claim(
        "bce3s-ce-joint-limits",
        "Fig. 6",
        "On top of CE's joint term, the two other BCE terms do not reach the compactness of BCE3S.",
        "08-geometry",
        _difference_of_terms("compactness_train", BCE3S, Terms("ce", "bce", "bce")),
    ),
    Claim(
        "bce3s-feature-separability",
        "Fig. 2",
        "BCE3S has a higher feature separability (Eq. 15, as printed) on the training images than CE3S.",
        "08-geometry",
        _difference_of_terms("feature_separability_train", BCE3S, CE3S),
    ),
    Claim(
        "bce3s-etf",
        "Fig. 2, App. B",
        "The mean separability of the classifier vectors is that of the simplex, whatever the loss: within 1 point.",
        "08-geometry",
        _etf,
    ),
)
