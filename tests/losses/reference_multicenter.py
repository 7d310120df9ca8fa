"""Longhand float64 references for the `multicenter` paper, written from its formulas with plain loops and `math`.

They share no code with the package.  Samples, classes and labels are counted from 0; the K + 1 centres of class c stand
together, the class centre first: centre k of class c is column c (K + 1) + k of the extended classifier.
"""

from __future__ import annotations

import math


def label(y: int, classes: int, subcenters: int, center_weight: float = 0.5, smoothing: float = 0.0) -> list[float]:
    """Eq. 8 over all C (K + 1) columns, with 0-based y."""
    tau = [0.0] * (classes * (subcenters + 1))
    first = y * (subcenters + 1)
    tau[first] = center_weight if subcenters else 1.0
    for k in range(1, subcenters + 1):
        tau[first + k] = (1 - center_weight) / subcenters
    return [(1 - smoothing) * value + smoothing / len(tau) for value in tau]


def code_label(y: int, classes: int) -> list[float]:
    """The authors' code for K = 2: 0.5, 0.2, 0.2, and 0.1 spread over all 3 C columns."""
    tau = [0.1 / (3 * classes)] * (3 * classes)
    for k, share in enumerate((0.5, 0.2, 0.2)):
        tau[3 * y + k] += share
    return tau


def cross_entropy(row, tau) -> float:
    """Eq. 9 for one sample's C (K + 1) logits."""
    total = sum(math.exp(z) for z in row)
    return -sum(t * math.log(math.exp(z) / total) for z, t in zip(row, tau, strict=True))


def batch_cross_entropy(logits, labels, *arguments) -> float:
    """Mean over the batch; ``logits[m][c][k]``."""
    total = 0.0
    for sample, y in zip(logits, labels, strict=True):
        row = [float(z) for centers in sample for z in centers]
        total += cross_entropy(row, label(int(y), len(sample), len(sample[0]) - 1, *arguments))
    return total / len(labels)


def subcenters(weight, log_var, noise, sigma_scale) -> list:
    """Eq. 6, ``[c][k][j]``."""
    return [
        [
            [weight[c][j] + sigma_scale * math.sqrt(math.exp(log_var[c][j])) * draw[j] for j in range(len(draw))]
            for draw in noise[c]
        ]
        for c in range(len(weight))
    ]


def kl(log_var) -> float:
    """Eq. 10, mean over the classes."""
    return sum(-0.5 * sum(1 + v - math.exp(v) for v in row) for row in log_var) / len(log_var)


def kl_by_quadrature(variance: float, steps: int = 20000, reach: float = 12.0) -> float:
    """KL(N(0, variance) || N(0, 1)) as an integral."""
    sigma, width = math.sqrt(variance), 2 * reach / steps
    total = 0.0
    for i in range(steps):
        z = -reach + (i + 0.5) * width  # x = sigma z
        log_p = -0.5 * z * z - math.log(sigma * math.sqrt(2 * math.pi))
        log_q = -0.5 * (sigma * z) ** 2 - math.log(math.sqrt(2 * math.pi))
        total += math.exp(log_p) * (log_p - log_q) * width * sigma
    return total


def psi(theta: float, margin: int) -> float:
    """L-Softmax: (-1)^k cos(m theta) - 2k in the k-th of m sections of [0, pi]."""
    k = min(int(theta * margin / math.pi), margin - 1)
    return (-1) ** k * math.cos(margin * theta) - 2 * k


def arc(theta: float, margin: float) -> float:
    """ArcFace: cos(theta + m), and beyond pi - m the line through cos(theta)."""
    return math.cos(theta + margin) if theta + margin < math.pi else math.cos(theta) - margin * math.sin(margin)


def cosine(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
