"""A paper's sentences as checks over the results: what a claim is, what a check returns, and how it reads the results.

:mod:`lossbook.papers.rules` has the rules by which a check decides.  Importing this does not load torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import pandas as pd

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
    and says what the effect refers to, e.g. ``"against soft-nu"``.  ``failed`` seeds more have no value, because a run
    failed.  Where a ``proof`` decides, the runs only confirm it.
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
    failed: int = 0
    proof: bool = False

    @property
    def word(self) -> str:
        if self.proof and self.reproduced:
            return "by proof"
        return {True: "reproduced", False: "not reproduced", None: "undecided"}[self.reproduced]

    @property
    def margin(self) -> float:
        """How far the interval's end that decides lies from the bound, as a share of the end's distance from the effect, so
        that the verdict is *reproduced* above 1, *not reproduced* up to −1; infinite for a check without an interval."""
        beyond = (self.effect - self.bound) * (1 if self.above else -1)
        half = self.effect - self.low if (beyond > 0) == self.above else self.high - self.effect
        if half == 0:
            return math.inf if self.reproduced else -math.inf
        return beyond / half if math.isfinite(half) else 0.0


class Printed(NamedTuple):
    """A claim on the paper's own printed numbers: the effect, over so many ``cases`` (printed comparisons), and if it is on
    the claimed side of the bound.  There are no seeds, so there is no interval."""

    effect: float
    cases: int
    holds: bool
    unit: Unit = Unit.POINTS
    note: str = ""


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
        printed: the same on the paper's published numbers; None where they are not printed.
    """

    id: str
    source: str
    statement: str
    page: str
    check: Callable[[pd.DataFrame], Verdict]
    tiers: tuple[str, ...] = NOT_FROZEN
    printed: Callable[[], Printed] | None = None


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


def failed(rows: pd.DataFrame) -> pd.Series:
    """Which runs failed: their loss stopped being finite (``diverged``) or exploded to a finite number (``exploded``).

    Results from before a state was recorded lack its column: none of their runs is in it.
    """
    states = rows[[state for state in ("diverged", "exploded") if state in rows]]
    return states.fillna(0.0).gt(0).any(axis=1)


def values_of(rows: pd.DataFrame, metric: str, factor: float = 100.0) -> pd.Series:
    """A metric of every run, times a factor; a run that failed has none: NaN."""
    return (factor * rows[metric]).mask(failed(rows))


def means_by(rows: pd.DataFrame, keys: str | list[str], metric: str, factor: float = 100.0) -> pd.Series:
    """Mean of a metric over the runs with the same keys, times a factor; NaN if one of these runs lacks it."""
    grouped = values_of(rows, metric, factor).groupby([rows[key] for key in ([keys] if isinstance(keys, str) else keys)])
    return grouped.mean().where(grouped.count() == grouped.size())


def by_seed(rows: pd.DataFrame, metric: str, factor: float = 100.0) -> pd.Series:
    """Mean of a metric per seed, times a factor; NaN for a seed any of whose runs failed, or lacks the metric."""
    return means_by(rows, "seed", metric, factor)


def by_setting(rows: pd.DataFrame, column: str, metric: str, factor: float = 100.0) -> pd.DataFrame:
    """Mean of a metric, times a factor: one row per seed, one column per value of a column, as :func:`by_seed`."""
    return means_by(rows, ["seed", column], metric, factor).unstack(column)
