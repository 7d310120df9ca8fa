"""The suite of diversity: what it reports of a run."""

import pytest

from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

TINY = RunSpec(
    objective="multicenter",
    objective_args={"sigma_scale": 0.1},
    model="mlp",
    image_size=7,
    epochs=2,
    lr=0.03,
    groups=((0, 1), (2, 3)),
    suites=("diversity",),
)


def test_a_run_is_measured():
    result = train(TINY)
    assert 0.5 < result.metrics["accuracy"] <= 1
    assert 0.5 <= result.metrics["purity"] <= 1
    assert 0.09 < result.metrics["sigma"] < 0.11
    assert {"diversity", "within_share", "effective_rank", "feature_norm", "center_norm"} <= set(result.metrics)
    rows = result.small_tables["classes"]
    assert [row["class"] for row in rows] == [0, 1]
    images = sum(row["images"] for row in rows)
    for name in ("accuracy", "purity"):
        assert sum(row[name] * row["images"] for row in rows) / images == pytest.approx(result.metrics[name])
    assert {"kl", "sigma"} <= set(result.curves)


def test_a_run_without_sub_classes_and_without_subcenters():
    metrics = train(TINY.replace(groups=(), objective_args={"num_subcenters": 0}, epochs=1)).metrics
    assert "purity" not in metrics
    assert "sigma" not in metrics
