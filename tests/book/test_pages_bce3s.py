"""The interactive figures of the `bce3s` chapter show what the package computes."""

from __future__ import annotations

import json
import math

import pytest
import torch
from test_pages import KEYS, browser, dataset, figure_of, move  # noqa: F401  (two of them are fixtures)

from lossbook.losses.bce3s import joint_bce, joint_ce

LENGTH = 6.0  # of the features, as in the figure


def forces(values: dict[str, float]) -> dict[str, float]:
    """The same situation, sample by sample: logits of an own and of another sample, and autograd."""
    classes = int(values["num_classes"])
    metrics = torch.zeros(2, classes, dtype=torch.float64)  # class 0 is the one that is looked at
    metrics[0, 0] = LENGTH * math.cos(math.radians(values["angle"]))
    metrics[1, 1] = LENGTH * math.cos(math.radians(values["others"]))
    metrics[:, 0] += values["bias"]
    labels = torch.tensor([0, 1])
    others = values["imbalance"] * (classes - 1)
    found = {}
    for name, loss in (("bce", joint_bce), ("ce", joint_ce)):
        logits = metrics.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(2 * loss(logits, labels), logits)
        found[f"{name}Pull"] = -float(gradient[0, 0])
        found[f"{name}Repel"] = float(gradient[1, 0]) * others
    found["bceRepel"] *= values["r"]  # the mean of the drawn negatives
    return found


@pytest.mark.browser
def test_pulling_forces_agree_with_the_package(figure_of):  # noqa: F811
    figure = figure_of("pulling-forces")
    seen = set()
    for slider in figure.locator("input").all():
        for key in KEYS:
            move(slider, key)
            shown = dataset(figure)
            values = json.loads(shown["values"])
            for name, force in forces(values).items():
                assert float(shown[name]) == pytest.approx(force, rel=1e-6), (name, values)
            seen.add(shown["values"])
    assert len(seen) > 12
