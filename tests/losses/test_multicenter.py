"""The losses of `multicenter`: values, gradients, margins, and what they refuse."""

import math

import numpy as np
import pytest
import reference_multicenter as ref
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from lossbook.losses.multicenter import (
    additive_angular_margin,
    gaussian_kl,
    large_margin,
    multicenter_cross_entropy,
    sample_subcenters,
    with_margin,
)


def draw(batch=6, classes=4, subcenters=2, scale=3.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, classes, subcenters + 1, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (batch,), generator=generator)


def target(labels, classes, subcenters, *arguments):
    """Eq. 8 as a matrix, (B, C, K+1)."""
    rows = [ref.label(y, classes, subcenters, *arguments) for y in labels.tolist()]
    return torch.tensor(rows, dtype=torch.float64).view(len(labels), classes, subcenters + 1)


# The cross entropy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), (0.8,), (0.5, 0.1), (0.0,), (1.0, 0.3)], ids=str)
@pytest.mark.parametrize("subcenters", [0, 1, 2, 5])
@pytest.mark.parametrize("classes", [2, 7])
def test_cross_entropy(classes, subcenters, arguments, device):
    logits, labels = draw(classes=classes, subcenters=subcenters)
    expected = ref.batch_cross_entropy(logits.tolist(), labels.tolist(), *arguments)
    value = multicenter_cross_entropy(logits.to(device), labels.to(device), *arguments)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_without_subcenters_it_is_the_cross_entropy():
    logits, labels = draw(subcenters=0)
    for smoothing in (0.0, 0.1):
        expected = F.cross_entropy(logits[:, :, 0], labels, label_smoothing=smoothing)
        torch.testing.assert_close(multicenter_cross_entropy(logits, labels, 0.5, smoothing), expected)


def test_the_label_of_the_authors_code():
    logits, labels = draw(batch=5, classes=4, subcenters=2)
    rows = [ref.cross_entropy(z, ref.code_label(y, 4)) for z, y in zip(logits.flatten(1).tolist(), labels.tolist(), strict=True)]
    value = multicenter_cross_entropy(logits, labels, center_weight=5 / 9, label_smoothing=0.1)
    assert value.item() == pytest.approx(sum(rows) / 5, rel=1e-12)


def test_equal_centers_cost_log_k_plus_1_more():
    """sigma = 0: every sub-centre is the class centre."""
    logits, labels = draw(subcenters=0)
    expected = F.cross_entropy(logits[:, :, 0], labels) + math.log(4)
    torch.testing.assert_close(multicenter_cross_entropy(logits.expand(-1, -1, 4), labels), expected)


@pytest.mark.parametrize("subcenters", [1, 2, 6])
def test_the_least_value_is_the_labels_entropy(subcenters):
    """Reached by own logits of log tau and all others far below."""
    logits = torch.full((1, 3, subcenters + 1), -1e4, dtype=torch.float64)
    logits[0, 1, 0] = math.log(0.5)
    logits[0, 1, 1:] = math.log(0.5 / subcenters)
    value = multicenter_cross_entropy(logits, torch.tensor([1])).item()
    assert value == pytest.approx(math.log(2) + math.log(subcenters) / 2)


@pytest.mark.parametrize("arguments", [(), (0.7,), (0.5, 0.1)], ids=str)
def test_gradient_is_probability_less_label(arguments):
    logits, labels = draw()
    multicenter_cross_entropy(logits.requires_grad_(), labels, *arguments).backward()
    probability = logits.detach().flatten(1).softmax(1).view_as(logits)
    torch.testing.assert_close(logits.grad, (probability - target(labels, 4, 2, *arguments)) / len(labels))


def test_labels_of_two_images_are_a_soft_label_over_the_centers():
    """MixUp and CutMix: the loss is linear in the label."""
    logits, labels = draw()
    partners, share = labels.roll(1), 0.3
    soft = share * target(labels, 4, 2) + (1 - share) * target(partners, 4, 2)
    expected = F.cross_entropy(logits.flatten(1), soft.flatten(1))
    losses = [multicenter_cross_entropy(logits, y) for y in (labels, partners)]
    torch.testing.assert_close(share * losses[0] + (1 - share) * losses[1], expected)


@given(st.integers(2, 6), st.integers(0, 4), st.floats(0, 1), st.floats(0, 1), st.floats(-100, 100), st.integers(0, 9))
def test_properties(classes, subcenters, center_weight, smoothing, shift, seed):
    """Not below the label's entropy; a shift of all logits changes nothing; the order of sub-centres neither."""
    logits, labels = draw(classes=classes, subcenters=subcenters, seed=seed)
    arguments = (center_weight, smoothing)
    value = multicenter_cross_entropy(logits, labels, *arguments)
    tau = torch.tensor(ref.label(0, classes, subcenters, *arguments), dtype=torch.float64)
    assert value >= torch.special.entr(tau).sum() - 1e-9
    torch.testing.assert_close(multicenter_cross_entropy(logits + shift, labels, *arguments), value, rtol=1e-9, atol=1e-9)
    order = torch.tensor([0, *range(subcenters, 0, -1)])
    torch.testing.assert_close(multicenter_cross_entropy(logits[:, :, order], labels, *arguments), value)


# Sub-centres and their divergence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma_scale", [0.0, 0.1, 1.0])
def test_subcenters(sigma_scale, device):
    weight, log_var, noise = (torch.randn(shape, dtype=torch.float64) for shape in ((3, 4), (3, 4), (3, 5, 4)))
    expected = ref.subcenters(weight.tolist(), log_var.tolist(), noise.tolist(), sigma_scale)
    value = sample_subcenters(weight.to(device), log_var.to(device), noise.to(device), sigma_scale)
    assert value.cpu().numpy() == pytest.approx(np.array(expected), rel=1e-12)


def test_gradients_of_the_subcenters():
    """dw'/dw = 1, dw'/d log_var = (w' - w) / 2."""
    weight, log_var, noise = (torch.randn(s, dtype=torch.float64) for s in ((3, 4), (3, 4), (3, 5, 4)))
    weight.requires_grad_()
    log_var.requires_grad_()
    upstream = torch.randn(3, 5, 4, dtype=torch.float64)
    centers = sample_subcenters(weight, log_var, noise, 0.3)
    (centers * upstream).sum().backward()
    torch.testing.assert_close(weight.grad, upstream.sum(1))
    torch.testing.assert_close(log_var.grad, 0.5 * ((centers - weight.unsqueeze(1)) * upstream).sum(1).detach())
    assert gradcheck(lambda w, v: sample_subcenters(w, v, noise, 0.3), (weight, log_var))


def test_kl(device):
    log_var = torch.randn(5, 7, dtype=torch.float64)
    assert gaussian_kl(log_var.to(device)).item() == pytest.approx(ref.kl(log_var.tolist()), rel=1e-12)


@pytest.mark.parametrize("variance", [0.01, 0.5, 1.0, 3.0])
def test_kl_is_the_divergence_of_two_gaussians(variance):
    log_var = torch.tensor([[math.log(variance)]], dtype=torch.float64)
    assert gaussian_kl(log_var).item() == pytest.approx(ref.kl_by_quadrature(variance), abs=1e-7)


@pytest.mark.parametrize("variance", [0.3, 1.0, 4.0])
def test_kl_agrees_with_torch(variance):
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(2.0, math.sqrt(variance)), normal(2.0, 1.0))
    assert gaussian_kl(torch.full((3, 4), math.log(variance))).item() == pytest.approx(4 * expected.item(), rel=1e-5, abs=1e-6)


def test_gradient_of_kl():
    log_var = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    gaussian_kl(log_var).backward()
    torch.testing.assert_close(log_var.grad, (log_var.detach().exp() - 1) / (2 * 5))
    assert gradcheck(gaussian_kl, (log_var,))


@given(st.floats(-30, 30))
def test_kl_is_least_at_sigma_one(value):
    assert gaussian_kl(torch.tensor([[value]], dtype=torch.float64)) >= 0
    assert gaussian_kl(torch.zeros(1, 1)) == 0


def test_kl_near_its_minimum_keeps_its_precision():
    """v^2 / 4 for small v; 1 + v - exp(v) would be all rounding."""
    assert gaussian_kl(torch.tensor([[1e-3]])).item() == pytest.approx(0.25e-6, rel=1e-3)


# Margins -----------------------------------------------------------------------------------------------------------

ANGLES = torch.linspace(0.001, math.pi - 0.001, 401, dtype=torch.float64)


@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_large_margin(margin, device):
    expected = [ref.psi(theta, margin) for theta in ANGLES.tolist()]
    assert large_margin(ANGLES.cos().to(device), margin).cpu().numpy() == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.5])
def test_additive_angular_margin(margin, device):
    expected = [ref.arc(theta, margin) for theta in ANGLES.tolist()]
    value = additive_angular_margin(ANGLES.cos().to(device), margin)
    assert value.cpu().numpy() == pytest.approx(np.array(expected), abs=4e-4)


@pytest.mark.parametrize(
    "margin",
    [lambda c: large_margin(c, 2), lambda c: large_margin(c, 4), lambda c: additive_angular_margin(c, 0.5)],
    ids=["L2", "L4", "arc"],
)
def test_margins_fall_with_the_angle_and_never_help(margin):
    values = margin(ANGLES.cos())
    assert (values.diff() < 1e-12).all()
    assert (values <= ANGLES.cos() + 4e-4).all()
    cosines = torch.tensor([1.0, 1 + 1e-6, -1.0, -1 - 1e-6, 0.0], requires_grad=True)
    margin(cosines).sum().backward()
    assert cosines.grad.isfinite().all()


def test_gradcheck_of_the_margins():
    cosines = torch.tensor([-0.9, -0.3, 0.1, 0.6, 0.95], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda c: large_margin(c, 3), (cosines,))
    assert gradcheck(lambda c: additive_angular_margin(c, 0.4), (cosines,))


def test_with_margin_changes_the_own_class_only():
    logits, labels = draw()
    lengths = torch.rand(6, 3, dtype=torch.float64) + logits.abs().amax()
    changed = with_margin(logits, labels, lengths, lambda c: large_margin(c, 2))
    for m, y in enumerate(labels.tolist()):
        for c in range(4):
            for k in range(3):
                z = logits[m, c, k].item()
                length = lengths[m, k].item()
                expected = length * ref.psi(math.acos(z / length), 2) if c == y else z
                assert changed[m, c, k].item() == pytest.approx(expected, rel=1e-9)


def test_a_zero_feature_passes_a_margin():
    logits = torch.zeros(2, 3, 3, requires_grad=True)
    changed = with_margin(logits, torch.tensor([0, 2]), torch.zeros(2, 3), lambda c: large_margin(c, 2))
    changed.sum().backward()
    assert changed.abs().max() == 0
    assert logits.grad.isfinite().all()


# Stability and precision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_divergence_and_margins_of_half_precision_are_computed_in_float32(dtype, device):
    logits, labels = (tensor.to(device) for tensor in draw(scale=1.0))
    half = logits.to(dtype)
    divergence = gaussian_kl(half.flatten(1))
    assert divergence.dtype == torch.float32
    assert divergence.item() == pytest.approx(gaussian_kl(half.float().flatten(1)).item(), rel=1e-6)
    moved = with_margin(half, labels, torch.tensor(8.0, device=device), lambda c: large_margin(c, 2))
    assert moved.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_margins_are_the_same(backend, device):
    def every_value(logits, labels):
        moved = with_margin(logits, labels, logits.new_tensor(20.0), lambda c: large_margin(c, 2))
        turned = with_margin(logits, labels, logits.new_tensor(20.0), lambda c: additive_angular_margin(c, 0.2))
        losses = [multicenter_cross_entropy(z, labels, 0.6, 0.1) for z in (moved, turned)]
        return torch.stack([*losses, gaussian_kl(logits[:, :, 0])])

    logits, labels = draw()
    eager, compiled = (logits.to(device).requires_grad_() for _ in range(2))
    labels = labels.to(device)
    expected = every_value(eager, labels)
    value = torch.compile(every_value, backend=backend, fullgraph=True)(compiled, labels)
    torch.testing.assert_close(value, expected)
    expected.sum().backward()
    value.sum().backward()
    torch.testing.assert_close(compiled.grad, eager.grad)


# Input -------------------------------------------------------------------------------------------------------------


def test_with_margin_leaves_its_input_alone():
    logits, labels = draw()
    before = logits.clone()
    with_margin(logits, labels, torch.tensor(20.0), lambda c: large_margin(c, 2))
    assert torch.equal(logits, before)


def test_bad_logits_of_a_margin():
    logits, labels = draw()
    for wrong in (logits[:, :, 0], logits[:, :, :0]):
        with pytest.raises(ValueError, match=r"logits of shape \(B, C, K\+1\), the class centre first, got"):
            with_margin(wrong, labels, torch.tensor(1.0), lambda c: c)
    with pytest.raises(ValueError, match=r"labels within 0\.\.3"):
        with_margin(logits, labels + 4, torch.tensor(1.0), lambda c: c)


def test_bad_arguments():
    logits, labels = draw()
    for arguments in [(-0.1, 0.0), (1.1, 0.0), (0.5, -0.1), (0.5, 1.1), (math.nan, 0.0)]:
        with pytest.raises(ValueError, match=r"center_weight and label_smoothing within \[0, 1\]"):
            multicenter_cross_entropy(logits, labels, *arguments)
    with pytest.raises(ValueError, match=r"log_var of shape \(C, d\), got \(3,\)"):
        gaussian_kl(torch.zeros(3))
    with pytest.raises(ValueError, match=r"one shape \(C, d\), got \(3, 4\) and \(3, 5\)"):
        sample_subcenters(torch.zeros(3, 4), torch.zeros(3, 5), torch.zeros(3, 2, 4))
    with pytest.raises(ValueError, match=r"noise of shape \(3, K, 4\), got \(2, 3, 4\)"):
        sample_subcenters(torch.zeros(3, 4), torch.zeros(3, 4), torch.zeros(2, 3, 4))
    for margin in (0, 1.5):
        with pytest.raises(ValueError, match="whole margin of at least 1"):
            large_margin(torch.zeros(1), margin)
    for margin in (-0.1, 2.0):
        with pytest.raises(ValueError, match=r"margin within \[0, pi/2\]"):
            additive_angular_margin(torch.zeros(1), margin)
