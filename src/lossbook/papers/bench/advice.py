"""Which loss to try for which goal: what gains on the cross entropy on every tier, and what loses on every tier.

For a goal a method is *advised* if its gain on the cross entropy is above 0 on each tier by a simultaneous interval, and
*warned of* if it is below 0 on each.  So no tier contradicts an advice, and one of all the methods together is wrong with a
probability of at most 1/40 where none gains (:func:`simultaneous`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from lossbook.papers.bench.read import GOALS, Goal, scores
from lossbook.papers.bench.tables import BENCH_SEARCHES, TAIL_SEARCHES
from lossbook.papers.rules import ALPHA, ONE_IN, lower_limits, upper_limits
from lossbook.papers.tuning import tuned
from lossbook.paths import in_project
from lossbook.runs.spec import RunSpec


def simultaneous(differences: pd.DataFrame) -> pd.DataFrame:
    r"""Means with simultaneous limits: Student's at the level :math:`\alpha / m` for each of m columns (Bonferroni), so that all
    m lower limits hold together with a probability of at least :math:`1 - \alpha = 39/40`, and so do the upper ones.

    Args:
        differences: one row per seed, one column per method; NaN where a run failed.

    Returns:
        ``mean``, ``low`` and ``high``, one row per method; the limits are infinite where more than one seed in ten failed.
    """
    rows = {}
    for method, column in differences.items():
        found = column.dropna()
        low, high = -math.inf, math.inf
        if ONE_IN * (len(column) - len(found)) <= len(column):
            values, level = found.to_numpy()[:, None], ALPHA / differences.shape[1]
            low, high = float(lower_limits(values, level)[0]), float(upper_limits(values, level)[0])
        rows[method] = {"mean": float(found.mean()), "low": low, "high": high}
    return pd.DataFrame.from_dict(rows, orient="index")


def gains(results: pd.DataFrame, goal: Goal, control: str = "CE") -> pd.DataFrame:
    """What each method gains on the control for a goal, in points, positive where it is better: :func:`simultaneous`."""
    values = scores(results, goal)
    return simultaneous(goal.better * values.drop(columns=control).sub(values[control], axis=0))


def on_every_tier(tiers: Mapping[str, pd.DataFrame], goal: Goal, side: Literal[1, -1] = 1) -> pd.DataFrame:
    """The methods that gain on the cross entropy for a goal on every tier (side 1), or lose on every tier (side -1).

    Args:
        tiers: tier -> its results.

    Returns:
        One row per method, columns (tier, ``mean`` | ``low`` | ``high``), in the order of the mean of its places on the tiers:
        the place by the mean gain, the largest first (side -1: the largest loss first).
    """
    found = pd.concat({tier: gains(results, goal) for tier, results in tiers.items()}, axis=1, join="inner")
    bound = found.xs("low" if side > 0 else "high", axis=1, level=1)
    places = found.xs("mean", axis=1, level=1).rank(ascending=side < 0).mean(axis=1).sort_values(kind="stable")
    return found.loc[[name for name in places.index if (side * bound.loc[name] > 0).all()]]


def smallest_seen(results: pd.DataFrame, goal: Goal) -> float:
    """The gain that half of the methods would need to be told from the cross entropy: the median half-width of their
    simultaneous intervals, in points."""
    found = gains(results, goal)
    return float(((found["high"] - found["low"]) / 2).median())


def cost(file: str | Path) -> pd.DataFrame:
    """What head and loss of each method take, forward and backward, as a multiple of the cross entropy's time: one row per
    method, one column per number of classes.

    Args:
        file: the results of the benchmark ``methods``.
    """
    rows = pd.read_csv(in_project(file))
    return rows.pivot(index="method", columns="classes", values="time_ratio").loc[rows["method"].unique()]


def recipe(method: str, goal: Goal, tier: str) -> RunSpec:
    """The spec of a method for a goal, with the learning rate and the arguments that were chosen on a tier."""
    searches = BENCH_SEARCHES if goal.table == "bench" else TAIL_SEARCHES
    return tuned("bench", searches[tier][method])


def code(method: str, goal: Goal, tier: str) -> str:
    """The line of code that makes the objective of a method for a goal; ``counts`` are the training images per class."""
    spec = recipe(method, goal, tier)
    counts = "" if goal.table == "bench" else ", counts"
    arguments = "".join(f", {name}={value!r}" for name, value in spec.objective_args.items())
    return f'create_objective("{spec.objective}", features, classes{counts}{arguments})'


def advice(tiers: Mapping[str, pd.DataFrame], most: int = 3) -> pd.DataFrame:
    """The methods that are advised: one row per goal and method, at most so many per goal, in the order of
    :func:`on_every_tier`; a goal for which no method is advised has no row."""
    rows = {goal.name: on_every_tier(tiers, goal).head(most) for goal in GOALS}
    return pd.concat({name: frame for name, frame in rows.items() if len(frame)}, names=["goal", "method"])
