"""The scoreboard as a picture and as a table that can be filtered, and the ledger of the runs behind it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lossbook.book.claim_pages import page_title
from lossbook.book.scoreboard import VERDICTS, counts, href, run_table
from lossbook.book.show import Html, outside_table, printed_cell, table, verdict_text
from lossbook.papers.board import Entry
from lossbook.papers.registry import PAPERS, get_paper
from lossbook.papers.results import Comparison
from lossbook.papers.style import PALETTE
from lossbook.runs.tables import TIERS

# Green, grey, vermilion, blue: as the verdicts of the pages, told apart by place and shape too.
COLORS = {"reproduced": PALETTE[2], "undecided": "0.6", "not reproduced": PALETTE[3], "by proof": PALETTE[0]}
MARKERS = {"reproduced": "o", "undecided": "s", "not reproduced": "X"}
SIZES = {"o": 32, "s": 24, "X": 38, "D": 26}  # in points squared, so that the marks look equally large


def overview(board: Sequence[Entry]) -> Figure:
    """Left: claims by verdict, one bar per paper and tier. Right: every claim's distance from its bound; a proof has none."""
    table = counts(board)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 1.5 + 0.55 * len(table)), width_ratios=[1, 1.25], sharey=True)
    places = {key: len(table) - 1 - i for i, key in enumerate(table.index)}
    start = np.zeros(len(table))
    for verdict in VERDICTS:
        numbers = table[verdict].to_numpy()
        bars = left.barh(list(places.values()), numbers, left=start, color=COLORS[verdict], label=verdict, height=0.62)
        left.bar_label(bars, [n or "" for n in numbers], label_type="center", fontsize="small", color="white", fontweight="bold")
        start += numbers
    several = len({tier for _, tier in table.index}) > 1
    left.set_yticks(list(places.values()), [f"{paper}\n{tier}" if several else paper for paper, tier in places])
    left.set(xlabel="claims", xlim=(0, start.max() * 1.02))
    left.grid(axis="y", visible=False)
    for verdict in MARKERS:
        for key, y in places.items():
            margins = sorted(e.verdict.margin for e in board if (e.paper, e.tier) == key and e.verdict.word == verdict)
            shift = np.resize([-0.2, 0.0, 0.2], len(margins))  # neighbours beside each other
            look = {"color": COLORS[verdict], "marker": MARKERS[verdict], "s": 26, "linewidth": 0.4, "edgecolor": "white"}
            right.scatter(np.clip(margins, -90, 90), y + shift, **look)
    right.axvspan(-1, 1, color="0.5", alpha=0.15, linewidth=0)
    right.set_xscale("symlog", linthresh=2, linscale=0.8)
    ticks = [-50, -10, -3, -1, 1, 3, 10, 50]
    right.set_xticks(ticks, [f"{t:+d}".replace("-", "−") for t in ticks], minor=False)
    right.set_xticks([], minor=True)
    right.set(xlabel="distance from the bound\n(half-widths of the 95 % interval)", xlim=(-110, 110))
    looks = [{"color": COLORS[v], "marker": MARKERS.get(v, "_"), "label": v} for v in VERDICTS]
    figure.legend(
        handles=[plt.Line2D([], [], linestyle="", markersize=7, **look) for look in looks], loc="outside upper center", ncols=4
    )
    return figure


def verdict_grid(board: Sequence[Entry], changed: Collection[tuple[str, str]]) -> Figure:
    """One mark per claim, a row per paper, a panel per tier, sorted by verdict; those that have changed have a black edge.

    Args:
        board: the entries.
        changed: claim and tier of every verdict that is another than in the first edition.
    """
    tiers = [tier for tier in TIERS if any(entry.tier == tier for entry in board)]
    papers = list(dict.fromkeys(entry.paper for entry in board))
    rows = {
        (paper, tier): sorted(
            (e for e in board if (e.paper, e.tier) == (paper, tier)),
            key=lambda e: (VERDICTS.index(e.verdict.word), (e.claim.id, e.tier) not in changed),
        )
        for paper in papers
        for tier in tiers
    }
    longest = {tier: max(len(rows[paper, tier]) for paper in papers) for tier in tiers}
    figure, axes = plt.subplots(
        1, len(tiers), figsize=(7.2, 0.9 + 0.36 * len(papers)), width_ratios=list(longest.values()), sharey=True, squeeze=False
    )
    for axis, tier in zip(axes[0], tiers, strict=True):
        for y, paper in enumerate(reversed(papers)):
            for verdict in VERDICTS:
                x = [k for k, entry in enumerate(rows[paper, tier]) if entry.verdict.word == verdict]
                edges = ["black" if (rows[paper, tier][k].claim.id, tier) in changed else "white" for k in x]
                marker = MARKERS.get(verdict, "D")
                axis.scatter(
                    x, [y] * len(x), marker=marker, s=SIZES[marker], color=COLORS[verdict], edgecolor=edges, linewidth=0.9
                )
        axis.set(title=tier, xticks=[], xlim=(-1, longest[tier]), ylim=(-0.6, len(papers) - 0.4))
        axis.set_yticks(range(len(papers)), papers[::-1])
        axis.grid(visible=False)
        axis.spines["bottom"].set_visible(False)
    looks = [{"color": COLORS[v], "marker": MARKERS.get(v, "D"), "label": v} for v in VERDICTS]
    figure.legend(
        handles=[plt.Line2D([], [], linestyle="", markersize=6, **look) for look in looks], loc="outside upper center", ncols=4
    )
    return figure


def anchor(paper: str, table: str, tier: str) -> str:
    """The id of a table's runs in the ledger."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", f"runs-{paper}-{table}-{tier}")


def _tier_cell(entry: Entry | None, ledger: str) -> str:
    """What a tier says of a claim: verdict, effect, what was asked, and the runs behind it; a dash where it says nothing."""
    if entry is None:
        return '<td class="tier">–</td>'
    verdict = entry.verdict
    links = [f'<a href="{ledger}#{anchor(entry.paper, t, entry.tier)}">{html.escape(t)}</a>' for t in entry.tables]
    whole = len(links) == sum(bool(t.runs(entry.tier)) for t in get_paper(entry.paper).evidence.tables) > 1
    every = f'<a href="{ledger}">all tables</a>' if whole else ""
    asked = f"asked: {'above' if verdict.above else 'below'} {verdict.bound:.3g}"
    if np.isinf(verdict.high):
        asked += "; too many failed, no interval" if verdict.failed else "; one run, no interval"
    fine = f"{asked}<br>{entry.runs} runs: {every or ', '.join(links)}"
    return f'<td class="tier">{verdict_text(verdict)}<span class="fine">{fine}</span></td>'


def _claim_row(found: dict[str, Entry], tiers: Sequence[str], order: int, ledger: str) -> str:
    """One line of the board: a claim, tier -> its entry."""
    first = next(iter(found.values()))
    claim = first.claim
    margins = {
        tier: [entry.verdict.word.replace(" ", "-"), float(f"{np.clip(np.nan_to_num(entry.verdict.margin), -1e6, 1e6):.4g}")]
        for tier, entry in found.items()
    }
    title = html.escape(page_title(first.paper, claim.page))
    cells = "".join(_tier_cell(found.get(tier), ledger) for tier in tiers)
    return (
        f'<tr id="{claim.id}" data-paper="{first.paper}" data-verdicts="{html.escape(json.dumps(margins))}" data-order="{order}">'
        f'<td class="claim"><span class="statement">{html.escape(claim.statement)}</span>'
        f'<span class="fine"><b>{first.paper}</b>, {html.escape(claim.source)} · <a href="{href(first)}">{title}</a> · '
        f'<code>{claim.id}</code></span></td><td class="published">{printed_cell(claim)}</td>{cells}</tr>'
    )


def board_table(board: Sequence[Entry], ledger: str = "02-runs.html") -> Html:
    """Every claim, paper by paper, one line each with all tiers; ``book/_static/scoreboard.js`` adds the filters.

    Args:
        board: the entries.
        ledger: address of the page with :func:`runs_table`, seen from the scoreboard.
    """
    tiers = [tier for tier in TIERS if any(entry.tier == tier for entry in board)]
    claims: dict[str, dict[str, Entry]] = {}
    for entry in board:
        claims.setdefault(entry.claim.id, {})[entry.tier] = entry
    bodies = []
    for name, paper in PAPERS.items():
        own = [(k, found) for k, found in enumerate(claims.values()) if next(iter(found.values())).paper == name]
        if not own:
            continue
        words = [_words([found[tier] for _, found in own if tier in found], tier) for tier in tiers]
        title = f'{name}: {html.escape(paper.title)}<span class="fine">{"<br>".join(filter(None, words))}</span>'
        head = f'<tr class="paper"><th colspan="{2 + len(tiers)}" scope="rowgroup">{title}</th></tr>'
        rows = "".join(_claim_row(found, tiers, order, ledger) for order, found in own)
        bodies.append(f'<tbody data-paper="{name}">{head}{rows}</tbody>')
    titles = "".join(f'<th scope="col">{title}</th>' for title in ("claim", "published", *tiers))
    return Html(f'<table class="lossbook scoreboard"><thead><tr>{titles}</tr></thead>{"".join(bodies)}</table>')


def compared_runs(found: dict[str, tuple[Comparison, int]]) -> Html:
    """The runs that a build has retrained: how many of each paper equal the reference, differ within the seeds' spread, lie
    outside; and the numbers that do (:func:`lossbook.book.scoreboard.compared`)."""
    if not found:
        return Html("<p>This page shows the committed reference; no other build is compared with it.</p>")
    counted = [(name, runs, c.runs, c.equal, c.within, c.differ) for name, (c, runs) in found.items()]
    counted.append(("all", *(sum(column) for column in list(zip(*counted, strict=True))[1:])))
    columns = ["paper", "runs of the reference", "retrained in this build", "equal", "within the spread", "outside"]
    text = table(pd.DataFrame(counted, columns=columns), "The runs of this build, compared in all their metrics").text
    return Html(text + "".join(f"<p>{name}</p>{outside_table(c).text}" for name, (c, _) in found.items() if c.differ))


def _words(own: Sequence[Entry], tier: str) -> str:
    """How many claims of a paper have which verdict at a tier, e.g. ``quick: 9 reproduced, 2 undecided``."""
    counts = {verdict: sum(entry.verdict.word == verdict for entry in own) for verdict in VERDICTS}
    return f"{tier}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) if own else ""


def runs_table(paper: str, tier: str, frame: pd.DataFrame) -> Html:
    """The ledger of a paper's runs at a tier: how to train each table again, and every run's id.

    Args:
        paper: its name.
        tier: the tier.
        frame: the results, one row per run.
    """
    parts = []
    for chosen in get_paper(paper).evidence.tables:
        rows = frame[frame["table"] == chosen.name]
        if rows.empty:
            continue
        specs = run_table(rows)
        sets = ", ".join(sorted(rows["dataset"].unique()))
        where = ", ".join(sorted(rows["device"].astype(str).unique()))
        quoted = f'"{chosen.name}"' if re.search(r"[^\w.-]", chosen.name) else chosen.name
        lines = "".join(
            f"<tr><td>{html.escape(row.spec)}</td><td>{row.seeds}</td><td><code>{row.run_ids}</code></td></tr>"
            for row in specs.itertuples()
        )
        parts.append(
            f'<details class="lossbook-runs" id="{anchor(paper, chosen.name, tier)}"><summary><b>{html.escape(chosen.name)}</b> '
            f"{html.escape(chosen.title)} <span>({len(rows)} runs)</span></summary>"
            f"<p>{html.escape(sets)}; {html.escape(where)}. Again: "
            f"<code>lossbook run {paper} --table {html.escape(quoted)} --tier {tier}</code></p>"
            f'<table class="lossbook runs"><thead><tr><th>what sets it apart</th><th>seeds</th><th>run ids</th></tr></thead>'
            f"<tbody>{lines}</tbody></table></details>"
        )
    return Html("".join(parts))
