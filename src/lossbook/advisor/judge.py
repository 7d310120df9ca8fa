r"""Does a method differ from cross entropy?  Paired differences over the test samples, with intervals that hold for all methods
together.

Of method j, :math:`d_{ij}` is its value less that of cross entropy on the tested sample i, and :math:`\bar d_j` their mean.
Its variance has two parts:

.. math:: \operatorname{var}(\bar d_j) = \frac{G}{(G-1)\, n^2} \sum_g \Big(\sum_{i \in g} (d_{ij} - \bar d_j)\Big)^2
          + \frac{\tau^2}{K}

The first is that of the samples, G groups of them (a sample that several folds test is one group).  It is not below what a
single sample would give that differs as much as samples do where they differ: methods that agree on all samples may differ on
the next.  The second is that of the trainings: :math:`\tau^2` is by how much the K folds' means vary more than their samples
explain, as a mean over the methods, not below 0.  Intervals are of Student's t with :math:`G - 1` degrees of freedom, at level
:math:`\alpha / m` for m methods (Bonferroni), so that with 95 % probability all of them hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

ALPHA = 0.05
POWER = 0.8


class Difference(NamedTuple):
    """A method's mean difference to cross entropy, with its limits and the number of samples that would show one as large.

    Attributes:
        method: its name.
        mean, low, high: in the goal's unit, larger is better.
        samples: tested samples.
        needed: tested samples with which a difference of ``mean`` would be found with a probability of 80 %; infinite for a
            mean of 0.
    """

    method: str
    mean: float
    low: float
    high: float
    samples: int
    needed: float

    @property
    def better(self) -> bool:
        return self.low > 0

    @property
    def worse(self) -> bool:
        return self.high < 0


class Verdict(NamedTuple):
    """What the differences of all methods say.

    Attributes:
        differences: the methods', without the control, the best mean first.
        winner: the best method that is better than the control, or the control.
        gain: what the choice of the best method gains on samples that did not choose it (:func:`held_out_gain`).
        bound: no method differs from the control by more than this, with 95 % probability: the largest limit.
        failed: methods whose training diverged in some fold.
    """

    differences: tuple[Difference, ...]
    winner: str
    gain: Difference
    bound: float
    failed: tuple[str, ...]

    @property
    def different(self) -> bool:
        """Is any method better or worse than the control?"""
        return any(found.better or found.worse for found in self.differences)


def _variances(differences: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, int]:
    """The samples' part of the variance of every row's mean, (m,), and the number of groups."""
    _, place = np.unique(groups, return_inverse=True)
    count = int(place.max()) + 1
    sums = np.stack([np.bincount(place, weights=row, minlength=count) for row in differences])
    sizes = np.bincount(place)
    squares = np.square(sums - differences.mean(1, keepdims=True) * sizes).sum(1)
    factor = count / max(count - 1, 1) / differences.shape[1] ** 2
    # Methods that agree on all samples may differ on the next one, as much as groups do where they differ.
    usual = np.square(sums[sums != 0]).mean() if sums.any() else 0.0
    return factor * np.maximum(squares, usual), count


def _shared(groups: np.ndarray, folds: np.ndarray) -> bool:
    """Do the folds test the same samples?"""
    first = folds == folds[0]
    return bool(np.isin(groups[first], groups[~first]).any())


def training_variance(differences: np.ndarray, groups: np.ndarray, folds: np.ndarray) -> float:
    r"""By how much the folds' means vary beyond what their samples explain, :math:`\tau^2`: a mean over the rows, at least 0.

    Args:
        differences: (m, n).
        groups, folds: (n,) of every tested sample.
    """
    numbers = np.unique(folds)
    if len(numbers) < 2:
        return 0.0
    means = np.stack([differences[:, folds == k].mean(1) for k in numbers], 1)
    total = means.var(1, ddof=1)
    if _shared(groups, folds):
        explained = 0.0  # the same samples in every fold: they shift all means alike
    else:
        explained = np.stack([_variances(differences[:, folds == k], groups[folds == k])[0] for k in numbers]).mean(0)
    return float(np.maximum(np.mean(total - explained), 0.0))


def compare(
    methods: Sequence[str], differences: np.ndarray, groups: np.ndarray, folds: np.ndarray, family: int, tau2: float
) -> list[Difference]:
    """Every row's mean difference with its interval, which holds for a family of so many at once.

    Args:
        methods: names of the rows.
        differences: (m, n), finite.
        groups, folds: (n,).
        family: how many intervals hold together.
        tau2: see :func:`training_variance`.
    """
    variances, count = _variances(differences, groups)
    errors = np.sqrt(variances + tau2 / len(np.unique(folds)))
    quantile = float(scipy.stats.t.ppf(1 - ALPHA / (2 * family), max(count - 1, 1)))
    power = float(scipy.stats.norm.ppf(POWER))
    found = []
    for method, mean, error in zip(methods, differences.mean(1), errors, strict=True):
        ratio = (quantile + power) * error / abs(mean) if mean else math.inf
        half, samples = quantile * error, differences.shape[1]
        found.append(Difference(method, float(mean), float(mean - half), float(mean + half), samples, samples * ratio**2))
    return found


def judge(methods: Sequence[str], values: np.ndarray, groups: np.ndarray, folds: np.ndarray) -> Verdict:
    """The verdict over all methods.

    Args:
        methods: names; the first is the control.
        values: (methods, n), larger is better; NaN where a training diverged.
        groups: (n,), of the tested samples.
        folds: (n,), which fold tested the sample.

    Raises:
        ValueError: if the control's training diverged.
    """
    whole = np.isfinite(values).all(1)
    if not whole[0]:
        raise ValueError(f"the training of {methods[0]} diverged at every rate that was tried: are the features finite and sane?")
    failed = tuple(name for name, fine in zip(methods, whole, strict=True) if not fine)
    kept = [name for name, fine in zip(methods, whole, strict=True) if fine]
    values = values[whole]
    differences = values[1:] - values[0]
    found, tau2 = [], 0.0
    if len(differences):
        tau2 = training_variance(differences, groups, folds)
        found = sorted(compare(kept[1:], differences, groups, folds, len(differences), tau2), key=lambda one: -one.mean)
    best = next((one.method for one in found if one.better), kept[0])
    bound = max((max(abs(one.low), abs(one.high)) for one in found), default=0.0)
    return Verdict(tuple(found), best, held_out_gain(values, groups, folds, tau2), bound, failed)


def held_out_gain(values: np.ndarray, groups: np.ndarray, folds: np.ndarray, tau2: float) -> Difference:
    """What choosing the best method gains on the control: in every fold by the method that is best on the *other* folds, so
    that no sample both chooses and counts.  Where all folds test the same samples, half of the groups choose for the others.

    Args:
        values: (methods, n), finite; the first is the control.
        groups, folds, tau2: see :func:`compare`.
    """
    parts = folds
    if _shared(groups, folds):
        parts = np.unique(groups, return_inverse=True)[1] % 2
    gains = np.zeros(values.shape[1])
    for part in np.unique(parts):
        mine = parts == part
        if mine.all():
            continue
        best = int(values[:, ~mine].mean(1).argmax())
        gains[mine] = values[best, mine] - values[0, mine]
    return compare(["the best"], gains[None], groups, folds, 1, tau2)[0]
