"""Numbers of `warped`: each loss by its own distance, kinds of functions, the reality check; and the committed results."""

import numpy as np
import pytest

from lossbook.papers.results import load_results
from lossbook.papers.warped.figures import function_label
from lossbook.papers.warped.read import EVIDENCE, FUNCTION, Kind, corrupted_recall, functions, reality_check, with_retrieval
from lossbook.papers.warped.searches import BASELINES, REPORTED


def test_each_loss_is_ranked_by_its_own_distance(made):
    frame = with_retrieval(made)
    assert (frame.loc[frame["objective"].isin(BASELINES), "recall@1"] == 0.7).all()
    assert (frame.loc[frame["objective"] == "euclidean-softmax", "recall@1"] >= 0.8).all()
    assert set(frame.loc[frame["table"] == "I", "classes"]) == {REPORTED}
    assert set(frame.loc[frame["two_phases"], "objective"]) == {"euclidean-softmax", "warped-softmax"}


def test_corrupted_recall_begins_with_the_clean_images(made):
    made["corrupted_add-hue-and-saturation"] = np.nan
    found = corrupted_recall(with_retrieval(made))
    assert found.index.tolist() == ["uncorrupted", "gaussian", "jigsaw"]
    drop = found.loc["uncorrupted"] - found.loc["jigsaw"]
    assert drop["warped-softmax", True] == pytest.approx(10)


def test_functions_have_one_kind_and_one_name_each(made):
    frame = functions(made)
    assert frame.groupby("kind")["objective"].nunique().max() == 1
    assert frame["kind"].value_counts().to_dict() == {
        Kind.EQ_4: 20,
        Kind.SHARED: 60,
        Kind.OUTWARD: 40,
        Kind.INWARD: 40,
        Kind.WARP: 80,
    }
    names = frame.apply(function_label, axis=1)
    assert names.groupby([frame[column] for column in FUNCTION], dropna=False).nunique().max() == 1
    assert names.nunique() == len(EVIDENCE.table("III").specs["quick"])
    assert set(names[frame["arg_alpha"] == 16]) == {"warp, α = 16"}


def test_a_failed_run_has_no_score_under_the_reality_check(made):
    rows = reality_check(made.assign(exploded=made["objective"].eq("proxy-nca++").astype(float)))
    assert rows.groupby("objective")["MAP@R"].count().to_dict() == {
        "euclidean-softmax": 180,
        "proxy-nca++": 0,
        "warped-softmax": 180,
    }


def test_the_reality_check_has_one_row_per_run_and_setting(made):
    rows = reality_check(made)
    assert len(rows) == 45 * 3 * 4
    assert set(rows["setting"]) == {"complete", "ensemble", "aggregate", "validation"}
    ensemble = rows[(rows["setting"] == "ensemble") & (rows["objective"] == "warped-softmax")]
    assert ensemble["MAP@R"].tolist() == pytest.approx([0.82] + 8 * [0.81] + 36 * [0.8])


# The committed results --------------------------------------------------------------------------------------------


def test_curves_of_the_functions():
    curves = load_results("results", "quick", EVIDENCE, "curves")
    assert set(curves["table"]) == {"III"}
    assert set(curves["seed"]) == {0}
    assert set(curves["run_id"]) == {spec.replace(seed=0).run_id for spec in EVIDENCE.table("III").specs["quick"]}
    assert (curves.groupby("run_id")["epoch"].apply(list).map(len) == 10).all()
    assert (curves["avg_dtp"] > 0).all()


def test_the_corner_of_the_slopes_is_eq_4():
    """k1 = k2 = 1 makes the warp the identity: the same runs up to rounding."""
    results = load_results("results", "quick", EVIDENCE)
    corner = results[(results["table"] == "fig-7") & (results["arg_k1"] == 1) & (results["arg_k2"] == 1)]
    plain = results[(results["table"] == "III") & (results["objective"] == "euclidean-softmax")]
    assert np.abs(corner["train_loss"].to_numpy() - plain["train_loss"].to_numpy()).max() < 1e-6
