"""The exact accuracies beside a grid search over thresholds and a loop over classes, their reduction beside an argmax.

In a case on *reduced pairs*, both sides start from every sample's positive and largest negative similarity; only what
follows counts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchmarks.measure import DEVICE, Side, Values, compare, incomparable, whole
from lossbook.metrics import classwise_uniform_accuracy, samplewise_accuracy, split_similarities, uniform_accuracy, uniformity

SAMPLES, CLASSES, THRESHOLDS, CHUNK = 50_000, 1_000, 10_000, 100
# Ours / peer at most: the sweep beside a grid, sweep and reduction beside an argmax, one sweep beside a loop over classes.
GRID_GOAL, ARGMAX_GOAL, LOOP_GOAL = 0.01, 0.5, 0.1


def _value(number: float) -> Values:
    return (torch.tensor(number, dtype=torch.float64),)


def _draw() -> tuple[Tensor, Tensor]:
    """Normal similarities, each sample with a shift of its own, the positive ones raised by 5: most samples are right, but no
    single threshold suits all."""
    generator = torch.Generator().manual_seed(0)
    metrics = torch.randn(SAMPLES, CLASSES, generator=generator) + torch.randn(SAMPLES, 1, generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    metrics[torch.arange(SAMPLES), labels] += 5
    return metrics.to(DEVICE), labels.to(DEVICE)


def _grid(positive: Tensor, negative: Tensor) -> Tensor:
    return torch.linspace(float(negative.min()), float(positive.max()), THRESHOLDS, device=positive.device)


def _most_classified(positive: Tensor, negative: Tensor, thresholds: Tensor) -> Tensor:
    """The largest number of samples that one threshold classifies, each threshold tried on all samples at once."""
    classified = (positive > thresholds[:, None]) & (thresholds[:, None] >= negative)
    return classified.sum(1).max()


def _grid_uniform_accuracy(positive: Tensor, negative: Tensor) -> float:
    grid = _grid(positive, negative)
    best = torch.stack([_most_classified(positive, negative, chunk) for chunk in grid.split(CHUNK)]).max()
    return best.item() / len(positive)


def _by_class(values: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    return values[labels.argsort()].split(labels.bincount().tolist())


def _grid_classwise_accuracy(positive: Tensor, negative: Tensor, labels: Tensor) -> float:
    grid = _grid(positive, negative)
    classes = zip(_by_class(positive, labels), _by_class(negative, labels), strict=True)
    return sum(_most_classified(p, n, grid).item() for p, n in classes if len(p)) / len(labels)


def _looped_classwise_accuracy(positive: Tensor, negative: Tensor, labels: Tensor) -> float:
    """:func:`uniform_accuracy` of every class by itself."""
    classes = _by_class(torch.stack([positive, negative], 1), labels)
    zeros = torch.zeros_like(labels)
    return sum(round(uniform_accuracy(pairs, zeros[: len(pairs)])[0] * len(pairs)) for pairs in classes) / len(labels)


def _after_reduction(accuracy: Callable[[], float], pairs: tuple[Tensor, Tensor]) -> Side:
    """One of our accuracies, started from the reduced pairs."""

    def side(meter: AbstractContextManager) -> Values:
        with mock.patch.object(uniformity, "split_similarities", lambda *_: pairs), meter:
            return _value(accuracy())

    return side


def _shortfall(ours: Values, theirs: Values) -> float:
    """By how much the grid misses the exact accuracy; a grid above it would prove the exact one wrong."""
    missing = float(ours[0] - theirs[0])
    if missing < 0:
        raise ValueError(f"a grid search found {float(theirs[0])}, above the exact accuracy {float(ours[0])}")
    return missing


def run(quick: bool = False) -> list[dict[str, Any]]:
    """The three accuracies of 50,000 x 1,000 similarities (the same when ``quick``)."""
    metrics, labels = _draw()
    pairs = split_similarities(metrics, labels)
    size, grid = f"M={SAMPLES:,}, N={CLASSES:,}", f"grid of {THRESHOLDS:,} thresholds"
    argmax = whole(lambda: _value((metrics.argmax(1) == labels).double().mean().item()))
    classwise = _after_reduction(lambda: classwise_uniform_accuracy(metrics, labels), pairs)
    return [
        compare(
            f"samplewise_accuracy, {size}",
            "metrics.argmax(1) == labels",
            whole(lambda: _value(samplewise_accuracy(metrics, labels))),
            argmax,
            items=SAMPLES,
            repeats=15,
        ),
        compare(
            f"uniform_accuracy, {size}",
            "metrics.argmax(1) == labels, another accuracy",
            whole(lambda: _value(uniform_accuracy(metrics, labels)[0])),
            argmax,
            items=SAMPLES,
            error=incomparable,
            repeats=15,
            goals={"time": ARGMAX_GOAL},
        ),
        compare(
            f"uniform_accuracy, {SAMPLES:,} reduced pairs",
            grid,
            _after_reduction(lambda: uniform_accuracy(metrics, labels)[0], pairs),
            whole(lambda: _value(_grid_uniform_accuracy(*pairs))),
            items=SAMPLES,
            error=_shortfall,
            goals={"time": GRID_GOAL},
        ),
        compare(
            f"classwise_uniform_accuracy, {SAMPLES:,} reduced pairs, N={CLASSES:,}",
            "uniform_accuracy in a loop over classes",
            classwise,
            whole(lambda: _value(_looped_classwise_accuracy(*pairs, labels))),
            items=SAMPLES,
            goals={"time": LOOP_GOAL, "error": 1e-12},
        ),
        compare(
            f"classwise_uniform_accuracy, {SAMPLES:,} reduced pairs, N={CLASSES:,}",
            f"{grid} a class",
            classwise,
            whole(lambda: _value(_grid_classwise_accuracy(*pairs, labels))),
            items=SAMPLES,
            error=_shortfall,
        ),
    ]
