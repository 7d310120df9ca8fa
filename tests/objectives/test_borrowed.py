"""The holes of pytorch-metric-learning's losses, repaired: everything else keeps the library's values to the last bit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lossbook.objectives import create_objective
from lossbook.objectives.metric_learning import library_losses

FEATURES, CLASSES, BATCH = 8, 5, 10


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(BATCH, FEATURES), torch.arange(BATCH) % CLASSES


def library_loss(name: str) -> nn.Module:
    losses = library_losses()
    torch.manual_seed(1)
    return {
        "arcface": lambda: losses.ArcFaceLoss(CLASSES, FEATURES, margin=28.6, scale=64.0),
        "cosface": lambda: losses.CosFaceLoss(CLASSES, FEATURES, margin=0.35, scale=64.0),
        "proxy-nca++": lambda: losses.ProxyNCALoss(CLASSES, FEATURES, softmax_scale=9.0),
        "normalized-softmax": lambda: losses.NormalizedSoftmaxLoss(CLASSES, FEATURES, temperature=0.05),
    }[name]()


@pytest.mark.parametrize("name", ["arcface", "cosface", "proxy-nca++", "normalized-softmax"])
def test_ordinary_inputs_have_the_librarys_bits(name):
    features, labels = batch()
    library, own = library_loss(name), create_objective(name, FEATURES, CLASSES)
    ((parameter, value),) = library.named_parameters()
    weight = own.head.weight.detach() if len(value) == CLASSES else own.head.weight.detach().T
    x, y = features.clone().requires_grad_(), features.clone().requires_grad_()
    expected, loss = torch.func.functional_call(library, {parameter: weight}, (x, labels)), own(y, labels)
    assert torch.equal(loss, expected)
    expected.backward()
    loss.backward()
    assert torch.equal(y.grad, x.grad)


@pytest.mark.parametrize("name", ["arcface", "subcenter-arcface"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_gradients_at_the_ends_of_the_arc_cosine(name, dtype, sign):
    """Features along and against their class vectors, whose arc cosine has no slope."""
    objective = create_objective(name, FEATURES, CLASSES).to(dtype)
    with torch.no_grad():
        vectors = torch.eye(FEATURES, dtype=dtype)[: objective.head.classifier.W.shape[1] if name != "arcface" else CLASSES]
        (objective.head.weight if name == "arcface" else objective.head.classifier.W.T).copy_(
            vectors if name == "arcface" else vectors.repeat(2, 1)[: 2 * CLASSES]
        )
    features = (sign * 3 * torch.eye(FEATURES, dtype=dtype)[:CLASSES]).requires_grad_()
    objective(features, torch.arange(CLASSES)).backward()
    assert features.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in objective.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_the_hardest_samples_count(dtype):
    """At a scale of 500 the probability of an opposite class vector is e^-2000."""
    objective = create_objective("proxy-nca++", FEATURES, 2, scale=500.0).to(dtype)
    with torch.no_grad():
        objective.head.weight.copy_(torch.eye(2, FEATURES))
    features = torch.tensor([[1.0, 0.1], [-0.1, 1.0]], dtype=dtype)
    features = torch.cat([features, features.new_zeros(2, FEATURES - 2)], 1).requires_grad_()
    losses = objective(features, torch.tensor([1, 1]), reduction="none")
    cosines = torch.nn.functional.normalize(features.double())[:, :2]
    expected = torch.nn.functional.cross_entropy(1000 * cosines, torch.tensor([1, 1]), reduction="none")
    torch.testing.assert_close(losses.double(), expected, rtol=2e-3, atol=2e-3)
    losses.sum().backward()
    assert features.grad.isfinite().all() and features.grad[0].any()


def test_margins_are_radians():
    torch.manual_seed(0)
    assert create_objective("arcface", FEATURES, CLASSES).loss.module.margin == math.radians(28.6)
    for name in ("arcface", "subcenter-arcface"):
        objective = create_objective(name, FEATURES, CLASSES, margin=0.5)
        module = objective.loss.module if name == "arcface" else objective.loss
        assert module.margin == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["softtriple", "subcenter-arcface", "arcface"])
def test_half_precision_features_leave_the_parameters_type_alone(name):
    """As autocast gives them to an objective."""
    features, labels = batch()
    objective = create_objective(name, FEATURES, CLASSES)
    with torch.autocast("cpu", torch.bfloat16):
        objective(features.bfloat16(), labels).backward()
    assert all(parameter.dtype == torch.float32 for parameter in objective.parameters())
    assert all(parameter.grad.dtype == torch.float32 for parameter in objective.parameters())
