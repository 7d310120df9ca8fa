"""The interactive figure of the `onecold` chapter agrees with the package (see test_pages.py)."""

from __future__ import annotations

import json

import pytest
import torch
from test_pages import KEYS, browser, dataset, figure_of, move  # noqa: F401  two of them are fixtures
from torch.nn.functional import cross_entropy

from lossbook.losses.onecold import one_cold_cross_entropy


@pytest.mark.browser
def test_gradients_agree_with_the_package(figure_of):  # noqa: F811
    figure = figure_of("onecold-gradients")
    label = torch.zeros(1, dtype=torch.int64)
    seen = set()
    for slider in figure.locator("input").all():
        for key in KEYS:
            move(slider, key)
            shown = dataset(figure)
            values = json.loads(shown["values"])
            logits = torch.tensor([[values["z0"], values["z1"], values["z2"]]], dtype=torch.float64, requires_grad=True)
            ce = torch.autograd.grad(cross_entropy(logits, label), logits)[0][0]
            occe = torch.autograd.grad(one_cold_cross_entropy(logits, label), logits)[0][0]
            for name, gradient in (("ce", ce), ("occe", occe), ("sum", ce + values["gamma"] * occe)):
                assert json.loads(shown[name]) == pytest.approx(gradient.tolist(), abs=1e-9), name
            seen.add(tuple(values.values()))
    assert len(seen) > 12
