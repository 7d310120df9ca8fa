"""Longhand float64 references for the losses of `uniform`, written from the paper's formulas with plain loops and `math`.

They share no code with the package.  Exponentials are exponentials here, so the logits must be moderate (|c| < 300).
Samples, classes and labels are counted from 0; ``row[j]`` is the logit of a sample to class j.
"""

from __future__ import annotations

import math

from reference_heads import cosine, linear


def negatives(row, y: int) -> list[float]:
    return [float(row[j]) for j in range(len(row)) if j != y]


def batch_mean(sample_loss, metrics, labels, *arguments) -> float:
    return sum(sample_loss(row, int(y), *arguments) for row, y in zip(metrics, labels, strict=True)) / len(labels)


# One sample's loss ------------------------------------------------------------------------------------------------


def naive(row, y):
    """Eq. 27"""
    return -row[y] + sum(negatives(row, y)) / (len(row) - 1)


def softmax(row, y):
    """Eq. 29"""
    return -math.log(math.exp(row[y]) / sum(math.exp(c) for c in row))


def bce(row, y):
    """Eq. 2"""
    return math.log(1 + math.exp(-row[y])) + sum(math.log(1 + math.exp(c)) for c in negatives(row, y))


def bce_u(row, y, b):
    """Eq. 40: one threshold b."""
    return math.log(1 + math.exp(b - row[y])) + sum(math.log(1 + math.exp(c - b)) for c in negatives(row, y))


def bce_d(row, y, b):
    """Eq. 41: one threshold b_j per class."""
    loss = math.log(1 + math.exp(b[y] - row[y]))
    for j in range(len(row)):
        if j != y:
            loss += math.log(1 + math.exp(row[j] - b[j]))
    return loss


def bce_di(row, y, b):
    """Eq. 63: the threshold of the sample's own class, for all metrics."""
    return math.log(1 + math.exp(b[y] - row[y])) + sum(math.log(1 + math.exp(c - b[y])) for c in negatives(row, y))


def uce(row, y, margin, scale):
    """UniFace; ``row[j]`` is s cos_j - b, so the margin takes s m off the positive logit."""
    return bce([c - scale * margin if j == y else c for j, c in enumerate(row)], y)


def bce_u_gradient_of_b(row, y, b):
    """Eq. 43"""
    positive = math.exp(b - row[y]) / (1 + math.exp(b - row[y]))
    return positive - sum(math.exp(c - b) / (1 + math.exp(c - b)) for c in negatives(row, y))


# Table I ----------------------------------------------------------------------------------------------------------


def table_one_logits(name: str, features, weight, bias, gamma: float) -> list[list[float]]:
    """What stands in the exponentials of Table I: metric + bias for a linear classifier, metric - bias for a cosine one."""
    variant = name.split("-")[1]
    spread = [0.0] * len(weight) if variant.endswith("0") else [float(bias[j % len(bias)]) for j in range(len(weight))]
    if variant.startswith("n"):
        return [[c - b for c, b in zip(cosine(x, weight, gamma), spread, strict=True)] for x in features]
    return [[c + b for c, b in zip(linear(x, weight), spread, strict=True)] for x in features]


def table_one(name: str, features, weight, bias, labels, gamma: float) -> float:
    """Eqs. 48-59, e.g. ``"bce-nu"``."""
    formula = {"soft": softmax, "bce": bce}[name.split("-")[0]]
    return batch_mean(formula, table_one_logits(name, features, weight, bias, gamma), labels)
