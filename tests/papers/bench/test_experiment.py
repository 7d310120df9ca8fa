"""The bench of the cross-paper comparison: equal conditions, the tuning rule, the names of the methods."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.paper import compare, get_paper
from lossbook.papers.results import load_results

PAPER = get_paper("compare")
METHODS = [*compare.METHODS, *compare.COMBINATIONS]


@pytest.fixture(scope="module")
def results():
    return load_results("results", "quick", "compare")


@pytest.fixture(scope="module")
def frozen():
    return load_results("results", "frozen", "compare")


@pytest.mark.parametrize("table", ["bench", "tail"])
@pytest.mark.parametrize("tier", ["quick", "frozen", "standard"])
def test_all_methods_share_all_but_objective_and_rate(table, tier):
    rest = {
        spec.replace(objective="soft-d", objective_args={}, lr=0.1).canonical_json()
        for spec in PAPER.table(table).runs(tier)
        if spec.seed == 0
    }
    assert len(rest) == 1


def test_every_method_has_the_same_budget():
    assert {len(settings) for settings in compare.SETTINGS.values()} == {4}
    assert compare.SETTINGS.keys() == compare.METHODS.keys() == compare.CHOSEN.keys()
    for settings in compare.SETTINGS.values():
        assert len({tuple(setting.items()) for setting in settings}) == 4


@pytest.mark.parametrize(("tier", "draws", "known"), [("quick", 10, 6), ("frozen", 5, 60)])
def test_draws_differ_and_no_reported_one_was_tuned_on(tier, draws, known):
    reported, tuned = ({(spec.seed, spec.classes) for spec in PAPER.table(name).runs(tier)} for name in ("bench", "tuning"))
    assert len(reported) == draws
    assert len({classes for _, classes in reported}) == draws
    assert not {seed for seed, _ in reported} & {seed for seed, _ in tuned}
    assert not {classes for _, classes in reported} & {classes for _, classes in tuned}
    assert all(len(set(classes)) == known for _, classes in reported | tuned)


def test_the_reported_settings_are_those_that_the_rule_chooses(results, frozen):
    assert compare.chosen(results) == compare.CHOSEN
    assert compare.chosen(frozen) == compare.CHOSEN_FROZEN


def test_the_rule_longhand(results):
    """The mean accuracy of three draws, setting by setting."""
    rows = compare.with_methods(results[results["table"] == "tuning"])
    for name, settings in compare.SETTINGS.items():
        means = []
        for setting in settings:
            own = rows[(rows["method"] == name) & np.isclose(rows["lr"], setting["lr"])]
            for key, value in setting.items():
                own = own if key == "lr" else own[np.isclose(own[f"arg_{key}"], value)]
            assert len(own) == 3
            means.append(own["A_SW"].mean())
        assert means[compare.CHOSEN[name]] >= max(means) - 1e-5, name


def test_every_run_has_the_name_of_its_method(results):
    rows = compare.with_methods(results)
    bench, tail = ([*rows.loc[rows["table"] == name, "method"].unique()] for name in ("bench", "tail"))
    assert bench == METHODS
    assert tail == [*METHODS, *compare.TAIL_ONLY]
    assert rows.groupby(["table", "method", "seed"]).size()[["bench", "tail"]].max() == 1


def test_scores_are_complete_and_in_per_cent(results):
    for goal in compare.GOALS:
        scores = compare.scores(results, goal)
        assert scores.shape == ((10, 23) if goal.table == "bench" else (5, 25))
        assert scores.notna().all(axis=None)
        assert 1 < scores.mean(axis=None) < 100


def test_proxies_have_no_linear_collapse(results):
    rows = compare.with_methods(results[results["table"] == "bench"])
    euclidean = rows["method"].isin(["Euclidean", "warped", "Euclidean BCE", "warped BCE"])
    for metric in ("nc2", "nc3", "nc4"):
        assert rows.loc[euclidean, metric].isna().all()
        assert rows.loc[~euclidean, metric].notna().all()


def _two(method: list[float], control: list[float], metric: str = "A_SW") -> pd.DataFrame:
    """Results of CE + uniform term and its control."""
    count = len(method)
    return pd.DataFrame(
        {
            "table": "bench",
            "objective": "bce3s",
            "arg_joint": "ce",
            "arg_uniform": ["bce"] * count + [None] * count,
            "seed": [*range(count)] * 2,
            metric: [*method, *control],
        }
    )


@pytest.mark.parametrize(("shift", "word"), [(0.002, "reproduced"), (0.05, "not reproduced"), (0.01, "undecided")])
def test_an_accuracy_that_stays_is_shown_by_its_interval(shift, word):
    noise = np.array([-0.001, 0.0, 0.001, 0.0])
    claim = next(c for c in PAPER.claims if c.id == "compare-term-accuracy")
    assert claim.check(_two(list(0.9 + shift + noise), [0.9] * 4)).word == word


def test_a_fall_is_relative_to_the_controls_mean():
    claim = next(c for c in PAPER.claims if c.id == "compare-term-etf")
    verdict = claim.check(_two([0.1, 0.2, 0.3], [0.2, 0.4, 0.6], "nc2"))
    assert verdict.effect == pytest.approx(50)
    assert verdict.seeds == 3


def test_paired_differences_are_seed_by_seed():
    frame = _two([0.5, 0.7, 0.9], [0.4, 0.6, 0.8]).sample(frac=1, random_state=0)
    found = compare.paired(frame, "bench", "A_SW", "CE+uniform", "CE, unit w")
    np.testing.assert_allclose(found, [10, 10, 10])


def test_frozen_features_have_all_goals(frozen):
    assert compare.means(frozen).shape == (25, 9)
    assert compare.ranks(frozen).mean().to_numpy() == pytest.approx([12] * 9)


def test_a_run_that_diverged_is_the_worst():
    frame = pd.DataFrame(
        {"table": "bench", "objective": ["soft-d", "bce-d"], "seed": 0, "A_SW": [0.9, np.nan], "ece": [0.1, np.nan]}
    )
    accuracy, calibration = (goal for goal in compare.GOALS if goal.name in ("accuracy", "calibration"))
    assert compare.scores(frame, accuracy)["BCE"].tolist() == [0]
    assert compare.scores(frame, calibration)["BCE"].tolist() == [100]
    assert compare.paired(frame, "bench", "A_SW", "CE", "BCE").tolist() == [90]


def test_a_measure_without_a_worst_value_leaves_a_diverged_run_out():
    claim = next(c for c in PAPER.claims if c.id == "compare-term-etf")
    verdict = claim.check(_two([0.1, 0.2, np.nan], [0.2, 0.4, 0.6], "nc2"))
    assert verdict.seeds == 2


def test_change_has_the_side_of_the_goal(results):
    found = compare.change(results, "label smoothing", "CE")
    assert found.loc["retrieval", "mean"] == pytest.approx(
        compare.paired(results, "bench", "MAP@R", "label smoothing", "CE").mean()
    )
    for row in found.drop("calibration").itertuples():
        assert row.side == (1 if row.low > 0 else -1 if row.high < 0 else 0)
    assert (found.loc["calibration", "low"] > 0, found.loc["calibration", "side"]) == (True, -1)


def test_a_tier_agrees_with_itself_and_not_with_its_reverse(results):
    reverse = results.assign(**{goal.metric: 1 - results[goal.metric] for goal in compare.GOALS})
    same, opposite = (compare.agreement(results, other) for other in (results, reverse))
    assert all(goal.between.mean == pytest.approx(1) for goal in same.itertuples())
    assert all(goal.between.mean == pytest.approx(-1) for goal in opposite.itertuples())
    assert (same["first"] == same["second"]).all()
    assert same["first"].between(0.5, 1).all()
