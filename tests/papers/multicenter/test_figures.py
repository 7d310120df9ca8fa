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
