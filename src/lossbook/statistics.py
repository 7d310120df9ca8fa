"""Means over seeds, paired differences and their confidence intervals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """A mean with its two-sided 95 % confidence interval (Student's t) over ``count`` values."""

    mean: float
    low: float
    high: float
    count: int


def mean_interval(values: np.ndarray) -> Interval:
    """Mean and 95 % interval of independent values; the interval is infinite for fewer than two of them."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    count = len(values)
    if count == 0:
        return Interval(math.nan, -math.inf, math.inf, 0)
    mean = float(values.mean())
    if count == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = float(stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count))
    return Interval(mean, mean - half, mean + half, count)
