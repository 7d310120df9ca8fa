"""What the figures of `multicenter` are drawn from: names of classifiers, gains of the same seed, means beyond an axis."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lossbook.papers.multicenter import figures


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
    return figures.with_method(pd.DataFrame(rows))


def test_methods_have_names_and_colours(runs):
    assert runs["method"].tolist() == ["linear"] * 3 + [figures.PRINTED] * 2 + [figures.CODE, "SoftTriple"]
    assert set(runs["method"]) <= set(figures.COLORS)


def test_gains_are_over_the_linear_classifier_of_the_same_seed_and_case(runs):
    gains = figures.gains(runs, ["case"])
    assert gains["gain"].tolist() == pytest.approx([1.0, -1.0, 5.0, 5.0])
    assert gains["method"].tolist() == [figures.PRINTED] * 2 + [figures.CODE, "SoftTriple"]


def test_two_linear_runs_of_one_seed_are_an_error(runs):
    with pytest.raises(pd.errors.MergeError):
        figures.gains(runs, [])


def test_a_mean_beyond_the_axis_is_written_at_its_end(runs):
    gains = figures.gains(runs, ["case"]).query("method == @figures.PRINTED").assign(value=2.0)
    figures.sweeps({"one": (gains, "value", 2.0), "two": (gains.assign(gain=gains["gain"] - 43), "value", None)})
    texts = [[text.get_text() for text in axis.texts] for axis in plt.gcf().axes]
    plt.close()
    assert texts == [[], ["−43\n▾"]]
