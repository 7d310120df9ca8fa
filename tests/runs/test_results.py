"""Results: what is written of a record, and what is read again."""

import math

import pandas as pd
import pytest

from lossbook.runs.results import PROVENANCE, TRAINING_METRICS, read_results, results_path, runs_frame, small_frame
from lossbook.runs.spec import RunSpec, is_spec_column, spec_columns

SPEC = RunSpec(
    objective="bce-nu",
    objective_args={"scale": 8},
    classes=(3, 5),
    groups=(),
    second_phase={"lr": 0.1, "objective_args": {"bias_start": 2}},
    seed=1,
)
PLAIN = RunSpec(groups=((0, 5), (1, 6)))
COLUMNS = tuple(dict.fromkeys([*spec_columns(RunSpec()), *spec_columns(SPEC), "arg_margin"]))


def record(spec, **metrics):
    import json

    return {
        "run_id": spec.run_id,
        "spec": json.loads(spec.canonical_json()),
        "metrics": {"diverged": 0.0, "train_loss": 0.5} | metrics,
        "curves": {"train_loss": [0.7, 0.5], "train_accuracy": [0.8, 0.9]},
        "small_tables": {"classes": [{"class": 0.0, "accuracy": 1.0}]},
        "code": "c0de",
        "seconds": 1.5,
        "device": "cpu",
        "provenance": dict.fromkeys(("threads", "machine", "python", "torch", "lossbook", "commit"), "x"),
    }


@pytest.fixture
def folder(tmp_path):
    records = [record(SPEC, accuracy=0.5, rank_1=3.0), record(PLAIN, accuracy=0.25)]
    runs_frame(records, "II", ("accuracy", "error")).to_csv(results_path(tmp_path, "paper"), index=False)
    for name in ("classes", "curves"):
        small_frame(records, "II", name).to_csv(results_path(tmp_path, "paper", name), index=False)
    return tmp_path


def test_the_columns_of_the_file_are_constant_and_in_order(folder):
    columns = list(pd.read_csv(folder / "paper.csv"))
    assert columns == ["table", "run_id", "spec", *TRAINING_METRICS, "accuracy", "error", "rank_1", *PROVENANCE]


def test_specs_come_back_as_columns(folder):
    rows = read_results(folder, "paper", COLUMNS)
    first, second = (row for _, row in rows.iterrows())
    assert (first["objective"], first["seed"], first["arg_scale"]) == ("bce-nu", 1, 8.0)
    assert (first["classes"], second["classes"], second["groups"]) == ((3, 5), (), ((0, 5), (1, 6)))
    assert (first["second_phase_lr"], first["second_phase_arg_bias_start"]) == (0.1, 2.0)
    assert math.isnan(second["second_phase_lr"]) and math.isnan(second["arg_scale"]) and math.isnan(first["arg_margin"])
    assert rows["error"].isna().all(), "declared and not measured"
    assert "spec" not in rows
    assert {c for c in rows if is_spec_column(c)} == set(COLUMNS)


def test_a_tables_name_is_text(folder):
    path = results_path(folder, "paper")
    path.write_text(path.read_text().replace("II,", "7,"))
    assert read_results(folder, "paper", COLUMNS)["table"].tolist() == ["7", "7"]


def test_small_tables_have_the_specs_columns_too(folder):
    classes = read_results(folder, "paper", COLUMNS, "classes")
    assert classes["class"].tolist() == [0, 0]
    assert classes["objective"].tolist() == ["bce-nu", "soft-d"]
    curves = read_results(folder, "paper", COLUMNS, "curves")
    assert curves["epoch"].tolist() == [1, 2, 1, 2]
    assert curves["train_accuracy"].tolist() == [0.8, 0.9, 0.8, 0.9]
    assert curves["arg_scale"].tolist()[:2] == [8.0, 8.0]


@pytest.mark.parametrize("small_table", ["", "classes"])
def test_results_that_are_not_there(tmp_path, small_table):
    with pytest.raises(FileNotFoundError, match=r"no paper\.csv in .*: run `make book`, or `lossbook run paper`"):
        read_results(tmp_path, "paper", COLUMNS, small_table)


def test_a_small_table_that_is_not_there(folder):
    with pytest.raises(FileNotFoundError, match=r"no paper-plane\.csv in"):
        read_results(folder, "paper", COLUMNS, "plane")
