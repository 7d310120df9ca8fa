"""The objectives of `onecold`: Eq. 8, soft targets, two heads, and what they refuse."""

import pytest
import reference_onecold as ref
import torch

from lossbook.losses.onecold import class_targets, one_cold_cross_entropy
from lossbook.losses.uniform import cross_entropy
from lossbook.objectives import create_objective
from lossbook.objectives.onecold import OneColdObjective


def build(name, **arguments):
    torch.manual_seed(0)
    return create_objective(name, 8, 5, **arguments).double(), torch.randn(10, 8, dtype=torch.float64), torch.arange(10) % 5


@pytest.mark.parametrize("gamma", [0.0, 0.5, 10.0])
def test_eq_8(gamma):
    objective, features, labels = build("ce+occe", occe_weight=gamma)
    logits = objective.logits(features)
    expected = cross_entropy(logits, labels) + gamma * one_cold_cross_entropy(logits, labels)
    torch.testing.assert_close(objective(features, labels), expected)
    if gamma:
        assert objective.measured["loss_base"] + gamma * objective.measured["loss_occe"] == pytest.approx(expected.item())


def test_class_distillation_follows_the_epoch_before():
    objective, features, labels = build("ce+occe-class", alpha=0.5)
    objective.start_epoch(0, 2)
    logits = objective.logits(features)
    plain = cross_entropy(logits, labels) + one_cold_cross_entropy(logits, labels)
    torch.testing.assert_close(objective(features, labels), plain)
    objective.start_epoch(1, 2)
    matrix = torch.tensor(ref.class_matrix(logits.tolist(), labels.tolist(), 5), dtype=torch.float64)
    torch.testing.assert_close(objective.weights, matrix)
    targets = class_targets(matrix, labels, 0.5)
    torch.testing.assert_close(
        objective(features, labels), cross_entropy(logits, labels) + one_cold_cross_entropy(logits, labels, targets)
    )
    before = objective.sums.clone()
    objective.eval()(features, labels)
    torch.testing.assert_close(objective.sums, before)


def test_instance_distillation_is_a_smaller_weight():
    soft, features, labels = build("ce+occe-instance", alpha=0.1, occe_weight=2.0)
    plain = build("ce+occe", occe_weight=1.8)[0]
    for objective in (soft, plain):
        objective(features, labels).backward()
    torch.testing.assert_close(soft.head.weight.grad, plain.head.weight.grad)


def test_the_dual_head_separates_the_losses():
    objective, features, labels = build("ce+occe-dual", occe_weight=0.5)
    head = objective.head
    expected = cross_entropy(head.ce(features), labels) + 0.5 * one_cold_cross_entropy(head.occe(features), labels)
    torch.testing.assert_close(objective(features, labels), expected)
    one_cold_cross_entropy(head.occe(features), labels).backward()
    assert head.ce.weight.grad is None and head.occe.weight.grad is not None


def test_bad_arguments():
    for name in ("ce+occe", "ce+occe-dual", "focal+occe"):
        with pytest.raises(ValueError, match="occe_weight >= 0, got -1"):
            create_objective(name, 4, 3, occe_weight=-1.0)
    with pytest.raises(ValueError, match=r"alpha within \[0, 1\]"):
        create_objective("ce+occe-class", 4, 3, alpha=2.0)
    with pytest.raises(ValueError, match="prediction must be one of ce, occe, combined, got 'both'"):
        create_objective("ce+occe-dual", 4, 3, prediction="both")


def test_the_one_cold_term_needs_a_loss_of_the_heads_logits():
    for name in ("euclidean-softmax", "multicenter", "ce+occe"):
        with pytest.raises(TypeError, match="a head and a loss of its logits, got "):
            OneColdObjective(create_objective(name, 4, 3))


def test_the_state_has_every_parameter_once():
    assert list(create_objective("focal+occe", 4, 3).state_dict()) == ["head.weight", "head.bias"]
    adafocal = create_objective("adafocal+occe", 4, 3)
    state = ["loss.edges", "loss.gammas", "loss._extra_state", "schedule._extra_state"]
    assert list(adafocal.state_dict()) == ["head.weight", "head.bias", *state]
