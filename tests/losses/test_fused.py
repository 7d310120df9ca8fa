"""Head and loss in one pass: the values and gradients of the plain path, in less memory, and what is refused."""

import contextlib
import copy
from unittest import mock

import numpy as np
import pytest
import reference_heads
import reference_multicenter
import reference_onecold
import reference_retrieval
import reference_uniform as ref
import reference_warped
import torch
from arrays import rows
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from lossbook.heads import CosineHead, EuclideanHead, MultiCenterHead
from lossbook.losses import fused, multicenter, onecold, uniform, warped
from lossbook.losses.fused import distances, products
from lossbook.losses.fused.binary import binary_cross_entropy
from lossbook.losses.fused.blocks import Precision, sample_groups
from lossbook.losses.fused.distances import euclidean_softmax
from lossbook.losses.fused.softmax import cross_entropy, cross_entropy_with_one_cold, one_cold_cross_entropy
from lossbook.losses.fused.subcenters import multicenter_cross_entropy
from lossbook.objectives import create_objective

TABLE_ONE = [f"{formula}-{variant}" for formula in ("soft", "bce") for variant in ("0", "d", "u", "n0", "nd", "nu")]
OBJECTIVES = {name: {"scale": 6.0} if "-n" in name else {} for name in TABLE_ONE}
OBJECTIVES |= {
    "bce-di": {},
    "uce": {"scale": 6.0, "margin": 0.3},
    "occe": {},
    "ce+occe": {"occe_weight": 0.3},
    "normalized-softmax": {"temperature": 0.2},
    "euclidean-softmax": {"temperature": 2.0},
    "warped-softmax": {"alpha": 3.0, "temperature": 0.7},
    "multicenter": {"num_subcenters": 2, "label_smoothing": 0.1, "kl_weight": 0.0},
}
every_objective = pytest.mark.parametrize("name", OBJECTIVES)
BATCH, FEATURES, CLASSES = 45, 8, 50


@contextlib.contextmanager
def blocks(size: int):
    with (
        mock.patch.object(products, "block_size", lambda *_: size),
        mock.patch.object(distances, "block_size", lambda *_: size),
    ):
        yield


@pytest.fixture(autouse=True)
def small_blocks():
    """Several blocks, the last one smaller; 45 samples of 8 features are two groups."""
    with blocks(16):
        yield


def build(name: str, dtype=torch.float64, device="cpu"):
    """The objective in one pass and the plain one, features and labels; biases away from zero."""
    torch.manual_seed(1)
    plain = create_objective(name, FEATURES, CLASSES, **OBJECTIVES[name])
    torch.manual_seed(1)
    with mock.patch.object(fused, "LARGE", 0):
        one_pass = create_objective(name, FEATURES, CLASSES, **OBJECTIVES[name])
    if plain.head.bias is not None:
        torch.nn.init.uniform_(plain.head.bias, 0.5, 2.0)
    one_pass.load_state_dict(plain.state_dict())
    assert plain.fused_loss is None
    assert one_pass.fused_loss is not None
    features = torch.randn(BATCH, FEATURES, dtype=dtype, device=device)
    labels = torch.randint(CLASSES, (BATCH,)).to(device)
    return one_pass.to(device, dtype), plain.to(device, dtype), features, labels


def values_and_gradients(objective, features, labels, factor=1.0):
    """With the same noise each time."""
    torch.manual_seed(2)
    features = features.clone().requires_grad_()
    loss = objective(features, labels)
    return loss.detach(), torch.autograd.grad(factor * loss, (features, *objective.parameters()))


# Values and gradients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in OBJECTIVES if n in TABLE_ONE])
def test_table_one(name, device):
    objective, _, features, labels = build(name, device=device)
    weight, bias = rows(objective.head.weight), None
    if objective.head.bias is not None:
        bias = rows(objective.head.bias)
    expected = ref.table_one(name, rows(features), weight, bias, labels.tolist(), gamma=6.0)
    assert objective(features, labels).item() == pytest.approx(expected, rel=1e-12)


def logits_of(objective, features):
    return (rows(features) @ rows(objective.head.weight).T).tolist()


def test_other_longhand_values(device):
    objective, _, features, labels = build("bce-di", device=device)
    bias = objective.head.bias.tolist()
    expected = ref.batch_mean(ref.bce_di, logits_of(objective, features), labels.tolist(), bias)
    assert objective(features, labels).item() == pytest.approx(expected, rel=1e-12)

    objective, _, features, labels = build("uce", device=device)
    cosines = [reference_heads.cosine(x, rows(objective.head.weight), 6.0) for x in rows(features)]
    logits = np.array(cosines) - objective.head.bias.item()
    expected = ref.batch_mean(ref.uce, logits, labels.tolist(), 0.3, 6.0)
    assert objective(features, labels).item() == pytest.approx(expected, rel=1e-12)

    objective, _, features, labels = build("ce+occe", device=device)
    logits = np.array(logits_of(objective, features)) + rows(objective.head.bias)
    base = reference_onecold.batch_mean(reference_onecold.cross_entropy, logits, labels.tolist())
    one_cold = reference_onecold.batch_mean(reference_onecold.occe, logits, labels.tolist())
    assert objective(features, labels).item() == pytest.approx(base + 0.3 * one_cold, rel=1e-12)
    assert objective.measured["loss_base"].item() == pytest.approx(base, rel=1e-12)
    assert objective.measured["loss_occe"].item() == pytest.approx(one_cold, rel=1e-12)


def test_longhand_values_of_proxy_losses(device):
    objective, _, features, labels = build("warped-softmax", device=device)
    proxies = rows(objective.head.weight)
    distances = [[reference_retrieval.distance(x, p) for p in proxies] for x in rows(features)]
    arguments = {"alpha": 3.0, "k1": 0.93, "k2": 1.15, "temperature": 0.7, "margin": 1.3}
    expected = np.mean([reference_warped.eq_8(row, y, **arguments) for row, y in zip(distances, labels.tolist(), strict=True)])
    assert objective(features, labels).item() == pytest.approx(expected, rel=1e-12)
    own = np.mean([row[y] for row, y in zip(distances, labels.tolist(), strict=True)])
    assert objective.measured["avg_dtp"].item() == pytest.approx(own, rel=1e-12)

    objective, _, features, labels = build("multicenter")
    torch.manual_seed(3)
    loss = objective(features, labels)
    torch.manual_seed(3)
    centers = rows(objective.head.centers())
    logits = np.einsum("bd,ckd->bck", rows(features), centers)
    expected = reference_multicenter.batch_cross_entropy(logits, labels.tolist(), 0.5, 0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@every_objective
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=["float64", "float32"])
def test_the_plain_path_has_the_same_values_and_gradients(name, dtype, tolerance, device):
    one_pass, plain, features, labels = build(name, dtype, device)
    loss, gradients = values_and_gradients(one_pass, features, labels, factor=3.0)
    expected, expected_gradients = values_and_gradients(plain, features, labels, factor=3.0)
    torch.testing.assert_close(loss, expected, rtol=tolerance, atol=0)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        scale = max(1e-2, wanted.norm().item())  # the bias of soft-u has none
        torch.testing.assert_close(gradient / scale, wanted / scale, rtol=0, atol=tolerance)


LINEAR = {
    "bce": (binary_cross_entropy, uniform.binary_cross_entropy),
    "softmax": (cross_entropy, uniform.cross_entropy),
    "occe": (one_cold_cross_entropy, onecold.one_cold_cross_entropy),
    "both": (
        lambda *a, **k: cross_entropy_with_one_cold(*a, **k, one_cold_weight=2.0)[0],
        lambda *a: uniform.cross_entropy(*a) + 2 * onecold.one_cold_cross_entropy(*a),
    ),
}


@pytest.mark.parametrize("name", LINEAR)
@given(batch=st.integers(1, 70), classes=st.integers(2, 40), features=st.integers(1, 9), size=st.integers(1, 50), data=st.data())
def test_any_shape_and_any_block(name, batch, classes, features, size, data):
    scale = data.draw(st.none() | st.floats(0.5, 20))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    draw = {"generator": generator, "dtype": torch.float64}
    x, weight, bias = torch.randn(batch, features, **draw), torch.randn(classes, features, **draw), torch.randn(classes, **draw)
    labels = torch.randint(classes, (batch,), generator=generator)
    inputs = [t.requires_grad_() for t in (x, weight, bias)]
    one_pass, plain = LINEAR[name]
    with blocks(size):
        loss = one_pass(x, weight, labels, bias=bias, scale=scale)
    normalise = torch.nn.functional.normalize
    metrics = x @ weight.T if scale is None else scale * normalise(x) @ normalise(weight).T
    expected = plain(metrics + bias, labels)
    torch.testing.assert_close(loss, expected)
    gradients = zip(torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True)
    for gradient, wanted in gradients:
        torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("scale", [None, 3.0])
def test_gradcheck(name, scale):
    torch.manual_seed(0)
    labels = torch.randint(20, (40,))

    def loss(features, weight, bias):
        return LINEAR[name][0](features, weight, labels, bias=bias, scale=scale)

    shapes = [(40, 3), (20, 3), (20,)]
    assert gradcheck(loss, [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes], fast_mode=True)


def test_gradcheck_of_the_sample_bias_and_the_margin():
    torch.manual_seed(0)
    labels = torch.randint(20, (6,))

    def loss(features, weight, sample_bias):
        return binary_cross_entropy(features, weight, labels, sample_bias=sample_bias, margin=0.7)

    assert gradcheck(loss, [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in [(6, 3), (20, 3), (6,)]])


def test_gradcheck_of_proxy_losses():
    torch.manual_seed(0)
    features, weight, log_var = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (6, 20, 20))
    labels = torch.randint(20, (6,))

    def square(own):
        return own.square()

    def distances(features, weight):
        return euclidean_softmax(features, weight, labels, 1.5, square)[0]

    def sampled(features, weight, log_var):
        generator = torch.Generator().manual_seed(4)
        return multicenter_cross_entropy(features, weight, log_var, labels, 3, 0.8, generator, 0.4, 0.1)

    assert gradcheck(distances, (features, weight))
    assert gradcheck(sampled, (features, weight, log_var))


@every_objective
def test_a_retained_graph_can_be_used_again(name):
    objective, _, features, labels = build(name)
    inputs = (features.requires_grad_(), *objective.parameters())
    loss = objective(features, labels)
    first, second = (torch.autograd.grad(loss, inputs, retain_graph=True) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    loss.backward(retain_graph=True)
    loss.backward()
    for tensor, gradient in zip(inputs, first, strict=True):
        torch.testing.assert_close(tensor.grad, 2 * gradient)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_the_gradient_exists_once():
    """The backward hands over the tensor of the forward; without a retained graph it becomes ``weight.grad`` itself."""
    objective, _, features, labels = build("bce-0")
    loss = objective(features, labels)
    address = loss.grad_fn.gradients[1].data_ptr()
    loss.backward()
    assert objective.head.weight.grad.data_ptr() == address


@every_objective
def test_second_derivatives_are_refused(name):
    objective, _, features, labels = build(name)
    loss = objective(features.requires_grad_(), labels)
    with pytest.raises(RuntimeError, match=r"no second derivatives \(create_graph=True\): take the plain loss"):
        torch.autograd.grad(loss, features, create_graph=True)


# What is formed ----------------------------------------------------------------------------------------------------


class Largest(TorchDispatchMode):
    """The most elements in any tensor that an operation returns."""

    elements = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **keywords or {})
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() >= tensor.nbytes:
                self.elements = max(self.elements, tensor.numel())
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


# Precision ---------------------------------------------------------------------------------------------------------


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
    """There the operands stay in half precision and the products come back in float32, which the CPU has no kernel for."""
    objective, _, features, labels = build(name, torch.float32)

    def rounded(self, values):
        return values.to(torch.bfloat16)

    def product(a, b, out_dtype):
        return a.to(out_dtype) @ b.to(out_dtype)

    exact = values_and_gradients(objective, features, labels)
    with mock.patch.object(Precision, "operand", rounded), mock.patch.object(torch, "mm", product):
        loss, gradients = values_and_gradients(objective, features, labels)
    assert loss.item() == pytest.approx(exact[0].item(), rel=1e-2)
    for gradient, expected in zip(gradients, exact[1], strict=True):
        assert (gradient - expected).norm() <= 0.02 * expected.norm() + 1e-5


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


# Distances and sub-centres -----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("subcenters", [1, 2, 3])
def test_the_noise_is_the_heads_and_the_generator_goes_on_as_after_it(subcenters):
    head = MultiCenterHead(16, 50, subcenters, sigma_scale=0.5, generator=torch.Generator().manual_seed(7))
    features, labels = torch.randn(9, 16), torch.arange(9)
    loss = multicenter_cross_entropy(
        features, head.weight, head.log_var, labels, subcenters, 0.5, torch.Generator().manual_seed(7)
    )
    torch.testing.assert_close(loss, multicenter.multicenter_cross_entropy(head(features), labels))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        multicenter_cross_entropy(features, head.weight, head.log_var, labels, subcenters, 0.5, generator)
    assert torch.equal(generator.get_state(), head.generator.get_state())
    another = multicenter_cross_entropy(features, head.weight, head.log_var, labels, subcenters, 0.5, generator)
    assert another != loss


# Objectives --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bce-nu", "soft-d", "ce+occe"])
def test_many_classes_take_the_one_pass(name):
    torch.manual_seed(0)
    few, many = (create_objective(name, 2, n) for n in (fused.LARGE - 1, fused.LARGE))
    assert few.fused_loss is None
    assert many.fused_loss is not None
    with mock.patch.object(many.head, "forward", side_effect=AssertionError("the logits are formed")):
        many(torch.randn(3, 2), torch.arange(3)).backward()
    assert torch.equal(many.logits(torch.ones(1, 2)), many.head(torch.ones(1, 2)))


@pytest.mark.parametrize("name", ["bce-nd", "soft-d", "warped-softmax"])
def test_steps_of_an_optimizer_agree(name):
    one_pass, plain, features, labels = build(name)
    for objective in (one_pass, plain):
        optimizer = torch.optim.SGD(objective.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimizer.zero_grad()
            objective(features, labels).backward()
            optimizer.step()
    for parameter, expected in zip(one_pass.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(parameter, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_compiled(device):
    objective, _, features, labels = build("bce-nd", device=device)
    expected = objective(features, labels)
    torch.testing.assert_close(torch.compile(objective, backend="aot_eager")(features, labels), expected)


# Input -------------------------------------------------------------------------------------------------------------

X, W, Y = torch.zeros(2, 3), torch.zeros(4, 3), torch.tensor([0, 3])
BAD_INPUT = {
    "sizes": (torch.zeros(2, 5), W, Y, ValueError, r"features \(B, d\) and a weight \(N, d\), got \(2, 5\) and \(4, 3\)"),
    "features 1-D": (torch.zeros(3), W, Y, ValueError, r"features \(B, d\).*got \(3,\)"),
    "integers": (X.long(), W, Y, TypeError, "floating-point features and weight, got torch.int64"),
    "label too large": (X, W, torch.tensor([0, 4]), ValueError, r"within 0\.\.3, got values from 0 to 4"),
    "labels int32": (X, W, Y.int(), TypeError, "torch.int64, got torch.int32"),
    "batch sizes differ": (X, W, torch.tensor([0]), ValueError, r"labels of shape \(2,\)"),
    "one class": (X, W[:1], torch.tensor([0, 0]), ValueError, "N >= 2 classes"),
    "empty batch": (X[:0], W, Y[:0], ValueError, "B >= 1"),
}
FUNCTIONS = {
    "bce": binary_cross_entropy,
    "softmax": cross_entropy,
    "occe": one_cold_cross_entropy,
    "both": cross_entropy_with_one_cold,
    "euclidean": euclidean_softmax,
    "multicenter": lambda x, w, y: multicenter_cross_entropy(x, w, torch.zeros_like(w), y),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
@pytest.mark.parametrize(("features", "weight", "labels", "error", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input(function, features, weight, labels, error, message):
    with pytest.raises(error, match=message):
        function(features, weight, labels)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"bias of shape \(1,\) or \(4,\), got \(2,\)"):
        cross_entropy(X, W, Y, bias=torch.zeros(2))
    with pytest.raises(ValueError, match=r"sample_bias of shape \(2,\), got \(4,\)"):
        binary_cross_entropy(X, W, Y, sample_bias=torch.zeros(4))
    with pytest.raises(ValueError, match="scale > 0, got 0"):
        binary_cross_entropy(X, W, Y, scale=0)
    with pytest.raises(ValueError, match="one_cold_weight > 0, got 0"):
        cross_entropy_with_one_cold(X, W, Y, one_cold_weight=0)
    with pytest.raises(ValueError, match="temperature must be positive, got -1"):
        euclidean_softmax(X, W, Y, temperature=-1)
    with pytest.raises(ValueError, match=r"log_var of the weight's shape \(4, 3\), got \(2, 3\)"):
        multicenter_cross_entropy(X, W, X, Y)
    with pytest.raises(ValueError, match=r"num_subcenters >= 1.*got 0, 0\.5 and 0"):
        multicenter_cross_entropy(X, W, W, Y, 0)
