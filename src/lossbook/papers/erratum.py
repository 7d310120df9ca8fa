"""What an erratum is: a slip found in a paper, with a check that anyone can run.

A check recomputes what the erratum says, from the published tables (``data/published``) or from the equations, and
returns rows for :func:`lossbook.book.show.checks`.  The prose is on the pages in ``notebooks/errata``.

The kinds:

- *misprint*: a number, sign, index or name that the same paper has right elsewhere, or that is plain to set right;
- *formula*: an equation or a step of a proof that needs a correction;
- *statement*: a sentence that the paper's own numbers, or arithmetic, do not bear out;
- *reading*: correct or open in the paper, but easily misread, or read in another way here;
- *copy*: lost in the extraction of the text that this book was made from; it says nothing about the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Rows = list[tuple[str, float, float]]
KINDS = ("misprint", "formula", "statement", "reading", "copy")


@dataclass(frozen=True)
class Erratum:
    """One slip.

    Attributes:
        paper: its short name.
        id: unique within the paper.
        where: section, table or equation.
        kind: one of ``KINDS``.
        check: recomputes what the erratum says.
    """

    paper: str
    id: str
    where: str
    kind: str
    check: Callable[[], Rows]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}; expected one of {', '.join(KINDS)}")


def get_erratum(errata: Sequence[Erratum], id: str) -> Erratum:
    """An erratum of a paper by its id; a ``ValueError`` lists the known ones."""
    found = {one.id: one for one in errata}
    if id not in found:
        raise ValueError(f"no erratum {id!r}; expected one of {', '.join(found)}")
    return found[id]


def holds(statement: str, true: bool) -> tuple[str, float, float]:
    """A row for a statement that is true or false."""
    return statement, float(not true), 0.0
