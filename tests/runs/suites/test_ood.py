"""The suite of out-of-distribution detection: every score is an AUROC, and their mean is the set's."""

import pytest

from lossbook.data.other_sets import OTHER_SETS
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train


def run(**changes):
    settings = {"objective": "ce+occe", "train_per_class": 20, "model": "mlp", "image_size": 14, "epochs": 3, "lr": 0.03}
    return train(RunSpec(**(settings | {"batch_size": 20, "suites": ("ood",)} | changes))).metrics


def test_a_run_is_measured():
    values = run()
    methods = ["msp", "odin", "rmds", "energy", "vim", "knn", "dice", "she", "relation", "scale"]
    for name in ("digits", "faces", "photographs"):
        areas = [values[f"ood_{name}_{method}"] for method in methods]
        assert all(0 <= area <= 1 for area in areas)
        assert values[f"ood_{name}"] == pytest.approx(sum(areas) / 10)
    assert values["ood_photographs"] > 0.6  # a photograph is not a digit


def test_it_needs_a_linear_head():
    with pytest.raises(ValueError, match="needs a linear head, got CosineHead"):
        run(objective="soft-nu", epochs=1)


def test_a_data_set_without_unknown_sets_is_told(monkeypatch):
    monkeypatch.delitem(OTHER_SETS["ood"], "mnist5k")
    with pytest.raises(ValueError, match="names no unknown sets for 'mnist5k'; expected one of digits"):
        run(epochs=1)
