"""The losses of `uniform`: values, gradients, precision, and what they refuse."""

import math

import pytest
import reference_uniform as ref
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from lossbook.losses import uniform


def draw(batch: int = 7, classes: int = 5, scale: float = 3.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (batch,), generator=generator)


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    return F.one_hot(labels, classes).double()


# Values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 40])
@pytest.mark.parametrize(
    ("loss", "longhand", "arguments"),
    [
        (uniform.naive, ref.naive, ()),
        (uniform.cross_entropy, ref.softmax, ()),
        (uniform.binary_cross_entropy, ref.bce, ()),
        (uniform.uce, ref.uce, (0.4, 8.0)),
    ],
    ids=["naive", "softmax", "bce", "uce"],
)
def test_value(loss, longhand, arguments, classes, device):
    logits, labels = draw(classes=classes)
    expected = ref.batch_mean(longhand, logits.tolist(), labels.tolist(), *arguments)
    assert loss(logits.to(device), labels.to(device), *arguments).item() == pytest.approx(expected, rel=1e-12)


def test_bce_di_value(device):
    metrics, labels = draw()
    bias = torch.tensor([-1.0, 0.5, 2.0, -0.3, 0.0], dtype=torch.float64)
    expected = ref.batch_mean(ref.bce_di, metrics.tolist(), labels.tolist(), bias.tolist())
    assert uniform.bce_di(metrics.to(device), bias.to(device), labels.to(device)).item() == pytest.approx(expected)


def test_bce_of_metric_minus_threshold_is_eqs_40_and_41():
    metrics, labels = draw()
    bias = torch.tensor([-1.0, 0.5, 2.0, -0.3, 0.0], dtype=torch.float64)
    diverse = ref.batch_mean(ref.bce_d, metrics.tolist(), labels.tolist(), bias.tolist())
    unified = ref.batch_mean(ref.bce_u, metrics.tolist(), labels.tolist(), 0.7)
    assert uniform.binary_cross_entropy(metrics - bias, labels).item() == pytest.approx(diverse)
    assert uniform.binary_cross_entropy(metrics - 0.7, labels).item() == pytest.approx(unified)
    equal_biases = torch.full((5,), 0.7, dtype=torch.float64)
    assert uniform.bce_di(metrics, equal_biases, labels).item() == pytest.approx(unified)


def test_uce_without_margin_is_bce():
    logits, labels = draw()
    torch.testing.assert_close(uniform.uce(logits, labels, margin=0.0), uniform.binary_cross_entropy(logits, labels))


def test_uce_puts_the_margin_on_the_positive_cosine():
    cosines = torch.tensor([[0.5, -0.1, 0.2]], dtype=torch.float64)
    b, m, s = 1.5, 0.3, 10.0
    expected = math.log(1 + math.exp(-(s * (0.5 - m) - b))) + sum(math.log(1 + math.exp(s * c - b)) for c in (-0.1, 0.2))
    assert uniform.uce(s * cosines - b, torch.tensor([0]), margin=m, scale=s).item() == pytest.approx(expected)


# Gradients -------------------------------------------------------------------------------------------------------


def test_gradient_of_softmax_is_probability_less_one_hot():
    logits, labels = draw()
    uniform.cross_entropy(logits.requires_grad_(), labels).backward()
    expected = logits.exp() / logits.exp().sum(1, keepdim=True) - one_hot(labels, 5)
    torch.testing.assert_close(logits.grad, expected / len(labels))


def test_gradient_of_bce_is_sigmoid_less_one_hot():
    logits, labels = draw()
    uniform.binary_cross_entropy(logits.requires_grad_(), labels).backward()
    expected = 1 / (1 + torch.exp(-logits)) - one_hot(labels, 5)
    torch.testing.assert_close(logits.grad, expected / len(labels))


def test_gradient_of_naive_is_constant():
    logits, labels = draw()
    uniform.naive(logits.requires_grad_(), labels).backward()
    hot = one_hot(labels, 5)
    torch.testing.assert_close(logits.grad, ((1 - hot) / 4 - hot) / len(labels))


def test_gradient_of_the_bias_of_bce_di_reaches_the_own_class_only():
    metrics, labels = draw(batch=4)
    labels[:] = torch.tensor([0, 0, 3, 3])
    bias = torch.linspace(-1, 1, 5, dtype=torch.float64, requires_grad=True)
    uniform.bce_di(metrics, bias, labels).backward()
    for i in range(5):
        own = [ref.bce_u_gradient_of_b(metrics[m].tolist(), i, bias[i].item()) for m in range(4) if labels[m] == i]
        assert bias.grad[i].item() == pytest.approx(sum(own) / 4, rel=1e-10)


def test_gradcheck_of_the_bias_of_bce_di():
    metrics, labels = draw(batch=3, classes=4)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda b: uniform.bce_di(metrics, b, labels), (bias,))


# Stability and precision -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [208, 256, 512])
def test_large_scales_overflow_only_in_the_naive_form(gamma, device):
    """N = 1000 and cosines over the whole of [-1, 1]: what the paper calls divergence at gamma >= 208 is an overflow."""
    metrics = gamma * torch.linspace(-1, 1, 1000, device=device).repeat(2, 1)
    labels = torch.tensor([0, 999], device=device)
    positive = metrics.gather(1, labels[:, None])
    naive_softmax = -(positive.exp() / metrics.exp().sum(1, keepdim=True)).log()
    naive_bce = (1 + (-positive).exp()).log() + (1 + metrics.exp()).log().sum(1, keepdim=True)
    assert not naive_softmax.isfinite().all()
    assert not naive_bce.isfinite().all()
    for loss in (uniform.cross_entropy, uniform.binary_cross_entropy):
        value = loss(metrics, labels)
        assert value.item() == pytest.approx(loss(metrics.double(), labels).item(), rel=1e-5)
        assert value.isfinite()


def test_bce_of_huge_logits_is_the_sum_of_what_is_wrong():
    logits = torch.tensor([[-1e4, 1e4, -1e4], [1e4, -1e4, -1e4]])
    labels = torch.tensor([0, 0])
    assert uniform.binary_cross_entropy(logits, labels).item() == 1e4  # two wrong decisions in the first row, none in the second
    assert uniform.cross_entropy(logits, labels).item() == 1e4  # 2e4 and 0


def test_small_losses_keep_their_relative_precision():
    """1 - p would be rounded to 0 in float32: log(1 + e^-30) is 9.4e-14."""
    logits = torch.tensor([[30.0, -40.0]])
    label = torch.tensor([0])
    assert uniform.binary_cross_entropy(logits, label).item() == pytest.approx(math.log1p(math.exp(-30)), rel=1e-4)


def test_bce_di_subtracts_its_bias_in_float32():
    metrics, bias = torch.full((1, 3), 6e4), torch.full((3,), -6e4)
    label = torch.tensor([1])
    expected = uniform.bce_di(metrics, bias, label).item()
    assert uniform.bce_di(metrics.half(), bias.half(), label).item() == pytest.approx(expected, rel=1e-3)


# Input -----------------------------------------------------------------------------------------------------------


def test_bad_arguments():
    logits, labels = draw()
    with pytest.raises(ValueError, match=r"margin >= 0 and scale > 0, got -0\.1"):
        uniform.uce(logits, labels, margin=-0.1)
    with pytest.raises(ValueError, match=r"got 0\.4 and 0"):
        uniform.uce(logits, labels, scale=0)
    with pytest.raises(ValueError, match=r"bias of shape \(5,\), one per class, got \(1,\)"):
        uniform.bce_di(logits, torch.zeros(1), labels)
