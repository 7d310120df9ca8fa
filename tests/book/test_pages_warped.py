"""The figures of the `warped` chapter show what the package computes."""

from __future__ import annotations

import functools
import json
import math

import pytest
import torch
from test_pages import KEYS, browser, dataset, figure_of, move  # noqa: F401  (two of them are fixtures)

from lossbook.losses.warped import generalized_softmax, identity, warp_slope_integral, warped_softmax
from lossbook.papers.warped.landscapes import exponent, landscape, lowest


def proxies_of(values: dict[str, float]) -> torch.Tensor:
    """Two proxies or a square of four, the own one at the origin."""
    apart = values["apart"]
    corners = [[0.0, 0.0], [apart, 0.0], [0.0, -apart], [apart, -apart]]
    return torch.tensor(corners[: int(values["classes"])], dtype=torch.float64)


def push_at_the_proxy(proxies: torch.Tensor, temperature: float) -> float:
    """The length of the mean direction to the others, at the own proxy: the loss's gradient there, by autograd, over T q
    with q = 1 - p_y.  The own distance is held at 0."""
    point = proxies[:1].clone().requires_grad_()
    others = torch.cdist(point, proxies[1:])
    own = torch.zeros(1, 1, dtype=torch.float64)
    loss = warped_softmax(torch.cat([own, others], 1), torch.tensor([0]), math.inf, 0.5, 1.0, temperature)
    (gradient,) = torch.autograd.grad(loss, point)
    probability = torch.softmax(-temperature * torch.cat([own, others], 1), 1)[0, 0].item()
    return float(gradient.norm()) / (temperature * (1 - probability))


@pytest.mark.browser
def test_warp_landscape_agrees_with_the_package(figure_of):  # noqa: F811
    figure = figure_of("warp-landscape")
    seen = set()
    for slider in figure.locator("input").all():
        for key in KEYS:
            move(slider, key)
            shown = dataset(figure)
            values = json.loads(shown["values"])
            proxies, temperature = proxies_of(values), values["temperature"]
            f1 = functools.partial(warp_slope_integral, alpha=values["alpha"], k1=values["k1"], k2=values["k2"])
            place = torch.tensor([float(shown["x"]), float(shown["y"])], dtype=torch.float64)
            best = lowest(proxies, f1, temperature=temperature, reach=10.0, step=0.1)
            here, least = exponent(torch.stack([place, best]), proxies, f1, temperature=temperature).tolist()
            assert float(shown["least"]) == pytest.approx(here, abs=1e-9)
            assert here == pytest.approx(least, abs=0.02 * temperature), f"{place} is not the lowest place {best}"
            # Straight outward the loss turns at alpha only: the place is there, or at the own proxy.
            assert min(abs(place.norm().item() - values["alpha"]), place.norm().item()) < 0.02
            push = push_at_the_proxy(proxies, temperature)
            assert float(shown["push"]) == pytest.approx(push, abs=1e-6)
            assert (shown["trap"] == "true") == (values["k1"] > float(shown["push"]))
            seen.add(tuple(values.values()))
    assert len(seen) > 12


def test_a_landscape_is_the_loss_of_each_point():
    generator = torch.Generator().manual_seed(0)
    points = 4 * torch.randn(30, 3, generator=generator, dtype=torch.float64)
    proxies = 4 * torch.randn(5, 3, generator=generator, dtype=torch.float64)
    values = landscape(points, proxies, torch.square, torch.sinh, temperature=0.1)
    for point, value in zip(points, values, strict=True):
        distances = torch.cdist(point.unsqueeze(0), proxies)
        loss = generalized_softmax(distances, torch.tensor([0]), torch.square, torch.sinh, temperature=0.1)
        assert value.item() == pytest.approx(loss.item(), rel=1e-9, abs=1e-15)


def test_the_lowest_place_is_found_off_the_grid():
    proxies = torch.tensor([[0.3, -0.7], [2.0, 1.0]], dtype=torch.float64)
    f1 = functools.partial(warp_slope_integral, alpha=1.234, k1=0.5, k2=2.0)
    offset = lowest(proxies, f1, reach=4.0) - proxies[0]
    outward = torch.nn.functional.normalize(proxies[0] - proxies[1], dim=0)
    torch.testing.assert_close(offset, 1.234 * outward, rtol=0, atol=5e-3)


def test_of_equal_places_the_nearest_one_is_the_lowest():
    """Eq. 4 with two classes is as low on the whole ray."""
    proxies = torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.float64)
    assert lowest(proxies, identity).tolist() == [0.0, 0.0]
