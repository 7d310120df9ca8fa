"""Means over seeds, paired differences and their confidence intervals.

``scipy.stats`` takes half a second to import, and the steps of the build that only list runs and pages never need it.
As an attribute of ``scipy`` it is loaded at its first use.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy


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
    half = float(scipy.stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count))
    return Interval(mean, mean - half, mean + half, count)


class Friedman(NamedTuple):
    """Do the methods differ at all?  Friedman's chi-squared statistic and its p-value."""

    statistic: float
    p: float


def _check_blocks(values: np.ndarray, may_lack: bool = False) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    bad = np.isinf(values) if may_lack else ~np.isfinite(values)
    if values.ndim != 2 or len(values) < 2 or values.shape[1] < 3 or bad.any():
        raise ValueError(f"expected finite values (blocks >= 2, methods >= 3), got shape {values.shape}")
    return values


def _ranks(values: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """The rank of every method in every block, (blocks, methods)."""
    values = _check_blocks(values, may_lack=True)
    costs = -values if higher_is_better else values
    return scipy.stats.rankdata(np.where(np.isnan(costs), np.inf, costs), axis=1)


def mean_ranks(values: np.ndarray, higher_is_better: bool = True) -> np.ndarray:
    """Mean rank of every method over the blocks (seeds, data sets): 1 is best, equal values share their mean rank.

    Args:
        values: (blocks, methods); NaN, for a run that failed, ranks last.

    Returns:
        (methods,), within 1..methods; their mean is (methods + 1) / 2.

    Example:
        >>> mean_ranks(np.array([[0.9, 0.8, 0.7], [0.9, 0.6, 0.6]]))
        array([1.  , 2.25, 2.75])
    """
    return _ranks(values, higher_is_better).mean(0)


def friedman(values: np.ndarray, higher_is_better: bool = True) -> Friedman:
    """Friedman's test over (blocks, methods): a small p-value says that the methods do not all rank alike.  The arguments are
    those of :func:`mean_ranks`."""
    found = scipy.stats.friedmanchisquare(*_ranks(values, higher_is_better).T)
    return Friedman(float(found.statistic), float(found.pvalue))


def critical_difference(methods: int, blocks: int, alpha: float = 0.05) -> float:
    r"""Nemenyi's critical difference (Demsar, 2006): two mean ranks closer than this do not differ.

    .. math:: \mathrm{CD} = \frac{q_{\alpha, k, \infty}}{\sqrt 2} \sqrt{\frac{k (k+1)}{6 n}}

    with the studentized range q of k methods, over n blocks.  All pairs are covered at once, at level alpha.

    Example:
        >>> round(critical_difference(methods=5, blocks=10), 3)  # q = 2.728, as tabulated
        1.929
    """
    if methods < 2 or blocks < 1:
        raise ValueError(f"expected methods >= 2 and blocks >= 1, got {methods} and {blocks}")
    q = scipy.stats.studentized_range.ppf(1 - alpha, methods, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * blocks)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values of a family of tests, adjusted by Holm's step-down: each may be compared with alpha itself.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03]))
        array([0.03, 0.06, 0.06])
    """
    p_values = np.asarray(p_values, dtype=float)
    order = p_values.argsort()
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def paired_tests(values: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Wilcoxon's signed-rank test of every method against a control, block by block, adjusted by Holm.

    Args:
        values: (blocks, methods).
        control: (blocks,).

    Returns:
        (methods,) two-sided p-values; 1 where a method equals the control in every block.
    """
    differences = np.asarray(values, dtype=float) - np.asarray(control, dtype=float)[:, None]
    return holm(np.array([scipy.stats.wilcoxon(column).pvalue if column.any() else 1.0 for column in differences.T]))


def held_out_gain(values: np.ndarray, control: np.ndarray, higher_is_better: bool = True) -> Interval:
    """What the best method gains on a control, without the luck of having been chosen on the same numbers: for every block the
    method that is best on average over the *other* blocks is taken, and its gain in this block counts.

    Args:
        values: (blocks, methods), finite.
        control: (blocks,).

    Returns:
        Mean of value less control over the blocks, with its interval, in the values' unit: negative is better where
        lower values are.  The blocks share most of what they were chosen on, so the interval is a little too narrow.
    """
    values, control = _check_blocks(values), np.asarray(control, dtype=float)
    others = values.sum(0) - values
    best = others.argmax(1) if higher_is_better else others.argmin(1)
    return mean_interval(values[np.arange(len(values)), best] - control)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> Interval:
    r"""Spearman's correlation of two rankings of the same methods, with a 95 % interval over the methods.

    .. math:: \tanh\bigl(\operatorname{artanh} \rho \pm 1.96 \sqrt{(1 + \rho^2/2) / (n - 3)}\bigr)

    for n methods (Bonett and Wright, 2000).

    Args:
        first, second: (methods,) values that rank them, at least four.

    Example:
        >>> found = rank_correlation(np.arange(10), np.array([1, 0, 2, 4, 3, 5, 7, 6, 9, 8]))
        >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
        (0.952, 0.742, 0.992)
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 4:
        raise ValueError(f"expected two values for each of at least 4 methods, got shapes {first.shape} and {second.shape}")
    rho = float(scipy.stats.spearmanr(first, second).statistic)
    half = scipy.stats.norm.ppf(0.975) * math.sqrt((1 + rho**2 / 2) / (len(first) - 3))
    centre = math.copysign(math.inf, rho) if abs(rho) == 1 else math.atanh(rho)
    return Interval(rho, math.tanh(centre - half), math.tanh(centre + half), len(first))
