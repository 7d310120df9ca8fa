"""Figures of the results of `warped`: published numbers and results in, the current matplotlib figure out.

Results hold recall as a share, published tables in per cent; the figures show per cent.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lossbook.papers.style import PALETTE
from lossbook.papers.warped.read import FUNCTION, Kind
from lossbook.papers.warped.searches import FORMULAS

WARP, EQ_4, OTHER = PALETTE[1], PALETTE[0], "0.35"
# Colour and marker of a method, by the paper's name and by its objective; all others are grey.
_LOOKS = {
    **dict.fromkeys(("Warped-Softmax", "warped-softmax"), (WARP, "s")),
    **dict.fromkeys(("Softmax (Eq. 4)", "euclidean-softmax"), (EQ_4, "o")),
    **dict.fromkeys(("ProxyNCA++", "proxy-nca++"), (OTHER, "x")),
}
_OTHER_LOOK = (OTHER, "+")
# What the pages call the methods of Table IV, each objective in one phase or two.
TABLE_IV = {
    ("proxy-nca++", False): "ProxyNCA++",
    ("euclidean-softmax", True): "Softmax, 2 phases",
    ("warped-softmax", True): "Warped, 2 phases",
    ("euclidean-softmax", False): "Softmax (Eq. 4)",
    ("warped-softmax", False): "Warped-Softmax",
}
# Table III's kinds: (colour, marker, label).
_KINDS = {
    Kind.EQ_4: (EQ_4, "o", "Eq. 4"),
    Kind.SHARED: (PALETTE[2], "D", "another function, f1 = f2"),
    Kind.OUTWARD: (PALETTE[3], "^", "half warp, outward"),
    Kind.INWARD: (PALETTE[4], "v", "half warp, inward"),
    Kind.WARP: (WARP, "s", "warp, Eq. 7"),
    Kind.PRETRAINED: (OTHER, "x", "pretrained, not trained"),
}


def method_label(objective: str, two_phases: bool) -> str:
    """What the pages call a method."""
    return f"{objective}, two phases" if two_phases else objective


def labelled(results: pd.DataFrame) -> pd.DataFrame:
    """Results with a column ``method``: what the pages call each objective, in one phase or two."""
    methods = zip(results["objective"], results["two_phases"], strict=True)
    return results.assign(method=[method_label(*method) for method in methods])


def function_label(run: pd.Series) -> str:
    """What the pages call the functions of a run of Table III."""
    match run["kind"]:
        case Kind.EQ_4:
            return "f(x) = x (Eq. 4)"
        case Kind.SHARED:
            return f"f(x) = {FORMULAS[run['arg_f1']]}"
        case Kind.OUTWARD:
            return f"half warp outward, k1 = {run['arg_k1']:g}"
        case Kind.INWARD:
            return f"half warp inward, k2 = {run['arg_k2']:g}"
        case Kind.WARP:
            return f"warp, α = {run['arg_alpha']:g}"
    raise ValueError(f"expected the kind of a function, got {run['kind']!r}")


def labelled_functions(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of Table III with a column ``function``: what the pages call its functions."""
    return rows.assign(function=rows.apply(function_label, axis=1))


def _seeds(axis: Axes, height: float, values: pd.Series, color: str) -> None:
    """One stroke per seed, and a disc at their mean."""
    axis.plot(values, [height] * len(values), "|", color=color, markersize=9)
    axis.plot(values.mean(), height, "o", color=color, markersize=6)


def comparison(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Recall@1 of the losses, best on top: as published (one column per data set, one row per method), and here.

    ``results`` have the columns of :func:`lossbook.papers.warped.read.with_retrieval`.
    """
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 4.2))
    order = published.mean(axis=1).sort_values().index
    for marker, data in zip("os^", published, strict=True):
        for row, method in enumerate(order):
            paper.plot(published.loc[method, data], row, marker, color=_LOOKS.get(method, _OTHER_LOOK)[0], fillstyle="none")
        paper.plot([], [], marker, color=OTHER, fillstyle="none", label=data)
    paper.set(yticks=range(len(order)), yticklabels=order, xlabel="recall@1 (%)", title="published")
    recalls = sorted(results.groupby(["objective", "two_phases"])["recall@1"], key=lambda item: item[1].mean())
    for row, ((objective, _), recall) in enumerate(recalls):
        _seeds(here, row, 100 * recall, _LOOKS.get(objective, _OTHER_LOOK)[0])
    here.set_yticks(range(len(recalls)), [method_label(*method) for method, _ in recalls])
    here.set(xlabel="recall@1 (%)", title="here: unknown digits")
    here.plot([], [], "|", color=OTHER, markersize=9, label="one seed")
    here.plot([], [], "o", color=OTHER, label="mean")
    for axis in (paper, here):
        axis.tick_params(axis="y", labelsize=8)
        axis.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=5)


def recall_over_dtp(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Recall@1 over AvgDTP, one point per function: published (left), here the mean over the seeds (right).

    ``published``: index = row of Table III, columns ``R@1`` and ``AvgDTP``.  ``results`` are those of
    :func:`lossbook.papers.warped.read.functions`.
    """
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 3.9))
    for row, values in published.iterrows():
        color, marker, _ = _KINDS[Kind(row.partition("-")[0])]
        paper.plot(values["AvgDTP"], values["R@1"], marker, color=color)
    means = results.groupby(["kind", *FUNCTION], dropna=False)[["train_avg_dtp", "recall@1"]].mean()
    for (kind, *_), values in means.iterrows():
        color, marker, _ = _KINDS[kind]
        here.plot(values["train_avg_dtp"], 100 * values["recall@1"], marker, color=color)
    for color, marker, label in _KINDS.values():
        paper.plot([], [], marker, color=color, label=label)
    for axis, title in ((paper, "published: CUB"), (here, "here: unknown digits")):
        axis.set(xscale="log", xlabel="AvgDTP of the training images", title=title)
    paper.set_ylabel("recall@1 (%)")
    figure.legend(loc="outside lower center", ncols=3)


def dtp_over_training(curves: pd.DataFrame) -> None:
    """Fig. 9: the mean distance to the true proxy over the epochs, one labelled line per run.

    ``curves`` have the columns of :func:`lossbook.papers.warped.read.with_kind`.
    """
    _, axis = plt.subplots(figsize=(7.2, 4.2))
    ends = []
    for _, run in curves.groupby("run_id", sort=False):
        color, marker, _ = _KINDS[run["kind"].iloc[0]]
        axis.plot(run["epoch"], run["avg_dtp"], color=color, marker=marker, markersize=3.5)
        ends.append((run["avg_dtp"].iloc[-1], function_label(run.iloc[0]), color))
    last = curves["epoch"].max()
    placed = -np.inf
    for end, label, color in sorted(ends):
        placed = max(np.log10(end), placed + 0.16)
        axis.annotate(
            label,
            (last, end),
            xytext=(last + 0.5, 10**placed),
            va="center",
            fontsize=8,
            color=color,
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.6},
        )
    axis.set(yscale="log", xlabel="epoch", ylabel="AvgDTP of the training batches", xlim=(0.5, last + 4.5))
    axis.set_xticks(range(1, int(last) + 1))


def sweeps(over_alpha: pd.DataFrame, over_margin: pd.DataFrame, eq_4: pd.Series) -> None:
    """Figs. 6 and 8: recall@1 over alpha (left) and over the factor of Delta (right); ``eq_4``: recall@1 of Eq. 4, the seeds."""
    _, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
    for axis, frame, column, label in (
        (left, over_alpha, "arg_alpha", "α"),
        (right, over_margin, "arg_margin", "factor m of Δ"),
    ):
        positions = {value: k for k, value in enumerate(sorted(frame[column].unique()))}
        x = frame[column].map(positions)
        axis.plot(x, 100 * frame["unknown_recall@1"], ".", color=WARP, alpha=0.6, label="one seed")
        mean = 100 * frame.groupby(column)["unknown_recall@1"].mean()
        axis.plot(mean.index.map(positions), mean, color=WARP, label="mean")
        axis.axhline(100 * eq_4.mean(), color=EQ_4, linestyle="--", label="Eq. 4, mean")
        axis.set(xlabel=label)
        axis.set_xticks(list(positions.values()), [f"{value:g}" for value in positions])
    left.set_ylabel("recall@1 (%)")
    left.legend(loc="lower center")


def slopes(results: pd.DataFrame) -> None:
    """Fig. 7: mean recall@1 over the two slopes of the warp."""
    table = 100 * results.pivot_table(index="arg_k1", columns="arg_k2", values="unknown_recall@1")
    figure, axis = plt.subplots(figsize=(4.4, 3.2))
    image = axis.imshow(table, cmap="cividis", aspect="auto", origin="lower")
    middle = (table.to_numpy().min() + table.to_numpy().max()) / 2
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        axis.text(column, row, f"{value:.1f}", ha="center", va="center", color="black" if value > middle else "white")
    axis.set_xticks(range(len(table.columns)), [f"{k:g}" for k in table.columns])
    axis.set_yticks(range(len(table)), [f"{k:g}" for k in table.index])
    axis.set(xlabel="slope k2 beyond α", ylabel="slope k1 below α")
    axis.grid(visible=False)
    figure.colorbar(image, label="recall@1 (%)")


def robustness(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Table IV: recall@1 (%) under each corruption (rows), as published (one column per method) and here.

    ``results`` have columns of :func:`lossbook.papers.warped.read.corrupted_recall`.
    """
    _, axes = plt.subplots(1, 2, figsize=(7.2, 4.4), sharey=True)
    heights = np.arange(len(published))[::-1]
    panels = (
        ("published: CUB", [(method, method, published[method]) for method in published]),
        ("here: unknown digits", [(method[0], TABLE_IV[method], results[method]) for method in results]),
    )
    for axis, (title, methods) in zip(axes, panels, strict=True):
        for name, label, recall in methods:
            color, marker = _LOOKS.get(name, _OTHER_LOOK)
            axis.plot(recall.reindex(published.index), heights, marker, color=color, fillstyle="none", label=label)
        axis.set(title=title, xlabel="recall@1 (%)")
        axis.set_yticks(heights, published.index)
        axis.grid(visible=False, axis="x")
        axis.legend(fontsize=7.5, loc="lower center", bbox_to_anchor=(0.5, 1.07), ncols=2, handletextpad=0.2, columnspacing=1)
