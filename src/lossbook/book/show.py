"""What a page shows: tables, checks, claims and interactive figures.

Outputs are deterministic (fixed ids, rounded numbers), so that nbval can compare them to the letter.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from lossbook.papers.board import entries_of
from lossbook.papers.claims import Claim, Verdict
from lossbook.papers.erratum import Erratum, get_erratum
from lossbook.papers.paper import Evidence, Paper
from lossbook.papers.results import Comparison, Results, compare, mean_std
from lossbook.papers.style import use_style
from lossbook.runs.tables import TIERS

__all__ = [
    "Html",
    "checks",
    "claims",
    "comparison_text",
    "deviations",
    "effect_text",
    "erratum",
    "findings",
    "groups",
    "heading",
    "interactive",
    "mean_text",
    "outside_table",
    "printed_cell",
    "printed_text",
    "seeds_text",
    "side_by_side",
    "spec_text",
    "table",
    "use_style",
    "verdict_text",
]
# Headings of the columns that the results of every paper have.
_HEADINGS = {"objective": "loss"}


class Html:
    """A piece of HTML for a notebook's output."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "HTML"  # not the address, which differs from run to run

    def _repr_html_(self) -> str:
        return self.text


def table(frame: pd.DataFrame, caption: str = "", digits: int = 2) -> Html:
    """A data frame as a plain HTML table; floats with ``digits`` decimals, missing values as an en dash."""

    def cell(value: Any) -> str:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "–"
        return f"{value:z.{digits}f}" if isinstance(value, float) else html.escape(str(value))

    text = frame.map(cell).to_html(index=not isinstance(frame.index, pd.RangeIndex), escape=False, border=0, classes="lossbook")
    label = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return Html(text.replace("<thead>", f"{label}<thead>", 1))


def checks(rows: Iterable[tuple[str, float, float]]) -> Html:
    """Numerical checks of a derivation: (statement, deviation found, tolerance).

    The page shows the statement and the tolerance that held (a deviation's last digits differ between machines).

    Raises:
        AssertionError: if a deviation exceeds its tolerance or is not a number: the page then fails to build.
    """
    rows = list(rows)
    for statement, deviation, tolerance in rows:
        assert deviation <= tolerance, f"check failed: {statement}: deviation {deviation:.3g} > {tolerance:.3g}"
    return table(pd.DataFrame({"check": [r[0] for r in rows], "holds within": [_tolerance(r[2]) for r in rows]}))


def _tolerance(value: float) -> str:
    """One digit, or more where one would not be the value."""
    short = f"{value:.0e}"
    return "exact" if value == 0 else short if float(short) == value else f"{value:g}"


def findings(rows: Iterable[tuple[str, bool]]) -> Html:
    """Sentences about results, each with whether it holds in the results that the page has read.

    In the committed ones all of them hold (a test reads the pages); in others, what does not is marked as such.
    """
    marks = {True: '<span class="verdict-met">holds</span>', False: '<span class="verdict-missed">does not hold</span>'}
    lines = "".join(f"<li>{html.escape(sentence)} {marks[bool(holds)]}</li>" for sentence, holds in rows)
    return Html(f'<ul class="lossbook findings">{lines}</ul>')


def interactive(name: str, caption: str = "", **parameters: Any) -> Html:
    """An interactive figure of the book: drawn in the browser by ``book/_static/interactive/`` under this name.

    The parameters are its start values; where no script runs, the caption says what would be seen.
    """
    data = html.escape(json.dumps(parameters, sort_keys=True), quote=True)
    return Html(
        f'<figure class="lossbook-interactive" id="interactive-{name}" data-name="{name}" data-parameters="{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def heading(column: str, evidence: Evidence | None = None) -> str:
    """How a column of results is headed on the pages of a paper."""
    known = _HEADINGS | (evidence.headings if evidence else {})
    return known.get(column, column)


def groups(tables: dict[str, pd.DataFrame | None], caption: str = "", digits: int = 2, evidence: Evidence | None = None) -> Html:
    """Tables with the same rows side by side, each under its heading; a table that is None is left out.  The rows are those of
    the last one but this build, which may lack some.  More than seven columns are set smaller, so that they fit the book's page.

    Args:
        tables: group's heading -> its table.
        caption: caption of the whole.
        digits: decimals.
        evidence: the paper whose headings the columns get.
    """
    present = {
        name: frame.rename(columns=lambda column: heading(column, evidence))
        for name, frame in tables.items()
        if frame is not None
    }
    index = [frame for name, frame in present.items() if name != "this build"][-1].index
    frame = pd.concat(present, axis=1).reindex(index)
    # Show the index name in the last header row.
    frame.columns.names = [None, heading(index.name, evidence)]
    frame.index = pd.Index([spec_text(label) if isinstance(label, float | tuple) else label for label in index])
    style = "white-space: nowrap" + ("; font-size: 0.8em" if len(frame.columns) > 7 else "")
    return Html(table(frame, caption, digits).text.replace("<table ", f'<table style="{style}" ', 1))


def spec_text(value: Any) -> str:
    """A value of a spec as text.  Lists: ``1 3 5``; many numbers in a row: ``0..963``; lists of lists: ``0+5 1+6``."""
    if not isinstance(value, list | tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if len(value) > 20 and list(value) == list(range(value[0], value[0] + len(value))):
        return f"{value[0]}..{value[-1]}"
    return " ".join("+".join(map(str, v)) if isinstance(v, list | tuple) else str(v) for v in value)


def mean_text(mean: float, std: float, digits: int) -> str:
    """``mean ± std``; a mean that does not exist is an en dash."""
    if not math.isfinite(mean):
        return "–"
    return f"{mean:z.{digits}f}" + (f" ± {std:.{digits}f}" if math.isfinite(std) else "")


def side_by_side(
    results: Results,
    key: str,
    metrics: Sequence[str],
    printed: pd.DataFrame | None = None,
    caption: str = "",
    digits: int = 1,
    heading: str = "reference",
) -> Html:
    """Published | reference | this build: one row per value of ``key``, one column per metric in each group.

    The reference has the standard deviation over the seeds.  This build has the mean of the runs that it retrained, one for
    most rows, and an en dash where it has none (:func:`deviations` says where the two differ by more than the spread).

    Args:
        results: the rows to show, already filtered.
        key: column of the results that names the rows.
        metrics: columns of the results.
        printed: published numbers, index = values of ``key``, columns = metrics.
        caption: says data, backbone and number of seeds.
        heading: heading of the reference's columns.
    """
    tables: dict[str, pd.DataFrame] = {}
    if printed is not None:
        tables["published"] = printed[[m for m in metrics if m in printed]].map(lambda v: mean_text(v, math.nan, 2))
    for name, frame in results.named.items():
        if frame is not None:
            numbers = mean_std(frame, [key], metrics, results.evidence)
            spread = 1.0 if name == "reference" else math.nan
            cells = {m: [mean_text(mean, std * spread, digits) for mean, std in numbers[m].to_numpy()] for m in metrics}
            tables[heading if name == "reference" else name] = pd.DataFrame(cells, index=numbers.index)
    return groups(tables, caption, evidence=results.evidence)


def deviations(results: Results, keys: list[str], metrics: Sequence[str]) -> Html:
    """How many runs this build has made again and how they compare with the reference; the numbers beyond the seeds' spread."""
    if results.build is None:
        return Html("<p>This page shows the committed reference; no other build is compared with it.</p>")
    found = compare(results, keys, metrics)
    text = f"<p>{comparison_text(found, results.reference['run_id'].nunique())}</p>"
    return Html(text + outside_table(found).text if found.differ else text)


def comparison_text(found: Comparison, runs: int) -> str:
    """What a comparison found, as sentences; ``runs``: how many the reference has."""
    if not found.runs:
        return f"This build has retrained none of the {runs} runs here."
    return (
        f"This build has retrained {found.runs} of the {runs} runs here. "
        f"To the last digit kept, {found.equal} equal the reference's run of the same id; {found.within} differ from it within "
        f"the spread of the seeds; {found.differ} lie outside."
    )


def outside_table(found: Comparison) -> Html:
    """The numbers of a build that lie outside the spread of the seeds."""
    rows = found.outside.rename(columns={"mean": "reference, mean", "std": "reference, std"})
    return table(rows, "Outside the spread of the seeds (prediction interval at 5 % for all numbers together)", digits=3)


def claims(paper: Paper, *pages: str, tier: str = "") -> Html:
    """The claims that some pages of a paper discuss: statement, source, what the paper's own printed numbers say, and for
    every tier with results the verdict, the effect with its 95 % interval, and the number of seeds.

    They are decided on the committed results, whatever the page reads.

    Args:
        paper: the paper.
        pages: the notebooks that the claims name.
        tier: only the claims that this tier has a verdict on.
    """
    chosen = entries_of(paper, pages=pages)
    at_tier = {entry.claim.id for entry in chosen if entry.tier == (tier or entry.tier)}
    chosen = [entry for entry in chosen if entry.claim.id in at_tier]
    if missing := sorted(set(pages) - {entry.claim.page for entry in chosen}):
        raise ValueError(f"no claim of {paper.name}{tier and f' at the {tier} tier'} names the page(s) {', '.join(missing)}")
    rows: dict[str, dict[str, str]] = {}
    for entry in chosen:
        claim = entry.claim
        texts = {"claim": html.escape(claim.statement), "source": html.escape(claim.source), "published": printed_cell(claim)}
        rows.setdefault(claim.id, texts)[entry.tier] = verdict_text(entry.verdict)
    columns = ["claim", "source", "published", *(name for name in TIERS if any(entry.tier == name for entry in chosen))]
    frame = pd.DataFrame(rows.values(), columns=columns).fillna("–")
    return Html(frame.to_html(index=False, escape=False, border=0, classes="lossbook claims"))


def printed_text(claim: Claim) -> tuple[str, str]:
    """What a claim says of the paper's own printed numbers: the effect with the number of cases, and whether it holds there;
    ``"not printed"`` and an empty word where there are none."""
    if claim.printed is None:
        return "not printed", ""
    found = claim.printed()
    what = " ".join(filter(None, (f"{found.effect:+.2f}", found.unit, found.note)))
    return f"{what} ({found.cases} case{'s' * (found.cases > 1)})", "holds" if found.holds else "does not hold"


def printed_cell(claim: Claim) -> str:
    """The same as HTML."""
    text, word = printed_text(claim)
    mark = f'<span class="verdict-{"met" if word == "holds" else "missed"}">{word}</span><br>' if word else ""
    return f'{mark}<span class="fine">{html.escape(text)}</span>'


def verdict_text(verdict: Verdict) -> str:
    """The word, and below it the effect, the seeds behind it, those that failed too, and what an undecided one lacks."""
    slug = verdict.word.replace(" ", "-")
    fine = f'<span class="fine">{"; ".join(filter(None, (seeds_text(verdict), missing_text(verdict))))}</span>'
    return f'<span class="verdict-{slug}">{verdict.word}</span><br>{effect_text(verdict)} {fine}'


def missing_text(verdict: Verdict) -> str:
    """How far an undecided verdict's interval is from deciding, and how many seeds would decide an effect of this size, as the
    interval shrinks with the root of their number; empty for a decided one and for one that failed runs leave open.

    Example:
        >>> missing_text(Verdict(None, effect=0.5, low=-0.5, high=1.5, seeds=20))
        '0.50 points short, about 80 seeds'
    """
    if verdict.reproduced is not None or math.isinf(verdict.high) or not verdict.margin:
        return ""
    beyond = abs(verdict.effect - verdict.bound)
    short = f"{beyond / abs(verdict.margin) - beyond:.2f} {verdict.unit} short"
    needed = int(float(f"{verdict.seeds / verdict.margin**2:.2g}"))
    return f"{short}, about {needed} seeds" if needed <= 1000 else f"{short}, more than 1000 seeds"


def seeds_text(verdict: Verdict) -> str:
    """``n = 19, 1 of 20 failed``; a proof has runs."""
    failed = f", {verdict.failed} of {verdict.seeds + verdict.failed} failed" if verdict.failed else ""
    return f"{verdict.seeds} runs" if verdict.proof else f"n = {verdict.seeds}{failed}"


def erratum(errata: Sequence[Erratum], id: str) -> Html:
    """Run the check of an erratum and show what it found; an ``AssertionError`` where it no longer holds."""
    one = get_erratum(errata, id)
    return Html(checks(one.check()).text.replace("<table ", f'<table id="erratum-{one.paper}-{one.id}" ', 1))


def effect_text(verdict: Verdict) -> str:
    """Effect with its interval and unit, as text; a single run has no interval."""
    interval = "" if verdict.low == verdict.high or math.isinf(verdict.high) else f" [{verdict.low:z.2f}, {verdict.high:z.2f}]"
    what = f"{verdict.unit} {verdict.note}".strip()
    return f"{verdict.effect:z.2f}{interval} {html.escape(what)}"
