"""The results of `multicenter` as numbers: what pages, figures and claims share."""

from __future__ import annotations

from enum import StrEnum

import pandas as pd

from lossbook.papers.multicenter.tables import MIXED, NARROW, PRINTED, SEARCHES, TABLES
from lossbook.papers.paper import Evidence
from lossbook.papers.results import published

EVIDENCE = Evidence(
    name="multicenter",
    tables=TABLES,
    searches=SEARCHES,
    shares=("accuracy", "within_share", "purity"),
    headings={
        "arg_num_subcenters": "K",
        "arg_sigma_scale": "s",
        "arg_center_weight": "a",
        "arg_kl_weight": "λ",
        "arg_label_smoothing": "ε",
        "within_share": "within",
        "effective_rank": "rank",
        "sigma": "s σ",
        "feature_norm": "‖x‖",
        "center_norm": "‖W‖",
        "train_per_class": "images per class",
        "embedding_size": "d",
    },
)

# The convolutional networks among the published ones.
CONVOLUTIONAL = ("resnet50", "resnet101", "regnety-4g", "regnety-16g")


class Classifier(StrEnum):
    """The classifiers that are compared."""

    LINEAR = "linear"
    PRINTED = "printed"  # sub-centres as the paper prints them, s = 1
    NARROW = "narrow"  # with the noise of the authors' code, s = 0.1
    VARIED = "varied"  # with another s, or drawn over what varies
    SOFTTRIPLE = "softtriple"  # two learned sub-centres per class, like the next one
    SUBCENTER_ARCFACE = "subcenter-arcface"


def _classifier(objective: str, num_subcenters: float, sigma_scale: float) -> Classifier:
    if objective in (Classifier.SOFTTRIPLE, Classifier.SUBCENTER_ARCFACE):
        return Classifier(objective)
    if num_subcenters == 0:
        return Classifier.LINEAR
    return {PRINTED: Classifier.PRINTED, NARROW: Classifier.NARROW}.get(sigma_scale, Classifier.VARIED)


def with_classifier(results: pd.DataFrame) -> pd.DataFrame:
    """Results with a column ``classifier``."""
    described = zip(results["objective"], results["arg_num_subcenters"], results["arg_sigma_scale"], strict=True)
    return results.assign(classifier=[_classifier(*run) for run in described])


def gains(results: pd.DataFrame, keys: list[str], metric: str = "accuracy", factor: float = 100.0) -> pd.DataFrame:
    """The runs with sub-centres, and in a column ``gain`` what they add to the linear classifier of the same keys and seed."""
    linear = results["classifier"] == Classifier.LINEAR
    base = results.loc[linear, [*keys, "seed", metric]].rename(columns={metric: "base"})
    rest = results[~linear].merge(base, on=[*keys, "seed"], validate="many_to_one")
    return rest.assign(gain=factor * (rest[metric] - rest["base"]))


# Methods of Tables 4 to 7 -> whether they have sub-centres, and what was added to the classifier or left out.
_PRINTED_COMBINATIONS = {
    "linear": (False, ""),
    "ls": (False, "smoothed"),
    "mixup": (False, "mixed"),
    "mc": (True, ""),
    "mc+ls": (True, "smoothed"),
    "mc+mixup": (True, "mixed"),
    "mc+softmax": (True, "softmax"),
    "mc+l-softmax": (True, "l-softmax"),
    "mc+l-am": (True, "arcface"),
    "mc-without-kl": (True, "without-kl"),
}
_MARGINS = {"multicenter": "softmax", "multicenter-lsoftmax": "l-softmax", "multicenter-arc": "arcface"}


def printed_combinations(table: str) -> pd.DataFrame:
    """Table 4, 5, 6 or 7 as printed, with the columns of :func:`with_variant`: one row per network and method, ``value`` is
    the top-1 accuracy.  The paper does not say which s its numbers have; its text implies s = 1."""
    rows = published(EVIDENCE, table).query("metric == 'top1'")
    sampled, variant = zip(*rows["method"].map(_PRINTED_COMBINATIONS), strict=True)
    return rows.assign(sampled=sampled, variant=variant, arg_sigma_scale=[PRINTED if one else float("nan") for one in sampled])


def with_variant(results: pd.DataFrame) -> pd.DataFrame:
    """Results of Tables 4 to 7 with the columns ``sampled`` (sub-centres or not) and ``variant``: what was added to the
    classifier, or left out (empty: nothing)."""
    margins = results["objective"].map(_MARGINS).where(results["table"] == "6", "")
    variant = (
        margins.mask(results["arg_label_smoothing"] > 0, "smoothed")
        .mask(results["views"].isin([MIXED]), "mixed")
        .mask(results["arg_kl_weight"] == 0, "without-kl")
    )
    return results.assign(sampled=results["arg_num_subcenters"] > 0, variant=variant)


def combined_gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean gains over the plain linear classifier, in points, of the other method and of the sub-centres: each alone, their
    sum, and both together.  One row per scale; ``rows`` have the columns of :func:`with_variant`."""
    plain = rows["variant"] == ""

    def mean(chosen: pd.Series) -> float:
        return 100 * rows.loc[chosen, "accuracy"].mean()

    linear = mean(~rows["sampled"] & plain)
    other = mean(~rows["sampled"] & ~plain) - linear
    found = {}
    for scale in (PRINTED, NARROW):
        of_scale = rows["sampled"] & (rows["arg_sigma_scale"] == scale)
        alone, both = mean(of_scale & plain) - linear, mean(of_scale & ~plain) - linear
        found[scale] = {"other": other, "alone": alone, "sum": other + alone, "both": both}
    return pd.DataFrame(found).T
