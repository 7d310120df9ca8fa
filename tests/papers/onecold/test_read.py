"""Results of `onecold` as numbers: paired by seed and by draw."""

from __future__ import annotations

import pytest

from lossbook.papers.onecold.read import (
    EVIDENCE,
    OOD_SCORES,
    baseline_errors,
    ood_changes,
    ood_gains,
    open_set_gains,
    open_set_rows,
    printed_errors,
)
from lossbook.papers.results import load_results, published


@pytest.fixture(scope="module")
def results():
    return load_results("results", "quick", EVIDENCE)


def test_open_set_rows_read_three_predictions_off_a_dual_run(results):
    rows = results.query("table == '3'")
    found = open_set_rows(rows)
    assert len(found) == len(rows) + 2 * (rows["objective"] == "ce+occe-dual").sum()
    assert (found.groupby(["method", "known"])["seed"].nunique() == 20).all()
    # A draw is one choice of classes, the same for every method: differences are paired.
    assert (found.groupby(["known", "seed"])["classes"].nunique() == 1).all()
    dual = rows[rows["objective"] == "ce+occe-dual"].iloc[0]
    own = found[(found["run_id"] == dual["run_id"]) & (found["prediction"] == "occe")].iloc[0]
    assert own["oscr"] == dual["oscr_occe"]
    assert own["error"] == dual["error_occe"]


def test_open_set_gains_are_those_of_the_same_draws(results):
    rows = results[results["table"] == "3"]
    four = rows["classes"].map(len) == 4
    areas = {loss: rows.loc[rows["objective"] == loss] for loss in ("soft-d", "ce+occe-dual")}
    gains = open_set_gains(results, "oscr", "ce+occe-dual", "occe")
    for draw in range(20):
        both = [
            areas["ce+occe-dual"].loc[half, "oscr_occe"].iloc[draw] - areas["soft-d"].loc[half, "oscr"].iloc[draw]
            for half in (four, ~four)
        ]
        assert gains[draw] == pytest.approx(100 * sum(both) / 2)


def test_errors_of_table_1_are_paired_by_seed(results):
    errors = baseline_errors(results)
    rows = results[(results["table"] == "1") & (results["seed"] == 3)].set_index("objective")["error"]
    assert errors.loc[("FL", 3), "difference"] == pytest.approx(100 * (rows["focal+occe"] - rows["focal"]))
    assert len(errors) == 10 * 20


def test_printed_errors_are_those_of_table_1():
    errors = printed_errors(published(EVIDENCE, "1"))
    assert errors.loc[("CE", "cifar100, resnet18v2")].tolist() == pytest.approx([24.98, 23.92, -1.06])
    assert errors.loc[("ADAFL", "tinyimagenet, densenet121"), "difference"] == pytest.approx(0.53)
    assert errors["difference"].notna().sum() == 54


def test_changes_of_table_4_are_paired_by_seed(results):
    rows = results.query("table == '4' and seed == 2")
    changes = ood_changes(results, 1.0)
    with_ = rows.query("arg_occe_weight == 1")["ood_digits_vim"].item()
    without = rows.query("objective == 'soft-d'")["ood_digits_vim"].item()
    assert changes.loc["vim", ("digits", 2)] == pytest.approx(100 * (with_ - without))
    assert list(changes.columns.unique(0)) == ["digits", "faces", "photographs"]


def test_gains_of_table_4_are_means_over_the_unknown_sets(results):
    changes, gains = ood_changes(results, 0.1), ood_gains(results, 0.1)
    assert gains.shape == (20, len(OOD_SCORES))
    sets = changes.columns.unique(0)
    assert gains.loc[3, "knn"] == pytest.approx(sum(changes.loc["knn", (name, 3)] for name in sets) / len(sets))
