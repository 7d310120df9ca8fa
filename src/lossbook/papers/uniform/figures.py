"""Figures of `uniform`: each takes published numbers and results, and draws into a new matplotlib figure.

Results hold accuracies as shares, published tables in per cent; the figures show per cent.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lossbook.papers.style import PALETTE
from lossbook.papers.uniform.tables import COSINE_LOSSES, SOFTMAX_LOSSES

SOFT, BCE = PALETTE[0], PALETTE[1]
POSITIVE, NEGATIVE = PALETTE[3], PALETTE[0]


def _color(loss: str) -> str:
    return SOFT if loss in SOFTMAX_LOSSES else BCE


def _marker(loss: str) -> str:
    """A disc for a linear head, a triangle for a cosine head."""
    return "^" if loss in COSINE_LOSSES else "o"


def _family_legend(axis: Axes, **arguments: object) -> None:
    """A legend of the families: the colour is the formula, the marker the head."""
    for loss, label in (
        ("soft-u", "softmax, linear"),
        ("soft-nu", "softmax, cosine"),
        ("bce-u", "BCE, linear"),
        ("bce-nu", "BCE, cosine"),
    ):
        axis.plot([], [], _marker(loss), color=_color(loss), label=label)
    axis.figure.legend(**({"loc": "outside lower center", "ncols": 4} | arguments))


def idea(classes: pd.DataFrame, histogram: pd.DataFrame, losses: tuple[str, str]) -> None:
    """Drawn: the interval of thresholds of six images, and one threshold for all.  Measured, for two losses: how many images have
    this positive metric and this largest negative one, with the learned threshold."""
    figure, (drawn, *measured) = plt.subplots(1, 3, figsize=(7.2, 2.5))
    negative, positive = np.array([0.5, -0.8, 0.1, 1.3, -0.4, 0.9]), np.array([2.3, 0.7, 2.8, 3.4, 1.9, 2.0])
    rows = np.arange(len(negative))
    drawn.hlines(rows, negative, positive, color="0.6", linewidth=2)
    drawn.plot(negative, rows, "o", color=NEGATIVE, markersize=5)
    drawn.plot(positive, rows, "o", color=POSITIVE, markersize=5)
    drawn.plot((negative + positive) / 2, rows, "|", color="black", markersize=9)
    drawn.axvline(1.1, color="black", linestyle="--", linewidth=1.3)
    drawn.set(title="six images, one threshold", xlabel="metric", yticks=[], xticks=[])
    for axis, loss in zip(measured, losses, strict=True):
        counts = histogram[histogram["objective"] == loss]
        width = counts["right"] - counts["left"]
        for column, color, label in (("negative", NEGATIVE, "largest negative"), ("positive", POSITIVE, "positive")):
            axis.bar(counts["left"], counts[column], width, align="edge", color=color, alpha=0.55, linewidth=0, label=label)
        threshold = float(classes.loc[classes["objective"] == loss, "bias_threshold"].iloc[0])
        axis.axvline(threshold, color="black", linestyle="--", linewidth=1.3, label="threshold")
        axis.set(title=f"measured: {loss}", xlabel="metric without bias", yticks=[])
    measured[0].set_ylabel("images")
    figure.legend(*measured[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def gaps(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """From A_Uni (square) to A_SW (ring) of every loss: one column of panels per backbone, published above, ours below."""
    losses = list(dict.fromkeys(results["objective"]))
    rows = np.arange(len(losses))[::-1]
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 6.4), sharey=True, sharex="row")
    for axis, (model, part) in zip(axes[0], published.groupby("model", sort=False), strict=True):
        wide = part.pivot(index="loss", columns="metric", values="value").loc[losses]
        dumbbells(axis, rows, losses, wide["A_Uni"], wide["A_SW"])
        axis.set_title(f"published: {model}")
    for axis, (model, part) in zip(axes[1], results.groupby("model", sort=False), strict=True):
        means = 100 * part.groupby("objective")[["A_Uni", "A_SW"]].mean().loc[losses]
        dumbbells(axis, rows, losses, means["A_Uni"], means["A_SW"])
        for row, loss in zip(rows, losses, strict=True):
            seeds = 100 * part.loc[part["objective"] == loss, "A_Uni"]
            axis.plot(seeds, [row] * len(seeds), "|", color=_color(loss), markersize=8)
        axis.set(title=f"here: {model}", xlabel="accuracy (%)")
    for axis in axes.flat:
        axis.axhline(5.5, color="0.6", linewidth=0.8)
        axis.set(yticks=rows, yticklabels=losses, ylim=(-0.7, 11.7))
    axes[0, 0].plot([], [], "s", color="0.35", label=r"$A_\mathrm{Uni}$")
    axes[0, 0].plot([], [], "o", color="0.35", fillstyle="none", label=r"$A_\mathrm{SW}$")
    axes[0, 0].plot([], [], "|", color="0.35", markersize=8, label=r"$A_\mathrm{Uni}$ of one seed")
    figure.legend(loc="outside lower center", ncols=3)


def dumbbells(axis: Axes, rows: np.ndarray, losses: list[str], left: pd.Series, right: pd.Series) -> None:
    """One line per loss, from a square at ``left`` to a ring at ``right``, in the colour of its formula."""
    for row, loss, low, high in zip(rows, losses, left, right, strict=True):
        axis.plot([low, high], [row, row], color=_color(loss), linewidth=2, alpha=0.5)
        axis.plot(low, row, "s", color=_color(loss), markersize=5)
        axis.plot(high, row, "o", color=_color(loss), fillstyle="none", markersize=5)


def distributions(classes: pd.DataFrame, histogram: pd.DataFrame, losses: tuple[str, ...]) -> None:
    """Fig. 2: the range of the similarities of each class, and their histogram, with the learned threshold; one cell per loss."""
    figure = plt.figure(figsize=(7.2, 6.6))
    for cell, loss in zip(figure.subfigures(2, 2).flat, losses, strict=True):
        ranges, counts = cell.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (2.2, 1)})
        _ranges(ranges, classes[classes["objective"] == loss], "type1")
        ranges.set(title=loss, xlabel="class", ylabel="metric without bias")
        _histogram(counts, histogram[histogram["objective"] == loss])
        threshold = float(classes.loc[classes["objective"] == loss, "bias_threshold"].iloc[0])
        for axis in (ranges, counts):
            axis.axhline(threshold, color="black", linestyle="--", linewidth=1.3, label="learned threshold")
        if loss == losses[0]:
            figure.legend(*ranges.get_legend_handles_labels(), loc="outside lower center", ncols=3)


def _ranges(axis: Axes, classes: pd.DataFrame, view: str) -> None:
    """Bars from the smallest to the largest similarity of each class, and the class means of the two ends that matter."""
    x = classes["class"]
    for offset, sign, color, end in ((-0.2, "negative", NEGATIVE, "max"), (0.2, "positive", POSITIVE, "min")):
        low, high = classes[f"{view}_{sign}_min"], classes[f"{view}_{sign}_max"]
        axis.bar(x + offset, high - low, bottom=low, width=0.38, color=color, alpha=0.55, linewidth=0, label=f"{sign} metrics")
        label = "mean of the smallest positive" if end == "min" else "mean of the largest negative"
        axis.axhline(classes[f"{view}_{sign}_{end}"].mean(), color=color, linewidth=1.3, label=label)
    axis.set_xticks(list(x)[::3] if len(x) > 6 else list(x))
    axis.grid(visible=False, axis="x")


def _histogram(axis: Axes, counts: pd.DataFrame) -> None:
    height = counts["right"] - counts["left"]
    for column, color in (("negative", NEGATIVE), ("positive", POSITIVE)):
        axis.barh(counts["left"], counts[column], height, align="edge", color=color, alpha=0.55, linewidth=0)
    axis.set(xlabel="images")


def starts(results: pd.DataFrame) -> None:
    """Starts of a unified bias: learned and best threshold over the start (above), accuracies over it (below)."""
    _, axes = plt.subplots(2, 2, figsize=(7.2, 5.6), sharex=True, sharey="row")
    for (above, below), (loss, part) in zip(axes.T, results.groupby("objective", sort=False), strict=True):
        cosine = loss in COSINE_LOSSES
        sign = 1 if cosine else -1  # a cosine head subtracts its bias
        part = part.assign(start=sign * part["arg_bias_start"])
        ends = [part["start"].min(), part["start"].max()]
        above.plot(ends, ends, ":", color="0.4", label="start = end")
        above.plot(part["start"] - 0.2, part["threshold_learned"], "o", color="black", markersize=5, label="learned threshold")
        above.plot(
            part["start"] + 0.2, part["threshold_free"], "D", color=BCE, fillstyle="none", markersize=5, label="best threshold"
        )
        for metric, label in (
            ("A_SW", r"$A_\mathrm{SW}$"),
            ("A_Uni", r"$A_\mathrm{Uni}$"),
            ("A_Uni_learned", "at the learned threshold"),
        ):
            mean = 100 * part.groupby("start")[metric].mean()
            marker, color = {"A_SW": ("o", "0.35"), "A_Uni": ("D", BCE), "A_Uni_learned": ("x", "black")}[metric]
            below.plot(mean.index, mean, marker=marker, color=color, linestyle="-", linewidth=1, label=label)
        above.set_title(f"{loss} ({'cosine' if cosine else 'linear'} head)")
        below.set(xlabel=f"threshold at the start ({'+' if sign > 0 else '−'}b)", xticks=sorted(part["start"].unique()))
    axes[0, 0].set_ylabel("threshold after training")
    axes[1, 0].set_ylabel("accuracy (%)")
    axes[0, 1].legend(loc="upper left")
    axes[1, 1].legend(loc="lower right")


def scales(published: dict[str, pd.DataFrame], results: pd.DataFrame, conditions: dict[str, tuple[float, float]]) -> None:
    """Fig. 1: accuracies over the scale, published (left) and ours (right).

    ``published`` maps a loss to a table with the scale as index; ``conditions`` names vertical lines (paper, here).
    """
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 3.9), sharey=True)
    for loss, frame in published.items():
        for metric, style in (("A_SW", "--"), ("A_Uni", "-")):
            paper.plot(frame.index, frame[metric], style, marker=".", color=_color(loss), label=_scale_label(loss, metric))
    for loss, part in results.groupby("objective", sort=False):
        for metric, style in (("A_SW", "--"), ("A_Uni", "-")):
            seeds = 100 * part.groupby("arg_scale")[metric].agg(["mean", "min", "max"])
            here.plot(seeds.index, seeds["mean"], style, marker=".", color=_color(loss))
            here.fill_between(seeds.index, seeds["min"], seeds["max"], color=_color(loss), alpha=0.2, linewidth=0)
    for position, axis in enumerate((paper, here)):
        for (label, lines), style in zip(conditions.items(), (":", "-."), strict=True):
            axis.axvline(lines[position], color="0.3", linestyle=style, linewidth=1.2, label=label if position == 0 else None)
        _log_axis(axis)
    paper.set(title="published: ImageNet-1K, N = 1000", ylabel="accuracy (%)", ylim=(0, 100))
    here.set_title("here: MNIST, N = 10")
    figure.legend(loc="outside lower center", ncols=3)


def _scale_label(loss: str, metric: str) -> str:
    return f"{loss}, " + {"A_SW": r"$A_\mathrm{SW}$", "A_Uni": r"$A_\mathrm{Uni}$"}[metric]


def _log_axis(axis: Axes) -> None:
    ticks = [1, 4, 16, 64, 256]
    axis.set_xscale("log", base=2)
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xlabel("scale γ")


def learned_over_scale(results: pd.DataFrame, predicted: pd.Series, needed: float) -> None:
    """Left: the learned bias of bce-nu over the scale beside Corollary 1 (``predicted``, index = scale).  Right: A_Uni
    with the best and with the learned threshold.  Markers are seeds; ``needed`` is the scale of condition (42)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.8))
    small = results[results["arg_scale"] <= predicted.index.max()]
    left.plot(predicted.index, predicted, color="black", linewidth=1.2, label="Corollary 1, attainable")
    left.plot(predicted.index, predicted.index, color="0.5", linestyle="--", linewidth=1.2, label="largest metric, γ")
    left.plot(small["arg_scale"], small["threshold_learned"], "x", color="black", label="learned threshold")
    left.plot(small["arg_scale"], small["threshold_free"], "D", color=BCE, fillstyle="none", markersize=5, label="best threshold")
    for metric, color, marker in (("A_Uni", BCE, "D"), ("A_Uni_learned", "black", "x")):
        right.plot(results["arg_scale"], 100 * results[metric], marker, color=color, fillstyle="none", markersize=5)
        mean = 100 * results.groupby("arg_scale")[metric].mean()
        right.plot(mean.index, mean, color=color)
    right.set(ylabel=r"$A_\mathrm{Uni}$ of bce-nu (%)", ylim=(-3, 100))
    for axis in (left, right):
        axis.axvline(
            needed, color="0.3", linestyle=":", linewidth=1.5, label="condition (42), attainable" if axis is left else None
        )
        _log_axis(axis)
    left.set(ylabel="threshold (unit of the metric)", ylim=(-0.2, 7), xlim=(0.4, 20))
    figure.legend(loc="outside lower center", ncols=3)


def accuracy_map(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """A_Uni of every case (row) and loss (column), in per cent; the colour is the distance to the best loss of the case."""
    losses = list(published.columns)
    figure, axes = plt.subplots(
        2,
        1,
        figsize=(7.2, 0.3 * (len(published) + len(results)) + 1.9),
        height_ratios=(len(published), len(results)),
        sharex=True,
    )
    for axis, frame, title in zip(axes, (published, results[losses]), ("published", "here"), strict=True):
        behind = frame.sub(frame.max(axis=1), axis=0).to_numpy()
        image = axis.imshow(behind, cmap="cividis", vmin=-20, vmax=0, aspect="auto")
        for (row, column), value in np.ndenumerate(frame.to_numpy()):
            best = behind[row, column] == 0
            color = "black" if behind[row, column] > -8 else "white"
            axis.text(
                column, row, f"{value:.1f}", ha="center", va="center", fontsize=7.5, color=color, weight="bold" if best else None
            )
        axis.set(yticks=range(len(frame)), yticklabels=frame.index, title=title)
        axis.tick_params(axis="y", labelsize=8, length=0)
        axis.grid(visible=False)
        axis.axvline(5.5, color="white", linewidth=3)
    axes[1].set_xticks(range(len(losses)), losses, rotation=45, ha="right")
    figure.colorbar(image, ax=axes, label="points behind the best loss of the row", shrink=0.5, pad=0.01, extend="min")


def softmaxed(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """A_Uni before and after a softmax on the logits; one point per data set, backbone and loss.

    Both frames have the columns ``loss``, ``before`` and ``after`` (per cent).
    """
    _, axes = plt.subplots(1, 2, figsize=(7.2, 4.0))
    for axis, frame, title in zip(
        axes, (published, results), ("published, six data sets", "here, digits and MNIST"), strict=True
    ):
        for loss, part in frame.groupby("loss", sort=False):
            axis.plot(part["before"], part["after"], _marker(loss), color=_color(loss), markersize=4.5, alpha=0.75)
        ends = [frame["before"].min(), frame["after"].max()]
        axis.plot(ends, ends, color="0.5", linewidth=1)
        axis.set(title=title, xlabel=r"$A_\mathrm{Uni}$ of the metrics (%)")
    axes[0].set_ylabel(r"$A_\mathrm{Uni}$ after softmax (%)")
    _family_legend(axes[0])


def bias_modes(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Table X as a figure: A_SW (ring) and A_Uni (square) over the eight starts, one column per loss."""
    losses = list(dict.fromkeys(published["loss"]))
    _, axes = plt.subplots(2, len(losses), figsize=(7.2, 4.6), sharey=True, sharex=True)
    for column, loss in enumerate(losses):
        wide = published[published["loss"] == loss].pivot(index="bias_mode", columns="metric", values="value")
        ours = 100 * results[results["objective"] == loss].groupby("arg_bias_mode")[["A_SW", "A_Uni"]].mean()
        for axis, frame in zip(axes[:, column], (wide, ours), strict=True):
            axis.vlines(frame.index, frame["A_Uni"], frame["A_SW"], color=_color(loss), alpha=0.5, linewidth=2)
            axis.plot(frame.index, frame["A_SW"], "o", color=_color(loss), fillstyle="none", label=r"$A_\mathrm{SW}$")
            axis.plot(frame.index, frame["A_Uni"], "s", color=_color(loss), label=r"$A_\mathrm{Uni}$", markersize=5)
        axes[0, column].set_title(loss)
        axes[1, column].set(xlabel="start mode", xticks=range(8))
    axes[0, 0].set(ylabel="published (%)", ylim=(-3, 103))
    axes[1, 0].set_ylabel("here (%)")
    axes[0, 0].legend(loc="lower right")


def biased_ranges(classes: pd.DataFrame, scale: float) -> None:
    """Fig. 3: ranges of the similarities of each class, one row per loss and start mode; columns: two kinds of negatives, and the
    logits with bias."""
    views = {"type1": "negatives of type I", "type2": "negatives of type II", "biased": "with bias, type I"}
    cases = list(classes.groupby(["objective", "arg_bias_mode"], sort=False))
    figure, axes = plt.subplots(len(cases), 3, figsize=(7.2, 2.0 * len(cases) + 0.6), sharex=True)
    for row, ((loss, mode), part) in enumerate(cases):
        for axis, view in zip(axes[row], views, strict=True):
            _ranges(axis, part, view)
            if view != "biased":
                axis.axhspan(-scale, scale, color="0.5", alpha=0.12, linewidth=0, label="reach of the cosine head, ±γ")
                axis.plot(part["class"], part["bias_threshold"], "k.--", linewidth=1.2, label="bias after training")
            axis.tick_params(labelsize=8)
        axes[row, 0].set_ylabel(f"{loss}, mode {mode:g}\nmetric")
    for axis, title in zip(axes[0], views.values(), strict=True):
        axis.set_title(title)
    for axis in axes[-1]:
        axis.set_xlabel("class")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def rejection(results: pd.DataFrame) -> None:
    """How far each loss lies above the mean of its draw: three measures of rejection over A_Uni, in points."""
    measures = {
        "rejection_train": "threshold from training",
        "rejection_best": "best threshold",
        "auroc": "all thresholds (AUROC)",
    }
    columns = ["A_Uni", *measures]
    centred = 100 * (results[columns] - results.groupby("seed")[columns].transform("mean"))
    _, axes = plt.subplots(1, 3, figsize=(7.2, 3.5), sharey=True)
    for axis, (metric, title) in zip(axes, measures.items(), strict=True):
        for loss in dict.fromkeys(results["objective"]):
            rows = results["objective"] == loss
            axis.plot(
                centred.loc[rows, "A_Uni"], centred.loc[rows, metric], _marker(loss), color=_color(loss), markersize=4, alpha=0.75
            )
        axis.axhline(0, color="0.5", linewidth=0.8)
        axis.set(title=title, xlabel=r"$A_\mathrm{Uni}$ (points)")
    axes[0].set_ylabel("rejection (points)")
    _family_legend(axes[0])
