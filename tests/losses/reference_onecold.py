"""Longhand float64 references for the `onecold` paper and its baselines, with plain loops, `math` and numpy.

They share no code with the package.  Samples and classes are counted from 0; a row holds one sample's logits.
"""

from __future__ import annotations

import math


def batch_mean(sample_loss, logits, labels, *arguments) -> float:
    return sum(sample_loss([float(z) for z in row], int(c), *arguments) for row, c in zip(logits, labels, strict=True)) / len(
        labels
    )


def probabilities(row) -> list[float]:
    """Eq. 12"""
    total = sum(math.exp(z) for z in row)
    return [math.exp(z) / total for z in row]


def anti_probabilities(row) -> list[float]:
    """Eq. 4, on the negated logits."""
    return probabilities([-z for z in row])


def one_cold(n: int, c: int) -> list[float]:
    """Eq. 3"""
    return [0.0 if i == c else 1 / (n - 1) for i in range(n)]


# One sample's loss ------------------------------------------------------------------------------------------------


def occe(row, c, target=None):
    """Eq. 4"""
    target = one_cold(len(row), c) if target is None else target
    return -sum(t * math.log(p) for t, p in zip(target, anti_probabilities(row), strict=True) if t)


def instance_target(row, c, alpha):
    """Eq. 9"""
    return [(1 - alpha) * t + alpha * p for t, p in zip(one_cold(len(row), c), anti_probabilities(row), strict=True)]


def class_matrix(logits, labels, n: int) -> list[list[float]]:
    """C of Sec. A.1.1: average predictions of each class, zero diagonal, rows that sum to 1."""
    matrix = []
    for k in range(n):
        own = [anti_probabilities(row) for row, c in zip(logits, labels, strict=True) if c == k]
        average = [sum(p[j] for p in own) / len(own) if j != k else 0.0 for j in range(n)]
        matrix.append([a / sum(average) for a in average])
    return matrix


def cross_entropy(row, c):
    """Eq. 2"""
    return -math.log(probabilities(row)[c])


def label_smoothing(row, c, epsilon):
    n = len(row)
    return -sum(((1 - epsilon) * (j == c) + epsilon / n) * math.log(p) for j, p in enumerate(probabilities(row)))


def negative_log(row, c):
    p = probabilities(row)
    return -sum(math.log(1 - p[j]) for j in range(len(p)) if j != c) / (len(p) - 1)


def complement_entropy(row, c):
    p = probabilities(row)
    q = [p[j] / (1 - p[c]) for j in range(len(p)) if j != c]
    return -sum(x * math.log(x) for x in q)


def complement_cross_entropy(row, c, balance):
    return cross_entropy(row, c) - balance * complement_entropy(row, c) / (len(row) - 1)


def focal(row, c, gamma):
    p = probabilities(row)[c]
    return -((1 - p) ** gamma if gamma >= 0 else (1 + p) ** -gamma) * math.log(p)


def asymmetric(row, c, positive, negative, epsilon):
    loss = 0.0
    for j, p in enumerate(probabilities(row)):
        target = (1 - epsilon) * (j == c) + epsilon / len(row)
        weight = (1 - p) ** positive if j == c else p**negative
        loss -= target * weight * math.log(p)
    return loss


def cyclical_focal(row, c, share, confident, hard):
    p = probabilities(row)[c]
    return -(share * (1 + p) ** confident + (1 - share) * (1 - p) ** hard) * math.log(p)
