"""The suite of neural collapse: a run, and exact collapse."""

import math

import pytest
import torch

from lossbook.objectives.create import create_objective
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites.collapse import measure
from lossbook.runs.suites.suite import Outputs
from lossbook.runs.train import train


@pytest.mark.parametrize("objective", ["ce+occe", "soft-nu", "ce+occe-dual"])
def test_a_run_is_measured(objective):
    spec = RunSpec(objective=objective, train_per_class=10, model="mlp", image_size=7, epochs=1, lr=0.03, suites=("collapse",))
    result = train(spec)
    assert {"nc1", "nc2", "nc3", "nc4", "fisher", "error", "generalisation_gap", "dimensions_99"} <= set(result.metrics)
    assert all(math.isfinite(value) for value in result.metrics.values())
    rows = result.small_tables["independence"]
    assert [row["dimensions"] for row in rows] == list(range(11))
    assert rows[-1]["accuracy"] == pytest.approx(1 - result.metrics["error"])


def test_exact_collapse_is_found():
    """Features at the corners of a simplex off the origin, and the classifier dual to it."""
    simplex = torch.cat([torch.eye(4) - 0.25, torch.zeros(4, 2)], 1).double()
    labels, mean = torch.arange(4).repeat(3), torch.linspace(-1, 1, 6).double()
    features, weight, bias = 2 * simplex[labels] + mean, simplex, -simplex @ mean
    objective = create_objective("soft-d", 6, 4).double()
    objective.head.weight.data, objective.head.bias.data = weight.clone(), bias.clone()
    missing = dict.fromkeys(("spec", "data", "backbone", "extract", "initial_bias", "unknown_features", "unknown_labels"))
    values = measure(
        Outputs(
            **missing,
            objective=objective,
            train_features=features,
            train_labels=labels,
            test_features=features,
            test_labels=labels,
        )
    ).metrics
    for name in ("nc1", "nc2", "nc3", "nc4", "error", "generalisation_gap"):
        assert values[name] == pytest.approx(0, abs=1e-12)
