"""Slips found in the papers, each with a check that anyone can run: one file a paper.

A check recomputes what the erratum says, from the published tables (``data/published``) or from the equations, and
returns rows for :func:`lossbook.report.checks`.  The prose is on the pages in ``notebooks/errata``.

The kinds:

- *misprint*: a number, sign, index or name that the same paper has right elsewhere, or that is plain to set right;
- *formula*: an equation or a step of a proof that needs a correction;
- *statement*: a sentence that the paper's own numbers, or arithmetic, do not bear out;
- *reading*: correct or open in the paper, but easily misread, or read in another way here;
- *copy*: lost in the extraction of the text that this book was made from; it says nothing about the paper.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from lossbook.report import Html, checks

Rows = list[tuple[str, float, float]]
KINDS = ("misprint", "formula", "statement", "reading", "copy")


@dataclass(frozen=True)
class Erratum:
    """One slip: ``id`` (unique within its paper), the paper, where it stands, its kind, and the check."""

    id: str
    paper: str
    where: str
    kind: str
    check: Callable[[], Rows]


_ERRATA: dict[tuple[str, str], Erratum] = {}


def erratum(paper: str, id: str, where: str, kind: str) -> Callable[[Callable[[], Rows]], Callable[[], Rows]]:
    """Register a check as that of an erratum."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; expected one of {', '.join(KINDS)}")

    def register(check: Callable[[], Rows]) -> Callable[[], Rows]:
        _ERRATA[paper, id] = Erratum(id, paper, where, kind, check)
        return check

    return register


def errata(paper: str | None = None) -> list[Erratum]:
    """All errata, or those of one paper, in the order of the files."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return [found for found in _ERRATA.values() if paper in (None, found.paper)]


def check(paper: str, id: str) -> Html:
    """Run the check of an erratum and show what it found; an ``AssertionError`` where it no longer holds."""
    found = {one.id: one for one in errata(paper)}
    if id not in found:
        raise ValueError(f"no erratum {id!r} of {paper!r}; expected one of {', '.join(found)}")
    return Html(checks(found[id].check()).text.replace("<table ", f'<table id="erratum-{paper}-{id}" ', 1))


def holds(statement: str, true: bool) -> tuple[str, float, float]:
    """A row for a statement that is true or false."""
    return statement, float(not true), 0.0
