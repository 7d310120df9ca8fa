"""Longhand float64 references for the `warped` paper and its retrieval metrics, with plain loops and `math`.

They share no code with the package.  Samples, classes and labels are counted from 0.
"""

from __future__ import annotations

import math


def eq_6(row, y, f1, f2, temperature=1.0) -> float:
    """Eqs. 6 and 8: d_y goes through f1, every other distance through f2."""
    total = 0.0
    for j in range(len(row)):
        if j != y:
            total += math.exp(temperature * (f1(row[y]) - f2(row[j])))
    return math.log(1 + total)


def eq_4(row, y, temperature=1.0) -> float:
    return eq_6(row, y, lambda x: x, lambda x: x, temperature)


def eq_7(x, alpha, k1, k2, margin) -> float:
    if x < alpha:
        return k1 * x + margin * (1 - k1) * x
    return k2 * x + alpha * (1 - k2)


def eq_8(row, y, alpha, k1, k2, temperature=1.0, margin=1.0) -> float:
    return eq_6(row, y, lambda x: eq_7(x, alpha, k1, k2, margin), lambda x: x, temperature)


def eq_8_gradient(row, y, alpha, k1, k2, temperature=1.0, margin=1.0) -> list[float]:
    """With respect to the distances, Delta held constant: -T p_j for the others, T f1' times their sum for the own one."""
    terms = [math.exp(temperature * (eq_7(row[y], alpha, k1, k2, margin) - row[j])) for j in range(len(row)) if j != y]
    share = {j: term / (1 + sum(terms)) for j, term in zip([j for j in range(len(row)) if j != y], terms, strict=True)}
    slope = k1 if row[y] < alpha else k2
    return [temperature * slope * sum(share.values()) if j == y else -temperature * share[j] for j in range(len(row))]
