"""Head and loss in one pass: reductions, weights of samples, soft targets, and what else the pass can tell."""

from __future__ import annotations

import functools

import pytest
import torch
from fused_cases import blocks
from torch import Tensor

from lossbook.losses import multicenter, onecold, uniform, warped
from lossbook.losses.checks import reduce
from lossbook.losses.fused.binary import binary_cross_entropy
from lossbook.losses.fused.distances import euclidean_softmax
from lossbook.losses.fused.samples import Details
from lossbook.losses.fused.softmax import cross_entropy, cross_entropy_with_one_cold, one_cold_cross_entropy
from lossbook.losses.fused.subcenters import multicenter_cross_entropy
from lossbook.objectives import create_objective

BATCH, FEATURES, CLASSES = 45, 8, 50
SHAPE = {"alpha": 3.0, "k1": 0.93, "k2": 1.15, "margin": 1.3}


@pytest.fixture(autouse=True)
def small_blocks():
    """Several blocks, the last one smaller; 45 samples of 8 features are two groups."""
    with blocks(16):
        yield


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def linear(features: Tensor, weight: Tensor, bias: Tensor, scale: float | None = None) -> Tensor:
    if scale is None:
        return features @ weight.T + bias
    normalise = torch.nn.functional.normalize
    return scale * normalise(features) @ normalise(weight).T + bias


def distances(features: Tensor, weight: Tensor, _: Tensor) -> Tensor:
    return (features.unsqueeze(1) - weight).norm(dim=2)


def both(logits: Tensor, labels: Tensor, **options: str) -> Tensor:
    one_cold = onecold.one_cold_cross_entropy(logits, labels, **options)
    return uniform.cross_entropy(logits, labels, **options) + 2 * one_cold


def sampled(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    noise = torch.randn(CLASSES, 2, FEATURES, generator=generator(), dtype=weight.dtype)
    subcenters = multicenter.sample_subcenters(weight, bias.unsqueeze(1).expand_as(weight), noise, 0.8)
    return torch.einsum("bd,ckd->bck", features, torch.cat([weight.unsqueeze(1), subcenters], 1))


def in_one_pass_sampled(features: Tensor, weight: Tensor, labels: Tensor, bias: Tensor, **options: object) -> Tensor:
    log_var = bias.unsqueeze(1).expand_as(weight)
    return multicenter_cross_entropy(features, weight, log_var, labels, 2, 0.8, generator(), 0.4, 0.1, **options)


def own_bias(features: Tensor, weight: Tensor, labels: Tensor, bias: Tensor, **options: object) -> Tensor:
    return binary_cross_entropy(features, weight, labels, sample_bias=bias[:BATCH], margin=0.3, **options)


def with_own_bias(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return features @ weight.T + bias[:BATCH].unsqueeze(1)


def with_margin(logits: Tensor, labels: Tensor, **options: str) -> Tensor:
    return uniform.uce(logits, labels, 0.3, 1.0, **options)


# (in one pass, logits, the plain loss of the logits, whether it takes soft targets)
CASES = {
    "bce": (binary_cross_entropy, linear, uniform.binary_cross_entropy, True),
    "bce of cosines": (
        functools.partial(binary_cross_entropy, scale=4.0),
        functools.partial(linear, scale=4.0),
        uniform.binary_cross_entropy,
        True,
    ),
    "bce, own bias and margin": (own_bias, with_own_bias, with_margin, False),
    "softmax": (cross_entropy, linear, uniform.cross_entropy, True),
    "softmax of cosines": (
        functools.partial(cross_entropy, scale=4.0),
        functools.partial(linear, scale=4.0),
        uniform.cross_entropy,
        True,
    ),
    "occe": (one_cold_cross_entropy, linear, onecold.one_cold_cross_entropy, True),
    "both": (lambda *a, **o: cross_entropy_with_one_cold(*a, **o, one_cold_weight=2.0)[0], linear, both, True),
    "euclidean": (
        lambda x, w, y, bias, **o: euclidean_softmax(x, w, y, 1.5, **o)[0],
        distances,
        functools.partial(warped.euclidean_softmax, temperature=1.5),
        True,
    ),
    "warped": (
        lambda x, w, y, bias, **o: euclidean_softmax(x, w, y, 1.5, functools.partial(warped.warp, **SHAPE), **o)[0],
        distances,
        functools.partial(warped.warped_softmax, temperature=1.5, **SHAPE),
        False,
    ),
    "multicenter": (
        in_one_pass_sampled,
        sampled,
        functools.partial(multicenter.multicenter_cross_entropy, center_weight=0.4, label_smoothing=0.1),
        True,
    ),
}
every_loss = pytest.mark.parametrize(("one_pass", "logits", "plain", "soft"), CASES.values(), ids=CASES.keys())


def draw() -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]:
    """Features, weight and bias; labels; soft targets; weights of the samples, one of them 0."""
    torch.manual_seed(0)
    shapes = [(BATCH, FEATURES), (CLASSES, FEATURES), (CLASSES,)]
    inputs = tuple(torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes)
    targets = (4 * torch.randn(BATCH, CLASSES, dtype=torch.float64)).softmax(1)
    weights = torch.rand(BATCH, dtype=torch.float64).index_fill(0, torch.tensor([5]), 0.0)
    return inputs, torch.randint(CLASSES, (BATCH,)), targets, weights


def gradients(loss: Tensor, inputs: tuple[Tensor, ...], pull: Tensor | None) -> list[Tensor]:
    found = torch.autograd.grad(loss, inputs, pull, allow_unused=True)
    return [torch.zeros_like(x) if gradient is None else gradient for x, gradient in zip(inputs, found, strict=True)]


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("targets", ["labels", "soft"])
def test_the_plain_loss_has_the_same_values_and_gradients(one_pass, logits, plain, soft, reduction, weighted, targets):
    inputs, labels, shares, weights = draw()
    if targets == "soft":
        if not soft:
            pytest.skip("the loss takes labels only")
        labels = shares
    weights = weights if weighted else None
    features, weight, bias = inputs
    details = Details()
    loss = one_pass(features, weight, labels, bias=bias, reduction=reduction, sample_weight=weights, details=details)
    z = logits(*inputs)
    losses = plain(z, labels, reduction="none")
    expected = reduce(losses, reduction, weights)
    torch.testing.assert_close(loss, expected)
    pull = torch.randn_like(expected)
    for found, wanted in zip(gradients(loss, inputs, pull), gradients(expected, inputs, pull), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)

    torch.testing.assert_close(details.losses, losses.detach())
    predicting = z[:, :, 0] if z.ndim == 3 else -z if logits is distances else z
    assert torch.equal(details.predictions, predicting.argmax(1))
    right = details.predictions == (labels.argmax(1) if targets == "soft" else labels)
    assert details.right == right.sum() and details.right.dtype == torch.int64
    assert not details.losses.requires_grad


@every_loss
def test_what_else_is_asked_for_does_not_change_the_loss(one_pass, logits, plain, soft):
    (features, weight, bias), labels, _, _ = draw()
    inputs = tuple(x.detach().float().requires_grad_() for x in (features, weight, bias))
    results = []
    for options in ({}, {"details": Details()}, {"reduction": "mean"}):
        loss = one_pass(inputs[0], inputs[1], labels, bias=inputs[2], **options)
        results.append([loss, *gradients(loss, inputs, None)])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
    nothing = one_pass(inputs[0], inputs[1], labels, bias=inputs[2], sample_weight=torch.zeros(BATCH))
    assert nothing == 0
    assert not any(gradient.any() for gradient in gradients(nothing, inputs, None))


@every_loss
def test_without_gradients(one_pass, logits, plain, soft):
    inputs, labels, _, weights = draw()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            features, weight, bias = (x.clone() for x in inputs)
            details = Details()
            losses = one_pass(features, weight, labels, bias=bias, reduction="none", details=details)
            expected = plain(logits(features, weight, bias), labels, reduction="none")
            mean = one_pass(features, weight, labels, bias=bias, sample_weight=weights)
        assert not losses.requires_grad
        torch.testing.assert_close(losses, expected)
        torch.testing.assert_close(details.losses, expected)
        torch.testing.assert_close(mean, reduce(expected, "mean", weights))


@every_loss
def test_losses_per_sample_can_be_pulled_again(one_pass, logits, plain, soft):
    inputs, labels, _, _ = draw()
    features, weight, bias = inputs
    losses = one_pass(features, weight, labels, bias=bias, reduction="none")
    for sample in (3, 40):
        found = torch.autograd.grad(losses[sample], weight, retain_graph=True)[0]
        wanted = torch.autograd.grad(plain(logits(*inputs), labels, reduction="none")[sample], weight)[0]
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(losses.sum(), weight, create_graph=True)


def test_the_parts_are_reduced_alike():
    (features, weight, bias), labels, _, weights = draw()
    for reduction in ("mean", "sum", "none"):
        options = {"reduction": reduction, "sample_weight": weights}
        loss, first, second = cross_entropy_with_one_cold(features, weight, labels, bias, one_cold_weight=2.0, **options)
        torch.testing.assert_close(loss, first + 2 * second)
        plain = uniform.cross_entropy(linear(features, weight, bias), labels, reduction="none")
        torch.testing.assert_close(first, reduce(plain, reduction, weights).detach())


def test_the_mean_distance_to_soft_targets():
    (features, weight, bias), _, targets, _ = draw()
    _, own = euclidean_softmax(features, weight, targets)
    torch.testing.assert_close(own, (targets * distances(features, weight, bias)).sum(1).mean().detach())


@every_loss
def test_bad_options(one_pass, logits, plain, soft):
    (features, weight, bias), labels, targets, weights = draw()

    def call(labels: Tensor = labels, **options: object) -> Tensor:
        return one_pass(features, weight, labels, bias=bias, **options)

    with pytest.raises(ValueError, match="reduction 'mean', 'sum' or 'none', got 'max'"):
        call(reduction="max")
    with pytest.raises(ValueError, match=r"sample_weight of shape \(45,\), one per sample, got \(44,\)"):
        call(sample_weight=weights[1:])
    with pytest.raises(ValueError, match="sample_weight >= 0 and finite, got values from -1 to"):
        call(sample_weight=weights.index_fill(0, torch.tensor([5]), -1.0))
    with pytest.raises(TypeError, match=r"floating-point sample_weight, got torch\.int64"):
        call(sample_weight=labels)
    with pytest.raises(TypeError, match="sample_weight as a tensor, got list"):
        call(sample_weight=weights.tolist())
    with pytest.raises(
        ValueError, match="rows of targets that sum to 1" if soft or logits is with_own_bias else "labels of shape"
    ):
        call(2 * targets)


@pytest.mark.parametrize("transform", [torch.func.grad, lambda f: torch.func.vmap(torch.func.grad(f))], ids=["grad", "vmap"])
def test_transforms_are_refused(transform):
    (features, weight, _), labels, _, _ = draw()
    few = features.detach()[:3].unflatten(0, (3, 1)) if transform is not torch.func.grad else features.detach()
    with pytest.raises(RuntimeError, match=r"no form under torch\.func: take the plain loss of head\(features\)"):
        transform(lambda x: cross_entropy(x, weight.detach(), labels[: len(x)]))(few)


def test_objectives_in_inference_mode():
    for name in ("bce-nd", "soft-d", "ce+occe", "warped-softmax", "euclidean-softmax", "multicenter"):
        objective = create_objective(name, 4, 10_000)
        with torch.inference_mode():
            assert objective(torch.randn(3, 4), torch.arange(3)).isfinite()
