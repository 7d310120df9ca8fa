"""Which runs fill which table: one file a paper beside this one, each with ``PAPER``, a :class:`Paper`.

Importing this does not load torch.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from dataclasses import dataclass, field

from lossbook.claims import Claim
from lossbook.experiments import _frozen
from lossbook.specs import RunSpec

TIERS = ("quick", "frozen", "standard", "paper")


@dataclass(frozen=True)
class Table:
    """A table (or figure) of a paper and the runs behind its counterpart.

    Attributes:
        name: as the paper counts it, e.g. ``"II"``, or a word for one that the paper does not have.
        title: one line.
        specs: tier -> the runs, without their seeds.
        seeds: how many seeds (0, 1, ...) each tier runs; 3 where it says nothing.
        frames: small tables of the runs that are kept beside the numbers (first seed only).
    """

    name: str
    title: str
    specs: dict[str, tuple[RunSpec, ...]]
    seeds: dict[str, int] = field(default_factory=lambda: {"quick": 3, "standard": 3, "paper": 1})
    frames: tuple[str, ...] = ()

    def runs(self, tier: str) -> list[RunSpec]:
        """All runs of a tier, seeds innermost; empty when the table has none there."""
        return [spec.replace(seed=seed) for spec in self.specs.get(tier, ()) for seed in range(self.seeds.get(tier, 3))]


@dataclass(frozen=True)
class Paper:
    """A chapter: its tables, its claims, and the modules whose code its runs go through.

    Attributes:
        shares: metrics within 0..1 that pages show in per cent: these names, and those that begin with them and ``_``.
        headings: how pages head a column of the results.
    """

    name: str
    title: str
    tables: tuple[Table, ...]
    claims: tuple[Claim, ...]
    modules: tuple[str, ...]
    shares: tuple[str, ...] = ()
    headings: dict[str, str] = field(default_factory=dict)

    def claims_at(self, tier: str) -> tuple[Claim, ...]:
        """The claims that a tier's results can decide: those named for it in ``_frozen``; elsewhere all, if it has runs."""
        if tier == "frozen":
            return tuple(claim for claim in self.claims if claim.id in _frozen.CLAIMS.get(self.name, ()))
        return self.claims if any(table.runs(tier) for table in self.tables) else ()

    def table(self, name: str) -> Table:
        found = [table for table in self.tables if table.name == name]
        if not found:
            raise ValueError(f"{self.name} has no table {name!r}; expected one of {', '.join(t.name for t in self.tables)}")
        return found[0]


def papers() -> dict[str, Paper]:
    """All chapters by name."""
    names = (info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return {module.PAPER.name: module.PAPER for module in modules}


def papers_at(tier: str) -> dict[str, Paper]:
    """The chapters that have runs at a tier."""
    return {name: paper for name, paper in papers().items() if any(table.runs(tier) for table in paper.tables)}


def get_paper(name: str) -> Paper:
    """A chapter by name; a ``ValueError`` lists the known ones."""
    if name not in papers():
        raise ValueError(f"unknown paper {name!r}; expected one of {', '.join(papers())}")
    return papers()[name]


@dataclass(frozen=True)
class Job:
    """A batch of runs for one execution of notebooks/run: the kernel's start is paid once."""

    name: str
    paper: str
    specs: tuple[RunSpec, ...]


def jobs(tier: str, runs_a_job: int) -> list[Job]:
    """All runs of a tier as batches of about equal work: runs are dealt out in turn, so that every batch gets its
    share of the long ones.  A run that stands in two tables is trained once."""
    if tier not in TIERS:
        raise ValueError(f"unknown tier {tier!r}; expected one of {', '.join(TIERS)}")
    found: list[Job] = []
    for paper in papers().values():
        runs = list({spec.run_id: spec for table in paper.tables for spec in table.runs(tier)}.values())
        count = math.ceil(len(runs) / runs_a_job)
        found += [Job(f"{paper.name}-{k:03d}", paper.name, tuple(runs[k::count])) for k in range(count)]
    return found
