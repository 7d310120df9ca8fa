"""The objectives of `uniform`: the formulas of Table I, the gradients of weights and biases, and what arguments do."""

import math

import numpy as np
import pytest
import reference_uniform as ref
import torch
import torch.nn.functional as F
from arrays import rows

from lossbook.losses import uniform
from lossbook.objectives import create_objective, list_objectives

FEATURES, CLASSES, BATCH = 8, 5, 10
TABLE_ONE = [f"{formula}-{variant}" for formula in ("soft", "bce") for variant in ("0", "d", "u", "n0", "nd", "nu")]


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    return F.one_hot(labels, classes).double()


def build(name: str, device="cpu", gamma: float = 6.0):
    """An objective in float64 with a bias away from zero, features and labels."""
    torch.manual_seed(1)
    scale = {"scale": gamma} if "-n" in name else {}
    objective = create_objective(name, in_features=4, num_classes=5, **scale).double().to(device)
    if objective.head.bias is not None:
        torch.nn.init.uniform_(objective.head.bias, 0.5, 2.0)
    features = torch.randn(6, 4, dtype=torch.float64, device=device)
    return objective, features, torch.tensor([0, 2, 1, 4, 2, 0], device=device)


@pytest.mark.parametrize("name", TABLE_ONE)
def test_table_one(name, device):
    objective, features, labels = build(name, device)
    weight, bias = rows(objective.head.weight), None
    if objective.head.bias is not None:
        bias = rows(objective.head.bias)
    logits = ref.table_one_logits(name, rows(features), weight, bias, gamma=6.0)
    assert rows(objective.logits(features)) == pytest.approx(np.array(logits))
    expected = ref.table_one(name, rows(features), weight, bias, labels.tolist(), gamma=6.0)
    assert objective(features, labels).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_of_the_weight_of_bce_0():
    objective, features, labels = build("bce-0")
    objective(features, labels).backward()
    residual = torch.sigmoid(features @ objective.head.weight.detach().T) - one_hot(labels, 5)
    torch.testing.assert_close(objective.head.weight.grad, residual.T @ features / len(labels))


@pytest.mark.parametrize(("name", "sign"), [("bce-u", -1), ("bce-nu", 1), ("uce", 1)])
def test_gradient_of_the_unified_bias_is_eq_43(name, sign):
    """Eq. 43 is written for metric - b; Table I's linear losses add the bias, which turns its sign."""
    arguments = {"scale": 6.0, "margin": 0.0} if name == "uce" else {"scale": 6.0} if name == "bce-nu" else {}
    torch.manual_seed(1)
    objective = create_objective(name, 4, 5, **arguments, bias_start=0.8).double()
    features, labels = torch.randn(6, 4, dtype=torch.float64), [0, 2, 1, 4, 2, 0]
    objective(features, torch.tensor(labels)).backward()
    metrics = rows(objective.head.similarities(features))
    b = sign * objective.head.bias.item()
    expected = sign * ref.batch_mean(ref.bce_u_gradient_of_b, metrics, labels, b)
    assert objective.head.bias.grad.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["soft-u", "soft-nu"])
def test_gradient_of_the_unified_bias_of_softmax_is_zero(name):
    objective, features, labels = build(name)
    objective(features, labels).backward()
    assert abs(objective.head.bias.grad.item()) < 1e-15


@pytest.mark.parametrize(("name", "sign"), [("bce-d", 1), ("bce-nd", -1), ("soft-d", 1), ("soft-nd", -1)])
def test_gradient_of_the_diverse_bias_sums_that_of_the_logits(name, sign):
    objective, features, labels = build(name)
    objective(features, labels).backward()
    logits = objective.logits(features).detach()
    probability = logits.softmax(1) if name.startswith("soft") else logits.sigmoid()
    torch.testing.assert_close(objective.head.bias.grad, sign * (probability - one_hot(labels, 5)).mean(0))


# The registry ----------------------------------------------------------------------------------------------------

UNIFORM = [*TABLE_ONE, "bce-di", "uce"]


def create(name, **arguments):
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, **arguments)
    return objective, torch.randn(BATCH, FEATURES), torch.arange(BATCH) % CLASSES


def test_the_paper_has_thirteen_and_uniface_one():
    assert {name for name, source in list_objectives().items() if source == "uniform"} == {*TABLE_ONE, "bce-di"}
    assert list_objectives()["uce"] == "Zhou et al., 2023"


@pytest.mark.parametrize("name", UNIFORM)
def test_the_loss_is_the_mean_over_the_batch(name):
    objective, features, labels = create(name)
    singles = [objective(features[m : m + 1], labels[m : m + 1]) for m in range(BATCH)]
    torch.testing.assert_close(torch.stack(singles).mean(), objective(features, labels))


@pytest.mark.parametrize("name", UNIFORM)
def test_bias_shape_follows_the_name(name):
    bias = create(name)[0].head.bias
    expected = {"0": None, "u": (1,), "d": (CLASSES,)}["u" if name == "uce" else "d" if name == "bce-di" else name[-1]]
    assert (bias if bias is None else tuple(bias.shape)) == expected


def test_logits_of_bce_di_have_no_bias():
    objective, features, labels = create("bce-di")
    torch.nn.init.uniform_(objective.head.bias, 0.5, 2.0)
    torch.testing.assert_close(objective.logits(features), features @ objective.head.weight.T)
    assert objective.threshold().equal(objective.head.bias.detach())
    expected = uniform.bce_di(objective.logits(features), objective.head.bias, labels)
    torch.testing.assert_close(objective(features, labels), expected)


def test_logits_have_the_bias_otherwise():
    objective, features, _ = create("bce-u", bias_start=3.0)
    torch.testing.assert_close(objective.logits(features), features @ objective.head.weight.T + 3.0)


def test_uce_starts_as_in_uniface():
    objective, features, labels = create("uce")
    assert objective.threshold().item() == pytest.approx(math.log(10 * CLASSES))
    assert objective.head.scale == 64
    expected = uniform.uce(objective.logits(features), labels, margin=0.4, scale=64)
    torch.testing.assert_close(objective(features, labels), expected)
    plain = create("uce", margin=0.0, scale=8.0, bias_start=1.0)[0]
    torch.testing.assert_close(plain(features, labels), uniform.binary_cross_entropy(plain.logits(features), labels))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("bce-nu", {"scale": 8.0, "bias_start": 2.0}), ("soft-nd", {"scale": 8.0, "bias_mode": 2}), ("soft-n0", {"scale": 8.0})],
)
def test_arguments_reach_the_head(name, arguments):
    head = create(name, **arguments)[0].head
    assert head.scale == 8
    if "bias_start" in arguments:
        assert head.bias.tolist() == [2.0]
    if "bias_mode" in arguments:
        assert head.bias.tolist() == pytest.approx([64 * i / CLASSES for i in range(1, CLASSES + 1)])


@pytest.mark.parametrize("name", ["bce-0", "bce-nu"])
def test_a_few_steps_lower_the_loss(name):
    objective, features, labels = create(name)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = objective(features, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", ["bce-d", "bce-u", "bce-nd", "bce-nu", "bce-di", "uce", "bce+occe"])
def test_the_threshold_of_a_bce_starts_at_log_10_n(name):
    objective = create_objective(name, 4000, 100)
    torch.testing.assert_close(objective.threshold().mean(), torch.tensor(math.log(1000)), atol=0.01, rtol=0)


@pytest.mark.parametrize("name", ["soft-d", "soft-u", "soft-nd", "soft-nu"])
def test_the_bias_of_a_softmax_starts_at_0(name):
    assert create_objective(name, 4000, 100).head.bias.abs().max() < 0.02


def test_another_start_is_taken_as_it_is():
    assert create_objective("bce-nu", 4, 10, bias_start=0.5).head.bias.item() == 0.5
    assert create_objective("bce-d", 10_000, 10, bias_start=0.0).head.bias.abs().max() <= 0.01
    assert create_objective("bce-nd", 4, 10, bias_mode=1).head.bias.tolist() == [*range(1, 11)]
