"""The exact accuracies beside a grid search over thresholds, and their reduction beside an argmax.

The grid searches start from our own reduction of the metrics, so both sides pay for it alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import DEVICE, Values, compare, whole
from lossbook.metrics import classwise_uniform_accuracy, samplewise_accuracy, split_metrics, uniform_accuracy

SAMPLES, CLASSES, THRESHOLDS, CHUNK = 50_000, 1_000, 10_000, 100


def _value(number: float) -> Values:
    return (torch.tensor(number, dtype=torch.float64),)


def _draw() -> tuple[Tensor, Tensor]:
    """Normal metrics, each sample with a shift of its own, positives lifted by 5: most samples are right, but no one
    threshold suits all."""
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


def _grid_uniform_accuracy(metrics: Tensor, labels: Tensor) -> float:
    positive, negative = split_metrics(metrics, labels)
    grid = _grid(positive, negative)
    best = torch.stack([_most_classified(positive, negative, chunk) for chunk in grid.split(CHUNK)]).max()
    return best.item() / len(labels)


def _grid_classwise_accuracy(metrics: Tensor, labels: Tensor) -> float:
    positive, negative = split_metrics(metrics, labels)
    grid = _grid(positive, negative)
    order, sizes = labels.argsort(), labels.bincount().tolist()
    classes = zip(positive[order].split(sizes), negative[order].split(sizes), strict=True)
    return sum(_most_classified(p, n, grid).item() for p, n in classes if len(p)) / len(labels)


def _shortfall(ours: Values, theirs: Values) -> float:
    """By how much the grid misses the exact accuracy; a grid above it would prove the exact one wrong."""
    missing = float(ours[0] - theirs[0])
    if missing < 0:
        raise ValueError(f"a grid search found {float(theirs[0])}, above the exact accuracy {float(ours[0])}")
    return missing


def run(quick: bool = False) -> list[dict[str, Any]]:
    """The three accuracies of 50,000 x 1,000 metrics (the same when ``quick``)."""
    metrics, labels = _draw()
    size, grid = f"M={SAMPLES:,}, N={CLASSES:,}", f"grid of {THRESHOLDS:,} thresholds"
    return [
        compare(
            f"samplewise_accuracy, {size}",
            "metrics.argmax(1) == labels",
            whole(lambda: _value(samplewise_accuracy(metrics, labels))),
            whole(lambda: _value((metrics.argmax(1) == labels).double().mean().item())),
            items=SAMPLES,
            repeats=15,
        ),
        compare(
            f"uniform_accuracy, {size}",
            grid,
            whole(lambda: _value(uniform_accuracy(metrics, labels)[0])),
            whole(lambda: _value(_grid_uniform_accuracy(metrics, labels))),
            items=SAMPLES,
            error=_shortfall,
        ),
        compare(
            f"classwise_uniform_accuracy, {size}",
            f"{grid} a class",
            whole(lambda: _value(classwise_uniform_accuracy(metrics, labels))),
            whole(lambda: _value(_grid_classwise_accuracy(metrics, labels))),
            items=SAMPLES,
            error=_shortfall,
        ),
    ]
