"""The opening page of a paper's chapter: what became of its most important sentences, where each claim is decided, and which
settings were chosen.

Importing this does not load torch.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from lossbook.book.claim_pages import at_claims, page_title
from lossbook.book.settings import settings_table
from lossbook.book.show import Html, printed_text, table
from lossbook.papers.board import entries_of
from lossbook.papers.claims import Claim
from lossbook.papers.paper import Evidence, Paper
from lossbook.runs.tables import TIERS


@dataclass(frozen=True)
class Sentence:
    """One of a paper's most important sentences.

    Attributes:
        text: the sentence, in our words.
        source: section, table, figure or proposition.
        claims: the claims that decide it: what sets each apart from the others (empty for a single one) -> its id.
        proof: page and anchor of a proof of the sentence, ``"03-corollary-1.html#uniform-cor-1"``; empty without one.
    """

    text: str
    source: str
    claims: dict[str, str] = field(default_factory=dict)
    proof: str = ""


def sentences(paper: Paper, chosen: Sequence[Sentence]) -> Html:
    """What became of some sentences: one row each, with what the paper's own printed numbers say and the verdict at every tier
    that has one.  A verdict is a link to the page that decides it; a proof, to the proof.

    Raises:
        ValueError: for a claim that the paper does not have, or that no results decide.
    """
    claims = {claim.id: claim for claim in paper.claims}
    words: dict[str, dict[str, str]] = {}
    for entry in entries_of(paper):
        words.setdefault(entry.claim.id, {})[entry.tier] = entry.verdict.word
    named = [id for sentence in chosen for id in sentence.claims.values()]
    if unknown := sorted(set(named) - set(words)):
        raise ValueError(f"{paper.name} has no results on {', '.join(unknown)}; expected one of {', '.join(words)}")
    tiers = [tier for tier in TIERS if any(tier in words[id] for id in named)]

    def lines(sentence: Sentence, tier: str) -> str:
        decided = {label: (claims[id], words[id].get(tier, "")) for label, id in sentence.claims.items()}
        return _lines({label: _mark(word, at_claims(paper.name, claim.page)) for label, (claim, word) in decided.items() if word})

    rows = []
    for sentence in chosen:
        printed = {label: _printed(paper, claims[id]) for label, id in sentence.claims.items()}
        row = {
            "the paper says": f'{html.escape(sentence.text)} <span class="fine">({html.escape(sentence.source)})</span>',
            "proof": _mark("by proof", sentence.proof) if sentence.proof else "–",
            "published": _lines({label: mark for label, mark in printed.items() if mark}),
        }
        rows.append(row | {tier: lines(sentence, tier) for tier in tiers})
    frame = pd.DataFrame(rows)
    return _table(frame if any(sentence.proof for sentence in chosen) else frame.drop(columns="proof"))


def claim_places(paper: Paper) -> Html:
    """Every claim of a paper, with a link to the page that decides it."""
    rows = [
        {
            "source": html.escape(claim.source),
            "claim": html.escape(claim.statement),
            "decided on": f'<a href="{at_claims(paper.name, claim.page)}">{html.escape(page_title(paper.name, claim.page))}</a>',
        }
        for claim in paper.claims
    ]
    return _table(pd.DataFrame(rows))


def settings(evidence: Evidence, *objectives: str, caption: str = "") -> Html:
    """What was chosen for some objectives on held-out training images, at every tier with a search for them.

    Raises:
        ValueError: if nothing was searched for one of them.
    """
    found = pd.concat([settings_table(evidence, tier).assign(tier=tier) for tier in evidence.searches], ignore_index=True)
    names = found["run"].str.split(", ").str[0]
    if unknown := sorted(set(objectives) - set(names)):
        raise ValueError(f"{evidence.name} has no search for {', '.join(unknown)}; expected one of {', '.join(names.unique())}")
    rows = found.loc[names.isin(objectives), ["tier", "run", "chosen", "score"]]
    return table(rows.rename(columns={"score": "held-out accuracy (%)"}).reset_index(drop=True), caption)


def _table(frame: pd.DataFrame) -> Html:
    return Html(frame.to_html(index=False, escape=False, border=0, classes="lossbook claims"))


def _lines(marks: dict[str, str]) -> str:
    """One line per claim, behind what sets it apart; an en dash where there is none."""
    lines = (f'<span class="fine">{html.escape(label)}</span> {mark}' if label else mark for label, mark in marks.items())
    return "<br>".join(lines) or "–"


def _mark(word: str, target: str, style: str = "") -> str:
    """A word in the style of a verdict, as a link."""
    return f'<a href="{target}"><span class="verdict-{style or word.replace(" ", "-")}">{word}</span></a>'


def _printed(paper: Paper, claim: Claim) -> str:
    """If a claim holds on the paper's own numbers; empty where they are not printed."""
    _, word = printed_text(claim)
    return _mark(word, at_claims(paper.name, claim.page), "met" if word == "holds" else "missed") if word else ""
