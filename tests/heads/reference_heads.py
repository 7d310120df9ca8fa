"""Longhand float64 references for the linear and the cosine head and their biases, written from the `uniform` paper."""

from __future__ import annotations

import math


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
