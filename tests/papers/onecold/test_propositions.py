"""The propositions of the `onecold` chapter, longhand in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from lossbook.losses.onecold import class_targets, class_weights, one_cold_cross_entropy
from lossbook.papers.onecold.codes import poles_right, simplex_right


def softplus(a: float) -> float:
    return math.log1p(math.exp(a))


@pytest.mark.parametrize("z", [[1.0, 0.5, -2.0], [-3.0, 4.0, 0.0, 0.0, 7.0], [0.0, 0.0]])
def test_the_loss_is_a_constant_an_own_part_and_a_divergence(z):
    """onecold-prop-split, label 0."""
    n = len(z)
    total = sum(math.exp(-a) for a in z)
    p_bar = [math.exp(-a) / total for a in z]
    r = [p / (1 - p_bar[0]) for p in p_bar[1:]]
    divergence = sum(math.log(1 / ((n - 1) * share)) for share in r) / (n - 1)
    longhand = math.log(n - 1) - math.log(1 - p_bar[0]) + divergence
    found = one_cold_cross_entropy(torch.tensor([z], dtype=torch.float64), torch.tensor([0]))
    assert found.item() == pytest.approx(longhand, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, -4.0), (10, 0.0), (100, 2.0), (1000, 8.0)])
def test_the_ratio_of_the_pulls_lies_between_1_and_the_square(n, m):
    """onecold-prop-pull: n (1 + n e^m) / (e^m + n), for n wrong classes."""
    z = torch.tensor([[m] + [0.0] * (n - 1)], dtype=torch.float64, requires_grad=True)
    label = torch.tensor([0])
    ce, occe = (torch.autograd.grad(loss(z, label), z)[0][0, 0].item() for loss in (cross_entropy, one_cold_cross_entropy))
    wrong = n - 1
    assert ce / occe == pytest.approx(wrong * (1 + wrong * math.exp(m)) / (math.exp(m) + wrong), rel=1e-9)
    assert 1 < ce / occe < wrong**2
    assert -occe == pytest.approx(1 / (1 + wrong * math.exp(m)), rel=1e-9)


def test_large_odds_of_a_smoothed_label_give_the_one_cold_loss_of_the_negated_logits():
    """onecold-rem-smoothing."""
    z = torch.tensor([[2.0, -1.0, 0.5, 0.0]], dtype=torch.float64)
    odds = 1e12
    smoothed = torch.tensor([[1, *[odds / 3] * 3]], dtype=torch.float64) / (1 + odds)
    expected = one_cold_cross_entropy(z, torch.tensor([0])).item()
    assert cross_entropy(-z, smoothed).item() == pytest.approx(expected, abs=1e-10)
    assert cross_entropy(z, smoothed).item() != pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 10.0])
def test_no_weights_and_features_of_the_same_size_are_better_than_the_simplex(gamma):
    """onecold-prop-etf, with biases and several features per class; the smallest value longhand."""
    n, d, each, e_w, e_x = 5, 6, 3, 1.7, 2.3
    reach, lead = math.log(n - 1), n / (n - 1) * math.sqrt(e_w * e_x)
    least = softplus(reach - lead) + gamma * (reach + softplus(-reach - lead))
    labels = torch.arange(n).repeat(each)

    def loss(weight, features, bias):
        weight = weight * (e_w / weight.square().sum(1).mean()).sqrt()
        features = features * (e_x / features.square().sum(1).mean()).sqrt()
        z = features @ weight.T + bias
        return (cross_entropy(z, labels) + gamma * one_cold_cross_entropy(z, labels)).item()

    simplex = torch.zeros(n, d, dtype=torch.float64)
    simplex[:, :n] = torch.eye(n, dtype=torch.float64) - 1 / n
    none = torch.zeros(n, dtype=torch.float64)
    assert loss(simplex, simplex[labels], none) == pytest.approx(least, rel=1e-12)
    rng = torch.Generator().manual_seed(0)
    for size in (0.02, 0.2, 2.0):
        for _ in range(50):
            weight, bias = simplex + size * torch.randn(n, d, generator=rng), size * torch.randn(n, generator=rng)
            assert loss(weight, simplex[labels] + size * torch.randn(len(labels), d, generator=rng), bias) > least


def test_targets_that_a_network_follows_come_closer_to_uniform_by_alpha():
    """onecold-prop-class."""
    averages = torch.tensor([[0.0, 0.7, 0.3], [0.2, 0.0, 0.8], [0.5, 0.5, 0.0]], dtype=torch.float64)
    uniform = class_weights(torch.zeros(3, 3, dtype=torch.float64))
    followed = class_weights(class_targets(averages, torch.arange(3), alpha=0.4).double())
    torch.testing.assert_close(followed - uniform, 0.4 * (averages - uniform), rtol=0, atol=1e-6)


def test_axes_that_are_kept_classify_their_own_classes_and_at_most_one_more():
    """onecold-prop-axes: the other logits are set to their means."""
    sizes = torch.tensor([8.0, 4.0, 4.0, 2.0, 1.0], dtype=torch.float64)
    logits = torch.diag(sizes)
    for kept in range(len(sizes) + 1):
        rest = logits.mean(0).expand(len(sizes), -1).clone()
        rest[:, :kept] = logits[:, :kept]
        right = rest.argmax(1) == torch.arange(len(sizes))
        assert right[:kept].all()
        assert right[kept:].sum() <= 1


def test_the_poles_beat_the_simplex_in_much_noise_from_seven_classes_on():
    """onecold-prop-code-noise: the expected largest of N normal variables against sqrt((N − 1) / π)."""
    x = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    density, below = (-x.square() / 2).exp() / math.sqrt(2 * math.pi), torch.special.ndtr(x)
    for n in range(3, 40):
        largest = torch.trapezoid(n * x * density * below ** (n - 1), x).item()
        assert largest <= math.sqrt(2 * math.log(n))
        assert (largest < math.sqrt((n - 1) / math.pi)) == (n >= 7)
    assert all(2 * math.log(n) < (n - 1) / math.pi for n in (20, 30, 100, 10_000))
    for n in (6, 7, 12):
        assert (poles_right(n, 1e-6) > simplex_right(n, 1e-6)) == (n >= 7)
        assert poles_right(n, 10.0) < simplex_right(n, 10.0)
