"""What the theory pages of `warped` prove beyond the paper, by plain `math`: many classes, and proxies that move."""

import math
from functools import partial

import pytest
import torch

from lossbook.losses.warped import warp_slope_integral, warped_softmax
from lossbook.papers.warped.landscapes import exponent, lowest

SQUARE = [(2.0, 2.0), (-2.0, 2.0), (-2.0, -2.0), (2.0, -2.0)]


def mean_direction(own, others, temperature=1.0) -> list[float]:
    """Of the unit vectors from the others to the own proxy, with weights e^(-T distance)."""
    weights = [math.exp(-temperature * math.dist(own, other)) for other in others]
    return [
        sum(w * (a - other[k]) / math.dist(own, other) for w, other in zip(weights, others, strict=True)) / sum(weights)
        for k, a in enumerate(own)
    ]


def simplex(count: int) -> list[list[float]]:
    """Corners of equal distance: the unit vectors of as many dimensions."""
    return [[float(i == j) for j in range(count)] for i in range(count)]


@pytest.mark.parametrize(("count", "length"), [(2, 1.0), (3, 0.8660254037844386), (10, 0.7453559924999299)])
def test_the_mean_direction_of_a_simplex(count, length):
    own, *others = simplex(count)
    assert math.hypot(*mean_direction(own, others)) == pytest.approx(length, abs=1e-12)
    assert length == pytest.approx(math.sqrt(count / (2 * (count - 1))), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_the_own_proxy_is_a_trap_for_a_slope_above_the_mean_direction(temperature):
    own, *others = SQUARE
    length = math.hypot(*mean_direction(own, others, temperature))
    around = torch.tensor([[math.cos(a), math.sin(a)] for a in torch.linspace(0, 2 * math.pi, 73).tolist()], dtype=torch.float64)
    proxies = torch.tensor(SQUARE, dtype=torch.float64)
    places = torch.cat([proxies[:1], proxies[0] + 1e-3 * around])
    for k1, trap in ((length - 0.02, False), (length + 0.02, True)):
        f1 = partial(warp_slope_integral, alpha=5.0, k1=k1, k2=2.0)
        here, *near = exponent(places, proxies, f1, temperature=temperature).tolist()
        assert (min(near) > here) is trap


def test_far_enough_out_alpha_is_the_lowest_place_of_many_classes():
    proxies = torch.tensor(SQUARE, dtype=torch.float64)
    for alpha, distance in ((4.0, 0.0), (24.0, 24.0)):
        f1 = partial(warp_slope_integral, alpha=alpha, k1=0.93, k2=1.2)
        found = lowest(proxies, f1, reach=26.0, step=0.4) - proxies[0]
        assert found.norm().item() == pytest.approx(distance, abs=0.05)


@pytest.mark.parametrize(("start", "slope"), [(1.0, 0.5), (1.0, 0.9), (6.0, 2.0)])
@pytest.mark.parametrize("proxy_rate", [0.0, 0.3, 2.0])
def test_the_rate_at_which_embedding_and_proxy_part(start, slope, proxy_rate):
    """On the ray, one embedding, T = 0.7, rate 1 of the embedding: T q [(1 - slope) - slope proxy_rate]."""
    temperature, alpha, apart = 0.7, 4.0, 3.0
    k1, k2 = (slope, 2.0) if start < alpha else (0.5, slope)
    value = start if start < alpha else k2 * start + alpha * (1 - k2)  # f1 with Delta, m = 1
    q = 1 / (1 + math.exp(-temperature * (value - (apart + start))))
    expected = temperature * q * ((1 - slope) - slope * proxy_rate)

    embedding = torch.tensor([[-start, 0.0]], dtype=torch.float64, requires_grad=True)
    proxies = torch.tensor([[0.0, 0.0], [apart, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = warped_softmax(torch.cdist(embedding, proxies), torch.tensor([0]), alpha, k1, k2, temperature)
    of_embedding, of_proxies = torch.autograd.grad(loss, [embedding, proxies])
    step = 1e-6
    after = (embedding - step * of_embedding) - (proxies[:1] - step * proxy_rate * of_proxies[:1])
    assert (after.norm().item() - start) / step == pytest.approx(expected, abs=1e-8)
