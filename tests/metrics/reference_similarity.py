"""Longhand references for the similarity of representations, Appendix A.8 of `onecold`, with whole kernels."""

from __future__ import annotations

import math

import numpy as np


def hsic(first, second) -> float:
    n = len(first)
    centring = np.eye(n) - np.ones((n, n)) / n
    return float(np.trace(first @ centring @ second @ centring)) / (n - 1) ** 2


def linear_cka(x, y) -> float:
    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / math.sqrt(hsic(k, k) * hsic(m, m))
