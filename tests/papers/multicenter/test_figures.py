"""What the figures of `multicenter` write: names of classifiers, and means beyond an axis."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lossbook.papers.multicenter import figures
from lossbook.papers.multicenter.read import Classifier


def test_every_classifier_has_a_name_and_a_colour_of_its_own():
    for looks in (figures.LABELS, figures.COLORS):
        assert set(looks) == set(Classifier)
        assert len(set(looks.values())) == len(Classifier)


@pytest.mark.parametrize(
    ("combination", "label"),
    [
        ((False, ""), "linear"),
        ((False, "smoothed"), "linear + LS"),
        ((True, "without-kl"), "MC without KL"),
        ((True, "mixed", 0.1), "MC + mix, s = 0.1"),
    ],
)
def test_combinations_have_names(combination, label):
    assert figures.combination_label(*combination) == label


def test_a_mean_beyond_the_axis_is_written_at_its_end():
    gains = pd.DataFrame({"classifier": Classifier.PRINTED, "gain": [1.0, -1.0], "value": 2.0})
    figures.sweeps({"one": (gains, "value", 2.0), "two": (gains.assign(gain=gains["gain"] - 43), "value", None)})
    texts = [[text.get_text() for text in axis.texts] for axis in plt.gcf().axes]
    plt.close()
    assert texts == [[], ["−43\n▾"]]


def test_measures_stand_over_the_accuracy_of_the_same_length():
    runs = pd.DataFrame(
        [
            {"classifier": Classifier.LINEAR, "epochs": epochs, "accuracy": accuracy + shift, "purity": purity}
            for epochs, accuracy, purity in [(10, 0.8, 0.9), (40, 0.9, 0.7)]
            for shift in (-0.01, 0.01)
        ]
    )
    figures.measures_over_accuracy(runs, {"purity": ("purity (%)", 100)})
    (axis,) = plt.gcf().axes
    (line,) = axis.lines
    plt.close()
    assert line.get_xydata().tolist() == [pytest.approx([80, 90]), pytest.approx([90, 70])]
    assert [(text.get_text(), text.xy) for text in axis.texts] == [
        ("10", pytest.approx((80, 90))),
        ("40", pytest.approx((90, 70))),
    ]


def test_pipelines_show_both_labels():
    figures.pipelines()
    texts = " ".join(text.get_text() for text in plt.gcf().axes[0].texts)
    plt.close()
    assert "label: 1 on $y$" in texts
    assert r"$\frac{1}{2}$ on $W_y$" in texts
    assert r"$\frac{1}{2K}$" in texts
