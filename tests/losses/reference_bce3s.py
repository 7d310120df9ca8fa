"""Longhand float64 references for the losses of `bce3s` and its baselines, with plain loops over samples and classes.

They share no code with the package.  Exponentials are exponentials here, so the logits must be moderate.  ``z``, ``x`` and
``w`` are lists of numbers or numpy rows; classes are counted from 0.
"""

from __future__ import annotations

import math

import numpy as np


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
