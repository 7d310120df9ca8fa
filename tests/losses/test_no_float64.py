"""On a device without float64 no tensor of it is made; here the CPU plays such a device."""

import pytest
import torch
from fused_cases import OBJECTIVES, build, values_and_gradients
from torch.utils._python_dispatch import TorchDispatchMode

from lossbook import precision
from lossbook.heads import EuclideanHead
from lossbook.losses import baselines, longtail
from lossbook.losses.fused.samples import Details
from lossbook.losses.fused.softmax import cross_entropy


class NoFloat64(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **keywords or {})
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64:
                raise AssertionError(f"{function} makes float64")
        return result


@pytest.fixture
def without_float64(monkeypatch):
    def check(call):
        expected = call()
        with pytest.raises(AssertionError, match="makes float64"), NoFloat64():
            call()
        monkeypatch.setattr(precision, "WITHOUT_FLOAT64", frozenset({"cpu"}))
        with NoFloat64():
            found = call()
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)

    return check


@pytest.mark.parametrize("name", OBJECTIVES)
def test_fused_losses(name, without_float64):
    objective, _, features, labels = build(name, torch.float32)

    def call():
        loss, gradients = values_and_gradients(objective, features, labels)
        return loss, *gradients

    without_float64(call)


def test_what_else_a_fused_loss_tells(without_float64):
    torch.manual_seed(0)
    features, weight = torch.randn(9, 4, requires_grad=True), torch.randn(9, 4)

    def call():
        details = Details()
        loss = cross_entropy(features, weight, torch.arange(9), sample_weight=torch.rand(9).fill_(0.5), details=details)
        return *torch.autograd.grad(loss, features), details.losses

    without_float64(call)


def test_distances(without_float64):
    head, features = EuclideanHead(4, 9), torch.randn(5, 4)
    without_float64(lambda: torch.autograd.grad(head(features).logsumexp(1).sum(), head.weight))


def test_class_balanced_weights(without_float64):
    logits, labels, counts = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.tensor([900, 30, 1])
    without_float64(lambda: [longtail.class_balanced_focal(logits, labels, counts)])


def test_calibration_bins(without_float64):
    confidences = torch.rand(50)
    without_float64(lambda: baselines.calibration_bins(confidences, confidences > 0.5, 5))
