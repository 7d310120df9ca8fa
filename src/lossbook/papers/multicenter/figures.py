"""Figures of `multicenter`: published numbers and results in, the current matplotlib figure out.

Results hold shares, published tables are in per cent; the figures show per cent.  Results have one row per run, and a column
``classifier`` (:func:`lossbook.papers.multicenter.read.with_classifier`) where a figure tells classifiers apart.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lossbook.papers.multicenter.read import CONVOLUTIONAL, Classifier
from lossbook.papers.multicenter.tables import NARROW, PRINTED
from lossbook.papers.statistics import mean_interval
from lossbook.papers.style import PALETTE

LABELS = {
    Classifier.LINEAR: "linear",
    Classifier.PRINTED: f"MC, s = {PRINTED:g}",
    Classifier.NARROW: f"MC, s = {NARROW:g}",
    Classifier.VARIED: "MC",
    Classifier.SOFTTRIPLE: "SoftTriple",
    Classifier.SUBCENTER_ARCFACE: "sub-ArcFace",
}
COLORS = dict(zip(LABELS, PALETTE, strict=False))
MARKERS = {Classifier.LINEAR: "o", Classifier.PRINTED: "^", Classifier.NARROW: "s", Classifier.VARIED: "D"}
_VARIANTS = {
    "": "",
    "smoothed": " + LS",
    "mixed": " + mix",
    "softmax": " + softmax",
    "l-softmax": " + L-Softmax",
    "arcface": " + ArcFace",
    "without-kl": " without KL",
}


_BOX = {"boxstyle": "round,pad=0.45", "linewidth": 1.2}
_ARROW = {"arrowstyle": "-|>", "color": "0.35", "linewidth": 1.2}


def pipelines() -> None:
    """The paper's Figs. 2 and 3, drawn anew: the training with a linear classifier (above) and with sub-centres (below)."""
    _, axis = plt.subplots(figsize=(7.6, 3.4))
    axis.set(xlim=(0, 10.6), ylim=(-0.4, 4.0))
    axis.axis("off")
    own, drawn, plain = COLORS[Classifier.LINEAR], COLORS[Classifier.NARROW], "0.45"

    def box(x: float, y: float, text: str, color: str) -> None:
        axis.text(x, y, text, ha="center", va="center", fontsize=9, bbox=_BOX | {"facecolor": "white", "edgecolor": color})

    def arrow(start: tuple[float, float], end: tuple[float, float]) -> None:
        axis.annotate("", end, start, arrowprops=_ARROW)

    for y, title in ((3.1, "linear"), (1.5, "multi-centre")):
        axis.text(0.05, y + 0.62, title, fontsize=10, fontweight="bold", color="0.2")
        box(0.7, y, "images", plain)
        box(2.3, y, "network", plain)
        arrow((1.2, y), (1.7, y))
        arrow((2.95, y), (4.0 if y > 2 else 3.75, y))
        axis.text(3.3, y + 0.12, "$x$", ha="center", fontsize=10)
    box(4.9, 3.1, "$W_1, \\dots, W_N$", own)
    arrow((5.85, 3.1), (6.55, 3.1))
    box(7.35, 3.1, "softmax\nover $N$", plain)
    arrow((8.2, 3.1), (8.7, 3.1))
    box(9.65, 3.1, "cross entropy\nlabel: 1 on $y$", plain)
    box(4.9, 1.5, "$W_j,\\; W_j^{(1)}, \\dots, W_j^{(K)}$", drawn)
    arrow((6.1, 1.5), (6.55, 1.5))
    box(7.35, 1.5, "softmax over\n$N(K+1)$", plain)
    arrow((8.2, 1.5), (8.7, 1.5))
    box(9.65, 1.5, "cross entropy\n$\\frac{1}{2}$ on $W_y$, $\\frac{1}{2K}$\non each $W_y^{(k)}$", plain)
    box(4.9, 0.1, "$W_j^{(k)} \\sim \\mathcal{N}(W_j, \\mathrm{diag}(\\sigma_j^2))$\nanew at each step", drawn)
    arrow((4.9, 0.52), (4.9, 1.12))
    box(8.0, 0.1, "KL term: holds $\\sigma_j$ near 1", drawn)
    arrow((6.35, 0.1), (6.6, 0.1))
    axis.text(0.05, 0.1, "at the test: drop the\nsub-centres, keep $W_j$", fontsize=9, va="center", color="0.2")


def labelled(results: pd.DataFrame) -> pd.DataFrame:
    """Results with a column ``method``: what the pages call each ``classifier``."""
    return results.assign(method=results["classifier"].map(LABELS))


def combination_label(sampled: bool, variant: str, sigma_scale: float = math.nan) -> str:
    """What the pages call a classifier of Tables 4 to 7."""
    name = f"{'MC' if sampled else 'linear'}{_VARIANTS[variant]}"
    return name if math.isnan(sigma_scale) else f"{name}, s = {sigma_scale:g}"


def labelled_combinations(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of Tables 4 to 7, published or ours, with a column ``row``: what the pages call them."""
    described = zip(rows["sampled"], rows["variant"], rows["arg_sigma_scale"], strict=True)
    return rows.assign(row=[combination_label(*row) for row in described])


def _row(axis: Axes, y: float, values: np.ndarray, color: str, marker: str = "o") -> None:
    """One case: seeds as ticks, their mean as a mark, its 95 % interval as a line."""
    interval = mean_interval(values)
    axis.plot(values, [y] * len(values), "|", color=color, markersize=7, alpha=0.8)
    axis.plot([interval.low, interval.high], [y, y], color=color, linewidth=1.8)
    axis.plot(interval.mean, y, marker, color=color, markersize=5)


def _line(axis: Axes, x: list[float], groups: list[pd.Series], classifier: Classifier, **style: object) -> None:
    """Means over the seeds as a line, with 95 % bars."""
    intervals = [mean_interval(values.to_numpy()) for values in groups]
    mean, low, high = (np.array([getattr(interval, name) for interval in intervals]) for name in ("mean", "low", "high"))
    look = {"color": COLORS[classifier], "marker": MARKERS[classifier], "markersize": 5, "capsize": 2}
    axis.errorbar(x, mean, [mean - low, high - mean], **(look | style))


def _beyond(value: float) -> str:
    return f"{value:.0f}".replace("-", "−")


def gains_by_case(published: pd.DataFrame, results: pd.DataFrame, lowest: float = -1.5) -> None:
    """Gain over the linear classifier: a published table (left), ours with all seeds (right).

    ``results`` are gains with a column ``case``; a mean below ``lowest`` is beyond the axis and is written at its end.
    """
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 4.0), width_ratios=(1, 1.25))
    printed = published[published["metric"] == "gain"].iloc[::-1]
    for y, (model, gain) in enumerate(zip(printed["model"], printed["value"], strict=True)):
        fill = "full" if model in CONVOLUTIONAL else "none"
        paper.plot([0, gain], [y, y], color="0.75", linewidth=1.2, zorder=1)
        paper.plot(gain, y, "o", color="0.25", fillstyle=fill)
    paper.set(yticks=range(len(printed)), yticklabels=printed["model"], title="published: ImageNet-1K", xlabel="gain (points)")
    for fill, label in (("full", "convolutional network"), ("none", "transformer")):
        paper.plot([], [], "o", color="0.25", fillstyle=fill, label=label)
    y, ticks = 0.0, {}
    for case, part in results.groupby("case", sort=False):
        top = y
        for classifier, values in part.groupby("classifier", sort=False)["gain"]:
            if values.mean() < lowest:
                here.annotate(f"◂ {_beyond(values.mean())}", (lowest, y), color=COLORS[classifier], va="center", fontsize=9)
            else:
                _row(here, y, values.to_numpy(), COLORS[classifier])
            y -= 1
        ticks[case] = (top + y + 1) / 2
        y -= 0.8
    for classifier in dict.fromkeys(results["classifier"]):
        here.plot([], [], "o-", color=COLORS[classifier], label=LABELS[classifier])
    here.set(yticks=list(ticks.values()), yticklabels=list(ticks), title="here: MNIST in five classes", xlabel="gain (points)")
    here.set_xlim(left=lowest - 0.1)
    for axis in (paper, here):
        axis.axvline(0, color="0.3", linewidth=1)
        axis.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3)


def measures(results: pd.DataFrame, metrics: dict[str, tuple[str, float]]) -> None:
    """One panel per measure of the features, one line per classifier, one tick per run; a mark is the mean of a case.

    ``metrics``: column -> (label with its unit, factor).  ``results`` has a column ``case``.
    """
    classifiers = list(dict.fromkeys(results["classifier"]))[::-1]
    cases = list(dict.fromkeys(results["case"]))
    figure, axes = plt.subplots(1, len(metrics), figsize=(7.2, 0.5 * len(classifiers) + 1.7), sharey=True)
    for axis, (metric, (label, factor)) in zip(axes, metrics.items(), strict=True):
        for (case, classifier), part in results.groupby(["case", "classifier"], sort=False):
            values = factor * part[metric].to_numpy()
            y = classifiers.index(classifier) + 0.25 * ((len(cases) - 1) / 2 - cases.index(case))
            axis.plot(values, [y] * len(values), "|", color=COLORS[classifier], markersize=5, alpha=0.6)
            axis.plot(values.mean(), y, _case_marker(cases, case), color=COLORS[classifier], markersize=5)
        axis.set(xlabel=label, ylim=(-0.5, len(classifiers) - 0.5))
        axis.set_yticks(range(len(classifiers)), [LABELS[classifier] for classifier in classifiers])
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.grid(visible=False, axis="y")
    for case in cases:
        axes[0].plot([], [], _case_marker(cases, case), color="0.35", label=case)
    figure.legend(loc="outside lower center", ncols=len(cases))


def _case_marker(cases: list[str], case: str) -> str:
    return "osD"[cases.index(case)]


def measures_over_accuracy(results: pd.DataFrame, metrics: dict[str, tuple[str, float]]) -> None:
    """One panel per measure of the features, over the accuracy, so that classifiers can be compared where they are as accurate.

    A mark is the mean of one classifier and length of training, with the number of epochs beside it; lines go on with time.

    ``metrics``: column -> (label with its unit, factor).
    """
    figure, axes = plt.subplots(1, len(metrics), figsize=(7.2, 3.6), squeeze=False)
    for axis, (metric, (label, factor)) in zip(axes[0], metrics.items(), strict=True):
        for classifier, part in results.groupby("classifier", sort=False):
            means = part.groupby("epochs")[["accuracy", metric]].mean()
            x, y = 100 * means["accuracy"], factor * means[metric]
            axis.plot(x, y, "-", color=COLORS[classifier], marker=MARKERS[classifier], markersize=5, label=LABELS[classifier])
            for epochs in means.index:
                place = {"xytext": (4, 3), "textcoords": "offset points", "fontsize": 7}
                axis.annotate(f"{epochs:g}", (x[epochs], y[epochs]), color=COLORS[classifier], **place)
        axis.set(xlabel="accuracy (%)", title=label)
        axis.margins(0.12)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def gain_over_size(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Gain over the training images per class: published means (left), ours with one panel per classifier and one line per
    data set.

    ``published``: ``name``, ``size``, ``gain`` and the extremes ``low``, ``high`` over the models; ``results`` are gains with
    ``dataset`` and ``train_per_class``.
    """
    figure, (paper, *here) = plt.subplots(1, 1 + results["classifier"].nunique(), figsize=(7.2, 3.7))
    for row in published.itertuples():
        paper.plot([row.size] * 2, [row.low, row.high], color="0.6", linewidth=2)
        paper.plot(row.size, row.gain, "o", color="0.2")
        paper.annotate(row.name, (row.size, row.gain), xytext=(-6, 2), textcoords="offset points", ha="right", fontsize=8)
    paper.set(title="published", ylabel="gain (points)", xlim=(90, 1900))
    _sizes(paper, [100, 300, 1000])
    for axis, (classifier, part) in zip(here, results.groupby("classifier", sort=False), strict=True):
        for style, (_, rows) in zip(("-", "--"), part.groupby("dataset", sort=False), strict=True):
            groups = dict(iter(rows.groupby("train_per_class")["gain"]))
            _line(axis, list(groups), list(groups.values()), classifier, linestyle=style)
        axis.set(title=f"here: {LABELS[classifier]}")
        _sizes(axis, [10, 30, 100, 200])
    for style, dataset in zip(("-", "--"), dict.fromkeys(results["dataset"]), strict=True):
        here[0].plot([], [], style, color="0.3", label=dataset)
    for axis in (paper, *here):
        axis.axhline(0, color="0.3", linewidth=1)
    figure.legend(loc="outside lower center", ncols=2)


def _sizes(axis: Axes, ticks: list[int]) -> None:
    axis.set(xscale="log", xlabel="training images per class")
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()


def combinations(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Accuracy of each combination: above one panel per published network, below one panel per scale s of the sub-centres.

    Both have the columns of :func:`lossbook.papers.multicenter.read.with_variant`; runs without sub-centres stand in both
    panels.
    """
    methods = list(dict.fromkeys(zip(results["sampled"], results["variant"], strict=True)))[::-1]
    _, axes = plt.subplots(2, 2, figsize=(7.2, 0.48 * len(methods) + 2.3), sharey=True)
    for axis, (model, part) in zip(axes[0], published.groupby("model", sort=False), strict=True):
        for sampled, variant, value in zip(part["sampled"], part["variant"], part["value"], strict=True):
            y = methods.index((sampled, variant))
            axis.plot(value, y, "o", color=COLORS[Classifier.PRINTED if sampled else Classifier.LINEAR])
            axis.annotate(f"{value:.1f}", (value, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
        axis.set(title=f"published: {model}, ImageNet-1K")
        axis.margins(x=0.2)
    for axis, scale, classifier in zip(axes[1], (PRINTED, NARROW), (Classifier.PRINTED, Classifier.NARROW), strict=True):
        part = results[(results["arg_sigma_scale"] == scale) | ~results["sampled"]]
        for (sampled, variant), rows in part.groupby(["sampled", "variant"]):
            color = COLORS[classifier if sampled else Classifier.LINEAR]
            _row(axis, methods.index((sampled, variant)), 100 * rows["accuracy"].to_numpy(), color)
        axis.set(title=f"here: s = {scale:g}, MNIST in five classes", xlabel="accuracy (%)")
    for axis in axes.flat:
        axis.set_yticks(range(len(methods)), [combination_label(*method) for method in methods])
        axis.set_ylim(-0.6, len(methods) - 0.4)
        axis.set_xlim(right=min(axis.get_xlim()[1], 100))
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.grid(visible=False, axis="y")


def sweeps(panels: dict[str, tuple[pd.DataFrame, str, float | None]], lowest: float = -2.5) -> None:
    """Gain over the linear classifier over one parameter per panel, one line per classifier, with 95 % bars over the seeds.

    ``panels``: axis label -> (gains, column, the paper's value, if there is one).  A mean below ``lowest`` is beyond the axis
    and is written at its end.
    """
    figure, [axes] = plt.subplots(1, len(panels), figsize=(7.2, 3.7), sharey=True, squeeze=False)
    for axis, (label, (results, column, value)) in zip(axes, panels.items(), strict=True):
        ticks = sorted(results[column].unique())
        classifiers = list(dict.fromkeys(results["classifier"]))
        for classifier, part in results.groupby("classifier", sort=False):
            shift = 0.12 * (classifiers.index(classifier) - (len(classifiers) - 1) / 2)
            groups = {ticks.index(tick) + shift: rows["gain"] for tick, rows in part.groupby(column)}
            for x, values in groups.items():
                if values.mean() < lowest:
                    style = {"ha": "center", "color": COLORS[classifier], "fontsize": 9}
                    axis.annotate(f"{_beyond(values.mean())}\n▾", (x, lowest), **style)
            shown = {x: values for x, values in groups.items() if values.mean() >= lowest}
            _line(axis, list(shown), list(shown.values()), classifier, label=LABELS[classifier])
        axis.axhline(0, color="0.3", linewidth=1)
        if value is not None:
            axis.axvline(ticks.index(value), color="0.3", linestyle=":", linewidth=1.3, label="the paper's value")
        axis.set_xticks(range(len(ticks)), [f"{tick:g}" for tick in ticks])
        axis.set(xlabel=label, ylim=(lowest, None), xlim=(-0.4, len(ticks) - 0.6))
    axes[0].set_ylabel("gain (points)")
    found = {text: mark for axis in axes for mark, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(found.values(), found, loc="outside lower center", ncols=4)
