"""Does a recommendation hold on samples that the comparison has never seen?

A part of the samples is held back.  The others are compared as a user would compare them; then every method is trained, at the
setting that was chosen for it, on all samples that were compared, five times with other starts and batches, and measured on
what was held back.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lossbook.advisor.compare import Comparison, Options, compare, measure_tuned, saved_features
from lossbook.advisor.goals import GOALS
from lossbook.advisor.judge import Difference, Verdict, judge
from lossbook.advisor.methods import CONTROL
from lossbook.advisor.reading import Samples
from lossbook.advisor.splits import Fold, blocks

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"


class Outcome(NamedTuple):
    """What became of a recommendation.  Gains are differences to cross entropy in the goal's unit, larger is better.

    Attributes:
        goal: a name in :data:`~lossbook.advisor.goals.GOALS`.
        recommended: the method, or cross entropy where no method was shown to be better.
        promised: its gain on the samples that were compared; 0 for cross entropy.
        promised_low, promised_high: limits of the promise.  For cross entropy, which promises that nothing gains more, the lower
            one is minus infinity and the upper one the largest upper limit of all methods.
        tested: samples that the promise comes from.
        method: that was judged on the held-back samples: the recommended one; where that is cross entropy, of all others the one
            whose lower limit there is largest.
        found, found_low, found_high: its gain there and the 95 % limits; where it was taken among all, they hold for all of them.
        control: score of cross entropy there.
    """

    goal: str
    recommended: str
    promised: float
    promised_low: float
    promised_high: float
    tested: int
    method: str
    found: float
    found_low: float
    found_high: float
    control: float

    @property
    def verdict(self) -> str:
        return verdict(self.recommended, self.promised_low, self.found_low, self.found_high)


def verdict(recommended: str, promised_low: float, found_low: float, found_high: float) -> str:
    """Whether a recommendation held.

    A loss has held where it is better than cross entropy on the held-back samples, too, and its gain there may be as large as the
    lower limit that was promised; it has not held where its gain there is smaller than that limit; else the held-back samples
    are too few to say.  Cross entropy has held where no loss is better on the held-back samples.

    Example:
        >>> verdict("BCE", 0.01, 0.002, 0.03), verdict("BCE", 0.01, -0.01, 0.03), verdict("BCE", 0.01, 0.001, 0.005)
        ('held', 'undecided', 'not held')
        >>> verdict("CE", float("-inf"), -0.01, 0.02), verdict("CE", float("-inf"), 0.001, 0.02)
        ('held', 'not held')
    """
    if recommended == CONTROL:
        return NOT_HELD if found_low > 0 else HELD
    if found_high < promised_low:
        return NOT_HELD
    return HELD if found_low > 0 else UNDECIDED


def split(samples: Samples, compared: int, parts: int, seed: int = 0) -> np.ndarray:
    """Which samples are compared, (n,) bool: so many of equal parts, with every class's share; groups stay whole."""
    return blocks(samples.labels, samples.groups, parts, seed) < compared


def some(samples: Samples, mask: np.ndarray) -> Samples:
    """Some of the samples, which know nothing of the others; a class must have one among them."""
    return replace(
        samples,
        features=samples.features[mask],
        labels=samples.labels[mask],
        part=samples.part[mask],
        groups=samples.groups[mask],
    )


def try_out(samples: Samples, compared: np.ndarray, options: Options, folder: Path) -> list[Outcome]:
    """Compare some samples, and judge the recommendations of all goals on the others.

    Args:
        samples: all, without a split of their own.
        compared: which are compared, (n,) bool.
        options: of the comparison; there are as many trainings for the held-back samples as it has folds.
        folder: keeps the results of trainings.

    Returns:
        One outcome per goal.
    """
    found = compare(some(samples, compared), options, folder / "compared")
    folds = (Fold(np.flatnonzero(compared), np.flatnonzero(~compared)),) * options.folds
    index, number = np.tile(folds[0].test, options.folds), np.repeat(np.arange(options.folds), len(folds[0].test))
    groups = samples.groups[index]
    outcomes = []
    for hides in (False, True):
        tuned = {goal: of_goal for goal, of_goal in found.tuned.items() if GOALS[goal].hides is hides}
        if not tuned:
            continue
        features = saved_features(samples, folder)
        measured = measure_tuned(samples, features, options, tuned, hides, folds, 1, folder / "held-back")
        for goal, of_goal in measured.items():
            values = {name: one.values for name, one in of_goal.items()}
            outcomes.append(_outcome(goal, found, values, groups, number))
    return outcomes


def _outcome(goal: str, found: Comparison, values: dict[str, np.ndarray], groups: np.ndarray, trainings: np.ndarray) -> Outcome:
    said = found.verdicts[goal]
    judged = values if said.winner == CONTROL else {name: values[name] for name in (CONTROL, said.winner)}
    there = judge(list(judged), np.stack(list(judged.values())), groups, trainings)
    best = max(there.differences, key=lambda one: one.low)
    return Outcome(
        goal,
        said.winner,
        *_promise(said),
        said.gain.samples,
        best.method,
        best.mean,
        best.low,
        best.high,
        float(values[CONTROL].mean()),
    )


def _promise(said: Verdict) -> tuple[float, float, float]:
    """The gain that is promised, and its limits."""
    if said.winner == CONTROL:
        return 0.0, -np.inf, max(one.high for one in said.differences)
    best: Difference = next(one for one in said.differences if one.method == said.winner)
    return best.mean, best.low, best.high
