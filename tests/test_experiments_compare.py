"""The bench of the cross-paper comparison: equal conditions, the tuning rule, the names of the methods."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lossbook.experiments import compare, get_paper
from lossbook.results import load_results

PAPER = get_paper("compare")
METHODS = [*compare.METHODS, *compare.COMBINATIONS]


@pytest.fixture(scope="module")
def results():
    return load_results("results", "quick", "compare")


@pytest.mark.parametrize("table", ["bench", "tail"])
@pytest.mark.parametrize("tier", ["quick", "standard"])
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


def test_draws_differ_and_no_reported_one_was_tuned_on():
    reported, tuned = ({(spec.seed, spec.classes) for spec in PAPER.table(name).runs("quick")} for name in ("bench", "tuning"))
    assert len(reported) == 10
    assert len({classes for _, classes in reported}) == 10
    assert not {seed for seed, _ in reported} & {seed for seed, _ in tuned}
    assert not {classes for _, classes in reported} & {classes for _, classes in tuned}
    assert all(len(set(classes)) == 6 for _, classes in reported | tuned)


def test_the_reported_settings_are_those_that_the_rule_chooses(results):
    assert compare.chosen(results) == compare.CHOSEN


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
