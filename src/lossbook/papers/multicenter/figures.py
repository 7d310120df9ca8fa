"""Figures of the `multicenter` chapter: published numbers and results in, the current matplotlib figure out.

Shares of results are within 0..1, published accuracies are per cent; figures show per cent.  Where results are given,
one row is one run, and ``method`` names the classifier (:func:`with_method`).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lossbook.papers.statistics import mean_interval
from lossbook.papers.style import PALETTE

LINEAR, PRINTED, CODE = "linear", "MC, s = 1", "MC, s = 0.1"
VARIED = "MC"  # where s or what else varies along an axis
BASELINES = {"softtriple": "SoftTriple", "subcenter-arcface": "sub-ArcFace"}
COLORS = {LINEAR: PALETTE[0], PRINTED: PALETTE[1], CODE: PALETTE[2], VARIED: PALETTE[3]}
COLORS |= dict(zip(BASELINES.values(), (PALETTE[4], PALETTE[5]), strict=True))
MARKERS = {LINEAR: "o", PRINTED: "^", CODE: "s", VARIED: "D"}
CONVOLUTIONAL = ("resnet", "regnety")


def with_method(results: pd.DataFrame) -> pd.DataFrame:
    """A column ``method``: ``linear`` without sub-centres, else ``MC`` with its sigma_scale s, or the baseline's name."""
    scales = results["arg_sigma_scale"].map("MC, s = {:g}".format).where(results["arg_num_subcenters"] > 0, LINEAR)
    return results.assign(method=results["objective"].map(BASELINES).fillna(scales))


def gains(results: pd.DataFrame, keys: list[str], metric: str = "accuracy", unit: float = 100.0) -> pd.DataFrame:
    """The runs with sub-centres, and in a column ``gain`` what they add to the linear classifier of the same keys and seed."""
    linear = results["method"] == LINEAR
    base = results.loc[linear, [*keys, "seed", metric]].rename(columns={metric: "base"})
    rest = results[~linear].merge(base, on=[*keys, "seed"], validate="many_to_one")
    return rest.assign(gain=unit * (rest[metric] - rest["base"]))


def _row(axis: Axes, y: float, values: np.ndarray, color: str, marker: str = "o") -> None:
    """One case: seeds as ticks, their mean as a mark, its 95 % interval as a line."""
    interval = mean_interval(values)
    axis.plot(values, [y] * len(values), "|", color=color, markersize=7, alpha=0.8)
    axis.plot([interval.low, interval.high], [y, y], color=color, linewidth=1.8)
    axis.plot(interval.mean, y, marker, color=color, markersize=5)


def _line(axis: Axes, x: list[float], groups: list[pd.Series], method: str, **style: object) -> None:
    """Means over the seeds as a line, with 95 % bars."""
    intervals = [mean_interval(values.to_numpy()) for values in groups]
    mean, low, high = (np.array([getattr(interval, name) for interval in intervals]) for name in ("mean", "low", "high"))
    look = {"color": COLORS[method], "marker": MARKERS[method], "markersize": 5, "capsize": 2}
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
        fill = "full" if model.startswith(CONVOLUTIONAL) else "none"
        paper.plot([0, gain], [y, y], color="0.75", linewidth=1.2, zorder=1)
        paper.plot(gain, y, "o", color="0.25", fillstyle=fill)
    paper.set(yticks=range(len(printed)), yticklabels=printed["model"], title="published: ImageNet-1K", xlabel="gain (points)")
    for fill, label in (("full", "convolutional network"), ("none", "transformer")):
        paper.plot([], [], "o", color="0.25", fillstyle=fill, label=label)
    groups = {case: dict(iter(part.groupby("method", sort=False)["gain"])) for case, part in results.groupby("case", sort=False)}
    y, ticks = 0.0, {}
    for case, methods in groups.items():
        for method, values in methods.items():
            if values.mean() < lowest:
                here.annotate(f"◂ {_beyond(values.mean())}", (lowest, y), color=COLORS[method], va="center", fontsize=9)
            else:
                _row(here, y, values.to_numpy(), COLORS[method])
            y -= 1
        ticks[case] = y + (1 + len(methods)) / 2
        y -= 0.8
    for method in dict.fromkeys(results["method"]):
        here.plot([], [], "o-", color=COLORS[method], label=method)
    here.set(yticks=list(ticks.values()), yticklabels=list(ticks), title="here: MNIST in five classes", xlabel="gain (points)")
    here.set_xlim(left=lowest - 0.1)
    for axis in (paper, here):
        axis.axvline(0, color="0.3", linewidth=1)
        axis.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3)


def measures(results: pd.DataFrame, metrics: dict[str, tuple[str, float]]) -> None:
    """One panel a measure of the features: methods down, a tick a run, a mark at the mean of a case.

    ``metrics``: column -> (label with its unit, factor).  ``results`` has a column ``case``.
    """
    methods = list(dict.fromkeys(results["method"]))[::-1]
    cases = list(dict.fromkeys(results["case"]))
    figure, axes = plt.subplots(1, len(metrics), figsize=(7.2, 0.5 * len(methods) + 1.7), sharey=True)
    for axis, (metric, (label, factor)) in zip(axes, metrics.items(), strict=True):
        for (case, method), part in results.groupby(["case", "method"], sort=False):
            values = factor * part[metric].to_numpy()
            y = methods.index(method) + 0.25 * ((len(cases) - 1) / 2 - cases.index(case))
            axis.plot(values, [y] * len(values), "|", color=COLORS[method], markersize=5, alpha=0.6)
            axis.plot(values.mean(), y, _case_marker(cases, case), color=COLORS[method], markersize=5)
        axis.set(xlabel=label, yticks=range(len(methods)), yticklabels=methods, ylim=(-0.5, len(methods) - 0.5))
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.grid(visible=False, axis="y")
    for case in cases:
        axes[0].plot([], [], _case_marker(cases, case), color="0.35", label=case)
    figure.legend(loc="outside lower center", ncols=len(cases))


def _case_marker(cases: list[str], case: str) -> str:
    return "osD"[cases.index(case)]


def gain_over_size(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Gain over the training images a class: published means (left), ours, one panel a method and one line a data set.

    ``published``: ``name``, ``size``, ``gain`` and the extremes ``low``, ``high`` over the models; ``results`` are gains with
    ``dataset`` and ``train_per_class``.
    """
    figure, (paper, *here) = plt.subplots(1, 1 + results["method"].nunique(), figsize=(7.2, 3.7))
    for row in published.itertuples():
        paper.plot([row.size] * 2, [row.low, row.high], color="0.6", linewidth=2)
        paper.plot(row.size, row.gain, "o", color="0.2")
        paper.annotate(row.name, (row.size, row.gain), xytext=(-6, 2), textcoords="offset points", ha="right", fontsize=8)
    paper.set(title="published", ylabel="gain (points)", xlim=(90, 1900))
    _sizes(paper, [100, 300, 1000])
    for axis, (method, part) in zip(here, results.groupby("method", sort=False), strict=True):
        for style, (_, rows) in zip(("-", "--"), part.groupby("dataset", sort=False), strict=True):
            groups = dict(iter(rows.groupby("train_per_class")["gain"]))
            _line(axis, list(groups), list(groups.values()), method, linestyle=style)
        axis.set(title=f"here: {method}")
        _sizes(axis, [10, 30, 100, 200])
    for style, dataset in zip(("-", "--"), dict.fromkeys(results["dataset"]), strict=True):
        here[0].plot([], [], style, color="0.3", label=dataset)
    for axis in (paper, *here):
        axis.axhline(0, color="0.3", linewidth=1)
    figure.legend(loc="outside lower center", ncols=2)


def _sizes(axis: Axes, ticks: list[int]) -> None:
    axis.set(xscale="log", xlabel="training images a class")
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()


def combinations(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Accuracy of each combination: above one panel a published backbone, below one panel a scale s of the sub-centres.

    ``published``: ``model``, ``method``, ``value``; ``results``: ``accuracy``, ``arg_sigma_scale`` and ``method``: the names of
    those with sub-centres begin with MC, and the runs without stand in both panels.
    """
    methods = list(dict.fromkeys(results["method"]))[::-1]
    _, axes = plt.subplots(2, 2, figsize=(7.2, 0.48 * len(methods) + 2.3), sharey=True)
    for axis, (model, part) in zip(axes[0], published.groupby("model", sort=False), strict=True):
        for method, value in zip(part["method"], part["value"], strict=True):
            y = methods.index(method)
            axis.plot(value, y, "o", color=COLORS[PRINTED if method.startswith("MC") else LINEAR])
            axis.annotate(f"{value:.1f}", (value, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
        axis.set(title=f"published: {model}, ImageNet-1K")
        axis.margins(x=0.2)
    for axis, method in zip(axes[1], (PRINTED, CODE), strict=True):
        scale = float(method.rpartition(" ")[2])
        part = results[(results["arg_sigma_scale"] == scale) | (results["arg_num_subcenters"] == 0)]
        for name, rows in part.groupby("method"):
            color = COLORS[method if name.startswith("MC") else LINEAR]
            _row(axis, methods.index(name), 100 * rows["accuracy"].to_numpy(), color)
        axis.set(title=f"here: s = {scale:g}, MNIST in five classes", xlabel="accuracy (%)")
    for axis in axes.flat:
        axis.set(yticks=range(len(methods)), yticklabels=methods, ylim=(-0.6, len(methods) - 0.4))
        axis.set_xlim(right=min(axis.get_xlim()[1], 100))
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.grid(visible=False, axis="y")


def sweeps(panels: dict[str, tuple[pd.DataFrame, str, float | None]], lowest: float = -2.5) -> None:
    """Gain over the linear classifier over one parameter a panel, one line a method, with 95 % bars over the seeds.

    ``panels``: axis label -> (gains, column, the paper's value, if there is one).  A mean below ``lowest`` is beyond the axis
    and is written at its end.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.7), sharey=True)
    for axis, (label, (results, column, value)) in zip(axes, panels.items(), strict=True):
        ticks = sorted(results[column].unique())
        methods = list(dict.fromkeys(results["method"]))
        for method, part in results.groupby("method", sort=False):
            shift = 0.12 * (methods.index(method) - (len(methods) - 1) / 2)
            groups = {ticks.index(tick) + shift: rows["gain"] for tick, rows in part.groupby(column)}
            for x, values in groups.items():
                if values.mean() < lowest:
                    style = {"ha": "center", "color": COLORS[method], "fontsize": 9}
                    axis.annotate(f"{_beyond(values.mean())}\n▾", (x, lowest), **style)
            shown = {x: values for x, values in groups.items() if values.mean() >= lowest}
            _line(axis, list(shown), list(shown.values()), method, label=method)
        axis.axhline(0, color="0.3", linewidth=1)
        if value is not None:
            axis.axvline(ticks.index(value), color="0.3", linestyle=":", linewidth=1.3, label="the paper's value")
        axis.set_xticks(range(len(ticks)), [f"{tick:g}" for tick in ticks])
        axis.set(xlabel=label, ylim=(lowest, None), xlim=(-0.4, len(ticks) - 0.6))
    axes[0].set_ylabel("gain (points)")
    found = {text: mark for axis in axes for mark, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(found.values(), found, loc="outside lower center", ncols=4)
