"""The interactive figure of the `multicenter` chapter agrees with the package (see test_pages.py)."""

from __future__ import annotations

import json

import pytest
import torch
from test_pages import KEYS, browser, dataset, figure_of, move  # noqa: F401  two of them are fixtures
from torch.nn.functional import cross_entropy

from lossbook.losses.multicenter import multicenter_cross_entropy, sample_subcenters


def points_of(figure) -> tuple[torch.Tensor, torch.Tensor]:
    """The points drawn in the left panel, class A first: features (48, 2) and labels."""
    classes = []
    for name in ("class A", "class B"):
        x, y = figure.evaluate(
            "(f, name) => { const t = f.querySelector('.js-plotly-plot').data.find(d => d.name === name); return [t.x, t.y]; }",
            name,
        )
        classes.append(torch.tensor([x, y], dtype=torch.float64).T)
    return torch.cat(classes), torch.tensor([0] * len(classes[0]) + [1] * len(classes[1]))


@pytest.mark.browser
def test_two_modes_agrees_with_the_package(figure_of):  # noqa: F811
    figure = figure_of("two-modes")
    seen, drawn = set(), set()
    for slider in figure.locator("input").all():
        for key in KEYS:
            move(slider, key)
            shown = dataset(figure)
            values = json.loads(shown["values"])
            x, labels = points_of(figure)
            K = values["num_subcenters"]
            spread = torch.tensor([[values["sigma_a"], 0.0], [values["sigma_b"], 0.0]], dtype=torch.float64)
            shifts = torch.tensor([json.loads(shown["shiftsA"]), json.loads(shown["shiftsB"])], dtype=torch.float64)
            assert shifts.shape == (2, K + 1)
            assert shifts[:, 0].eq(0).all()

            # The centres minimise the softmax cross entropy with the figure's weight decay.
            difference = torch.tensor([float(shown["u"]), float(shown["v"])], dtype=torch.float64, requires_grad=True)
            weight = torch.stack([difference, -difference]) / 2
            fitted = cross_entropy(x @ weight.T, labels) + 0.01 * difference.square().sum()
            assert torch.autograd.grad(fitted, difference)[0].abs().max() < 1e-9

            # The package's sub-centres for the same noise, and what follows from them.
            weight = weight.detach()
            scale = spread[:, :1].clamp_min(1e-12)
            noise = torch.stack([shifts[:, 1:] / scale, torch.zeros(2, K, dtype=torch.float64)], 2)
            subcenters = sample_subcenters(weight, spread.clamp_min(1e-12).log() * 2, noise)
            logits = torch.einsum("bd,nkd->bnk", x, torch.cat([weight.unsqueeze(1), subcenters], 1))
            endless = x @ weight.T + x.square() @ spread.square().T / 2
            for name, scores in (("linear", logits[:, :, 0]), ("multi", logits.logsumexp(2)), ("endless", endless)):
                right = (scores.argmax(1) == labels).double().mean()
                assert float(shown[name]) == pytest.approx(float(right), abs=1e-9), name
            narrow = multicenter_cross_entropy(logits[:, :, :1].expand(-1, -1, K + 1), labels)
            assert float(shown["narrow"]) == pytest.approx(float(narrow), abs=1e-9)
            assert float(shown["loss"]) == pytest.approx(float(multicenter_cross_entropy(logits, labels)), abs=1e-9)
            seen.add(shown["values"])
            drawn.add(shown["shiftsA"])
    assert len(seen) > 15
    assert len(drawn) > 8


@pytest.mark.browser
def test_two_modes_draws_standard_normal_noise(figure_of):  # noqa: F811
    """All draws of 64 sub-centres: mean 0, variance 1, no two alike."""
    figure = figure_of("two-modes")
    sliders = figure.locator("input")
    move(sliders.nth(2), "End")
    draws = []
    for index in range(20):
        if index:
            move(sliders.nth(1), "ArrowRight")
        shown = dataset(figure)
        draws.append([shift / json.loads(shown["values"])["sigma_a"] for shift in json.loads(shown["shiftsA"])[1:]])
    noise = torch.tensor(draws, dtype=torch.float64)
    assert noise.shape == (20, 64)
    assert len(noise.unique()) == noise.numel()
    assert abs(float(noise.mean())) < 4 / noise.numel() ** 0.5
    assert abs(float(noise.var()) - 1) < 4 * (2 / noise.numel()) ** 0.5
