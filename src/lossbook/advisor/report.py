"""The report: one HTML file that needs no other, and its numbers as CSV."""

from __future__ import annotations

import csv
import html
import io
import platform
from importlib.metadata import version
from pathlib import Path

from lossbook.advisor.advise import advice, images, points, warnings
from lossbook.advisor.compare import Comparison
from lossbook.advisor.goals import GOALS
from lossbook.advisor.judge import Verdict
from lossbook.advisor.methods import CONTROL, METHODS
from lossbook.files import write_atomically

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --faint: #8a8a8a; --line: #d8d8d8; --good: #1a7f37;
 --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #161616; --faint: #9a9a9a; --line: #3a3a3a;
 --good: #57c26f; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto;
 padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
.scroll { overflow-x: auto; }
.good { color: var(--good); } .bad { color: var(--bad); }
.advice { font-size: 1.15rem; } code { overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
"""


def results_csv(comparison: Comparison) -> str:
    """One row per goal and method; differences and scores as shares, larger is better but for a calibration error's score."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["goal", "method", "setting", "score", "difference", "low", "high", "tested_samples", "needed_samples", "verdict"]
    )
    for goal, verdict in comparison.verdicts.items():
        differences = {one.method: one for one in verdict.differences}
        for method, score in comparison.scores[goal].items():
            setting = " ".join(f"{name}={value:g}" for name, value in comparison.tuned[goal][method].items())
            shown = f"{GOALS[goal].shown(score):.6f}"
            one = differences.get(method)
            if one is None:
                writer.writerow(
                    [goal, method, setting, shown, "", "", "", "", "", "control" if method == CONTROL else "diverged"]
                )
                continue
            word = "better" if one.better else "worse" if one.worse else "no difference shown"
            numbers = [f"{value:.6f}" for value in (one.mean, one.low, one.high)]
            writer.writerow([goal, method, setting, shown, *numbers, one.samples, f"{one.needed:.0f}", word])
    return text.getvalue()


def tuning_csv(comparison: Comparison) -> str:
    """One row per goal, method and setting: its score on the validation samples."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["goal", "method", "setting", "validation_score", "chosen"])
    for goal, found in comparison.validation.items():
        for method, scores in found.items():
            for setting, score in zip(METHODS[method].settings, scores, strict=True):
                words = " ".join(f"{name}={value:g}" for name, value in setting.items())
                chosen = int(comparison.tuned[goal].get(method) == setting)
                writer.writerow([goal, method, words, f"{GOALS[goal].shown(score):.6f}", chosen])
    return text.getvalue()


def _table(comparison: Comparison) -> str:
    """Goals by methods: the score, coloured where it is better or worse than the control's."""
    goals = list(comparison.verdicts)
    head = "".join(f"<th>{html.escape(GOALS[goal].title)}</th>" for goal in goals)
    classes = {
        (goal, one.method): "good" if one.better else "bad" if one.worse else ""
        for goal, verdict in comparison.verdicts.items()
        for one in verdict.differences
    }
    ranked = sorted(comparison.options.methods, key=lambda name: -comparison.scores[goals[0]].get(name, -1.0))
    rows = []
    for method in ranked:
        cells = []
        for goal in goals:
            score = comparison.scores[goal].get(method)
            text = "diverged" if score is None or score != score else points(GOALS[goal].shown(score))
            cells.append(f'<td class="{classes.get((goal, method), "")}">{text}</td>')
        rows.append(f"<tr><td>{html.escape(method)}</td>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><tr><th>method</th>{head}</tr>{"".join(rows)}</table></div>'


def _forest(verdict: Verdict) -> str:
    """A picture of the differences with their intervals: a row per method, cross entropy is the line at 0."""
    found = verdict.differences
    if not found:
        return ""
    low, high = min(0.0, *(one.low for one in found)), max(0.0, *(one.high for one in found))
    span = (high - low) or 1.0
    left, width, row = 170, 520, 24

    def x(value: float) -> float:
        return left + width * (value - low) / span

    height = row * len(found) + 40
    parts = [f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height - 30}" stroke="var(--faint)" stroke-dasharray="4 3"/>']
    for number, one in enumerate(found):
        y = row * number + row / 2
        colour = "var(--good)" if one.better else "var(--bad)" if one.worse else "var(--ink)"
        parts.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{html.escape(one.method)}</text>')
        parts.append(f'<line x1="{x(one.low):.1f}" x2="{x(one.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<circle cx="{x(one.mean):.1f}" cy="{y}" r="4" fill="{colour}"/>')
    for value in (low, high):
        parts.append(f'<text x="{x(value):.1f}" y="{height - 12}" text-anchor="middle">{points(value)}</text>')
    label = "Difference to cross entropy in points, with intervals that hold for all methods together"
    return (
        f'<svg viewBox="0 0 {left + width + 40} {height}" width="{left + width + 40}" role="img" aria-label="{label}">'
        f"<title>{label}</title>{''.join(parts)}</svg>"
    )


def _facts(comparison: Comparison, command: str) -> str:
    samples, plan, options = comparison.samples, comparison.plan, comparison.options
    tests = "the data's own test samples in every fold" if plan.own_test else "every fold's samples once"
    made_by = "as given" if samples.backbone is None else f"of {samples.backbone.name} at {samples.backbone.side} pixels"
    facts = {
        "data": f"{samples.name}: {len(samples):,} samples, {len(samples.classes):,} classes",
        "features": f"{samples.features.shape[1]:,}, {made_by}",
        "settings": f"eight per method, chosen on {len(plan.tuning.test):,} validation samples, which are never tested on",
        "tests": f"{len(plan.folds)} folds, {tests}, {options.epochs} epochs",
        "command": command,
        "versions": f"lossbook {version('lossbook')}, torch {version('torch')}, Python {platform.python_version()}",
    }
    return "".join(
        f"<tr><td>{name}</td><td style='text-align:left'><code>{html.escape(text)}</code></td></tr>"
        for name, text in facts.items()
    )


def report_html(comparison: Comparison, command: str) -> str:
    """The report as one HTML file."""
    title = f"Which loss for {comparison.samples.name}?"
    said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in advice(comparison))
    warned = "".join(f"<li>{html.escape(line)}</li>" for line in warnings(comparison))
    pictures = "".join(
        f"<h2>{html.escape(GOALS[goal].title.capitalize())}</h2><p>{html.escape(GOALS[goal].what.capitalize())}. "
        "A line is an interval that holds for all methods together with 95 % probability; green is better than cross entropy, "
        f"red worse.</p>{_forest(verdict)}{_needed(verdict)}"
        for goal, verdict in comparison.verdicts.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f'<div class="advice">{said}</div>{f"<ul>{warned}</ul>" if warned else ""}'
        f"<h2>Goals and methods</h2><p>In per cent; a calibration error is better where it is smaller.</p>{_table(comparison)}"
        f"{pictures}<h2>How it was found</h2><table>{_facts(comparison, command)}</table></body></html>\n"
    )


def _needed(verdict: Verdict) -> str:
    open_ones = [one for one in verdict.differences if not one.better and not one.worse and one.mean > 0][:3]
    if not open_ones:
        return ""
    text = "; ".join(f"{one.method} ({points(one.mean)} points): about {images(one.needed)}" for one in open_ones)
    return f"<p>Tested samples that would show these differences, if they are real: {html.escape(text)}.</p>"


def write(comparison: Comparison, folder: Path, command: str) -> None:
    """``report.html``, ``results.csv`` and ``tuning.csv``, each whole or not at all."""
    write_atomically(folder / "report.html", report_html(comparison, command))
    write_atomically(folder / "results.csv", results_csv(comparison))
    write_atomically(folder / "tuning.csv", tuning_csv(comparison))
