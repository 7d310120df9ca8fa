"""Results of the bench as numbers: names of the methods, scores, paired differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.bench.read import (
    EVIDENCE,
    GOALS,
    agreement,
    answers,
    change,
    means,
    paired,
    ranks,
    reported,
    scores,
    with_methods,
)
from lossbook.papers.bench.tables import COMBINATIONS, METHODS, TAIL_ONLY
from lossbook.papers.results import load_results

ALL = [*METHODS, *COMBINATIONS]


@pytest.fixture(scope="module")
def results():
    return load_results("results", "quick", EVIDENCE)


@pytest.fixture(scope="module")
def frozen():
    return load_results("results", "frozen", EVIDENCE)


def test_every_run_has_the_name_of_its_method(results):
    rows = with_methods(results)
    bench, tail = ([*rows.loc[rows["table"] == name, "method"].unique()] for name in ("bench", "tail"))
    assert bench == ALL == reported(results)
    assert tail == [*ALL, *TAIL_ONLY]
    assert rows.groupby(["table", "method", "seed"]).size()[["bench", "tail"]].max() == 1


def test_scores_are_complete_and_in_per_cent(results):
    for goal in GOALS:
        values = scores(results, goal)
        assert values.shape == ((10, len(ALL)) if goal.table == "bench" else (5, len(ALL) + len(TAIL_ONLY)))
        assert values.notna().all(axis=None)
        assert 1 < values.mean(axis=None) < 100


def test_proxies_have_no_linear_collapse(results):
    rows = with_methods(results[results["table"] == "bench"])
    euclidean = rows["method"].isin(["Euclidean", "warped", "Euclidean BCE", "warped BCE"])
    for metric in ("nc2", "nc3", "nc4"):
        assert rows.loc[euclidean, metric].isna().all()
        assert rows.loc[~euclidean, metric].notna().all()


def test_frozen_features_have_all_goals(frozen):
    assert means(frozen).shape == (len(ALL) + len(TAIL_ONLY), len(GOALS))
    assert ranks(frozen).mean().to_numpy() == pytest.approx([(len(ALL) + 1) / 2] * len(GOALS))


def test_a_run_that_failed_has_no_score_and_ranks_last():
    columns = {"table": "bench", "objective": ["soft-d", "bce-d"], "seed": 0, "A_SW": [0.9, np.nan], "ece": [0.1, np.nan]}
    columns |= dict.fromkeys(("arg_joint", "arg_uniform", "nc2", "nc3", "nc4"), np.nan)
    frame = pd.DataFrame(columns)
    accuracy, calibration = (goal for goal in GOALS if goal.name in ("accuracy", "calibration"))
    exploded = frame.assign(A_SW=0.9, ece=0.1, exploded=[0.0, 1.0])
    for one in (frame, exploded):
        for goal in (accuracy, calibration):
            assert scores(one, goal)["BCE"].isna().all()
            assert scores(one, goal)["CE"].notna().all()
        assert np.isnan(paired(one, "bench", "A_SW", "CE", "BCE")).all()


def test_a_method_with_a_failed_run_is_ranked_and_left_out_of_its_seed(results):
    failing = results["objective"].eq("focal") & results["seed"].eq(0)
    frame = results.assign(exploded=failing.astype(float))
    assert ranks(frame).loc["focal", "accuracy"] > ranks(results).loc["focal", "accuracy"]
    found, before = answers(frame), answers(results)
    assert (found["gain"].map(lambda gain: gain.count) == before["gain"].map(lambda gain: gain.count) - 1).all()


def test_change_has_the_side_of_the_goal(results):
    found = change(results, "label smoothing", "CE")
    assert found.loc["retrieval", "mean"] == pytest.approx(paired(results, "bench", "MAP@R", "label smoothing", "CE").mean())
    for row in found.drop("calibration").itertuples():
        assert row.side == (1 if row.low > 0 else -1 if row.high < 0 else 0)
    assert (found.loc["calibration", "low"] > 0, found.loc["calibration", "side"]) == (True, -1)


def test_a_tier_agrees_with_itself_and_not_with_its_reverse(results):
    reverse = results.assign(**{goal.metric: 1 - results[goal.metric] for goal in GOALS})
    same, opposite = (agreement(results, other, ALL) for other in (results, reverse))
    assert all(goal.between.mean == pytest.approx(1) for goal in same.itertuples())
    assert all(goal.between.mean == pytest.approx(-1) for goal in opposite.itertuples())
    assert (same["first"] == same["second"]).all()
    assert same["first"].between(0.5, 1).all()


def test_a_method_without_results_is_left_out(results):
    """As before its setting is chosen, or before its runs are done."""
    fewer = results[~((results["objective"] == "focal") & (results["table"] != "tuning"))]
    assert reported(fewer) == [name for name in ALL if name != "focal"]
    assert ranks(fewer).index.tolist() == reported(fewer)
