"""Longhand references for the diversity of classes, over every pair of samples."""

from __future__ import annotations

import math


def cosine(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def intra_class_diversity(features, labels) -> float:
    means = []
    for c in sorted(set(labels)):
        own = [x for x, y in zip(features, labels, strict=True) if y == c]
        pairs = [1 - cosine(own[i], own[j]) for i in range(len(own)) for j in range(len(own)) if i != j]
        if pairs:
            means.append(sum(pairs) / len(pairs))
    return sum(means) / len(means)


def within_class_share(features, labels) -> float:
    def scatter(rows) -> float:
        mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        return sum((x - m) ** 2 for row in rows for x, m in zip(row, mean, strict=True))

    classes = [[x for x, y in zip(features, labels, strict=True) if y == c] for c in sorted(set(labels))]
    return sum(scatter(own) for own in classes) / scatter(features)
