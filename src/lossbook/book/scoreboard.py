"""Every claim of every paper at every tier that has results, and the runs behind each verdict.

Importing this does not load torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from lossbook.book.show import spec_text
from lossbook.papers.claims import Claim, NoResults, Verdict, tables_read
from lossbook.papers.paper import Evidence
from lossbook.papers.registry import PAPERS
from lossbook.papers.results import load_results
from lossbook.papers.statistics import holm
from lossbook.paths import project_root
from lossbook.runs.spec import is_spec_column
from lossbook.runs.tables import TIERS

VERDICTS = ("reproduced", "undecided", "not reproduced")
# How often a decided verdict is wrong at most: the interval misses the true effect on one given side.
ONE_SIDED = 0.025


@dataclass(frozen=True)
class Entry:
    """A claim at a tier.

    Attributes:
        paper: its name.
        claim: the claim.
        tier: the tier of the results.
        verdict: what the check found.
        tables: the tables that the check read; all of the paper for one that reads every run.
        runs: how many runs these tables hold.
    """

    paper: str
    claim: Claim
    tier: str
    verdict: Verdict
    tables: tuple[str, ...]
    runs: int

    @property
    def href(self) -> str:
        """The page that discusses it, at its list of claims, seen from a page in another folder of ``notebooks``."""
        place = "#claims" if "\n## Claims\n" in _source(self.paper, self.claim.page) else ""
        return f"../{self.paper}/{self.claim.page}.html{place}"

    @property
    def p_value(self) -> float:
        """Chance of an effect at least as far from the bound if the true effect were at the bound (two-sided)."""
        margin, seeds = abs(self.verdict.margin), self.verdict.seeds
        if seeds < 2 or not math.isfinite(margin):
            return 0.0 if math.isinf(margin) else 1.0
        return float(2 * stats.t.sf(margin * stats.t.ppf(0.975, seeds - 1), seeds - 1))


def results_of(evidence: Evidence, tier: str, results_dir: str | Path = "results") -> pd.DataFrame | None:
    """A tier's results from the folder, else the committed ones; None if the tier was not run."""
    for folder in (results_dir, "results"):
        try:
            return load_results(folder, tier, evidence)
        except FileNotFoundError:
            continue
    return None


def entries(results_dir: str | Path = "results") -> list[Entry]:
    """All claims, paper by paper, each at all tiers at which its tables were run."""
    found = []
    for paper in PAPERS.values():
        frames = {tier: frame for tier in TIERS if (frame := results_of(paper.evidence, tier, results_dir)) is not None}
        for claim in paper.claims:
            for tier, frame in frames.items():
                if claim not in paper.claims_at(tier):
                    continue
                with tables_read() as read:
                    try:
                        verdict = claim.check(frame)
                    except NoResults:  # a table that the claim reads was not run at this tier
                        continue
                tables = tuple(read) or tuple(pd.unique(frame["table"]))
                runs = frame.loc[frame["table"].isin(tables), "run_id"].nunique()
                found.append(Entry(paper.name, claim, tier, verdict, tables, runs))
    return found


def counts(board: Iterable[Entry]) -> pd.DataFrame:
    """How many claims have which verdict: one row per paper and tier, columns as :data:`VERDICTS`."""
    frame = pd.DataFrame([{"paper": e.paper, "tier": e.tier, "verdict": e.verdict.word} for e in board])
    table = frame.groupby(["paper", "tier", "verdict"], sort=False).size().unstack(fill_value=0)
    return table.reindex(columns=VERDICTS, fill_value=0)


@dataclass(frozen=True)
class Chance:
    """What chance alone would do to a scoreboard.

    Attributes:
        claims: verdicts that rest on an interval.
        reproduced: how many of them are reproduced.
        decided: how many of them are reproduced or not reproduced.
        wrong: at most so many of them are expected to be decided wrongly, whatever is true; and at most so many to be
            "reproduced" if no claim were true.
        firm: decided verdicts that stay decided if all together may go wrong with 5 % only (Holm).
        firm_reproduced: those of them that are reproduced.
    """

    claims: int
    reproduced: int
    decided: int
    wrong: float
    firm: int
    firm_reproduced: int


def chance(board: Iterable[Entry], level: float = 0.05) -> Chance:
    """The part of chance in the verdicts that rest on an interval."""
    tested = [e for e in board if math.isfinite(e.verdict.margin) and math.isfinite(e.verdict.high)]
    adjusted = holm(np.array([e.p_value for e in tested]))
    firm = [entry for entry, p in zip(tested, adjusted, strict=True) if p <= level]
    return Chance(
        claims=len(tested),
        reproduced=sum(e.verdict.reproduced is True for e in tested),
        decided=sum(e.verdict.reproduced is not None for e in tested),
        wrong=ONE_SIDED * len(tested),
        firm=len(firm),
        firm_reproduced=sum(e.verdict.reproduced is True for e in firm),
    )


def changed(board: Sequence[Entry], reference: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """Where two boards differ in a verdict: (entry of the board, entry of the reference)."""
    old = {(e.claim.id, e.tier): e for e in reference}
    pairs = [(e, old[e.claim.id, e.tier]) for e in board if (e.claim.id, e.tier) in old]
    return [(new, before) for new, before in pairs if new.verdict.word != before.verdict.word]


def run_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The runs of one table of results, one row per spec: what sets it apart, its seeds, its run ids."""
    columns = [c for c in rows if is_spec_column(c) and c not in ("seed", "suites")]
    text = rows[columns].astype(object).map(lambda value: "" if value is None or value != value else spec_text(value))
    vary = [c for c in columns if c == "objective" or text[c].nunique() > 1]

    def name(values: pd.Series) -> str:
        parts = [f"{c.removeprefix('arg_')} {v}" for c, v in values.items() if c != "objective" and v != ""]
        return ", ".join([values["objective"], *parts])

    keyed = rows.assign(spec=text[vary].apply(name, axis=1))
    grouped = keyed.groupby("spec", sort=False)
    return grouped.agg(seeds=("seed", "nunique"), run_ids=("run_id", lambda ids: " ".join(dict.fromkeys(ids)))).reset_index()


def _source(paper: str, page: str) -> str:
    return (project_root() / "notebooks" / paper / f"{page}.md").read_text()


def page_title(paper: str, page: str) -> str:
    """The heading of a notebook."""
    return next(line.removeprefix("# ") for line in _source(paper, page).splitlines() if line.startswith("# "))
