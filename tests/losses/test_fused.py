"""Head and loss in one pass: the values and gradients of the plain path, and what is refused."""

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
from fused_cases import LINEAR, OBJECTIVES, TABLE_ONE, blocks, build, values_and_gradients
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from lossbook.heads import MultiCenterHead
from lossbook.losses import fused, multicenter
from lossbook.losses.fused.binary import binary_cross_entropy
from lossbook.losses.fused.distances import euclidean_softmax
from lossbook.losses.fused.softmax import cross_entropy, cross_entropy_with_one_cold, one_cold_cross_entropy
from lossbook.losses.fused.subcenters import multicenter_cross_entropy
from lossbook.objectives import create_objective

every_objective = pytest.mark.parametrize("name", OBJECTIVES)


@pytest.fixture(autouse=True)
def small_blocks():
    """Several blocks, the last one smaller; 45 samples of 8 features are two groups."""
    with blocks(16):
        yield


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


@every_objective
def test_second_derivatives_are_refused(name):
    objective, _, features, labels = build(name)
    loss = objective(features.requires_grad_(), labels)
    with pytest.raises(RuntimeError, match=r"no second derivatives \(create_graph=True\): take the plain loss"):
        torch.autograd.grad(loss, features, create_graph=True)


# Distances and sub-centres -----------------------------------------------------------------------------------------


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
