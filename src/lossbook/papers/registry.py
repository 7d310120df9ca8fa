"""All papers, written out in the order of the book, and their runs as jobs.

Importing this does not load torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lossbook.papers import bce3s, bench, multicenter, onecold, uniform, warped
from lossbook.papers.paper import Paper
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import check_tier

PAPERS: dict[str, Paper] = {
    paper.name: paper for paper in (uniform.PAPER, bce3s.PAPER, multicenter.PAPER, warped.PAPER, onecold.PAPER, bench.PAPER)
}


def get_paper(name: str) -> Paper:
    """A paper by name; a ``ValueError`` lists the known ones."""
    if name not in PAPERS:
        raise ValueError(f"unknown paper {name!r}; expected one of {', '.join(PAPERS)}")
    return PAPERS[name]


def papers_at(tier: str) -> dict[str, Paper]:
    """The papers that have runs at a tier."""
    return {name: paper for name, paper in PAPERS.items() if paper.evidence.runs(tier)}


@dataclass(frozen=True)
class Job:
    """A batch of runs for one execution of notebooks/run: the kernel's start is paid once."""

    name: str
    paper: str
    specs: tuple[RunSpec, ...]


def jobs(tier: str, runs_per_job: int, sample: str = "all") -> list[Job]:
    """The runs of a tier, or of a sample of each table, as batches of about equal work: runs are dealt out in turn, so that
    every batch gets its share of the long ones.  A run that stands in two tables is trained once."""
    check_tier(tier)
    found: list[Job] = []
    for paper in PAPERS.values():
        runs = paper.evidence.runs(tier, sample)
        count = math.ceil(len(runs) / runs_per_job)
        found += [Job(f"{paper.name}-{k:03d}", paper.name, tuple(runs[k::count])) for k in range(count)]
    return found
