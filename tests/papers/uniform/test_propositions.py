"""What the pages prove of the losses, longhand."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from lossbook.losses import uniform as losses


def test_bce_is_softmax_and_the_chance_of_exactly_one_yes():
    """All 16 answers of four classes are listed; each class says yes on its own."""
    z = torch.tensor([0.3, -1.2, 2.0, 0.7], dtype=torch.float64)
    yes = [1 / (1 + math.exp(-value)) for value in z.tolist()]
    one = sum(
        math.prod(p if answer else 1 - p for p, answer in zip(yes, answers, strict=True))
        for answers in product((False, True), repeat=4)
        if sum(answers) == 1
    )
    for label in range(4):
        y = torch.tensor([label])
        bce, softmax = (float(loss(z[None], y)) for loss in (losses.binary_cross_entropy, losses.cross_entropy))
        assert bce == pytest.approx(softmax - math.log(one), abs=1e-12)


def _unit(*shape: int, rng: torch.Generator) -> torch.Tensor:
    vectors = torch.randn(*shape, generator=rng, dtype=torch.float64)
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _least(num_classes: int, scale: float) -> float:
    lower = losses.etf_lower_bound(num_classes, scale)
    return losses.bce_at(losses.stationary_bias(num_classes, lower, scale), num_classes, lower, scale)


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_no_features_bring_a_cosine_bce_below_the_simplex(num_classes):
    """Free features, class vectors and bias; two samples of each class; near the simplex and far from it."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(2 * num_classes) % num_classes
    own = labels[:, None] == torch.arange(num_classes)
    eye = torch.eye(num_classes, dtype=torch.float64)
    simplex = (eye - 1 / num_classes) * math.sqrt(num_classes / (num_classes - 1))
    for trial in range(300):
        noise = 10.0 ** (trial % 5 - 3)
        vectors = torch.nn.functional.normalize(simplex + noise * _unit(num_classes, num_classes, rng=rng))
        features = torch.nn.functional.normalize(simplex[labels] + noise * _unit(len(labels), num_classes, rng=rng))
        cosines = features @ vectors.T
        assert cosines[own].mean() - cosines[~own].mean() <= num_classes / (num_classes - 1) + 1e-12
        scale, bias = 0.3 + trial % 13, float(torch.randn((), generator=rng))
        loss = float(losses.binary_cross_entropy(scale * cosines - bias, labels))
        assert loss >= _least(num_classes, scale) - 1e-12


@pytest.mark.parametrize(("num_classes", "scale"), [(2, 1.0), (3, 0.3), (10, 4.0), (30, 12.0)])
def test_the_simplex_reaches_it(num_classes, scale):
    eye = torch.eye(num_classes, dtype=torch.float64)
    simplex = (eye - 1 / num_classes) * math.sqrt(num_classes / (num_classes - 1))
    bias = losses.stationary_bias(num_classes, -scale / (num_classes - 1), scale)
    loss = losses.binary_cross_entropy(scale * simplex @ simplex.T - bias, torch.arange(num_classes))
    assert float(loss) == pytest.approx(_least(num_classes, scale), abs=1e-12)
