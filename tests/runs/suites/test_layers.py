"""The suite `layers`: ranks of the Jacobians and activations, layer by layer."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch import nn

from lossbook.data.dataset import Split
from lossbook.models import create_model
from lossbook.objectives.create import create_objective
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites.layers import measure, prefixes
from lossbook.runs.suites.suite import Outputs
from lossbook.runs.train import train


@pytest.mark.parametrize(("model", "widths"), [("mlp", [128, 64]), ("cnn", [784, 1568, 256]), ("resnet8", [392, 392, 256, 128])])
def test_prefixes_end_before_the_next_layer_and_at_the_features(model, widths):
    backbone, _ = create_model(model, 1)
    images = torch.rand(2, 1, 14, 14)
    features = backbone(images)
    backbone.eval()
    parts = [part(images).flatten(1) for part in prefixes(backbone)]
    assert [part.shape[1] for part in parts] == widths
    assert torch.equal(parts[-1], backbone(images))
    assert features.shape[1] == widths[-1]


def outputs_of(logits, labels, weight):
    """A linear network of two images' pixels, and an objective that gives these logits."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).eval()
    with torch.no_grad():
        backbone[1].weight.copy_(weight)
    objective = create_objective("soft-d", 3, logits.shape[1])
    objective.logits = lambda features: logits
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    data = type("Data", (), {"test": Split(images, labels)})
    empty = torch.empty(0)
    return Outputs(RunSpec(), data, backbone, None, objective, None, empty, empty, empty, labels, None, None)


def test_spread_ranks_and_histogram_by_hand():
    logits = torch.tensor([[5.0, 1.0, 3.0], [0.0, 4.0, 0.0]])
    weight = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [1.0, 1.0, 0, 0]])
    found = measure(outputs_of(logits, torch.tensor([0, 1]), weight))
    # Standard deviations 1 and 0; the label is 5 - 2 = 3 and 4 - 0 = 4 above the mean of the others.
    assert found.metrics["complement_spread"] == pytest.approx(0.5 / 3.5)
    assert found.metrics["rank_1"] == 2
    assert found.metrics["rank_logits"] == 2
    frame = pd.DataFrame(found.small_tables["activations"])
    width = frame["right"] - frame["left"]
    assert float((frame["label"] * width).sum()) == pytest.approx(1, abs=1e-5)
    assert float((frame["others"] * width).sum()) == pytest.approx(1, abs=1e-5)
    assert frame["left"].min() == 0
    assert frame["right"].max() == 5
    assert (frame["right"].iloc[:-1].to_numpy() == frame["left"].iloc[1:].to_numpy()).all()


def test_equal_complementary_logits_have_no_spread():
    logits = torch.tensor([[5.0, 1.0, 1.0], [-2.0, 4.0, -2.0]])
    assert measure(outputs_of(logits, torch.tensor([0, 1]), torch.eye(3, 4))).metrics["complement_spread"] == 0


def test_layers_of_a_trained_run():
    spec = RunSpec(model="mlp", image_size=7, train_per_class=10, epochs=1, batch_size=20, lr=0.03, suites=("layers",))
    metrics = train(spec).metrics
    assert metrics["rank_1"] <= 49
    assert metrics["rank_1"] >= metrics["rank_2"] >= metrics["rank_logits"] > 0


def test_a_backbone_without_layers_is_refused():
    spec = RunSpec(model="resnet18-cifar", image_size=7, train_per_class=2, epochs=1, batch_size=20, suites=("layers",))
    with pytest.raises(ValueError, match="needs a sequential backbone"):
        train(spec)
