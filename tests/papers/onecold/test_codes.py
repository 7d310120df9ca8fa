"""How often a code of class means is decided right."""

from __future__ import annotations

import math

import pytest
import torch

from lossbook.papers.onecold.codes import poles_right, simplex_right


def drawn(means: torch.Tensor, draws: int = 40_000) -> float:
    """The same with drawn noise; of means that coincide, the first is decided."""
    rng = torch.Generator().manual_seed(0)
    right = [
        (
            torch.cdist(mean + torch.randn(draws, means.shape[1], generator=rng, dtype=torch.float64), means).argmin(1) == k
        ).double()
        for k, mean in enumerate(means)
    ]
    return torch.cat(right).mean().item()


@pytest.mark.parametrize(("classes", "energy"), [(3, 1.0), (7, 0.5), (5, 4.0)])
def test_a_simplex_agrees_with_drawn_noise(classes, energy):
    simplex = torch.eye(classes, dtype=torch.float64) - 1 / classes
    simplex *= math.sqrt(energy / simplex[0].square().sum())
    assert simplex_right(classes, energy) == pytest.approx(drawn(simplex), abs=5e-3)


@pytest.mark.parametrize(("classes", "energy"), [(3, 1.0), (7, 0.5), (5, 4.0)])
def test_two_poles_agree_with_drawn_noise(classes, energy):
    means = torch.zeros(classes, 1, dtype=torch.float64)
    means[0], means[1] = math.sqrt(energy * classes / 2), -math.sqrt(energy * classes / 2)
    assert poles_right(classes, energy) == pytest.approx(drawn(means), abs=5e-3)


def test_without_energy_it_is_a_guess():
    assert simplex_right(8, 0.0) == pytest.approx(1 / 8, abs=1e-12)
    assert poles_right(8, 0.0) == pytest.approx(1 / 8, abs=1e-12)


def test_two_classes_and_negative_energies_are_refused():
    with pytest.raises(ValueError, match="at least 3 classes"):
        simplex_right(2, 1.0)
    with pytest.raises(ValueError, match="at least 0"):
        poles_right(3, -1.0)
