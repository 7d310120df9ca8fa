"""Longhand references for neural collapse, Appendix A.9 of `onecold`."""

from __future__ import annotations

import math

import numpy as np


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
