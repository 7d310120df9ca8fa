r"""How claims are decided: rules from values per seed to a verdict.

Every rule gives an interval :math:`[\text{low}, \text{high}]` for what its claim is about, each end at the level
:math:`\alpha = 1/40`:

.. math:: P(\text{low} > \theta) \le \alpha, \qquad P(\text{high} < \theta) \le \alpha

and says *reproduced* if the whole interval lies on the claimed side of the bound, *not reproduced* if all of it lies on the
other side, and *undecided* otherwise.  So neither word is said with a probability above 1/40 where the opposite is true.
The limits of one mean are Student's, and the probabilities those of normal values; :mod:`lossbook.papers.error_rates` finds
them for others too.

A seed with a failed run has no value (:func:`lossbook.papers.claims.by_seed`).  It is left out and counted; where more than
one seed in ten failed, the claim is undecided.

Importing this does not load torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy

from lossbook.papers.claims import Printed, Unit, Verdict

# How often each of the two wrong words is said at most.
ALPHA = 0.025
# Where more than one seed in so many failed, a claim is undecided.
ONE_IN = 10


class Limits(NamedTuple):
    """An estimate with its lower and upper confidence limit, and the place of what it is about among several, from 0."""

    effect: float
    low: float
    high: float
    place: int = 0


def lower_limits(values: np.ndarray, alpha: float) -> np.ndarray:
    r"""One-sided lower confidence limits of means, :math:`\bar x - t_{1-\alpha, n-1}\, s / \sqrt n` (Student).

    Args:
        values: (..., seeds, k), finite, without order.
        alpha: the level, how often a limit lies above its mean.

    Returns:
        (..., k); minus infinity for fewer than two seeds.
    """
    seeds = values.shape[-2]
    if seeds < 2:
        return np.full(values.shape[:-2] + values.shape[-1:], -math.inf)
    half = scipy.stats.t.ppf(1 - alpha, seeds - 1) * values.std(axis=-2, ddof=1) / math.sqrt(seeds)
    return values.mean(axis=-2) - half


def upper_limits(values: np.ndarray, alpha: float) -> np.ndarray:
    """The same above: one-sided upper confidence limits of means."""
    return -lower_limits(-values, alpha)


def largest(values: np.ndarray, rank: int) -> np.ndarray:
    """The ``rank``-th largest of the last axis; rank 1 is the largest."""
    return np.sort(values, axis=-1)[..., -rank]


def rank_limits(values: np.ndarray, rank: int, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    r"""Confidence limits of the ``rank``-th largest of k means :math:`\theta_{(1)} \ge \dots \ge \theta_{(k)}`.

    The lower one is the r-th largest of the lower limits at level :math:`\alpha / (k - r + 1)`, the upper one the r-th
    largest of the upper limits at level :math:`\alpha / r` (partial conjunction; an intersection-union test for r = k).

    Proof.  If the r-th largest lower limit is above :math:`\theta_{(r)}`, r lower limits are; only r - 1 means are ranked
    before :math:`\theta_{(r)}`, so one of the k - r + 1 others is below its own lower limit: at most
    :math:`(k - r + 1) \cdot \alpha / (k - r + 1)`.  If the r-th largest upper limit is below :math:`\theta_{(r)}`, so are
    k - r + 1 upper limits, one of them of the r means ranked up to r, which is above it: at most :math:`r \cdot \alpha / r`.
    Nothing is asked of how the k values of a seed depend on each other.

    Args:
        values: (..., seeds, k), finite.
        rank: r, within 1..k.
        alpha: the level of each end.

    Returns:
        Two arrays (...).
    """
    k = values.shape[-1]
    if not 1 <= rank <= k:
        raise ValueError(f"expected a rank within 1..{k}, got {rank}")
    return largest(lower_limits(values, alpha / (k - rank + 1)), rank), largest(upper_limits(values, alpha / rank), rank)


def within_limits(values: np.ndarray, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    r"""Confidence limits of the size of a mean, :math:`|\theta|`.

    Proof.  For :math:`\theta \ge 0` the upper one fails only if the mean's upper limit does, at level :math:`\alpha`, and
    for negative ones only if the lower one does.  The lower one fails if either limit at :math:`\alpha / 2` does.

    Args:
        values: (..., seeds), finite.
        alpha: the level of each end.

    Returns:
        Two arrays (...), within 0..inf.
    """
    values = values[..., None]
    low = np.maximum(lower_limits(values, alpha / 2), -upper_limits(values, alpha / 2))[..., 0]
    high = np.maximum(upper_limits(values, alpha), -lower_limits(values, alpha))[..., 0]
    return np.maximum(low, 0.0), high


def pairs(values: np.ndarray) -> np.ndarray:
    """(..., seeds, k) -> (..., seeds, k (k - 1)): all differences of two, in the order of ``itertools.permutations``."""
    first, second = np.array(list(permutations(range(values.shape[-1]), 2))).T
    return values[..., first] - values[..., second]


def range_limits(values: np.ndarray, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    """Confidence limits of the range of k means, largest less smallest: the largest of all differences of two of them.

    Args:
        values: (..., seeds, k), finite.
        alpha: the level of each end.

    Returns:
        Two arrays (...); the lower one is at least 0, as a range is.
    """
    low, high = rank_limits(pairs(values), 1, alpha)
    return np.maximum(low, 0.0), high


def ranges_limits(first: np.ndarray, second: np.ndarray, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    """Confidence limits of one range of means less another one: the limits of both at half the level.

    Args:
        first, second: (..., seeds, k) and (..., seeds, m), finite.
        alpha: the level of each end.
    """
    (low, high), (other_low, other_high) = (range_limits(values, alpha / 2) for values in (first, second))
    return low - other_high, high - other_low


def verdict_of(
    limits: Limits, seeds: int, failed: int = 0, *, bound: float, above: bool, unit: Unit = Unit.POINTS, note: str = ""
) -> Verdict:
    """What an interval says about a bound; where too many seeds failed, the interval is all numbers."""
    if ONE_IN * failed > seeds + failed:
        limits, note = (
            limits._replace(low=-math.inf, high=math.inf),
            f"{note} ({failed} of {seeds + failed} seeds failed)".strip(),
        )
    effect, low, high, _ = limits
    beyond, against = (low > bound, high <= bound) if above else (high < bound, low >= bound)
    reproduced = True if beyond else False if against else None
    return Verdict(reproduced, effect, low, high, seeds, unit, bound, above, note, failed)


def _complete(*values: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Arrays (seeds, ...) without the seeds that lack a value in any of them, and how many these are."""
    arrays = [np.asarray(one, dtype=float) for one in values]
    kept = np.logical_and.reduce([np.isfinite(one).all(axis=tuple(range(1, one.ndim))) for one in arrays])
    return [one[kept] for one in arrays], int((~kept).sum())


def _mean(values: np.ndarray) -> np.ndarray:
    """Means over the seeds; NaN if there are none."""
    return values.mean(axis=0) if len(values) else np.full(values.shape[1:], math.nan)


def decide(values: np.ndarray, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS, note: str = "") -> Verdict:
    """Is the mean above (below) a bound?

    Args:
        values: (seeds,), NaN where a run failed.
    """
    (kept,), failed = _complete(values)
    low, high = rank_limits(kept[:, None], 1)
    return verdict_of(
        Limits(float(_mean(kept)), float(low), float(high)), len(kept), failed, bound=bound, above=above, unit=unit, note=note
    )


def decide_rank(
    values: pd.DataFrame, rank: int, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS, note: str = "{}"
) -> Verdict:
    """Is the ``rank``-th largest of k means above (below) a bound?

    "All of k are above": rank k.  "At least r of k are above": rank r.  "Any is above": rank 1.  "All of k are below":
    ``above=False`` and rank 1.  The limits, and why they hold, are those of :func:`rank_limits`.

    Args:
        values: one row per seed, one column per comparison; NaN where a run failed.
        rank: within 1..k; 1 is the largest.
        note: the name of the comparison that has the ``rank``-th largest mean stands for its ``{}``.
    """
    (kept,), failed = _complete(values.to_numpy())
    low, high = rank_limits(kept, rank)
    means = _mean(kept)
    place = int(np.argsort(means, kind="stable")[-rank])
    found = Limits(float(means[place]), float(low), float(high), place)
    named = note.format(values.columns[place])
    return verdict_of(found, len(kept), failed, bound=bound, above=above, unit=unit, note=named)


def decide_all(
    values: pd.DataFrame, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS, note: str = "{}"
) -> Verdict:
    """Are all of k means above (below) a bound?  The effect is the one that is farthest on the wrong side."""
    return decide_rank(values, values.shape[1] if above else 1, bound, above, unit, note)


def decide_best(own: pd.Series, others: Mapping[str, pd.Series], unit: Unit = Unit.POINTS, note: str = "against {}") -> Verdict:
    """Is the mean of one above those of all others?

    Args:
        own: one value per seed.
        others: name -> one value per seed.
    """
    return decide_all(pd.DataFrame({name: own - other for name, other in others.items()}), unit=unit, note=note)


def decide_within(values: np.ndarray, bound: float, unit: Unit = Unit.POINTS, note: str = "") -> Verdict:
    """Does the mean differ from 0 by less than a bound?  The effect is the size of the mean.

    Args:
        values: (seeds,), NaN where a run failed.
    """
    (kept,), failed = _complete(values)
    low, high = within_limits(kept)
    found = Limits(float(np.abs(_mean(kept))), float(low), float(high))
    return verdict_of(found, len(kept), failed, bound=bound, above=False, unit=unit, note=note)


def decide_range(
    values: pd.DataFrame, bound: float, above: bool = False, unit: Unit = Unit.POINTS, note: str = "{0} less {1}"
) -> Verdict:
    """Is the range of k means, largest less smallest, below (above) a bound?

    Args:
        values: one row per seed, one column per setting; NaN where a run failed.
        note: the names of the settings with the largest and the smallest mean stand for its ``{0}`` and ``{1}``.
    """
    (kept,), failed = _complete(values.to_numpy())
    low, high = range_limits(kept)
    means = _mean(kept)
    top, bottom = int(means.argmax()), int(means.argmin())
    found = Limits(float(means[top] - means[bottom]), float(low), float(high))
    named = note.format(values.columns[top], values.columns[bottom])
    return verdict_of(found, len(kept), failed, bound=bound, above=above, unit=unit, note=named)


def decide_ranges(
    first: pd.DataFrame, second: pd.DataFrame, bound: float = 0.0, unit: Unit = Unit.POINTS, note: str = ""
) -> Verdict:
    """Is the range of some means larger than that of others, by more than a bound?

    Args:
        first, second: one row per seed, the same seeds in both, one column per setting; NaN where a run failed.
    """
    if not first.index.equals(second.index):
        raise ValueError("expected the same seeds on both sides")
    (one, other), failed = _complete(first.to_numpy(), second.to_numpy())
    low, high = ranges_limits(one, other)
    effect = np.ptp(_mean(one)) - np.ptp(_mean(other))
    found = Limits(float(effect), float(low), float(high))
    return verdict_of(found, len(one), failed, bound=bound, above=True, unit=unit, note=note)


def by_proof(
    worst: float, runs: int, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS, note: str = ""
) -> Verdict:
    """A claim that a proof decides: the run that is farthest on the wrong side of the bound must not be beyond it.

    A run beyond it would be a mistake of the code or of the proof, so the word is then *not reproduced*.

    Args:
        worst: the value of that run.
        runs: how many were looked at.
    """
    holds = worst >= bound if above else worst <= bound
    return Verdict(holds, worst, worst, worst, runs, unit, bound, above, note, proof=True)


def printed(values: np.ndarray | pd.Series, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS) -> Printed:
    """The sentence on a paper's own numbers: the mean over the cases that it prints (data sets, networks).

    Args:
        values: (cases,); a case that is not printed is NaN.
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[np.isfinite(kept)]
    if not kept.size:
        raise ValueError("expected at least one printed number")
    return _printed(float(kept.mean()), len(kept), bound, above, unit)


def printed_rank(
    values: pd.DataFrame, rank: int, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS, note: str = "{}"
) -> Printed:
    """The same for :func:`decide_rank`: the ``rank``-th largest of the means over the cases.

    Args:
        values: one row per case, one column per comparison; a cell that is not printed is NaN.
    """
    means = values.mean().dropna().sort_values(ascending=False, kind="stable")
    found = _printed(float(means.iloc[rank - 1]), int(values.notna().to_numpy().sum()), bound, above, unit)
    return found._replace(note=note.format(means.index[rank - 1]))


def printed_all(
    values: pd.DataFrame, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS, note: str = "{}"
) -> Printed:
    """The same for :func:`decide_all`."""
    return printed_rank(values, values.notna().any().sum() if above else 1, bound, above, unit, note)


def _printed(effect: float, cases: int, bound: float, above: bool, unit: Unit) -> Printed:
    return Printed(effect, cases, effect > bound if above else effect < bound, unit)
