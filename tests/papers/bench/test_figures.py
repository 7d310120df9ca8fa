"""What the figures of the bench work out: groups that do not differ, fronts, colours."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from lossbook.papers.bench import figures
from lossbook.papers.style import PALETTE


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@given(st.lists(st.integers(0, 40), min_size=2, max_size=12), st.integers(1, 30))
def test_groups_are_the_largest_without_a_difference(values, distance):
    ranks = np.sort(np.array(values, dtype=float))
    found = figures._alike(ranks, distance)
    joined = {(i, j) for first, last in found for i in range(first, last + 1) for j in range(i + 1, last + 1)}
    assert joined == {(i, j) for i in range(len(ranks)) for j in range(i + 1, len(ranks)) if ranks[j] - ranks[i] < distance}
    assert not any(a <= c and d <= b for a, b in found for c, d in found if (a, b) != (c, d))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(points):
    x, y = np.array(points, dtype=float).T
    expected = [not any((a >= c and b >= d) and (a > c or b > d) for a, b in points) for c, d in points]
    assert figures.pareto_front(x, y).tolist() == expected


def test_colours_say_better_worse_or_open():
    up = np.array([1.0, 1.1, 0.9])
    frame = pd.DataFrame({"up": up, "down": -up, "open": [-1.0, 1.0, 0.1]})
    figures.differences({"more": (frame, 1), "less": (frame, -1)})
    good, bad, grey = PALETTE[0], PALETTE[1], "0.6"
    for axis, expected in zip(plt.gcf().axes, ((good, bad, grey), (bad, good, grey)), strict=True):
        dots = [line.get_color() for line in axis.lines if line.get_marker() == "o"]
        assert [to_rgb(color) for color in dots] == [to_rgb(color) for color in expected]


def test_diagram_names_every_method_with_its_rank():
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.normal(size=(10, 5)) + np.arange(5), columns=list("abcde"))
    figures.critical_differences({"goal": (scores, True)})
    texts = [text.get_text() for text in plt.gca().texts]
    assert {text.split()[0] for text in texts} >= set("abcde")
    best = next(text for text in texts if text.startswith("e "))
    assert float(best.split()[1]) < 2


def test_every_method_has_a_place_of_its_own_on_both_tiers():
    first = pd.Series([2.0, 1.0, 2.0], ["a", "b", "c"])  # a and c tie
    second = pd.Series([3.0, 1.5, 1.0], ["a", "b", "c"])
    figures.rank_shifts({"goal": (first, second)}, ("here", "there"), {"a": "x", "b": "y", "c": "x"})
    axis, legend = plt.gcf().axes
    assert {text.get_text(): tuple(text.xy) for text in axis.texts} == {"a": (2, 3), "b": (1, 2), "c": (3, 1)}
    assert [text.get_text() for text in legend.get_legend().get_texts()] == ["x", "y"]
