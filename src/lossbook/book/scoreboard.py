"""Every claim of every paper at every tier that has results, and what chance alone would do to it.

Importing this does not load torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lossbook.book.claim_pages import at_claims
from lossbook.book.show import spec_text
from lossbook.papers.board import Entry, entries_of
from lossbook.papers.registry import PAPERS, papers_at
from lossbook.papers.results import Comparison, compare, load_pair
from lossbook.papers.rules import ALPHA
from lossbook.papers.statistics import holm
from lossbook.paths import in_project
from lossbook.runs.results import KEYS, PROVENANCE
from lossbook.runs.spec import is_spec_column

VERDICTS = ("reproduced", "undecided", "not reproduced", "by proof")


def entries(results_dir: str | Path = "results") -> list[Entry]:
    """All claims, paper by paper, each at all tiers at which its tables were run."""
    return [entry for paper in PAPERS.values() for entry in entries_of(paper, results_dir)]


def _first_edition(before_file: str | Path) -> pd.DataFrame:
    """The verdicts of the first edition, by claim and tier."""
    return pd.read_csv(in_project(before_file)).set_index(["claim", "tier"])


def changed(board: Iterable[Entry], before_file: str | Path) -> set[tuple[str, str]]:
    """Claim and tier of every verdict that is another than in the first edition.

    Args:
        board: the entries.
        before_file: the verdicts of the first edition, ``data/verdicts/before.csv``.
    """
    before = _first_edition(before_file)["verdict"]
    keyed = {(entry.claim.id, entry.tier): entry.verdict.word for entry in board}
    return {key for key, word in keyed.items() if key in before.index and before[key] != word}


def effect_before(before_file: str | Path, claim: str, tier: str) -> float:
    """The size of a claim's effect in the first edition; for the arguments see :func:`changed` and :func:`effect`."""
    return float(_first_edition(before_file).loc[(claim, tier), "effect"])


def effect(board: Iterable[Entry], claim: str, tier: str, word: str) -> str:
    """The size of a claim's effect with its interval, for a sentence that is written for this verdict: ``10.1 [9.6, 10.5]``.

    Args:
        board: the entries.
        claim: its id.
        tier: the tier.
        word: the verdict that the sentence says.

    Raises:
        ValueError: if the verdict is another one: the sentence must be written anew.
    """
    entry = next(entry for entry in board if (entry.claim.id, entry.tier) == (claim, tier))
    verdict = entry.verdict
    if verdict.word != word:
        raise ValueError(f"{claim} is {verdict.word} at the {tier} tier, and a sentence says that it is {word}")
    low, high = sorted((verdict.low, verdict.high), key=abs)
    if verdict.low < 0 < verdict.high:
        return f"{verdict.effect:.1f} [{verdict.low:.1f}, {verdict.high:.1f}]"
    return f"{abs(verdict.effect):.1f} [{abs(low):.1f}, {abs(high):.1f}]"


def href(entry: Entry) -> str:
    """The page that discusses a claim, at its list of claims, seen from a page in another folder of ``notebooks``."""
    return f"../{entry.paper}/{at_claims(entry.paper, entry.claim.page)}"


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
    """The part of chance in the verdicts that rest on an interval: those by proof do not."""
    tested = [e for e in board if math.isfinite(e.verdict.margin) and math.isfinite(e.verdict.high)]
    adjusted = holm(np.array([e.p_value for e in tested]))
    firm = [entry for entry, p in zip(tested, adjusted, strict=True) if p <= level]
    return Chance(
        claims=len(tested),
        reproduced=sum(e.verdict.reproduced is True for e in tested),
        decided=sum(e.verdict.reproduced is not None for e in tested),
        wrong=ALPHA * len(tested),
        firm=len(firm),
        firm_reproduced=sum(e.verdict.reproduced is True for e in firm),
    )


def compared(results_dir: str | Path, tier: str = "quick") -> dict[str, tuple[Comparison, int]]:
    """Paper -> how the runs that a build has retrained compare with the reference in all their metrics, and how many runs the
    reference has; papers without a build are left out."""
    found = {}
    for paper in papers_at(tier).values():
        pair = load_pair(results_dir, tier, paper.evidence)
        if pair.build is not None:
            metrics = metrics_in(pair.reference)
            comparison = compare(pair.apply(with_replicates), ["table", "replicates"], metrics)
            found[paper.name] = (comparison, pair.reference["run_id"].nunique())
    return found


def metrics_in(frame: pd.DataFrame) -> list[str]:
    """The metrics that any row of some results has."""
    others = {*KEYS, *PROVENANCE}
    return [c for c in frame if c not in others and not is_spec_column(c) and frame[c].notna().any()]


def with_replicates(frame: pd.DataFrame) -> pd.DataFrame:
    """Results with the column ``replicates``: the same number for runs that differ in their seed only, or in the draw of their
    classes where a table has one run per draw."""
    spec = [c for c in frame if is_spec_column(c) and c != "seed"]
    keys = ["table", *spec]
    size = frame.groupby(keys, sort=False, dropna=False)["run_id"].transform("size")
    by_draw = size.groupby(frame["table"]).transform("median") == 1  # two draws can be the same
    classes = frame["classes"].where(~by_draw, frame["classes"].map(len))
    return frame.assign(replicates=frame.assign(classes=classes).groupby(keys, sort=False, dropna=False).ngroup())


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
