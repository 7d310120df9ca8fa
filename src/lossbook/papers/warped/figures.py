"""Result figures of the `warped` chapter: published numbers and results in, the current matplotlib figure out.

Recall of results is a share, that of published tables per cent; figures show per cent.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lossbook.papers.style import PALETTE
from lossbook.papers.warped.experiment import function_name

WARP, EQ_4, OTHER = PALETTE[1], PALETTE[0], "0.35"
# Table III's kinds: (colour, marker, label).
_KINDS = {
    "f(x) = x (": (EQ_4, "o", "Eq. 4"),
    "f(x)": (PALETTE[2], "D", "another function, f1 = f2"),
    "half warp o": (PALETTE[3], "^", "half warp, outward"),
    "half warp i": (PALETTE[4], "v", "half warp, inward"),
    "warp": (WARP, "s", "warp, Eq. 7"),
    "embeddings": (OTHER, "x", "pretrained, not trained"),
}
_ROWS = {"softmax": "f(x) = x (", "shared": "f(x)", "outward": "half warp o", "inward": "half warp i", "warp": "warp"}


def _method_color(method: str) -> str:
    lower = method.lower()
    return WARP if lower.startswith("warped") else EQ_4 if lower.startswith(("softmax", "euclidean")) else OTHER


def _seeds(axis: Axes, height: float, values: pd.Series, color: str) -> None:
    """Every seed a stroke, their mean a disc."""
    axis.plot(values, [height] * len(values), "|", color=color, markersize=9)
    axis.plot(values.mean(), height, "o", color=color, markersize=6)


def comparison(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Recall@1 of the losses: as published (one column a data set), and here, best on top."""
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 4.2))
    order = published.mean(axis=1).sort_values().index
    for marker, data in zip("os^", published, strict=True):
        for row, method in enumerate(order):
            paper.plot(published.loc[method, data], row, marker, color=_method_color(method), fillstyle="none")
        paper.plot([], [], marker, color=OTHER, fillstyle="none", label=data)
    paper.set(yticks=range(len(order)), yticklabels=order, xlabel="recall@1 (%)", title="published")
    means = results.groupby("method")["recall@1"].mean().sort_values()
    for row, method in enumerate(means.index):
        _seeds(here, row, 100 * results.loc[results["method"] == method, "recall@1"], _method_color(method))
    here.set(yticks=range(len(means)), yticklabels=means.index, xlabel="recall@1 (%)", title="here: unknown digits")
    here.plot([], [], "|", color=OTHER, markersize=9, label="one seed")
    here.plot([], [], "o", color=OTHER, label="mean")
    for axis in (paper, here):
        axis.tick_params(axis="y", labelsize=8)
        axis.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=5)


def _kind(function: str) -> str:
    return next(kind for kind in _KINDS if function.startswith(kind))


def recall_over_dtp(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Recall@1 over AvgDTP, one point a function: published (left), here the mean over the seeds (right).

    ``published``: index = row of Table III, columns ``R@1`` and ``AvgDTP``.
    """
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 3.9))
    for row, values in published.iterrows():
        color, marker, _ = _KINDS[_ROWS.get(row.split("-")[0], "embeddings")]
        paper.plot(values["AvgDTP"], values["R@1"], marker, color=color)
    means = results.groupby("function")[["train_avg_dtp", "recall@1"]].mean()
    for function, values in means.iterrows():
        color, marker, _ = _KINDS[_kind(function)]
        here.plot(values["train_avg_dtp"], 100 * values["recall@1"], marker, color=color)
    for color, marker, label in _KINDS.values():
        paper.plot([], [], marker, color=color, label=label)
    for axis, title in ((paper, "published: CUB"), (here, "here: unknown digits")):
        axis.set(xscale="log", xlabel="AvgDTP of the training images", title=title)
    paper.set_ylabel("recall@1 (%)")
    figure.legend(loc="outside lower center", ncols=3)


def dtp_over_training(curves: pd.DataFrame) -> None:
    """Fig. 9: the mean distance to the true proxy, epoch by epoch, first seed; a line that ends elsewhere has a label."""
    _, axis = plt.subplots(figsize=(7.2, 4.2))
    ends = {}
    for _, run in curves.groupby("run_id", sort=False):
        function = function_name(run.iloc[0])
        color, marker, _ = _KINDS[_kind(function)]
        axis.plot(run["epoch"], run["avg_dtp"], color=color, marker=marker, markersize=3.5)
        ends[function] = run["avg_dtp"].iloc[-1]
    last = curves["epoch"].max()
    placed = -np.inf
    for function, end in sorted(ends.items(), key=lambda item: item[1]):
        placed = max(np.log10(end), placed + 0.16)
        axis.annotate(
            function,
            (last, end),
            xytext=(last + 0.5, 10**placed),
            va="center",
            fontsize=8,
            color=_KINDS[_kind(function)][0],
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
    """Table IV: recall@1 of each method (columns) under each corruption (rows), published and here, in per cent."""
    _, axes = plt.subplots(1, 2, figsize=(7.2, 4.4), sharey=True)
    for axis, frame, title in zip(axes, (published, results), ("published: CUB", "here: unknown digits"), strict=True):
        heights = np.arange(len(published))[::-1]
        for method in frame:
            color = _method_color(method)
            marker = {WARP: "s", EQ_4: "o"}.get(color, "x" if "nca" in method.lower() else "+")
            axis.plot(frame[method].reindex(published.index), heights, marker, color=color, fillstyle="none", label=method)
        axis.set(title=title, xlabel="recall@1 (%)")
        axis.set_yticks(heights, published.index)
        axis.grid(visible=False, axis="x")
        axis.legend(fontsize=7.5, loc="lower center", bbox_to_anchor=(0.5, 1.07), ncols=2, handletextpad=0.2, columnspacing=1)
