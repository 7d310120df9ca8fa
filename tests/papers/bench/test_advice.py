"""Which loss for which goal: the rule under known truths, and what it says of the committed results."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from lossbook.objectives.create import create_objective
from lossbook.papers.bench.advice import advice, code, cost, gains, on_every_tier, recipe, simultaneous, smallest_seen
from lossbook.papers.bench.read import EVIDENCE, GOALS, scores
from lossbook.papers.bench.tables import COMBINATIONS, METHODS, TAIL_ONLY
from lossbook.papers.results import load_results


@pytest.fixture(scope="module")
def tiers():
    return {tier: load_results("results", tier, EVIDENCE) for tier in ("quick", "frozen")}


@pytest.mark.parametrize("seeds", [5, 20])
def test_a_method_without_a_gain_is_seldom_said_to_gain(seeds):
    rng = np.random.default_rng(seeds)
    shared = rng.normal(size=(2_000, seeds, 1))  # of the control, which all the differences have in common
    values = rng.normal(size=(2_000, seeds, 8)) - shared
    wrong = [(simultaneous(pd.DataFrame(one))["low"] > 0).any() for one in values]
    assert np.mean(wrong) < 0.025 + 2 * math.sqrt(0.025 * 0.975 / 2_000)


def test_limits_are_those_of_student_at_a_share_of_the_level():
    found = simultaneous(pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 0.0, 6.0]}))
    quantile = 6.2053  # of Student's t with two degrees of freedom at 1 - 1/80, from a printed table
    assert found["mean"].tolist() == [2, 2]
    assert found["high"].to_numpy() - 2 == pytest.approx(quantile * np.array([1, math.sqrt(12)]) / math.sqrt(3), rel=1e-4)
    assert found["high"].to_numpy() + found["low"].to_numpy() == pytest.approx(4)


def test_limits_are_infinite_where_too_many_seeds_failed():
    column = np.arange(20.0)
    differences = pd.DataFrame({"none": column, "two": column, "three": column})
    differences.loc[:1, "two"] = np.nan
    differences.loc[:2, "three"] = np.nan
    found = simultaneous(differences)
    assert np.isfinite(found.loc[["none", "two"]]).all(axis=None)
    assert found.loc["three", ["low", "high"]].tolist() == [-math.inf, math.inf]
    assert found.loc["three", "mean"] == pytest.approx(11)


def test_gains_are_positive_where_the_method_is_better(tiers):
    for goal in GOALS:
        values = scores(tiers["quick"], goal)
        better = goal.better * values.drop(columns="CE").sub(values["CE"], axis=0).mean()  # over the seeds that did not fail
        assert gains(tiers["quick"], goal)["mean"].to_numpy() == pytest.approx(better.to_numpy())


def test_no_tier_contradicts_an_advice_or_a_warning(tiers):
    for goal in GOALS:
        found = {tier: gains(results, goal) for tier, results in tiers.items()}
        for side, bound in ((1, "low"), (-1, "high")):
            named = on_every_tier(tiers, goal, side)
            for tier in tiers:
                assert (side * named[tier, bound] > 0).all()
            both = set.intersection(*({*one.index[side * one[bound] > 0]} for one in found.values()))
            assert {*named.index} == both


def test_the_method_with_the_best_places_comes_first(tiers):
    for goal in GOALS:
        places = [gains(results, goal)["mean"].rank(ascending=False) for results in tiers.values()]
        mean = ((places[0] + places[1]) / 2).dropna()
        assert mean[on_every_tier(tiers, goal).index].is_monotonic_increasing
        assert mean[on_every_tier(tiers, goal, -1).index].is_monotonic_decreasing


def test_the_advice_is_the_first_methods_of_every_goal(tiers):
    found = advice(tiers, most=2)
    for goal in GOALS:
        first = on_every_tier(tiers, goal).head(2)
        assert (goal.name in found.index) == (len(first) > 0)
        if len(first):
            assert found.loc[goal.name].equals(first.rename_axis("method"))


def test_the_smallest_gain_that_is_seen_is_half_an_interval(tiers):
    found = gains(tiers["quick"], GOALS[0])
    assert smallest_seen(tiers["quick"], GOALS[0]) == pytest.approx(((found["high"] - found["low"]) / 2).median())


def test_every_method_has_a_cost_as_a_multiple_of_that_of_the_cross_entropy():
    found = cost("results/benchmarks/methods.csv")
    assert {*found.index} == {*METHODS, *COMBINATIONS, *TAIL_ONLY}
    assert (found.loc["CE"] - 1).abs().max() < 0.25
    assert (found > 0.5).all(axis=None)


def test_the_line_of_code_makes_the_objective_of_the_runs(tiers):
    for goal in GOALS:
        for method in scores(tiers["frozen"], goal):
            made = eval(  # the line is code that a reader copies
                code(method, goal, "frozen"),
                {"create_objective": create_objective, "features": 8, "classes": 4, "counts": [9, 6, 3, 2]},
            )
            assert made.name == recipe(method, goal, "frozen").objective
