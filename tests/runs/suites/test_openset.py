"""The suite of open-set recognition: single heads, dual heads."""

import pytest

from lossbook.heads.dual import DualHead
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train


def run(objective: str, classes=(0, 1, 2, 3)) -> dict[str, float]:
    spec = RunSpec(
        objective=objective,
        classes=classes,
        train_per_class=20,
        model="mlp",
        image_size=7,
        epochs=2,
        lr=0.03,
        batch_size=20,
        suites=("openset",),
    )
    return train(spec).metrics


def test_a_run_is_measured():
    values = run("ce+occe")
    assert {"error", "oscr", "auroc_msp"} <= set(values)
    assert 0.5 < values["auroc_msp"] <= 1
    assert values["oscr"] <= 1 - values["error"]


def test_every_prediction_of_a_dual_head_is_measured():
    values = run("ce+occe-dual")
    for name in ("error", "oscr", "auroc_msp"):
        assert {f"{name}_{prediction}" for prediction in DualHead.predictions} <= set(values)
        assert values[name] == values[f"{name}_combined"]
    assert len({values[f"oscr_{prediction}"] for prediction in DualHead.predictions}) == 3


def test_it_needs_unknown_classes():
    with pytest.raises(ValueError, match=r"needs RunSpec\.classes"):
        run("ce+occe", classes=())
