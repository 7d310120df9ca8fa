"""Longhand float64 references for the `bce3s` paper and its baselines, with plain loops over samples and classes.

They share no code with the package: exponentials are exponentials here, so keep the logits moderate.  ``z``, ``x`` and
``w`` are lists of numbers or numpy rows; classes are counted from 0.
"""

from __future__ import annotations

import math

import numpy as np


def rows(tensor) -> np.ndarray:
    """A tensor as float64 numpy."""
    return tensor.detach().cpu().double().numpy()


def dot(a, b) -> float:
    return sum(float(p) * float(q) for p, q in zip(a, b, strict=True))


def cosine(a, b) -> float:
    lengths = math.sqrt(dot(a, a) * dot(b, b))
    return dot(a, b) / lengths if lengths else 0.0


def sigma(c: float) -> float:
    return 1 / (1 + math.exp(-c))


# The three terms --------------------------------------------------------------------------------------------------


def joint_bce(logits, labels, keep=None, weights=None) -> float:
    """Eqs. 3 and 35"""
    total = 0.0
    for i, k in enumerate(labels):
        loss = math.log(1 + math.exp(-logits[i][k]))
        for j in range(len(logits[i])):
            if j != k and (keep is None or keep[i][j]):
                loss += math.log(1 + math.exp(logits[i][j]))
        total += loss * (1.0 if weights is None else weights[k])
    return total / len(labels)


def joint_ce(logits, labels, weights=None) -> float:
    """Eqs. 22 and 26"""
    total = 0.0
    for i, k in enumerate(labels):
        loss = -math.log(math.exp(logits[i][k]) / sum(math.exp(c) for c in logits[i]))
        total += loss * (1.0 if weights is None else weights[k])
    return total / len(labels)


def contrastive_bce(z, labels, bank, tau, seen=None) -> float:
    """Eq. 4; classes that the bank has not seen are in no term."""
    total = 0.0
    for i, k in enumerate(labels):
        for j in range(len(bank)):
            if seen is None or seen[j]:
                c = cosine(z[i], bank[j]) / tau
                total += math.log(1 + math.exp(-c if j == k else c))
    return total / len(labels)


def contrastive_ce(z, labels, bank, tau, seen=None) -> float:
    """Eq. 23 with the bank in the denominator; a sample of a class that the bank has not seen adds nothing."""
    total = 0.0
    for i, k in enumerate(labels):
        if seen is None or seen[k]:
            known = [j for j in range(len(bank)) if seen is None or seen[j]]
            terms = {j: math.exp(cosine(z[i], bank[j]) / tau) for j in known}
            total -= math.log(terms[k] / sum(terms.values()))
    return total / len(labels)


def uniform_bce(w, constant=True) -> float:
    """Eq. 5, the mean over the classes"""
    total = 0.0
    for k in range(len(w)):
        if constant:
            total += math.log(1 + math.exp(-1))
        total += sum(math.log(1 + math.exp(cosine(w[k], w[j]))) for j in range(len(w)) if j != k)
    return total / len(w)


def uniform_ce(w) -> float:
    """Eq. 24, the mean over the classes"""
    total = 0.0
    for k in range(len(w)):
        total -= math.log(math.e / sum(math.exp(cosine(w[k], w[j])) if j != k else math.e for j in range(len(w))))
    return total / len(w)


def class_balanced_weights(counts, beta) -> list[float]:
    return [(1 - beta) / (1 - beta**n) for n in counts]


def update_bank(bank, seen, z, labels):
    bank, seen = [list(row) for row in bank], list(seen)
    for i, k in enumerate(labels):
        bank[k], seen[k] = list(z[i]), True
    return bank, seen


# Gradients --------------------------------------------------------------------------------------------------------


def gradient_of_classifier(w, b, x, labels, lambda_cc) -> np.ndarray:
    """Eq. 8 for classifier vectors on the unit sphere, with what the print lacks: the biases, lambda_cc, the factor 2 of
    the interactive term.  (Without the Jacobian of a normalisation: the vectors are free here.)"""
    batch, classes = len(x), len(w)
    result = np.zeros((classes, len(w[0])))
    for k in range(classes):
        for i, label in enumerate(labels):
            activation = sigma(dot(w[k], x[i]) + b[k])
            result[k] += ((activation - 1) if label == k else activation) * np.array(x[i]) / batch
        for j in range(classes):
            if j != k:
                result[k] += 2 * lambda_cc / classes * sigma(dot(w[k], w[j])) * np.array(w[j])
    return result


# Baselines --------------------------------------------------------------------------------------------------------


def class_balanced_focal(logits, labels, counts, beta, gamma) -> float:
    raw = class_balanced_weights(counts, beta)
    weights = [v * len(counts) / sum(raw) for v in raw]
    total = 0.0
    for i, k in enumerate(labels):
        for j, c in enumerate(logits[i]):
            p = sigma(c) if j == k else sigma(-c)
            total += weights[k] * (1 - p) ** gamma * -math.log(p)
    return total / len(labels)


def ldam(logits, labels, counts, max_margin, scale) -> float:
    raw = [n**-0.25 for n in counts]
    margins = [max_margin * m / max(raw) for m in raw]
    shifted = [
        [c - scale * margins[j] if j == k else c for j, c in enumerate(row)] for row, k in zip(logits, labels, strict=True)
    ]
    return joint_ce(shifted, labels)


def balanced_softmax(logits, labels, counts, strength=1.0) -> float:
    total = 0.0
    for i, k in enumerate(labels):
        terms = [counts[j] ** strength * math.exp(c) for j, c in enumerate(logits[i])]
        total -= math.log(terms[k] / sum(terms))
    return total / len(labels)


# Geometry: every pair ---------------------------------------------------------------------------------------------


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
