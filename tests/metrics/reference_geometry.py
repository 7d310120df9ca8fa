"""Longhand references for compactness and separability, over every pair, and for the accuracy of groups of classes (`bce3s`)."""

from __future__ import annotations

import math

import numpy as np


def dot(a, b) -> float:
    return sum(float(p) * float(q) for p, q in zip(a, b, strict=True))


def cosine(a, b) -> float:
    lengths = math.sqrt(dot(a, a) * dot(b, b))
    return dot(a, b) / lengths if lengths else 0.0


def compactness(x, labels, classes) -> list[float]:
    """Eq. 14"""
    result = []
    for k in range(classes):
        own = [x[i] for i, label in enumerate(labels) if label == k]
        pairs = [(cosine(a, b) + 1) / 2 for i, a in enumerate(own) for j, b in enumerate(own) if i != j]
        result.append(100 * sum(pairs) / len(pairs) if pairs else math.nan)
    return result


def feature_separability(x, labels, classes, center) -> list[float]:
    """Eq. 15; "global" takes the mean of the class means off samples and class means."""
    x = np.array(x, dtype=np.float64)
    own = {k: [i for i, label in enumerate(labels) if label == k] for k in range(classes)}
    means = {k: sum(x[i] for i in index) / len(index) for k, index in own.items() if index}
    middle = sum(means.values()) / len(means)
    result = []
    for k in range(classes):
        others = [j for j in means if j != k]
        terms = []
        for i in own[k]:
            for j in others:
                a, b = (x[i] - means[k], means[j]) if center == "class" else (x[i] - middle, means[j] - middle)
                terms.append((1 - cosine(a, b)) / 2)
        result.append(100 * sum(terms) / len(terms) if terms else math.nan)
    return result


def separability_matrix(w) -> np.ndarray:
    """Eq. 36"""
    w = np.array(w, dtype=np.float64)
    centred = [row - sum(w) / len(w) for row in w]
    return np.array([[1.0 if j == k else (1 - cosine(a, b)) / 2 for k, b in enumerate(centred)] for j, a in enumerate(centred)])


def classifier_separability(w) -> list[float]:
    """Eq. 13"""
    matrix = separability_matrix(w)
    return [100 * sum(row[j] for j in range(len(row)) if j != k) / (len(row) - 1) for k, row in enumerate(matrix)]


def group_accuracy(predictions, labels, counts, many=100, few=20) -> list[float]:
    def share(chosen):
        return sum(predictions[i] == labels[i] for i in chosen) / len(chosen) if chosen else math.nan

    everything = range(len(labels))
    tests = (lambda n: True, lambda n: n > many, lambda n: few <= n <= many, lambda n: n < few)
    return [share([i for i in everything if test(counts[labels[i]])]) for test in tests]
