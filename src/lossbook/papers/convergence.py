"""Is the training long enough?  Every verdict beside the one after twice the epochs.

Importing this does not load torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lossbook.papers.board import Entry, entries_of
from lossbook.papers.claims import NoResults, Verdict
from lossbook.papers.paper import Paper
from lossbook.papers.results import load_results
from lossbook.runs.tables import longer_tier


class Change(StrEnum):
    """What twice the epochs do to an effect."""

    STAYS = "stays"  # both intervals have a common part
    MOVES = "moves"  # they have none, but the effects lie on the same side of the bound
    TURNS = "turns"  # they have none, and the effects lie on different sides


@dataclass(frozen=True)
class Longer:
    """A claim at a tier, and its verdict after twice the epochs."""

    entry: Entry
    verdict: Verdict

    @property
    def change(self) -> Change:
        one, other = self.entry.verdict, self.verdict
        if max(one.low, other.low) <= min(one.high, other.high):
            return Change.STAYS
        same = (one.effect > one.bound) == (other.effect > one.bound)
        return Change.MOVES if same else Change.TURNS


def after_twice_the_epochs(paper: Paper) -> list[Longer]:
    """The claims of a paper that runs of twice the epochs can decide, at each tier that has such runs.

    Left out are proofs, and claims that read a table without such runs or a certain number of epochs.
    """
    found, frames = [], {}
    for entry in entries_of(paper):
        try:
            if entry.tier not in frames:
                frames[entry.tier] = load_results("results", longer_tier(entry.tier), paper.evidence)
            verdict = entry.claim.check(frames[entry.tier])
        except (FileNotFoundError, NoResults):
            continue
        if not verdict.proof:
            found.append(Longer(entry, verdict))
    return found
