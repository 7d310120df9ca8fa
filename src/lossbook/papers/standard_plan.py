"""In which order the standard tier's tables are trained, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lossbook.papers.registry import PAPERS
from lossbook.papers.standard_tier import core_minutes, is_on_plan
from lossbook.runs.spec import RunSpec

# Paper and table, those first that decide most per hour: each paper's central table, then what the bench and the papers'
# further claims need.  Transfer learning (`onecold`, Table 2) takes a pretrained network and a GPU.
ORDER = (
    ("bce3s", "2"),
    ("uniform", "II"),
    ("onecold", "4"),
    ("warped", "I"),
    ("bce3s", "stage2"),
    ("multicenter", "5"),
    ("onecold", "3"),
    ("bce3s", "fig-5-r"),
    ("multicenter", "center-weight"),
    ("onecold", "1"),
    ("bench", "tail"),
    ("bench", "bench"),
    ("warped", "VI"),
    ("onecold", "gamma"),
    ("onecold", "gamma-tuned"),
    ("multicenter", "2"),
    ("multicenter", "1"),
    ("multicenter", "7"),
    ("multicenter", "4"),
    ("bce3s", "views"),
    ("bce3s", "6"),
    ("onecold", "5"),
    ("onecold", "course"),
    ("multicenter", "fig-4"),
    ("multicenter", "6"),
    ("bce3s", "fig-5-lambda-cc"),
    ("bce3s", "fig-5-contrastive"),
    ("bce3s", "3"),
)


@dataclass(frozen=True)
class Step:
    """A table of the plan, with those of its runs that no earlier table has.

    Attributes:
        minutes: of one run on one core, the longest.
        hours: of all, on one core.
    """

    paper: str
    table: str
    runs: tuple[RunSpec, ...]
    minutes: float
    hours: float


def steps(order: Sequence[tuple[str, str]] = ORDER) -> list[Step]:
    """The plan, table by table."""
    found, seen = [], set()
    for paper, name in order:
        specs = [spec for spec in PAPERS[paper].evidence.table(name).runs("standard") if is_on_plan(spec)]
        new = {spec.run_id: spec for spec in specs if spec.run_id not in seen}
        seen |= new.keys()
        minutes = [core_minutes(spec) for spec in new.values()]
        found.append(Step(paper, name, tuple(new.values()), max(minutes, default=0.0), sum(minutes) / 60))
    return found
