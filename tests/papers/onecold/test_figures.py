"""Figures of the `onecold` pages: what they draw is what they were given."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb
from scipy import stats

from lossbook.papers.onecold import figures, pipeline
from lossbook.papers.onecold import theory_figures as theory
from lossbook.papers.onecold.read import EVIDENCE, baseline_errors, ood_changes
from lossbook.papers.results import load_results
from lossbook.papers.style import PALETTE


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def lines(axis):
    return {line.get_label(): line for line in axis.get_lines()}


# Theory ---------------------------------------------------------------------------------------------------------------


def test_the_picture_has_both_distributions_and_their_targets():
    pipeline.unified([2.0, 0.0, -1.0], ["cat", "dog", "car"], label=0)
    logits, ce, occe = plt.gcf().axes
    e = math.e
    np.testing.assert_allclose([bar.get_height() for bar in logits.patches], [2, 0, -1])
    np.testing.assert_allclose([bar.get_height() for bar in ce.patches], np.array([e**2, 1, 1 / e]) / (e**2 + 1 + 1 / e))
    np.testing.assert_allclose([bar.get_height() for bar in occe.patches], np.array([e**-2, 1, e]) / (e**-2 + 1 + e))
    np.testing.assert_allclose(lines(ce)["target"].get_ydata(), [1, 0, 0])
    np.testing.assert_allclose(lines(occe)["target"].get_ydata(), [0, 0.5, 0.5])


def test_a_place_has_the_colours_of_its_anti_classes():
    """Far in class 0 of three equal others, the anti-class is the mean of the others; with equal logits, of all."""
    points, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), torch.tensor([0, 1, 2])
    certain = torch.tensor([60.0, 0.0, 0.0])
    theory.anti_class_maps(
        {"certain": lambda x: certain.expand(len(x), 3), "even": lambda x: torch.zeros(len(x), 3)}, points, labels, reach=2.0
    )
    axes = plt.gcf().axes
    colors = np.array([to_rgb(color) for color in PALETTE[:3]])
    first, second = (axis.get_images()[0].get_array() for axis in axes)
    np.testing.assert_allclose(first[0, 0], colors[1:].mean(0), atol=1e-6)
    np.testing.assert_allclose(second[-1, -1], colors.mean(0), atol=1e-6)
    assert [axis.get_title() for axis in axes] == ["certain", "even"]
    np.testing.assert_allclose(axes[0].collections[0].get_offsets(), points)


def test_maps_point_the_right_way_up():
    """The first coordinate grows to the right, the second upwards."""
    points, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    towards = {name: lambda x, axis=axis: 50 * torch.stack([x[:, axis], 0 * x[:, 0]], 1) for axis, name in enumerate("xy")}
    theory.anti_class_maps(towards, points, labels, reach=1.0)
    image, upwards = (axis.get_images()[0] for axis in plt.gcf().axes)
    assert image.origin == "lower"
    colors = [to_rgb(color) for color in PALETTE[:2]]
    np.testing.assert_allclose(image.get_array()[0, -1], colors[1], atol=1e-6)  # right: certain of class 0
    np.testing.assert_allclose(image.get_array()[-1, 0], colors[0], atol=1e-6)
    np.testing.assert_allclose(upwards.get_array()[-1, 0], colors[1], atol=1e-6)  # above: certain of class 0


def test_pulls_draw_both_losses_of_every_number_of_classes():
    margins = torch.linspace(-1, 1, 5)
    theory.pulls(margins, {3: (margins**2, margins**4), 10: (margins + 1, margins - 1)})
    drawn = [line for line in plt.gcf().axes[0].get_lines() if len(line.get_xdata()) == 5]
    np.testing.assert_allclose(drawn[1].get_ydata(), margins**4)
    np.testing.assert_allclose(drawn[2].get_ydata(), margins + 1)
    assert [line.get_linestyle() for line in drawn] == ["--", "-", "--", "-"]
    assert drawn[0].get_color() == drawn[1].get_color() != drawn[2].get_color()


def test_free_features_has_one_panel_per_metric_and_one_line_per_loss():
    rows = [
        {"loss": loss, "step": step, "nc1": step, "nc2": 2 * step, "nc3": 3 * step, "fisher": 0.1 * step}
        for loss in ("CE", "CE + OCCE")
        for step in (1, 2, 5)
    ]
    theory.free_features(pd.DataFrame(rows))
    axes = plt.gcf().axes
    for axis, factor in zip(axes, (1, 2, 3, 0.1), strict=True):
        np.testing.assert_allclose(lines(axis)["CE"].get_ydata(), factor * np.array([1, 2, 5]))
        assert list(lines(axis)) == ["CE", "CE + OCCE"]


def test_directions_are_counted_from_none():
    theory.directions_kept({"made": np.array([0.1, 0.5, 1.0])})
    (line,) = plt.gcf().axes[0].get_lines()
    np.testing.assert_allclose(line.get_xydata(), [[0, 10], [1, 50], [2, 100]])


# Results --------------------------------------------------------------------------------------------------------------


def test_course_leaves_out_the_epochs_without_a_measurement():
    frame = pd.DataFrame(
        [
            {
                "model": model,
                "arg_occe_weight": gamma,
                "epoch": epoch,
                "nc1": 1 / epoch if epoch % 2 == 0 else math.nan,
                "error": 0.1,
            }
            for model in ("mlp", "cnn")
            for gamma in (0.0, 10.0)
            for epoch in (1, 2, 3, 4)
        ]
    )
    figures.course(frame, {"nc1": ("NC1", 1, "log"), "error": ("error (%)", 100, "linear")})
    axes = plt.gcf().axes
    np.testing.assert_allclose(lines(axes[0])["γ = 10"].get_xydata(), [[2, 0.5], [4, 0.25]])
    np.testing.assert_allclose(lines(axes[1])["γ = 0"].get_ydata(), 10)
    assert [axis.get_yscale() for axis in axes] == ["log", "linear"] * 2
    assert [axis.get_ylabel() for axis in axes] == ["mlp", "", "cnn", ""]


def test_unknown_images_are_grey_in_a_map():
    points = np.arange(8.0).reshape(4, 2)
    figures.maps({"CE": points, "two heads": -points}, np.array([-1, 0, 1, -1]))
    drawn = lines(plt.gcf().axes[0])
    assert list(drawn) == ["unknown", "0", "1"]
    np.testing.assert_allclose(drawn["unknown"].get_xydata(), [[0, 1], [6, 7]])
    assert drawn["unknown"].get_color() == "0.7"


def test_cells_of_table_1_have_the_means_and_the_interval_of_the_difference():
    errors = baseline_errors(load_results("results", "quick", EVIDENCE))
    cells = figures.gain_texts(errors).loc["FL"]
    assert cells["without"] == f"{errors.loc['FL', 'without'].mean():.2f}"
    assert cells["difference"].startswith(f"{errors.loc['FL', 'difference'].mean():+.2f} [")


def test_cells_of_table_4_have_half_of_the_interval():
    changes = ood_changes(load_results("results", "quick", EVIDENCE), 1.0)
    dice = changes.loc["dice", "digits"]
    half = stats.sem(dice) * stats.t.ppf(0.975, len(dice) - 1)
    assert figures.ood_texts(changes).loc["dice", "digits"] == f"{dice.mean():+.1f} ± {half:.1f}"
