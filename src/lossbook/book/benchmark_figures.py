"""Figures of the engineering part: measured ratios in, the current matplotlib figure out."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from lossbook.book.benchmarks import TITLES, judge
from lossbook.papers.style import PALETTE

COLORS = {"met": PALETTE[2], "missed": PALETTE[3]}
_MARKERS = {"time": "o", "memory": "s"}


def ratios(suites: dict[str, pd.DataFrame]) -> None:
    """Every goal on a ratio, one line per case: what was measured, and the most it should be (a bar); log axis."""
    parts = [judge(frame).assign(suite=TITLES.get(name, name)) for name, frame in suites.items()]
    goals = pd.concat(parts, ignore_index=True)
    goals = goals[goals["measure"].isin(list(_MARKERS))]
    lines = goals[["suite", "case", "peer"]].drop_duplicates().reset_index(drop=True)
    place = {tuple(line): k for k, line in enumerate(lines.itertuples(index=False))}
    figure, axis = plt.subplots(figsize=(7.2, 1.2 + 0.32 * len(lines)))
    both = goals.groupby(["suite", "case", "peer"])["measure"].nunique()
    for goal in goals.itertuples():
        line = goal.suite, goal.case, goal.peer
        aside = 0.16 * (both[line] - 1)  # only where a case has two goals
        y = place[line] + (aside if goal.measure == "memory" else -aside)
        color, filled = COLORS[goal.word], goal.word == "met"
        axis.plot([goal.value, goal.goal], [y, y], color=color, linewidth=1, alpha=0.6)
        axis.plot(goal.goal, y, "|", color="0.25", markersize=9, markeredgewidth=2)
        face = color if filled else "white"
        axis.plot(goal.value, y, _MARKERS[goal.measure], color=color, markerfacecolor=face, markersize=6)
    axis.axvline(1, color="0.4", linewidth=1, linestyle=":")
    labels = [f"{_short(line.case)}\nbeside {_short(line.peer)}" for line in lines.itertuples()]
    axis.set_yticks(range(len(lines)), labels, fontsize=6.5)
    axis.set_ylim(len(lines) - 0.4, -0.6)
    axis.set_xscale("log")
    axis.set_xlabel("ours / peer (log scale)")
    axis.grid(axis="y", visible=False)
    for marker, label in ((_MARKERS["time"], "time"), (_MARKERS["memory"], "memory"), ("|", "goal: at most")):
        axis.plot([], [], marker, color="0.25", label=label, linestyle="none")
    for word, color in COLORS.items():
        axis.plot([], [], "o", color=color, markerfacecolor=color if word == "met" else "white", label=word)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="small")


def _short(text: str, most: int = 50) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
