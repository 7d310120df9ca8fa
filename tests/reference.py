"""Longhand float64 references for the `uniform` paper, written from its formulas with plain loops and `math`.

They share no code with the package: exponentials are exponentials here, so keep the metrics moderate (|c| < 300).
Samples, classes and labels are counted from 0; ``metrics[m][j]`` is the metric of sample m to class j.
"""

from __future__ import annotations

import itertools
import math

import numpy as np


def rows(tensor) -> np.ndarray:
    """A tensor as float64 numpy."""
    return tensor.detach().cpu().double().numpy()


def negatives(row, y: int) -> list[float]:
    return [float(row[j]) for j in range(len(row)) if j != y]


def batch_mean(sample_loss, metrics, labels, *arguments) -> float:
    return sum(sample_loss(row, int(y), *arguments) for row, y in zip(metrics, labels, strict=True)) / len(labels)


# One sample's loss -----------------------------------------------------------------------------------------------


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
    """Eq. 41: a threshold b_j a class."""
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


# Heads and Table I -----------------------------------------------------------------------------------------------


def linear(feature, weight) -> list[float]:
    """Eq. 61"""
    return [sum(float(w) * float(x) for w, x in zip(row, feature, strict=True)) for row in weight]


def cosine(feature, weight, gamma) -> list[float]:
    """Eq. 62"""
    length = math.sqrt(sum(float(x) ** 2 for x in feature))
    products = linear(feature, weight)
    return [
        gamma * product / (math.sqrt(sum(float(w) ** 2 for w in row)) * length)
        for product, row in zip(products, weight, strict=True)
    ]


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


def diverse_bias(mode: int, n: int) -> list[float]:
    """Modes 1-7 of Table X."""
    values = []
    for i in range(1, n + 1):
        inside = 1 <= i <= n / 4 or n / 2 <= i <= 3 * n / 4
        values.append(
            {
                1: i,
                2: 64 * i / n,
                3: 64 * (n - i) / n,
                4: math.log(96 * i),
                5: math.log(96 * (n + 1 - i)),
                6: math.log(96 * n) if inside else 0,
                7: 0 if inside else math.log(96 * n),
            }[mode]
        )
    return values


# Uniformity ------------------------------------------------------------------------------------------------------


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
    """(positive min, positive max, negative min, negative max) a class, over the sample-wise classified samples."""
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
