"""Suites by name, and the metrics that they measure."""

from __future__ import annotations

from collections.abc import Iterable

from lossbook.runs.suites.registry import SUITES
from lossbook.runs.suites.suite import Suite


def get_suite(name: str) -> Suite:
    """A suite by name; a ``ValueError`` lists the known ones."""
    if name not in SUITES:
        raise ValueError(f"unknown suite {name!r}; expected one of {', '.join(SUITES)}")
    return SUITES[name]


def metrics_of(suites: Iterable[str]) -> tuple[str, ...]:
    """The metrics that some suites measure on every run: the constant columns of results.  Names with a part that depends on
    the run are not among them."""
    return tuple(dict.fromkeys(name for suite in suites for name in get_suite(suite).metrics if "<" not in name))
