"""What holds for every loss: its gradient, extreme inputs, half precision, autocast, compilation, layouts, NaN, bad input.

A new loss is one line in ``LOSSES``; its own test file then holds its longhand reference, its gradient in closed form and
what is special about it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

import lossbook.losses
from lossbook.losses import baselines, bce3s, longtail, multicenter, onecold, uniform, warped

HALF = [torch.float16, torch.bfloat16]
BATCH, CLASSES, WIDTH = 7, 5, 4
COUNTS = torch.tensor([200, 80, 15, 4, 1])
WEIGHTS = torch.tensor([0.2, 0.5, 1.0, 1.5, 3.0])
SEEN = torch.tensor([True, False, True, True, False])
BANK = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(9))


@dataclass(frozen=True)
class Loss:
    """An example call of a loss.

    Attributes:
        call: (input, labels) to the loss; tensors that it holds are moved to the input's device and dtype.
        columns: the shape of one sample's input.
        distances: the input is never negative.
        labelled: the loss takes labels.
        rounded: what the call holds is rounded to half precision with the input.
        soft: the loss takes soft targets.
    """

    name: str
    call: Callable[..., Tensor]
    columns: tuple[int, ...] = (CLASSES,)
    distances: bool = False
    labelled: bool = True
    rounded: bool = False
    soft: bool = False


def _keep(logits: Tensor) -> Tensor:
    """The same negatives for every sample."""
    return (torch.arange(logits.shape[-1], device=logits.device) % 3 > 0).expand_as(logits)


def _target(logits: Tensor) -> Tensor:
    row = torch.arange(1, logits.shape[-1] + 1, dtype=torch.float32, device=logits.device)
    return (row / row.sum()).expand_as(logits)


def _bce_di(similarities: Tensor, labels: Tensor, **options: str) -> Tensor:
    bias = torch.linspace(-1, 1, CLASSES, dtype=similarities.dtype, device=similarities.device)
    return uniform.bce_di(similarities, bias, labels, **options)


def _against_bank(loss: Callable[..., Tensor], seen: Tensor | None) -> Callable[..., Tensor]:
    def call(projections: Tensor, labels: Tensor, **options: str) -> Tensor:
        present = None if seen is None else seen.to(projections.device)
        return loss(projections, labels, BANK.to(projections.device, projections.dtype), 0.3, present, **options)

    return call


LOSSES = [
    Loss("naive", uniform.naive),
    Loss("cross_entropy", uniform.cross_entropy, soft=True),
    Loss("binary_cross_entropy", uniform.binary_cross_entropy, soft=True),
    Loss("uce", uniform.uce),
    Loss("bce_di", _bce_di, rounded=True),
    Loss("joint_bce", bce3s.joint_bce, soft=True),
    Loss("joint_bce weighted", lambda c, y, **o: bce3s.joint_bce(c, y, _keep(c), WEIGHTS.to(c.device), **o), soft=True),
    Loss("joint_ce", bce3s.joint_ce, soft=True),
    Loss("joint_ce weighted", lambda c, y, **o: bce3s.joint_ce(c, y, WEIGHTS.to(c.device), **o), soft=True),
    Loss("contrastive_bce", _against_bank(bce3s.contrastive_bce, None), (WIDTH,), rounded=True),
    Loss("contrastive_bce some seen", _against_bank(bce3s.contrastive_bce, SEEN), (WIDTH,), rounded=True),
    Loss("contrastive_ce", _against_bank(bce3s.contrastive_ce, None), (WIDTH,), rounded=True),
    Loss("contrastive_ce some seen", _against_bank(bce3s.contrastive_ce, SEEN), (WIDTH,), rounded=True),
    Loss("uniform_bce", lambda w, y: bce3s.uniform_bce(w), labelled=False),
    Loss("uniform_ce", lambda w, y: bce3s.uniform_ce(w), labelled=False),
    Loss("class_balanced_focal", lambda c, y, **o: longtail.class_balanced_focal(c, y, COUNTS.to(c.device), 0.99, 2.0, **o)),
    Loss(
        "class_balanced_focal, gamma 0",
        lambda c, y, **o: longtail.class_balanced_focal(c, y, COUNTS.to(c.device), 0.99, 0.0, **o),
    ),
    Loss("ldam", lambda c, y, **o: longtail.ldam(c, y, COUNTS.to(c.device), 0.5, 8.0, **o)),
    Loss("logit_adjusted", lambda c, y, **o: longtail.logit_adjusted(c, y, COUNTS.to(c.device), 1.5, **o), soft=True),
    Loss("balanced_softmax", lambda c, y, **o: longtail.balanced_softmax(c, y, COUNTS.to(c.device), **o), soft=True),
    Loss("label_smoothing", baselines.label_smoothing, soft=True),
    Loss("negative_log", baselines.negative_log),
    Loss("complement_entropy", baselines.complement_entropy),
    Loss("complement_cross_entropy", baselines.complement_cross_entropy),
    Loss("focal", baselines.focal),
    Loss("focal, gamma 1/2", functools.partial(baselines.focal, gamma=0.5)),
    Loss("inverse focal", functools.partial(baselines.focal, gamma=-1.5)),
    Loss("asymmetric", baselines.asymmetric),
    Loss("asymmetric twice", functools.partial(baselines.asymmetric, gamma_positive=1.0, gamma_negative=0.5, smoothing=0.2)),
    Loss("cyclical_focal", functools.partial(baselines.cyclical_focal, share=0.3)),
    Loss("multicenter_cross_entropy", multicenter.multicenter_cross_entropy, (CLASSES, 3), soft=True),
    Loss(
        "multicenter_cross_entropy smoothed",
        functools.partial(multicenter.multicenter_cross_entropy, center_weight=0.6, label_smoothing=0.1),
        (CLASSES, 3),
        soft=True,
    ),
    Loss("multicenter_cross_entropy, no sub-centre", multicenter.multicenter_cross_entropy, (CLASSES, 1), soft=True),
    Loss("one_cold_cross_entropy", onecold.one_cold_cross_entropy, soft=True),
    Loss("one_cold_cross_entropy of a target", lambda z, y, **o: onecold.one_cold_cross_entropy(z, y, _target(z), **o)),
    Loss("euclidean_softmax", functools.partial(warped.euclidean_softmax, temperature=1.4), distances=True, soft=True),
    # Without its margin: with one the warp stops a gradient, which finite differences see.
    Loss("warped_softmax", functools.partial(warped.warped_softmax, alpha=2.5, k1=0.6, k2=1.7, margin=0.0), distances=True),
    Loss("generalized_softmax", functools.partial(warped.generalized_softmax, f1=torch.square, f2=torch.log1p), distances=True),
]

# Public functions of ``lossbook.losses`` that are no line of LOSSES, as they are parts of a loss.
PARTS = {
    "additive_angular_margin": "maps cosines to cosines with a margin",
    "gaussian_kl": "takes the classifier's variances only",
    "large_margin": "maps cosines to cosines with a margin",
}

# Inductor compiles C++ for each: these have one of every kind of arithmetic.
FOR_INDUCTOR = {
    *("cross_entropy", "binary_cross_entropy", "joint_bce weighted", "contrastive_ce some seen", "class_balanced_focal"),
    *("ldam", "asymmetric", "inverse focal", "multicenter_cross_entropy smoothed", "one_cold_cross_entropy", "warped_softmax"),
}

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
every_soft_loss = pytest.mark.parametrize("loss", [x for x in LOSSES if x.soft], ids=lambda loss: loss.name)
every_labelled_loss = pytest.mark.parametrize("loss", [x for x in LOSSES if x.labelled], ids=lambda loss: loss.name)


def draw(loss: Loss, batch: int = BATCH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = 3 * torch.randn(batch, *loss.columns, generator=generator, dtype=torch.float64)
    return values.abs() if loss.distances else values, torch.randint(CLASSES, (batch,), generator=generator)


def extremes(loss: Loss) -> Tensor:
    """Values of 1e4 and of 1e-30 (0 in half precision), of one sign, of both, and zeros."""
    size = torch.Size(loss.columns).numel()
    signs = torch.arange(size) % 2 * 2.0 - 1
    ones = torch.ones(size)
    rows = torch.stack([1e4 * signs, -1e4 * signs, 1e4 * ones, -1e4 * ones, 1e-30 * signs, 0 * ones])
    return (rows.abs() if loss.distances else rows).unflatten(1, loss.columns)


def value_and_gradient(call: Callable[[Tensor, Tensor], Tensor], values: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    values = values.detach().clone().requires_grad_()
    value = call(values, labels)
    return value.detach(), torch.autograd.grad(value, values)[0]


def test_every_public_loss_is_in_the_list():
    listed = {loss.name.split(",")[0].split()[0] for loss in LOSSES}
    assert not listed & PARTS.keys()
    assert set(lossbook.losses.__all__) - listed == PARTS.keys(), "add a line to LOSSES"


# Numbers ---------------------------------------------------------------------------------------------------------


@every_loss
def test_gradcheck(loss):
    values, labels = draw(loss, batch=3)
    assert gradcheck(lambda x: loss.call(x, labels), (values.requires_grad_(),))


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_huge_and_tiny_inputs_give_finite_loss_and_gradient(loss, dtype, device):
    values = extremes(loss).to(device, dtype)
    for label in range(CLASSES if loss.labelled else 1):
        value, gradient = value_and_gradient(loss.call, values, torch.full((len(values),), label, device=device))
        assert value.isfinite()
        assert gradient.isfinite().all()
        assert gradient.dtype == dtype


@every_loss
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_half_precision_is_computed_in_float32(loss, dtype, device):
    values, labels = (tensor.to(device) for tensor in draw(loss))
    half = values.to(dtype)
    value, expected = loss.call(half, labels), loss.call(half.float(), labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=2e-2 if loss.rounded else 1e-6, atol=1e-6)


@every_loss
def test_autocast(loss, device):
    values, labels = (tensor.to(device) for tensor in draw(loss))
    expected, _ = value_and_gradient(loss.call, values.float(), labels)
    with torch.autocast(device.type, torch.bfloat16):
        value, gradient = value_and_gradient(loss.call, values.float(), labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=2e-2, atol=1e-3)
    assert gradient.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_losses_are_the_same(backend, device):
    losses = LOSSES if backend == "aot_eager" else [loss for loss in LOSSES if loss.name in FOR_INDUCTOR]
    calls = [loss.call for loss in losses]

    def every_value(values: list[Tensor], labels: list[Tensor]) -> Tensor:
        return torch.stack([call(x, y) for call, x, y in zip(calls, values, labels, strict=True)])

    drawn = [draw(loss) for loss in losses]
    labels = [y.to(device) for _, y in drawn]
    eager, compiled = ([x.to(device).requires_grad_() for x, _ in drawn] for _ in range(2))
    expected = every_value(eager, labels)
    value = torch.compile(every_value, backend=backend, fullgraph=True)(compiled, labels)
    torch.testing.assert_close(value, expected)
    gradients = zip(torch.autograd.grad(value.sum(), compiled), torch.autograd.grad(expected.sum(), eager), strict=True)
    for found, wanted in gradients:
        torch.testing.assert_close(found, wanted)


@every_labelled_loss
def test_the_loss_is_the_mean_over_the_batch(loss):
    values, labels = draw(loss)
    singles = [loss.call(values[m : m + 1], labels[m : m + 1]) for m in range(BATCH)]
    torch.testing.assert_close(torch.stack(singles).mean(), loss.call(values, labels))


def mixture(labels: Tensor, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Soft targets, (B, N), of which each sample's label has about half, and the label of every part, (B,) each."""
    shares = torch.rand(BATCH, CLASSES, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    shares.scatter_add_(1, labels.unsqueeze(1), shares.new_full((BATCH, 1), CLASSES / 2))
    return (shares / shares.sum(1, keepdim=True)).to(dtype), torch.arange(CLASSES).unsqueeze(1).expand(-1, BATCH)


@every_labelled_loss
def test_reductions(loss, device):
    values, labels = (tensor.to(device) for tensor in draw(loss))
    losses = loss.call(values, labels, reduction="none")
    assert losses.shape == (BATCH,)
    singles = [loss.call(values[m : m + 1], labels[m : m + 1]) for m in range(BATCH)]
    torch.testing.assert_close(losses, torch.stack(singles))
    assert torch.equal(loss.call(values, labels, reduction="mean"), loss.call(values, labels))
    torch.testing.assert_close(losses.sum(), loss.call(values, labels, reduction="sum"))
    with pytest.raises(ValueError, match="expected reduction 'mean', 'sum' or 'none', got 'max'"):
        loss.call(values, labels, reduction="max")


@every_soft_loss
def test_soft_targets_of_one_class_are_its_label(loss, device):
    values, labels = (tensor.to(device) for tensor in draw(loss))
    targets = torch.nn.functional.one_hot(labels, CLASSES).to(values.dtype)
    expected, found = (value_and_gradient(loss.call, values, y) for y in (labels, targets))
    torch.testing.assert_close(found, expected)


@every_soft_loss
def test_the_loss_of_soft_targets_is_the_mixture_of_the_classes_losses(loss, device):
    values, labels = draw(loss)
    targets, parts = mixture(labels)
    values, targets, parts = values.to(device), targets.to(device), parts.to(device)
    expected = sum(targets[:, c] * loss.call(values, part, reduction="none") for c, part in enumerate(parts))
    torch.testing.assert_close(loss.call(values, targets, reduction="none"), expected)
    half = loss.call(values.bfloat16(), targets.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss.call(values, targets).float(), rtol=2e-2, atol=2e-2)


@every_labelled_loss
def test_gradients_per_sample(loss):
    values, labels = draw(loss)

    def of_one(value: Tensor, label: Tensor) -> Tensor:
        return loss.call(value.unsqueeze(0), label.unsqueeze(0))

    _, whole = value_and_gradient(loss.call, values, labels)
    each = torch.func.vmap(torch.func.grad(of_one))(values, labels)
    torch.testing.assert_close(each / BATCH, whole)
    torch.testing.assert_close(torch.func.grad(loss.call)(values, labels), whole)
    with pytest.raises(ValueError, match=r"labels within 0\.\.4, got values from -100 to -100"):
        torch.func.vmap(torch.func.grad(of_one))(values, torch.full_like(labels, -100))


# Input -----------------------------------------------------------------------------------------------------------


@every_loss
def test_memory_layout_does_not_matter_and_inputs_are_left_alone(loss, device):
    values, labels = (tensor.to(device) for tensor in draw(loss))
    turned = values.movedim(0, -1).contiguous().movedim(-1, 0)
    strided = torch.stack([labels, torch.zeros_like(labels)], 1)[:, 0]
    assert not turned.is_contiguous() and not strided.is_contiguous()
    torch.testing.assert_close(loss.call(turned, strided), loss.call(values, labels))
    assert torch.equal(turned, values) and torch.equal(strided, labels)
    assert torch.equal(values, draw(loss)[0].to(device)) and torch.equal(labels, draw(loss)[1].to(device))


@every_loss
@pytest.mark.parametrize("column", [0, 1], ids=["own", "other"])
def test_nan_stays_nan(loss, column, device):
    values = torch.zeros(2, *loss.columns, device=device)
    values[0, column] = torch.nan
    assert loss.call(values, torch.tensor([0, 2], device=device)).isnan()


BAD_LABELS = {
    "too large": (lambda y: y + CLASSES, ValueError, r"labels within 0\.\.4, got values from"),
    "negative": (lambda y: y - CLASSES, ValueError, r"labels within 0\.\.4, got values from -"),
    "too few": (lambda y: y[:-1], ValueError, r"labels of shape \(7,\).*got \(6,\)"),
    "2-D": (lambda y: y.unsqueeze(1), ValueError, r"labels of shape \(7,\).*got \(7, 1\)"),
    "int32": (lambda y: y.int(), TypeError, r"torch\.int64, got torch\.int32"),
    "floating": (lambda y: y.double(), TypeError, r"torch\.int64, got torch\.float64"),
    "a list": (lambda y: y.tolist(), TypeError, "labels as a tensor, got list"),
    "an array": (lambda y: y.numpy(), TypeError, "labels as a tensor, got ndarray"),
    "elsewhere": (lambda y: y.to("meta"), ValueError, "labels on the device cpu, got meta"),
}
BAD_TARGETS = {
    "another shape": (lambda t: t[:, 1:], r"targets of the logits' shape \(7, 5\), got \(7, 4\)"),
    "negative": (lambda t: t - 0.2, "targets >= 0, got -0.1"),
    "not normalised": (lambda t: 3 * t, "rows of targets that sum to 1, got sums from 3 to 3"),
    "elsewhere": (lambda t: t.to("meta"), "targets on the device cpu, got meta"),
}


@every_labelled_loss
@pytest.mark.parametrize(("change", "error", "message"), BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_bad_labels(loss, change, error, message):
    values, labels = draw(loss)
    with pytest.raises(error, match=message):
        loss.call(values, change(labels))


@every_soft_loss
@pytest.mark.parametrize(("change", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS.keys())
def test_bad_soft_targets(loss, change, message):
    values, labels = draw(loss)
    with pytest.raises(ValueError, match=message):
        loss.call(values, change(mixture(labels)[0]))


@every_labelled_loss
def test_soft_targets_are_refused_where_they_have_no_meaning(loss):
    values, labels = draw(loss)
    if not loss.soft and "target" not in loss.name:
        with pytest.raises(ValueError, match=r"labels of shape \(7,\), one per sample, got \(7, 5\)"):
            loss.call(values, mixture(labels)[0])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("bad", [-100, -1, CLASSES])
def test_a_bad_label_is_an_error_in_compiled_losses(backend, bad):
    values, labels = draw(LOSSES[1])
    call = torch.compile(uniform.cross_entropy, backend=backend, fullgraph=True)
    call(values, labels)
    with pytest.raises(RuntimeError, match=r"expected labels within 0\.\.4|index out of bounds"):
        call(values, labels.index_fill(0, torch.tensor([3]), bad))


def test_a_list_is_no_tensor():
    labels = torch.tensor([0])
    for call in (uniform.cross_entropy, baselines.focal, warped.euclidean_softmax, multicenter.multicenter_cross_entropy):
        with pytest.raises(TypeError, match="expected logits as a tensor, got list"):
            call([[1.0, 2.0]], labels)
    with pytest.raises(TypeError, match="expected projections as a tensor, got list"):
        bce3s.contrastive_ce([[1.0, 2.0]], labels, torch.eye(2))
    with pytest.raises(TypeError, match="expected class_counts as a tensor, got list"):
        longtail.ldam(torch.zeros(1, 2), labels, [3, 1])


@every_labelled_loss
def test_bad_inputs(loss):
    values, labels = draw(loss)
    with pytest.raises(TypeError, match=r"floating-point (logits|projections), got torch\.int64"):
        loss.call(values.long(), labels)
    for wrong in (values[0], values[:0], values.unsqueeze(2)):
        with pytest.raises(ValueError, match=r"expected (logits|projections) .*\(B, (N|C, K\+1|p)\).* got"):
            loss.call(wrong, labels[: len(wrong)])


@pytest.mark.parametrize("loss", [x for x in LOSSES if x.columns[0] == CLASSES and x.labelled], ids=lambda loss: loss.name)
def test_one_class_is_no_classification(loss):
    with pytest.raises(ValueError, match="expected"):
        loss.call(draw(loss)[0][:, :1], torch.zeros(BATCH, dtype=torch.int64))
