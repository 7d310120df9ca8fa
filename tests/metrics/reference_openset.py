"""Longhand references for the open-set measures, over every pair of a known and an unknown sample."""

from __future__ import annotations

import itertools

import numpy as np


def oscr(known, labels, unknown) -> float:
    """The area under the points (FPR, CCR) of every threshold, from the largest score down, by the trapezoidal rule."""
    scores, unknown_scores = [max(row) for row in known], [max(row) for row in unknown]
    right = [int(np.argmax(row)) == c for row, c in zip(known, labels, strict=True)]
    points = [(0.0, 0.0)]
    for t in sorted({*scores, *unknown_scores}, reverse=True):
        ccr = sum(r and s >= t for r, s in zip(right, scores, strict=True)) / len(scores)
        points.append((sum(s >= t for s in unknown_scores) / len(unknown_scores), ccr))
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))


def auroc(known, unknown) -> float:
    """Pairs"""
    return sum((k > u) + 0.5 * (k == u) for k in known for u in unknown) / (len(known) * len(unknown))
