"""Numbers of `multicenter`: which classifier a run has, gains of the same seed, combinations and their gains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.multicenter.read import (
    Classifier,
    combined_gains,
    gains,
    printed_combinations,
    with_classifier,
    with_variant,
)
from lossbook.papers.multicenter.tables import MIXED


@pytest.fixture
def runs() -> pd.DataFrame:
    rows = [
        {"objective": "multicenter", "arg_num_subcenters": k, "arg_sigma_scale": s, "case": case, "seed": seed, "accuracy": value}
        for k, s, case, seed, value in [
            (0, np.nan, "a", 0, 0.90),
            (0, np.nan, "a", 1, 0.80),
            (0, np.nan, "b", 0, 0.70),
            (2, 1.0, "a", 1, 0.81),
            (2, 1.0, "a", 0, 0.89),
            (2, 0.1, "b", 0, 0.75),
        ]
    ]
    rows.append(rows[-1] | {"objective": "softtriple", "arg_sigma_scale": np.nan})
    return with_classifier(pd.DataFrame(rows))


def test_classifiers_are_told_apart(runs):
    assert runs["classifier"].tolist() == [Classifier.LINEAR] * 3 + [Classifier.PRINTED] * 2 + [
        Classifier.NARROW,
        Classifier.SOFTTRIPLE,
    ]


def test_gains_are_over_the_linear_classifier_of_the_same_seed_and_case(runs):
    found = gains(runs, ["case"])
    assert found["gain"].tolist() == pytest.approx([1.0, -1.0, 5.0, 5.0])
    assert found["classifier"].tolist() == [Classifier.PRINTED] * 2 + [Classifier.NARROW, Classifier.SOFTTRIPLE]


def test_two_linear_runs_of_one_seed_are_an_error(runs):
    with pytest.raises(pd.errors.MergeError):
        gains(runs, [])


@pytest.fixture
def smoothed() -> pd.DataFrame:
    """Table 4: two seeds of each combination."""
    rows = [
        {
            "table": "4",
            "objective": "multicenter",
            "arg_num_subcenters": k,
            "arg_sigma_scale": s,
            "arg_label_smoothing": smoothing,
            "arg_kl_weight": np.nan,
            "views": ("plain",),
            "accuracy": value + spread,
        }
        for k, s, smoothing, value in [
            (0, np.nan, np.nan, 0.80),
            (0, np.nan, 0.1, 0.82),
            (2, 1.0, np.nan, 0.79),
            (2, 1.0, 0.1, 0.81),
            (2, 0.1, np.nan, 0.84),
            (2, 0.1, 0.1, 0.85),
        ]
        for spread in (-0.01, 0.01)
    ]
    return with_variant(pd.DataFrame(rows))


def test_combined_gains_are_over_the_plain_linear_classifier(smoothed):
    found = combined_gains(smoothed)
    assert found.loc[1.0].to_dict() == pytest.approx({"other": 2, "alone": -1, "sum": 1, "both": 1})
    assert found.loc[0.1].to_dict() == pytest.approx({"other": 2, "alone": 4, "sum": 6, "both": 5})


def test_a_variant_says_what_was_added_or_left_out(smoothed):
    assert smoothed["variant"].tolist() == ["", "", "smoothed", "smoothed"] * 3
    mixed = smoothed.assign(table="5", arg_label_smoothing=np.nan, views=[MIXED, ("plain",)] * 6)
    assert with_variant(mixed)["variant"].tolist() == ["mixed", ""] * 6
    without = smoothed.assign(table="7", arg_label_smoothing=np.nan, arg_kl_weight=[0.0, np.nan] * 6)
    assert with_variant(without)["variant"].tolist() == ["without-kl", ""] * 6
    margins = smoothed.assign(table="6", arg_label_smoothing=np.nan, objective=["multicenter", "multicenter-arc"] * 6)
    assert with_variant(margins)["variant"].tolist() == ["softmax", "arcface"] * 6


@pytest.mark.parametrize("table", ["4", "5", "6", "7"])
def test_printed_combinations_keep_every_accuracy(table):
    found = printed_combinations(table)
    assert len(found) == 2 * len(found[["sampled", "variant"]].drop_duplicates())
    assert found["arg_sigma_scale"].notna().eq(found["sampled"]).all()
