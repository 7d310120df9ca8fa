"""Head and loss in one pass: half precision, autocast, extreme logits, and distances that a product would lose."""

import copy
from unittest import mock

import numpy as np
import pytest
import torch
from fused_cases import LINEAR, OBJECTIVES, blocks, build, values_and_gradients
from torch.utils._python_dispatch import TorchDispatchMode

from lossbook.heads import CosineHead, EuclideanHead
from lossbook.losses import warped
from lossbook.losses.fused import blocks as blocks_of_classes
from lossbook.losses.fused.binary import binary_cross_entropy
from lossbook.losses.fused.blocks import Precision
from lossbook.losses.fused.distances import euclidean_softmax
from lossbook.losses.fused.samples import Details
from lossbook.losses.fused.subcenters import multicenter_cross_entropy


class Denormals(TorchDispatchMode):
    """The operations that return a number below the smallest normal one, other than 0; new memory is zeros meanwhile."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **keywords or {})
        if function.overloadpacket in (torch.ops.aten.empty, torch.ops.aten.empty_like, torch.ops.aten.new_empty):
            result.zero_()
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                size = tensor.detach().abs()
                if bool(((size > 0) & (size < torch.finfo(tensor.dtype).tiny)).any()):
                    self.found.append(str(function))
        return result


every_objective = pytest.mark.parametrize("name", OBJECTIVES)


@pytest.fixture(autouse=True)
def small_blocks():
    """Several blocks, the last one smaller; 45 samples of 8 features are two groups."""
    with blocks(16):
        yield


@every_objective
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(name, dtype):
    if name == "multicenter":
        pytest.skip("the noise of half precision is another one")
    objective, _, features, labels = build(name, dtype)
    loss, gradients = values_and_gradients(objective, features, labels)
    assert loss.dtype == torch.float32
    assert [g.dtype for g in gradients] == [dtype] * len(gradients)
    exact, exact_gradients = values_and_gradients(copy.deepcopy(objective).double(), features.double(), labels)
    assert loss.item() == pytest.approx(exact.item(), rel=5e-3)  # unit vectors come back in half precision
    for gradient, expected in zip(gradients, exact_gradients, strict=True):
        if expected.norm() > 1e-6:
            assert (gradient.double() - expected).norm() < 0.02 * expected.norm()


@every_objective
def test_autocast(name):
    objective, _, features, labels = build(name, torch.float32)
    exact, _ = values_and_gradients(objective, features, labels)
    torch.manual_seed(2)
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(features, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=2e-2)
    loss.backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in objective.parameters())


@pytest.mark.parametrize("name", ["bce-nd", "soft-nu", "uce", "ce+occe", "multicenter"])
def test_half_precision_products_of_a_gpu(name):
    """On a GPU the operands stay in half precision and the products come back in float32; the CPU has no kernel for this."""
    objective, _, features, labels = build(name, torch.float32)

    def rounded(self, values):
        return values.to(torch.bfloat16)

    def product(a, b, out_dtype):
        return a.to(out_dtype) @ b.to(out_dtype)

    exact = values_and_gradients(objective, features, labels)
    no_units = mock.patch.object(blocks_of_classes, "bfloat16_units", lambda: False)
    with mock.patch.object(Precision, "operand", rounded), mock.patch.object(torch, "mm", product), no_units:
        loss, gradients = values_and_gradients(objective, features, labels)
    assert loss.item() == pytest.approx(exact[0].item(), rel=1e-2)
    for gradient, expected in zip(gradients, exact[1], strict=True):
        assert (gradient - expected).norm() <= 0.02 * expected.norm() + 1e-5


@pytest.mark.parametrize("name", [n for n in OBJECTIVES if "softmax" not in n])
def test_bfloat16_products_of_a_cpu(name):
    """Where the core has units for them (here they are emulated) the operands stay in bfloat16 and so do the products."""
    objective, _, features, labels = build(name, torch.float32)
    exact = values_and_gradients(copy.deepcopy(objective).double(), features.double(), labels)
    if name == "multicenter":  # the noise of float64 is another one
        exact = values_and_gradients(objective, features, labels)
    products = mock.patch.object(torch, "mm", wraps=torch.mm)
    with mock.patch.object(blocks_of_classes, "bfloat16_units", lambda: True), torch.autocast("cpu", torch.bfloat16):
        with products as multiplied:
            loss, gradients = values_and_gradients(objective, features, labels)
        with torch.no_grad():
            torch.manual_seed(2)
            assert objective(features, labels).item() == pytest.approx(loss.item(), rel=1e-5)
    assert all(operand.dtype == torch.bfloat16 for call in multiplied.call_args_list for operand in call.args)
    assert multiplied.call_count >= 6
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact[0].item(), rel=1e-2)
    for gradient, expected in zip(gradients, exact[1], strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - expected).norm() <= 0.02 * expected.norm() + 1e-4


@pytest.mark.parametrize("name", LINEAR)
def test_no_number_on_the_way_is_denormal(name):
    """With logits far apart exponentials and their products would be denormal, which costs some cores a hundredfold."""
    torch.manual_seed(0)
    features, weight = 6 * torch.randn(40, 64), torch.randn(50, 64, requires_grad=True)
    bias = torch.zeros(50, requires_grad=True)
    function, plain = LINEAR[name]
    for details in (None, Details()):
        with Denormals() as denormals:
            options = {} if details is None else {"details": details, "reduction": "sum"}
            loss = function(features.requires_grad_(), weight, torch.arange(40), bias=bias, **options)
            gradients = torch.autograd.grad(loss, (features, weight, bias))
        assert denormals.found == []
    wide = [tensor.detach().double().requires_grad_() for tensor in (features, weight, bias)]
    expected = plain(wide[0] @ wide[1].T + wide[2], torch.arange(40))
    torch.testing.assert_close(loss.double(), 40 * expected)
    for gradient, wanted in zip(gradients, torch.autograd.grad(40 * expected, wide), strict=True):
        torch.testing.assert_close(gradient.double(), wanted, rtol=1e-3, atol=1e-3)


def test_no_number_of_sampled_centres_is_denormal():
    torch.manual_seed(0)
    features, weight, log_var = 6 * torch.randn(40, 64), torch.randn(50, 64), torch.zeros(50, 64)
    with Denormals() as denormals:
        inputs = [tensor.requires_grad_() for tensor in (features, weight, log_var)]
        loss = multicenter_cross_entropy(*inputs, torch.arange(40))
        torch.autograd.grad(loss, inputs)
    assert denormals.found == []


@pytest.mark.parametrize("name", LINEAR)
def test_huge_logits(name):
    features = 1e4 * torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    weight, labels = torch.randn(50, 8, generator=torch.Generator().manual_seed(1)), torch.arange(40)
    one_pass, plain = LINEAR[name]
    loss = one_pass(features, weight.requires_grad_(), labels)
    (gradient,) = torch.autograd.grad(loss, weight)
    expected = plain(features.double() @ weight.double().T, labels)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert gradient.isfinite().all()


def test_small_binary_terms_are_kept():
    """float32's 1 + e^-20 is 1: half of the classes have a tiny loss each."""
    weight = torch.zeros(1000, 1)
    weight[1:] = -20
    loss = binary_cross_entropy(torch.ones(1, 1), weight, torch.tensor([0]), bias=torch.tensor([40.0] + [0.0] * 999))
    assert loss.item() == pytest.approx(999 * np.log1p(np.exp(-20.0)), rel=1e-5)


def test_a_class_vector_of_zeros_has_cosine_zero_and_no_gradient():
    weight = torch.randn(20, 4)
    weight[3] = 0
    for function, plain in list(LINEAR.values())[:2]:
        head = CosineHead(4, 20, "zero", 5.0)
        head.weight.data.copy_(weight)
        features, labels = torch.randn(6, 4), torch.arange(6)
        loss = function(features, head.weight, labels, scale=5.0)
        torch.testing.assert_close(loss, plain(head(features), labels))
        loss.backward()
        assert not head.weight.grad[3].any()
        assert head.weight.grad.isfinite().all()


@every_objective
def test_nan_stays_nan(name):
    objective, _, features, labels = build(name)
    features[1, 2] = torch.nan
    assert objective(features, labels).isnan()


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5, 0.0])
@pytest.mark.parametrize("pairs", [5, 200], ids=["a few near pairs", "many in one block"])
def test_nearly_coincident_proxies_keep_their_precision_in_float32(gap, pairs):
    """Long vectors a short way apart: |x|^2 - 2 x.p + |p|^2 alone would be rounding error."""
    torch.manual_seed(0)
    head = EuclideanHead(64, 40)
    head.weight.data.mul_(50)
    direction = torch.nn.functional.normalize(torch.randn(40, 64))
    labels = torch.arange(pairs) % 40
    if pairs > 40:  # all proxies of a block in one place
        head.weight.data[:] = head.weight.data[0] + gap * torch.randn(40, 64)
    features = (head.weight.detach() + gap * direction)[labels].requires_grad_()
    loss, own = euclidean_softmax(features, head.weight, labels, 0.5)
    exact, wide = copy.deepcopy(head).double(), features.detach().double().requires_grad_()
    distances = exact.distances(wide)
    expected = warped.euclidean_softmax(distances, labels, 0.5)
    assert own.item() == pytest.approx(distances.gather(1, labels.unsqueeze(1)).mean().item(), rel=1e-5, abs=1e-30)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-7)
    gradients = torch.autograd.grad(loss, (features, head.weight))
    wanted = torch.autograd.grad(expected, (wide, exact.weight))
    for gradient, right in zip(gradients, wanted, strict=True):
        assert gradient.isfinite().all()
        assert (gradient - right).norm() <= 1e-4 * right.norm() + 1e-8
