"""Head and loss in one pass: which tensors and which gradients are formed."""

from unittest import mock

import pytest
import torch
from fused_cases import LINEAR, OBJECTIVES, blocks, build
from torch.utils._python_dispatch import TorchDispatchMode

from lossbook.losses import fused, uniform
from lossbook.losses.fused import blocks as blocks_of_classes
from lossbook.losses.fused import products
from lossbook.losses.fused.binary import binary_cross_entropy
from lossbook.losses.fused.blocks import sample_groups
from lossbook.losses.fused.softmax import cross_entropy, one_cold_cross_entropy
from lossbook.losses.fused.subcenters import multicenter_cross_entropy
from lossbook.objectives import create_objective

every_objective = pytest.mark.parametrize("name", OBJECTIVES)


@pytest.fixture(autouse=True)
def small_blocks():
    """Several blocks, the last one smaller; 45 samples of 8 features are two groups."""
    with blocks(16):
        yield


class Largest(TorchDispatchMode):
    """The most elements in any tensor that an operation returns."""

    elements = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **keywords or {})
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() >= tensor.nbytes:
                self.elements = max(self.elements, tensor.numel())
        return result


class Storages(TorchDispatchMode):
    """Where the memory of at least ``size`` bytes lies that operations return."""

    def __init__(self, size):
        super().__init__()
        self.size, self.found = size, set()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **keywords or {})
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() >= self.size:
                self.found.add(tensor.untyped_storage().data_ptr())
        return result


@every_objective
def test_no_tensor_is_larger_than_the_weights_gradient_or_a_groups_logits(name):
    torch.manual_seed(0)
    with mock.patch.object(fused, "LARGE", 0):
        objective = create_objective(name, 16, 400, **OBJECTIVES[name])
    features, labels = torch.randn(200, 16, requires_grad=True), torch.randint(400, (200,))
    allowed = 400 * 16 if name.startswith(("bce", "uce")) else 400 * 32
    if name == "multicenter":
        allowed = 400 * 3 * 200  # the logits of one group, but no sub-centres
    with Largest() as largest:
        objective(features, labels).backward()
    assert largest.elements <= allowed
    with torch.no_grad(), Largest() as largest:
        objective(features, labels)
    assert largest.elements <= max(400 * 16, 48 * 200)  # or a block's logits


@pytest.mark.parametrize("name", [*LINEAR, "multicenter"])
def test_bfloat16_products_wait_in_the_memory_of_the_gradient(name):
    """On a core with units for bfloat16 (here emulated) the logits take no memory of their own."""
    torch.manual_seed(0)
    features, weight = (torch.randn(n, 96, requires_grad=True) for n in (60, 400))
    log_var = torch.randn(400, 96)
    labels = torch.randint(400, (60,))

    def gradients(x, w, v):
        generator = torch.Generator().manual_seed(3)
        if name == "multicenter":
            loss = multicenter_cross_entropy(x, w, v, labels, 2, 0.1, generator)
        else:
            loss = LINEAR[name][0](x, w, labels, scale=8.0 if name == "softmax" else None)
        return loss.detach(), *torch.autograd.grad(loss, (x, w))

    expected = gradients(features, weight, log_var)
    on_units = mock.patch.object(blocks_of_classes, "bfloat16_units", lambda: True)
    with on_units, torch.autocast("cpu", torch.bfloat16), Storages(2 * 400 * 60) as storages:
        found = gradients(features, weight, log_var)
    inputs = {tensor.untyped_storage().data_ptr() for tensor in (weight, log_var)}
    assert storages.found - inputs == {found[2].untyped_storage().data_ptr()}
    for a, b in zip(found, expected, strict=True):
        assert (a - b).norm() <= 0.02 * b.norm() + 1e-4


def test_no_tensor_of_subcenters_exists():
    """With few samples the logits are small, and nothing else is as large as one draw of the noise."""
    torch.manual_seed(0)
    weight, log_var = (torch.randn(400, 16, requires_grad=True) for _ in range(2))
    with Largest() as largest:
        multicenter_cross_entropy(torch.randn(2, 16), weight, log_var, torch.arange(2), 4).backward()
    assert largest.elements == 400 * 16


@pytest.mark.parametrize(("needs", "formed"), [((True, True), 3), ((False, True), 2), ((True, False), 2), ((False, False), 1)])
@pytest.mark.parametrize("function", [binary_cross_entropy, cross_entropy])
def test_a_gradient_that_nobody_needs_is_not_formed(function, needs, formed):
    features, weight = (torch.randn(9, 4, requires_grad=need) for need in needs)
    labels = torch.arange(9)
    with blocks(9), mock.patch.object(products, "product_into", wraps=products.product_into) as product:
        loss = function(features, weight, labels)
    assert product.call_count == formed
    assert loss.requires_grad == any(needs)
    if loss.requires_grad:
        loss.backward()
    assert (features.grad is not None, weight.grad is not None) == needs


def test_without_gradients_only_the_loss_is_formed():
    features, weight = (torch.randn(9, 4, requires_grad=True) for _ in range(2))
    for function in (binary_cross_entropy, cross_entropy, one_cold_cross_entropy):
        for scale in (None, 2.0):
            expected = function(features, weight, torch.arange(9), scale=scale)
            with torch.no_grad(), mock.patch.object(products, "product_into", wraps=products.product_into) as product:
                loss = function(features, weight, torch.arange(9), scale=scale)
            assert product.call_count == 1
            assert not loss.requires_grad
            torch.testing.assert_close(loss, expected.detach())


def test_a_bias_alone_can_be_trained():
    features, weight, bias = torch.randn(9, 4), torch.randn(9, 4), torch.zeros(9, requires_grad=True)
    for function in (binary_cross_entropy, cross_entropy):
        (gradient,) = torch.autograd.grad(function(features, weight, torch.arange(9), bias=bias), bias)
        plain = uniform.binary_cross_entropy if function is binary_cross_entropy else uniform.cross_entropy
        (expected,) = torch.autograd.grad(plain(features @ weight.T + bias, torch.arange(9)), bias)
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("features", [8, 128, 512, 4096])
def test_groups_of_samples_are_never_small(features):
    for samples in range(1, 700):
        sizes = [g.stop - g.start for g in sample_groups(samples, features)]
        assert sum(sizes) == samples
        assert max(sizes) <= max(32, features // 4)
        assert min(sizes) >= min(samples, 10)


def test_the_gradient_exists_once():
    """The backward hands over the tensor of the forward; without a retained graph it becomes ``weight.grad`` itself."""
    objective, _, features, labels = build("bce-0")
    loss = objective(features, labels)
    address = loss.grad_fn.gradients[1].data_ptr()
    loss.backward()
    assert objective.head.weight.grad.data_ptr() == address
