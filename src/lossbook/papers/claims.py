"""A paper's sentences as checks over the results: what a claim is, what a check returns, how it decides.

Importing this does not load torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from lossbook.papers.statistics import mean_interval
from lossbook.runs.tables import TIERS

# A claim that only runs of a paper's own data can decide is not checked on frozen features.
NOT_FROZEN = tuple(tier for tier in TIERS if tier != "frozen")


class Unit(StrEnum):
    """The units of effects."""

    POINTS = "points"  # differences of percentages
    PERCENT = "%"  # relative changes
    COUNT = ""  # a number of what the note names
    DIMENSIONS = "dimensions"
    COSINE = "cosine distance"
    DISTANCE = "of distance"
    LOGIT = "logit units"
    SIGMA = "σ"


@dataclass(frozen=True)
class Verdict:
    """What a check found: effect with its 95 % confidence interval in ``unit``, over ``seeds`` seeds or rows.

    The claim is that the effect lies above ``bound`` (or below, if not ``above``).  ``note`` is shown behind the unit
    and says what the effect refers to, e.g. ``"against soft-nu"``.
    """

    reproduced: bool | None
    effect: float
    low: float
    high: float
    seeds: int
    unit: Unit = Unit.POINTS
    bound: float = 0.0
    above: bool = True
    note: str = ""

    @property
    def word(self) -> str:
        return {True: "reproduced", False: "not reproduced", None: "undecided"}[self.reproduced]

    @property
    def margin(self) -> float:
        """How far the effect lies on the claimed side of the bound, in half-widths of its interval: the verdict is
        *reproduced* above 1, *not reproduced* up to −1; infinite for a check without an interval."""
        half, beyond = (self.high - self.low) / 2, (self.effect - self.bound) * (1 if self.above else -1)
        if half == 0:
            return math.inf if self.reproduced else -math.inf
        return beyond / half if math.isfinite(half) else 0.0


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper as a check over the results.

    Attributes:
        id: ``<paper>-<slug>``.
        source: section and table.
        statement: in our words.
        page: the notebook that discusses it.
        check: function of the results of a tier (one row per run, all tables) that gives a verdict.
        tiers: the tiers whose results can decide it.
    """

    id: str
    source: str
    statement: str
    page: str
    check: Callable[[pd.DataFrame], Verdict]
    tiers: tuple[str, ...] = NOT_FROZEN


def decide(values: np.ndarray, bound: float = 0.0, above: bool = True, unit: Unit = Unit.POINTS, note: str = "") -> Verdict:
    """Is the mean above (below) a bound, with 95 % confidence?"""
    interval = mean_interval(values)
    beyond = interval.low > bound if above else interval.high < bound
    against = interval.high <= bound if above else interval.low >= bound
    reproduced = True if beyond else False if against else None
    return Verdict(reproduced, interval.mean, interval.low, interval.high, interval.count, unit, bound, above, note)


class NoResults(LookupError):
    """A check asked for a table that was not run."""


_READ: list[list[str]] = []


@contextmanager
def tables_read() -> Iterator[list[str]]:
    """The names of the tables that checks ask for while this is open."""
    _READ.append([])
    try:
        yield _READ[-1]
    finally:
        _READ.pop()


def rows_of(results: pd.DataFrame, table: str, **columns: Any) -> pd.DataFrame:
    """The rows of one table where each column has the value given.

    A list means one of several values, None a missing one.

    Raises:
        NoResults: if the table was not run.
        ValueError: if it was run, but no row has these values.
    """
    if _READ and table not in _READ[-1]:
        _READ[-1].append(table)
    rows = results[results["table"] == table]
    if rows.empty:
        raise NoResults(f"no results of table {table}: run it first")
    for name, value in columns.items():
        rows = rows[rows[name].isna() if value is None else rows[name].isin(value if isinstance(value, list) else [value])]
    if rows.empty:
        where = ", ".join(f"{name} = {value!r}" for name, value in columns.items())
        raise ValueError(f"no row of table {table} has {where}")
    return rows


def by_seed(rows: pd.DataFrame, metric: str, factor: float = 100.0) -> pd.Series:
    """Mean of a metric per seed, times a factor; a run that diverged counts 0."""
    return rows.assign(value=rows[metric].fillna(0.0) * factor).groupby("seed")["value"].mean()
