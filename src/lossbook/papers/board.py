"""A paper's claims at every tier that has results, and the runs behind each verdict.

Importing this does not load torch.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import scipy

from lossbook.papers.claims import Claim, NoResults, Verdict, tables_read
from lossbook.papers.paper import Evidence, Paper
from lossbook.papers.results import load_results
from lossbook.papers.rules import ALPHA
from lossbook.paths import in_project
from lossbook.runs.tables import TIERS


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
    def p_value(self) -> float:
        """Chance of an interval's end at least as far from the effect's bound if the effect were at the bound (two-sided).

        Exact for a mean; where a rule combines several comparisons, the chance is at most this.
        """
        margin, seeds = abs(self.verdict.margin), self.verdict.seeds
        if seeds < 2 or not math.isfinite(margin):
            return 0.0 if math.isinf(margin) else 1.0
        return float(2 * scipy.stats.t.sf(margin * scipy.stats.t.ppf(1 - ALPHA, seeds - 1), seeds - 1))


def results_of(evidence: Evidence, tier: str, results_dir: str | Path = "results") -> pd.DataFrame | None:
    """A tier's results from the folder, else the committed ones; None if the tier was not run."""
    for folder in (results_dir, "results"):
        try:
            return load_results(folder, tier, evidence)
        except FileNotFoundError:
            continue
    return None


def _check_whole(frame: pd.DataFrame, evidence: Evidence, tier: str) -> None:
    for table in evidence.tables:
        runs, have = {run.run_id for run in table.runs(tier)}, set(frame.loc[frame["table"] == table.name, "run_id"])
        if have and runs - have:
            raise ValueError(
                f"{len(runs - have)} of {len(runs)} {tier} runs of {evidence.name}, table {table.name}, are missing, and claims "
                f"need all of them: `lossbook run {evidence.name} --tier {tier}` trains them"
            )


def entries_of(paper: Paper, results_dir: str | Path = "results", pages: Collection[str] = ()) -> list[Entry]:
    """The claims of a paper, each at all tiers at which its tables were run.

    Args:
        paper: the paper.
        results_dir: folder of the results.
        pages: check only the claims that these notebooks discuss; all of them by default.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if another folder than that of the evidence has a sample of a table's runs: it decides no claim.
    """
    if not in_project(results_dir).is_dir():
        raise FileNotFoundError(f"no folder of results {in_project(results_dir)}")
    frames = {tier: frame for tier in TIERS if (frame := results_of(paper.evidence, tier, results_dir)) is not None}
    if in_project(results_dir) != in_project("results"):
        for tier, frame in frames.items():
            _check_whole(frame, paper.evidence, tier)
    found = []
    for claim in paper.claims:
        if pages and claim.page not in pages:
            continue
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
