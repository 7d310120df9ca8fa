"""Figures of the bench: numbers in, the current matplotlib figure out.

Scores are data frames in per cent, one row per seed, one column per method.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from lossbook.papers.statistics import critical_difference, mean_interval, mean_ranks
from lossbook.papers.style import PALETTE

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def rank_map(ranks: pd.DataFrame, separators: tuple[int, ...] = ()) -> None:
    """Mean ranks, one row per method, one column per goal: light is good.  ``separators``: rows above which a line is drawn."""
    _, axis = plt.subplots(figsize=(7.2, 0.27 * len(ranks) + 1.5))
    sns.heatmap(
        ranks,
        ax=axis,
        cmap="viridis_r",
        vmin=1,
        annot=True,
        fmt=".0f",
        annot_kws={"fontsize": 8},
        linewidths=0.5,
        cbar_kws={"label": "mean rank (1 is best)", "pad": 0.02},
    )
    for row in separators:
        axis.axhline(row, color="black", linewidth=1.5)
    axis.set(xlabel="", ylabel="")
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_xticks(axis.get_xticks(), axis.get_xticklabels(), rotation=40, ha="left", rotation_mode="anchor")


def _alike(ranks: np.ndarray, distance: float) -> list[tuple[int, int]]:
    """The longest runs (first, last) of sorted mean ranks that lie within the distance; no run inside another."""
    found: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = int(np.searchsorted(ranks, ranks[first] + distance)) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def critical_differences(panels: Mapping[str, tuple[pd.DataFrame, bool]]) -> None:
    """One critical-difference diagram per goal: goal -> (scores, higher is better).  A bar joins methods that do not differ."""
    count = max(scores.shape[1] for scores, _ in panels.values())
    _, axes = plt.subplots(len(panels), 1, figsize=(7.2, (0.155 * count + 1.0) * len(panels)), squeeze=False)
    for axis, (goal, (scores, higher)) in zip(axes[:, 0], panels.items(), strict=True):
        ranks = pd.Series(mean_ranks(scores.to_numpy(), higher), scores.columns).sort_values(kind="stable")
        _critical_difference(axis, ranks, critical_difference(len(ranks), len(scores)))
        axis.set_title(goal, loc="left")


def _critical_difference(axis: Axes, ranks: pd.Series, distance: float) -> None:
    groups = _alike(ranks.to_numpy(), distance)
    half = (len(ranks) + 1) // 2
    low = -0.5 * len(groups) - 0.8
    for place, (name, rank) in enumerate(ranks.items()):
        left = place < half
        y = low - (place if left else len(ranks) - 1 - place)
        end = 0.4 if left else len(ranks) + 0.6
        axis.plot([rank, rank, end], [0, y, y], color="0.35", linewidth=0.8)
        axis.text(
            end - 0.15 if left else end + 0.15, y, f"{name}  {rank:.1f}", va="center", ha="right" if left else "left", size=8
        )
    for level, (first, last) in enumerate(groups, 1):
        axis.plot(ranks.iloc[[first, last]], [-0.5 * level] * 2, color=PALETTE[1], linewidth=3, solid_capstyle="butt")
    axis.plot([1, len(ranks)], [0, 0], color="black", linewidth=1)
    for rank in range(1, len(ranks) + 1, 2):
        axis.plot([rank, rank], [0, 0.25], color="black", linewidth=1)
        axis.text(rank, 0.4, str(rank), ha="center", va="bottom", size=8)
    axis.plot([1, 1 + distance], [2.0, 2.0], color="black", linewidth=1.5)
    axis.text(1 + distance + 0.2, 2.0, f"critical difference {distance:.1f}", va="center", size=8)
    axis.set(xlim=(-4.5, len(ranks) + 5.5), ylim=(low - half + 0.3, 2.6))
    axis.set_axis_off()


def differences(panels: Mapping[str, tuple[pd.DataFrame, int]]) -> None:
    """Means of paired differences with their 95 % intervals, one panel per goal.

    Blue: better, orange: worse, grey: the interval contains 0.

    Args:
        panels: goal -> (differences in points, one row per seed, one column per row of the panel; +1 or -1: more or less is
            better).
    """
    names = next(iter(panels.values()))[0].columns
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    _, axes = plt.subplots(rows, columns, figsize=(7.2, (0.17 * len(names) + 0.75) * rows), sharey=True, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (goal, (values, better)) in zip(axes.flat, panels.items(), strict=False):
        for y, name in enumerate(names):
            mean, low, high, _ = mean_interval(values[name].to_numpy())
            sign = 0 if low <= 0 <= high else better * int(np.sign(mean))
            color = {1: PALETTE[0], -1: PALETTE[1], 0: "0.6"}[sign]
            axis.plot([low, high], [y, y], color=color, linewidth=1.5)
            axis.plot(mean, y, "o", color=color, markersize=3.5)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.set_title(goal + ("" if better > 0 else " (less is better)"), fontsize="small")
        axis.set_xlabel("points", fontsize="small")
        axis.tick_params(labelsize=7.5)
        axis.grid(axis="y", visible=False)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.4, -0.6)


def pareto_front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points (more is better in both) are beaten by no other: a mask (M,)."""
    at_least = (x[None] >= x[:, None]) & (y[None] >= y[:, None])
    above = (x[None] > x[:, None]) | (y[None] > y[:, None])
    return ~(at_least & above).any(1)


def pareto(means: pd.DataFrame, x: str, ys: tuple[str, ...], groups: Mapping[str, str]) -> None:
    """One panel per goal of ``ys`` over the goal ``x``; methods that no other beats in both are named and joined.

    Args:
        means: one row per method, one column per goal, in per cent, more is better.
        groups: method -> where it comes from (colour and marker).
    """
    columns = min(2, len(ys))
    rows = -(-len(ys) // columns)
    _, axes = plt.subplots(rows, columns, figsize=(7.2, 3.0 * rows), squeeze=False)
    kinds = list(dict.fromkeys(groups.values()))
    for axis, y in zip(axes.flat, ys, strict=True):
        for kind, color, marker in zip(kinds, PALETTE, _MARKERS, strict=False):
            part = means.loc[[name for name in means.index if groups[name] == kind]]
            axis.plot(part[x], part[y], marker, color=color, markersize=5, label=kind)
        front = means[pareto_front(means[x].to_numpy(), means[y].to_numpy())].sort_values(x)
        axis.plot(front[x], front[y], color="0.5", linewidth=0.8, zorder=0)
        right = means[x].min() + (means[x].max() - means[x].min()) * 2 / 3
        for place, (name, at) in enumerate(front.iterrows()):  # the last one's name below, the others' above their points
            below = place == len(front) - 1 > 0
            left = place > 0 and at[x] < right
            style = {"va": "top" if below else "bottom", "ha": "left" if left else "center", "size": 7.5}
            offset = (0, -6 if below else 12 if at[x] >= right else 5)
            axis.annotate(name, (at[x], at[y]), offset, textcoords="offset points", **style)
        axis.set(xlabel=f"{x} (%)", ylabel=f"{y} (%)")
        axis.margins(0.12)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[0, 0].figure.legend(handles, labels, loc="outside lower center", ncols=len(kinds), fontsize=7.5, columnspacing=1)


def rank_shifts(panels: Mapping[str, tuple[pd.Series, pd.Series]], titles: tuple[str, str], groups: Mapping[str, str]) -> None:
    """One panel per goal: every method's place on one tier (across) and on another (down); on the grey line they are equal.

    Args:
        panels: goal -> (scores on the first tier, on the second, less is better), one entry per method.
        titles: the names of the tiers.
        groups: method -> where it comes from (colour and marker).
    """
    rows = -(-(len(panels) + 1) // 2)  # one cell for the legend
    _, axes = plt.subplots(rows, 2, figsize=(7.2, 3.1 * rows), squeeze=False)
    kinds = list(dict.fromkeys(groups.values()))
    for axis, (goal, scores) in zip(axes.flat, panels.items(), strict=False):
        # No ties, so that every method has a line of its own for its name.
        first, second = (values.rank(method="first") for values in scores)
        last = len(first)
        axis.plot([1, last], [1, last], color="0.8", linewidth=1, zorder=0)
        for kind, color, marker in zip(kinds, PALETTE, _MARKERS, strict=False):
            part = [name for name in first.index if groups[name] == kind]
            axis.plot(first[part], second[part], marker, color=color, markersize=4.5, label=kind)
        for name in first.index:
            left = first[name] > last / 2
            style = {"ha": "right" if left else "left", "va": "center", "size": 6.5}
            axis.annotate(name, (first[name], second[name]), (-4 if left else 4, 0), textcoords="offset points", **style)
        ticks = [1, *range(5, last + 1, 5)]
        axis.set(title=goal, xlabel=f"place, {titles[0]}", ylabel=f"place, {titles[1]}", xticks=ticks, yticks=ticks)
        axis.set(xlim=(0, last + 1), ylim=(last + 1, 0))
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes.flat[len(panels)].legend(handles, labels, loc="center", title="from", fontsize="small")
