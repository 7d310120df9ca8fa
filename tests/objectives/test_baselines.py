"""The losses of Table 1 of `onecold` as objectives: with the one-cold term, and with what follows the training."""

import math

import pytest
import torch

from lossbook.losses import baselines, uniform
from lossbook.losses.onecold import one_cold_cross_entropy
from lossbook.objectives import create_objective, list_objectives
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

WITH = sorted(name for name in list_objectives() if name.endswith("+occe") and name != "ce+occe")


@pytest.mark.parametrize("name", WITH)
def test_with_occe_is_the_loss_plus_its_share_of_occe(name):
    alone_name = "bce-d" if name == "bce+occe" else name.removesuffix("+occe")
    values = []
    for built, arguments in ((name, {"occe_weight": 0.5}), (alone_name, {})):
        torch.manual_seed(0)
        objective = create_objective(built, 6, 4, **arguments)
        features, labels = torch.randn(9, 6), torch.arange(9) % 4
        values.append(objective(features, labels))
        one_cold = one_cold_cross_entropy(objective.logits(features), labels)
    torch.testing.assert_close(values[0], values[1] + 0.5 * one_cold)


def test_alone_takes_no_weight():
    assert len(WITH) == 9
    with pytest.raises(TypeError, match=r"'focal' does not take these arguments.*occe_weight"):
        create_objective("focal", 6, 4, occe_weight=1.0)


def test_complement_training_alternates():
    torch.manual_seed(0)
    objective = create_objective("cot+occe", 6, 4, occe_weight=0.5)
    features, labels = torch.randn(9, 6), torch.arange(9) % 4
    logits = objective.logits(features)
    first = uniform.cross_entropy(logits, labels) + 0.5 * one_cold_cross_entropy(logits, labels)
    second = -baselines.complement_entropy(logits, labels) / 3
    assert objective.steps_per_batch == 2
    for expected in (first, second, first):
        for _ in range(2):  # several views of a batch make one step
            torch.testing.assert_close(objective(features, labels), expected)
        objective.after_step()
    assert set(objective.measured) == {"loss_base", "loss_occe"}  # the second step of a batch adds the third


def test_complement_training_in_a_run():
    """Two steps per batch; the curves have the same length."""
    spec = RunSpec(objective="cot+occe", train_per_class=10, model="mlp", image_size=7, epochs=2, lr=0.03, batch_size=20)
    curves = train(spec).curves
    assert {"loss_base", "loss_occe", "complement_entropy"} <= set(curves)
    assert {len(values) for values in curves.values()} == {2}
    assert all(0 < value <= math.log(9) for value in curves["complement_entropy"])


@pytest.mark.parametrize("objective", ["adafocal+occe", "cyclical-focal"])
def test_schedules_in_a_run_are_deterministic(objective):
    spec = RunSpec(objective=objective, train_per_class=10, model="mlp", image_size=7, epochs=3, lr=0.03, batch_size=20)
    first, second = train(spec), train(spec)
    assert first.metrics == second.metrics
    assert first.curves == second.curves


def test_cyclical_focal_follows_the_epochs():
    torch.manual_seed(0)
    objective = create_objective("cyclical-focal", 6, 4, factor=2.0)
    features, labels = torch.randn(9, 6), torch.arange(9) % 4
    for epoch, share in ((0, 1.0), (5, 0.0), (10, 1.0)):
        objective.start_epoch(epoch, 11)
        expected = baselines.cyclical_focal(objective.logits(features), labels, share)
        torch.testing.assert_close(objective(features, labels), expected)


def test_adafocal_learns_its_exponents_between_epochs():
    torch.manual_seed(0)
    objective = create_objective("adafocal", 6, 4, bins=3.0)
    features, labels = 4 * torch.randn(30, 6), torch.arange(30) % 4
    objective.start_epoch(0, 3)
    torch.testing.assert_close(objective(features, labels), baselines.focal(objective.logits(features), labels, 1.0))
    confidence, predicted = objective.logits(features).detach().softmax(1).max(1)
    edges, gaps = baselines.calibration_bins(confidence, predicted == labels, 3)
    objective.start_epoch(1, 3)
    torch.testing.assert_close(objective.loss.edges, edges)
    torch.testing.assert_close(objective.loss.gammas, baselines.adafocal_gammas(torch.ones(3), gaps))
    own = objective.logits(features).detach().softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    gamma = torch.stack([objective.loss.gammas[sum(float(p) >= float(e) for e in edges)] for p in own])
    torch.testing.assert_close(objective(features, labels), baselines.focal(objective.logits(features), labels, gamma))


def test_adafocal_refuses_a_wrong_switch():
    with pytest.raises(ValueError, match="switch > 0"):
        create_objective("adafocal", 4, 3, switch=0.0)
