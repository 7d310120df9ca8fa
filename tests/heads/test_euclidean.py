"""The Euclidean head: distances and gradients, close to a proxy too, in (B, N) memory."""

import numpy as np
import pytest
import reference_retrieval as longhand
import torch
from arrays import rows
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from lossbook.heads import EuclideanHead


def build(device="cpu", dtype=torch.float64, features=6, classes=5, batch=9):
    torch.manual_seed(0)
    head = EuclideanHead(features, classes).to(device, dtype)
    return head, torch.randn(batch, features, device=device, dtype=dtype)


def test_distances(device):
    head, features = build(device)
    proxies = rows(head.weight)
    expected = np.array([[longhand.distance(x, p) for p in proxies] for x in rows(features)])
    assert rows(head.distances(features)) == pytest.approx(expected)
    assert rows(head.similarities(features)) == pytest.approx(-expected)
    assert rows(head(features)) == pytest.approx(-expected)


def test_same_attributes_as_the_other_heads(device):
    head, features = build(device)
    assert head.weight.shape == (5, 6)
    assert head.bias is None
    assert head.threshold().shape == ()
    assert head.threshold().item() == 0
    assert head.threshold().dtype == torch.float64
    assert [name for name, _ in head.named_parameters()] == ["weight"]
    assert repr(head) == "EuclideanHead(in_features=6, num_classes=5, bias=zero)"
    assert torch.equal(head(features), head.similarities(features))


def test_proxies_start_from_a_normal_distribution():
    torch.manual_seed(0)
    weight = EuclideanHead(100, 400).weight.detach()
    assert weight.mean().abs() < 0.002
    assert weight.std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.02)
    assert weight.abs().max() > 3 * weight.std()


# Gradients -------------------------------------------------------------------------------------------------------


def distances_of(features, weight):
    head = EuclideanHead(features.shape[1], len(weight)).double()
    return torch.func.functional_call(head, {"weight": weight}, (features,))


def test_gradcheck():
    head, features = build(batch=3)
    inputs = (features.requires_grad_(), head.weight.detach().requires_grad_())
    assert gradcheck(distances_of, inputs)
    assert gradgradcheck(distances_of, inputs)


def test_the_gradient_has_length_one_towards_the_feature(device):
    head, features = build(device)
    features.requires_grad_()
    for j in range(5):
        (gradient,) = torch.autograd.grad(head.distances(features)[:, j].sum(), features)
        expected = torch.nn.functional.normalize(features.detach() - head.weight[j].detach())
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_at_distance_zero_the_gradient_is_zero(dtype, device):
    head, _ = build(device, dtype)
    features = head.weight[:2].detach().clone().requires_grad_()
    distances = head.distances(features)
    assert distances[0, 0] == distances[1, 1] == 0
    (distances[0, 0] + distances[1, 1]).backward()
    assert not features.grad.any()
    assert not head.weight.grad.any()
    head.distances(features).sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5])
def test_a_nearly_coincident_proxy_keeps_its_relative_precision_in_float32(gap, device):
    """Long vectors a short way apart: |x|^2 - 2 x.p + |p|^2 would be rounding error only."""
    head, _ = build(device, torch.float32, features=64)
    head.weight.data.mul_(50)
    direction = torch.nn.functional.normalize(torch.randn(5, 64, generator=torch.Generator().manual_seed(1))).to(device)
    features = (head.weight.detach() + gap * direction).requires_grad_()
    apart = features.detach().double() - head.weight.detach().double()  # of the float32 numbers that the head sees
    expected = torch.linalg.vector_norm(apart, dim=1)
    assert bool((expected > 0).all())
    own = head.distances(features).diagonal()
    torch.testing.assert_close(own.double(), expected, rtol=1e-5, atol=0)
    own.sum().backward()
    torch.testing.assert_close(features.grad.double(), apart / expected.unsqueeze(1), rtol=0, atol=1e-5)
    torch.testing.assert_close(head.weight.grad.double(), -apart / expected.unsqueeze(1), rtol=0, atol=1e-5)


# Memory, precision, compilation ----------------------------------------------------------------------------------


class Largest(TorchDispatchMode):
    """The most elements in any tensor that an operation returns."""

    elements = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **keywords or {})
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def test_no_tensor_is_larger_than_what_goes_in_or_comes_out():
    head, features = build(features=16, classes=30, batch=20)
    with Largest() as largest:
        head(features.requires_grad_()).sum().backward()
    assert largest.elements == max(20 * 30, 20 * 16, 30 * 16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_memory_is_that_of_the_distances():
    head, features = build("cuda", torch.float32, features=256, classes=2000, batch=500)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    head(features.requires_grad_()).sum().backward()
    assert torch.cuda.max_memory_allocated() - before < 500 * 2000 * 256  # bytes: a quarter of one (B, N, d) tensor


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype, device):
    head, features = build(device, dtype)
    distances = head.distances(features)
    assert distances.dtype == torch.float32
    torch.testing.assert_close(distances, torch.cdist(features.float(), head.weight.float()))


def test_autocast(device):
    head, features = build(device, torch.float32)
    exact = head(features)
    with torch.autocast(device.type, torch.bfloat16):
        value = head(features)
        assert torch.equal(value, exact)
        assert head(features.bfloat16()).dtype == torch.float32
    value.sum().backward()
    assert head.weight.grad.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled(backend, device):
    head, features = build(device)
    features.requires_grad_()
    value = torch.compile(head.distances, backend=backend, fullgraph=True)(features)
    torch.testing.assert_close(value, head.distances(features))
    (gradient,) = torch.autograd.grad(value.square().sum(), features)
    (expected,) = torch.autograd.grad(head.distances(features).square().sum(), features)
    torch.testing.assert_close(gradient, expected)


def test_invariances():
    head, features = build()
    before = head.distances(features)
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q
    shift = torch.randn(6, dtype=torch.float64)
    head.weight.data = head.weight.data @ turn + shift
    torch.testing.assert_close(head.distances(features @ turn + shift), before)
    head.weight.data *= 3
    torch.testing.assert_close(head.distances(3 * (features @ turn + shift)), 3 * before)


def test_what_is_refused():
    for in_features, num_classes in [(0, 5), (6, 1)]:
        with pytest.raises(ValueError, match=f"num_classes >= 2, got {in_features} and {num_classes}"):
            EuclideanHead(in_features, num_classes)
    with pytest.raises(TypeError, match="bias"):
        EuclideanHead(6, 5, bias="unified")
