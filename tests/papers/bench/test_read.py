"""Results of the bench as numbers: names of the methods, scores, paired differences."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.bench import read
from lossbook.papers.bench.read import (
    EVIDENCE,
    GOALS,
    agreement,
    answers,
    change,
    choices,
    idle,
    means,
    paired,
    ranks,
    reported,
    rivals,
    scores,
    tuning,
    with_methods,
)
from lossbook.papers.bench.tables import BENCH_SEARCHES, COMBINATIONS, METHODS, TAIL_ONLY
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


def test_scores_are_in_per_cent_and_at_most_one_seed_in_ten_failed(results):
    for goal in GOALS:
        values = scores(results, goal)
        assert values.shape == (20, len(ALL) if goal.table == "bench" else len(ALL) + len(TAIL_ONLY))
        assert (values.isna().mean() <= 0.1).all()
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
    """As before its runs are done."""
    fewer = results[results["objective"] != "focal"]
    assert reported(fewer) == [name for name in ALL if name != "focal"]
    assert ranks(fewer).index.tolist() == reported(fewer)


def _three_losses() -> pd.DataFrame:
    """Three draws of the cross entropy, of it at a lower rate, of BCE and of a focal loss that does not train."""
    rows = []
    for objective, table, accuracy in (
        ("soft-d", "bench", 90),
        ("soft-d", "slow", 92),
        ("bce-d", "bench", 91),
        ("focal", "bench", 44),
    ):
        for seed, noise in enumerate((-1, 0, 1)):
            row = {goal.metric: (accuracy + noise) / 100 for goal in GOALS}
            row |= {"ece": 0.1, "ece_scaled": 0.02, "accuracy_neighbours": 0.89, "accuracy_all_adjusted": 0.95}
            row |= {"accuracy_few_adjusted": 0.5, "table": table, "objective": objective, "seed": seed}
            rows.append(row)
            if table == "bench":
                rows.append(row | {"table": "tail"})
    return pd.DataFrame(rows).assign(**dict.fromkeys(("arg_joint", "arg_uniform", "nc2", "nc3", "nc4"), np.nan))


def test_rivals_stand_beside_the_cross_entropy_of_their_seed():
    found = rivals(_three_losses())
    slow = found.loc[("accuracy", "a tenth of the rate")]
    assert (slow["score"], slow["CE"], slow["mean"]) == pytest.approx((92, 90, 2))
    assert (slow["beaten"], slow["of"]) == (2, 2)
    scaled = found.loc[("calibration", "temperature scaling")]
    assert (scaled["score"], scaled["mean"], scaled["beaten"]) == (pytest.approx(2), pytest.approx(-8), 2)
    assert found.loc[("accuracy", "ten nearest neighbours"), "beaten"] == 1
    assert found.loc[("long tail, all", "logit adjustment"), "mean"] == pytest.approx(5)
    assert ("long tail, all", "a tenth of the rate") not in found.index


def test_a_loss_below_half_of_the_cross_entropys_accuracy_is_idle():
    assert idle(_three_losses(), "bench", ["BCE", "focal", "CE"]) == ["focal"]
    assert idle(_three_losses(), "tail", ["BCE", "focal"]) == ["focal"]


def test_choices_by_accuracy_and_by_goal_are_read_from_the_tuning(monkeypatch):
    search = BENCH_SEARCHES["quick"]["CE"]

    def row(lr, accuracy, failed="0", chosen="0", **others):
        setting = json.dumps({"lr": lr})
        means = {"mean": str(accuracy), "others": json.dumps(dict.fromkeys(search.others, 0.5) | others)}
        return {"spec": search.family, "setting": setting, "failed": failed, "chosen": chosen} | means

    tried = [row(0.01, 0.8, ece=0.02), row(0.1, 0.9, chosen="1", ece=0.1), row(1.0, 0.99, failed="1", ece=0.0)]
    monkeypatch.setattr(read, "read_tuned", lambda paper: tried)
    assert tuning("quick")["A_SW"].tolist() == [0.8, 0.9]
    found = choices("quick").loc["CE"]
    assert found["calibration", "by accuracy"] == pytest.approx(10)
    assert found["calibration", "by the goal"] == pytest.approx(2)
    assert found["accuracy", "by accuracy"] == found["accuracy", "by the goal"] == pytest.approx(90)
