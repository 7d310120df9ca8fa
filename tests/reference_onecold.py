"""Longhand float64 references for the `onecold` paper and its baselines, with plain loops, `math` and numpy.

They share no code with the package.  Samples and classes are counted from 0; a row holds one sample's logits.
"""

from __future__ import annotations

import itertools
import math

import numpy as np


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


# One sample's loss -----------------------------------------------------------------------------------------------


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


# Neural collapse, Appendix A.9 -----------------------------------------------------------------------------------


def class_means(features, labels) -> np.ndarray:
    return np.array([np.mean([h for h, c in zip(features, labels, strict=True) if c == k], axis=0) for k in sorted(set(labels))])


def covariances(features, labels) -> tuple[np.ndarray, np.ndarray]:
    """(Sigma_W, Sigma_B); every class counts the same."""
    classes, means = sorted(set(labels)), class_means(features, labels)
    k, d = means.shape
    mean = means.mean(0)
    within, between = np.zeros((d, d)), np.zeros((d, d))
    for c, m in zip(classes, means, strict=True):
        own = [h for h, label in zip(features, labels, strict=True) if label == c]
        for h in own:
            within += np.outer(h - m, h - m) / (len(own) * k)
        between += np.outer(m - mean, m - mean) / k
    return within, between


def nc1(features, labels) -> float:
    """With numpy's pseudo-inverse, whose cut-off is given: the K - 1 largest eigenvalues."""
    within, between = covariances(features, labels)
    k = len(set(labels))
    values, vectors = np.linalg.eigh(between)
    inverse = sum(np.outer(v, v) / x for x, v in list(zip(values[::-1], vectors.T[::-1], strict=True))[: min(k - 1, len(values))])
    return float(np.trace(within @ inverse) / k)


def to_etf(matrix) -> float:
    k = len(matrix)
    total = 0.0
    length = math.sqrt(sum(float(x) ** 2 for row in matrix for x in row))
    for i in range(k):
        for j in range(k):
            total += (matrix[i][j] / length - ((i == j) - 1 / k) / math.sqrt(k - 1)) ** 2
    return math.sqrt(total)


def simplex(k: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """A simplex ETF (k, d), rotated at random; needs d >= k - 1."""
    frame = np.eye(k) - 1 / k
    basis = np.linalg.svd(frame)[0][:, : k - 1]
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0][: k - 1]
    return basis @ rotation


# Open set --------------------------------------------------------------------------------------------------------


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


# Similarity, Appendix A.8 ----------------------------------------------------------------------------------------


def hsic(first, second) -> float:
    n = len(first)
    centring = np.eye(n) - np.ones((n, n)) / n
    return float(np.trace(first @ centring @ second @ centring)) / (n - 1) ** 2


def linear_cka(x, y) -> float:
    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / math.sqrt(hsic(k, k) * hsic(m, m))
