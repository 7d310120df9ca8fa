"""Longhand references for the accuracies of `uniform`, with plain loops.

``metrics[m][j]`` is the similarity of sample m to class j.
"""

from __future__ import annotations

import itertools
import math

import numpy as np


def negatives(row, y: int) -> list[float]:
    return [float(row[j]) for j in range(len(row)) if j != y]


def classified_at(metrics, labels, threshold: float) -> int:
    """|D(M, C; t)| of Eq. 13: how many samples have positive > t >= every negative."""
    return sum(
        bool(row[y] > threshold and all(threshold >= c for c in negatives(row, y)))
        for row, y in zip(metrics, labels, strict=True)
    )


def candidate_thresholds(metrics) -> list[float]:
    """Every metric, every middle between two neighbours, and one value beyond each end."""
    values = sorted({float(c) for row in metrics for c in row})
    return values + [(a + b) / 2 for a, b in itertools.pairwise(values)] + [values[0] - 1, values[-1] + 1]


def samplewise_accuracy(metrics, labels) -> float:
    """Eq. 11"""
    return sum(bool(row[y] > max(negatives(row, y))) for row, y in zip(metrics, labels, strict=True)) / len(labels)


def uniform_accuracy(metrics, labels) -> float:
    """Eqs. 13-14"""
    return max(classified_at(metrics, labels, t) for t in candidate_thresholds(metrics)) / len(labels)


def classwise_uniform_accuracy(metrics, labels) -> float:
    """Eqs. 18-20"""
    total = 0
    for i in {int(y) for y in labels}:
        own = [row for row, y in zip(metrics, labels, strict=True) if y == i]
        total += max(classified_at(own, [i] * len(own), t) for t in candidate_thresholds(metrics))
    return total / len(labels)


def class_ranges(metrics, labels, kind: str) -> list[tuple[float, float, float, float]]:
    """(positive min, positive max, negative min, negative max) per class, over the sample-wise classified samples."""
    kept = [(row, int(y)) for row, y in zip(metrics, labels, strict=True) if row[y] > max(negatives(row, y))]
    ranges = []
    for i in range(len(metrics[0])):
        positive = [float(row[i]) for row, y in kept if y == i]
        if kind == "type1":  # c_j(x^(i))
            negative = [c for row, y in kept if y == i for c in negatives(row, i)]
        else:  # c_i(x^(j))
            negative = [float(row[i]) for row, y in kept if y != i]
        ends = [f(values) if values else math.nan for values in (positive, negative) for f in (min, max)]
        ranges.append(tuple(ends))
    return ranges


def overlap(metrics, labels) -> tuple[float, float, float, float]:
    """Mean and sample standard deviation over the classes of the minimum positive and of the maximum negative metric."""
    ranges = [r for r in class_ranges(metrics, labels, "type1") if not math.isnan(r[0])]
    low, high = np.array([r[0] for r in ranges]), np.array([r[3] for r in ranges])
    return low.mean(), low.std(ddof=1), high.mean(), high.std(ddof=1)


def verification_accuracy(scores, positive) -> float:
    """The best share of scores on their side of one threshold, by trying all of them."""
    tried = [-math.inf, *(float(s) for s in scores)]
    return max(sum((s > t) == bool(p) for s, p in zip(scores, positive, strict=True)) for t in tried) / len(scores)
