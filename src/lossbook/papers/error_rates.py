r"""How often the rules of :mod:`lossbook.papers.rules` say a wrong word, found by simulation with a known truth.

A *world* is a rule with a truth: the means, in units of the standard deviation of one seed's value, and the bound.  Whole
experiments are drawn from it, each of a few seeds, and decided by the limits that the rule itself uses.  Where the claim is
false, *reproduced* is wrong; where it is true, *not reproduced* is; exactly at the bound the claim is false by a hair, and
also true by a hair, so either word is.

Importing this does not load torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from lossbook.papers.rules import largest, range_limits, ranges_limits, rank_limits, within_limits

Limits = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
SEEDS = (3, 5, 10, 20, 40)


def _normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return generator.standard_normal(shape)


def _skewed_metrics(generator: np.random.Generator, shape: tuple[int, ...], ratio: float) -> np.ndarray:
    """Differences of two exponential metrics, of skewness 2, one with ``ratio`` times the spread of the other."""
    one, other = generator.standard_exponential((2, *shape))
    return (ratio * one - other - ratio + 1) / np.sqrt(1 + ratio**2)


# What the values of a seed vary by: mean 0, standard deviation 1.  The differences of skewed metrics have a skewness of 0
# where both vary alike, and of 1.25 where one varies twice as much.
NOISES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": _normal,
    "skewed metrics": partial(_skewed_metrics, ratio=1.0),
    "skewed differences": partial(_skewed_metrics, ratio=2.0),
}


@dataclass(frozen=True)
class World:
    """A rule, and what is true.

    Attributes:
        rule: what it is about.
        truth: the truth in words.
        means: of the comparisons.
        effect: what the rule is about, of these means.
        limits: of values (..., seeds, k): the rule's own.
        bound: of the claim.
        above: whether the claim is that the effect is above it.
    """

    rule: str
    truth: str
    means: tuple[float, ...]
    effect: float
    limits: Limits
    bound: float = 0.0
    above: bool = True


def _rank(rank: int, rule: str, truth: str, *means: float) -> World:
    return World(rule, truth, means, float(largest(np.array(means), rank)), partial(rank_limits, rank=rank))


def _range(truth: str, *means: float, bound: float) -> World:
    return World("range of eight settings", truth, means, float(np.ptp(means)), range_limits, bound, above=False)


def _within(truth: str, mean: float, bound: float) -> World:
    def limits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return within_limits(values[..., 0])

    return World("hardly differs", truth, (mean,), abs(mean), limits, bound, above=False)


def _ranges(truth: str, first: Sequence[float], second: Sequence[float]) -> World:
    def limits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ranges_limits(values[..., : len(first)], values[..., len(first) :])

    effect = float(np.ptp(first) - np.ptp(second))
    return World("one range above another", truth, (*first, *second), effect, limits)


_MEAN, _BEST, _COUNT = "mean", "best of fifteen", "at least eight of nine"

WORLDS = (
    _rank(1, _MEAN, "at the bound", 0.0),
    _rank(1, _MEAN, "0.3 sd above", 0.3),
    _rank(1, _MEAN, "1 sd above", 1.0),
    _rank(14, _BEST, "tied with one of fourteen others", *[1.0] * 13, 0.0),
    _rank(14, _BEST, "tied with all fourteen others", *[0.0] * 14),
    _rank(14, _BEST, "1 sd above all others", *[1.0] * 14),
    _rank(8, _COUNT, "nine gain 0.3 sd", *[0.3] * 9),
    _rank(8, _COUNT, "seven gain 1 sd, two nothing", *[1.0] * 7, 0.0, 0.0),
    _rank(8, _COUNT, "nine gain nothing", *[0.0] * 9),
    _rank(8, _COUNT, "nine gain 1 sd", *[1.0] * 9),
    _rank(1, "any of five", "five gain nothing", *[0.0] * 5),
    _within("at the bound of 1 sd", 1.0, 1.0),
    _within("none, the bound is 0.01 sd", 0.0, 0.01),
    _within("none, the bound is 1 sd", 0.0, 1.0),
    _within("2 sd, the bound is 1 sd", 2.0, 1.0),
    _range("at the bound: one setting 1 sd below", *[0.0] * 7, -1.0, bound=1.0),
    _range("none, the bound is 0.01 sd", *[0.0] * 8, bound=0.01),
    _range("none, the bound is 2 sd", *[0.0] * 8, bound=2.0),
    _ranges("equal: one setting 1 sd below in either", [0.0] * 7 + [-1.0], [0.0] * 7 + [-1.0]),
    _ranges("5 sd against none", [0.0] * 7 + [-5.0], [0.0] * 8),
)


def rates(world: World, seeds: int, noise: str = "normal", draws: int = 4000) -> dict[str, float]:
    """Shares of the experiments in which a word is said, each within [0, 1].

    The values of a seed share half of their variance, as the comparisons of one training with several others do.

    Args:
        world: what is true.
        seeds: of one experiment.
        noise: a key of :data:`NOISES`.
        draws: how many experiments.

    Returns:
        ``reproduced``, ``not reproduced``; ``wrong``, the larger share of the words that are false.
    """
    generator, draw, several = np.random.default_rng(0), NOISES[noise], len(world.means) > 1
    values = draw(generator, (draws, seeds, len(world.means)))
    if several:
        values = np.sqrt(0.5) * (values + draw(generator, (draws, seeds, 1)))
    low, high = world.limits(np.array(world.means) + values)
    if not world.above:  # the same question of what is mirrored at the bound
        low, high = 2 * world.bound - high, 2 * world.bound - low
    said, denied = float((low > world.bound).mean()), float((high <= world.bound).mean())
    true = (world.effect - world.bound) * (1 if world.above else -1)
    wrong = max(said, denied) if true == 0 else denied if true > 0 else said
    return {"reproduced": said, "not reproduced": denied, "wrong": wrong}


def error_rates(noise: str = "normal", seeds: Sequence[int] = SEEDS, draws: int = 4000) -> pd.DataFrame:
    """The shares of :func:`rates`, in per cent: one row per world (``rule``, ``truth``), columns (share, number of seeds)."""
    index = pd.MultiIndex.from_tuples([(world.rule, world.truth) for world in WORLDS], names=["rule", "truth"])
    found = {count: pd.DataFrame([rates(world, count, noise, draws) for world in WORLDS], index) for count in seeds}
    return 100 * pd.concat(found, axis=1).swaplevel(axis=1)
