"""What a paper is here: the tables that are run, how the columns of their results are shown, and the claims.

Importing this does not load torch.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

from lossbook.papers.claims import Claim
from lossbook.papers.tuning import Search
from lossbook.runs.spec import RunSpec, spec_columns
from lossbook.runs.tables import TIERS, Table, distinct_runs, twice_as_long


@dataclass(frozen=True)
class Evidence:
    """A paper's tables and how the columns of their results are shown: what it takes to load and to show them.

    Attributes:
        name: the paper's short name.
        tables: in the order of the paper.
        shares: metrics within 0..1 that are shown in per cent: these names, and those that begin with them and ``_``.
        headings: column of the results -> its heading on the pages.
        searches: tier -> the searches for the settings of the tables' runs.
    """

    name: str
    tables: tuple[Table, ...]
    shares: tuple[str, ...] = ()
    headings: dict[str, str] = field(default_factory=dict)
    searches: dict[str, tuple[Search, ...]] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """A table by name; a ``ValueError`` lists the known ones."""
        found = [table for table in self.tables if table.name == name]
        if not found:
            raise ValueError(f"{self.name} has no table {name!r}; expected one of {', '.join(t.name for t in self.tables)}")
        return found[0]

    def runs(self, tier: str, sample: str = "all") -> list[RunSpec]:
        """The distinct runs of all tables at a tier, or of a sample of each table (:meth:`Table.sample`)."""
        return distinct_runs(self.tables, tier, sample)

    def twice_as_long(self) -> Evidence:
        """The tables that claims read (those with the seeds of evidence), trained for twice the epochs."""
        return replace(self, tables=tuple(twice_as_long(table) for table in self.tables if table.is_evidence))

    @functools.cached_property
    def spec_columns(self) -> tuple[str, ...]:
        """The columns by which results say what a run was: every field of a spec, and every argument that a run of this
        paper has at any tier.  The same for all its results."""
        every = (spec_columns(spec) for table in self.tables for tier in TIERS for spec in table.specs.get(tier, ()))
        fields = dict.fromkeys(spec_columns(RunSpec()))
        return tuple(fields | dict.fromkeys(sorted({column for columns in every for column in columns} - set(fields))))

    def is_share(self, metric: str) -> bool:
        """Is a metric shown in per cent?"""
        return metric in self.shares or metric.startswith(tuple(f"{share}_" for share in self.shares))


@dataclass(frozen=True)
class Paper:
    """A paper (or the bench that compares them).

    Attributes:
        title: what it is about, in a few words.
        evidence: its tables and their columns.
        claims: its sentences as checks.
    """

    title: str
    evidence: Evidence
    claims: tuple[Claim, ...]

    @property
    def name(self) -> str:
        return self.evidence.name

    def claims_at(self, tier: str) -> tuple[Claim, ...]:
        """The claims that the tier's results can decide; none where the paper has no runs."""
        if not any(table.runs(tier) for table in self.evidence.tables):
            return ()
        return tuple(claim for claim in self.claims if tier in claim.tiers)
