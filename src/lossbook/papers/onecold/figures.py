"""Figures of the `onecold` pages, and cells of their tables: numbers in, the current matplotlib figure (or text) out.

Results hold errors and areas as shares, published tables in per cent; the figures show per cent.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.ticker import LogLocator, NullFormatter

from lossbook.papers.statistics import mean_interval
from lossbook.papers.style import PALETTE

CE, OCCE = PALETTE[0], PALETTE[1]
_MARKERS = ("o", "s", "^", "D", "v", "P")
_NC = {
    "nc1": r"$\mathcal{NC}_1$",
    "nc2": r"$\mathcal{NC}_2$",
    "nc3": r"$\mathcal{NC}_3$",
    "nc4": r"$\mathcal{NC}_4$",
    "fisher": "Fisher ratio",
}


def _gammas(count: int) -> list[tuple[float, float, float, float]]:
    """Colours from no weight (light) to the largest (dark)."""
    scale: Colormap = plt.get_cmap("viridis_r")
    return [scale(x) for x in np.linspace(0.12, 0.95, count)]


def _over_gamma(axis: Axes, results: pd.DataFrame, metric: str, factor: float = 1.0) -> None:
    """Mean (line) and seeds (dots) over the weights, which stand at equal distances; one colour per backbone."""
    weights = sorted(results["arg_occe_weight"].unique())
    position = {weight: k for k, weight in enumerate(weights)}
    for color, (model, part) in zip((CE, OCCE), results.groupby("model", sort=False), strict=False):
        x, y = part["arg_occe_weight"].map(position), factor * part[metric]
        axis.plot(x, y, "o", color=color, markersize=4, alpha=0.5, linewidth=0)
        mean = y.groupby(x).mean()
        axis.plot(mean.index, mean, color=color, label=model)
    axis.set_xticks(range(len(weights)), [f"{weight:g}" for weight in weights])
    axis.set_xlabel("weight γ")


def collapse(results: pd.DataFrame) -> None:
    """Fig. 4 at the end of training: the four measures of neural collapse and the Fisher ratio over gamma."""
    _, axes = plt.subplots(2, 3, figsize=(7.2, 4.8))
    for axis, (metric, title) in zip(axes.flat, _NC.items(), strict=False):
        _over_gamma(axis, results, metric)
        axis.set_title(title)
        if metric in ("nc1", "nc4"):
            axis.set_yscale("log")
        else:
            axis.set_ylim(bottom=0)
    axes[1, 2].set_axis_off()
    axes[1, 2].legend(*axes[0, 0].get_legend_handles_labels(), title="backbone", loc="center")


def course(frame: pd.DataFrame, panels: Mapping[str, tuple[str, float, str]]) -> None:
    """Metrics measured in the course of training: one row of panels per backbone, one column per metric, one line per gamma.

    ``panels``: metric -> title, factor, scale of its axis (``"linear"`` or ``"log"``).
    """
    models = list(frame.groupby("model", sort=False))
    size = (7.2, 0.6 + 2.1 * len(models))
    figure, axes = plt.subplots(len(models), len(panels), figsize=size, sharex=True, sharey="col", squeeze=False)
    for row, (model, part) in zip(axes, models, strict=True):
        lines = list(part.groupby("arg_occe_weight"))
        for axis, (metric, (_, factor, scale)) in zip(row, panels.items(), strict=True):
            for color, (gamma, line) in zip(_gammas(len(lines)), lines, strict=True):
                found = line.dropna(subset=[metric])
                axis.plot(found["epoch"], factor * found[metric], color=color, label=f"γ = {gamma:g}")
            axis.set_yscale(scale)
            if scale == "log":
                axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.yaxis.set_major_formatter("{x:g}")
                axis.yaxis.set_minor_formatter(NullFormatter())
        row[0].set_ylabel(model)
    for axis, (title, _, _) in zip(axes[0], panels.values(), strict=True):
        axis.set_title(title)
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)


def independence(frame: pd.DataFrame) -> None:
    """Fig. 5a: share of the accuracy over the number of principal directions, one panel per backbone, one line per gamma."""
    models = list(frame.groupby("model", sort=False))
    _, axes = plt.subplots(1, len(models), figsize=(7.2, 3.6), sharey=True, squeeze=False)
    for axis, (model, part) in zip(axes[0], models, strict=True):
        lines = list(part.groupby("arg_occe_weight"))
        for color, (gamma, line) in zip(_gammas(len(lines)), lines, strict=True):
            share = 100 * line["accuracy"] / line["accuracy"].iloc[-1]
            axis.plot(line["dimensions"], share, "o-", markersize=4, color=color, label=f"γ = {gamma:g}")
        for level in (80, 90, 99):
            axis.axhline(level, color="0.5", linewidth=0.8, linestyle=":")
        axis.set(title=model, xlabel="principal directions")
    axes[0, 0].set_ylabel("share of the accuracy (%)")
    axes[0, -1].legend(loc="lower right")


def generalisation(results: pd.DataFrame) -> None:
    """Figs. 5b and c: test error, and the gap between training and test accuracy, over gamma."""
    _, (error, gap) = plt.subplots(1, 2, figsize=(7.2, 3.4))
    _over_gamma(error, results, "error", 100)
    _over_gamma(gap, results, "generalisation_gap", 100)
    error.set_ylabel("test error (%)")
    gap.set_ylabel("generalisation gap (points)")
    error.legend(title="backbone")


def steps(results: pd.DataFrame) -> None:
    """Test error of cross entropy and reverse cross entropy over the learning rate; dots are seeds."""
    _, axis = plt.subplots(figsize=(5.2, 3.6))
    names = {"soft-d": ("CE", CE), "occe": ("RCE (OCCE alone)", OCCE)}
    for loss, (label, color) in names.items():
        part = results[results["objective"] == loss]
        axis.plot(part["lr"], 100 * part["error"], "o", color=color, markersize=4, alpha=0.5)
        mean = 100 * part.groupby("lr")["error"].mean()
        axis.plot(mean.index, mean, color=color, label=label)
    rates = sorted(results["lr"].unique())
    axis.set_xscale("log")
    axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axis.minorticks_off()
    axis.set(xlabel="learning rate", ylabel="test error (%)", ylim=(0, None))
    axis.legend()


def gains(published: pd.DataFrame, results: pd.DataFrame, ours: str = "mlp on MNIST") -> None:
    """Table 1 as differences: error with OCCE less error without, in points; left of zero, OCCE helps.

    ``published`` has the columns ``baseline``, ``case``, ``difference``; ``results`` has ``baseline``, ``seed``, ``difference``;
    ``ours`` says what was trained.
    """
    baselines = list(dict.fromkeys(results["baseline"]))
    rows = {name: len(baselines) - 1 - k for k, name in enumerate(baselines)}
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 4.3), sharey=True)
    cases = list(published.groupby("case", sort=False))
    for k, (case, part) in enumerate(cases):
        color, marker = PALETTE[k % 3], "o" if k < 3 else "^"
        y = part["baseline"].map(rows) + 0.09 * (2.5 - k)
        paper.plot(part["difference"], y, marker, color=color, markersize=5, label=case)
    here.plot(results["difference"], results["baseline"].map(rows), "|", color="0.35", markersize=9, label="one seed")
    means = results.groupby("baseline")["difference"].mean()
    here.plot(means, means.index.map(rows), "D", color=OCCE, markersize=6, label="mean")
    for axis, title in ((paper, "published"), (here, f"here: {ours}")):
        axis.axvline(0, color="0.3", linewidth=1)
        axis.set(title=title, xlabel="error with less without OCCE (points)")
    paper.set_yticks(list(rows.values()), list(rows))
    figure.legend(loc="outside lower center", ncols=3)


def open_set(published: pd.DataFrame, results: pd.DataFrame, metrics: Mapping[str, str]) -> None:
    """Table 3 as differences to CE in points: one row per method, one column per metric; published above, ours below.

    Both frames have the columns ``case``, ``method`` and the metrics; ours has one row per draw of the known classes, and the
    column ``seed``, its number.  RCE alone is left out: it lies so far behind that the others could not be told apart.
    """
    methods = [name for name in dict.fromkeys(results["method"]) if name not in ("soft-d", "occe")]
    rows = np.arange(len(methods))[::-1]
    figure, axes = plt.subplots(2, len(metrics), figsize=(7.2, 6.0), sharey=True, sharex="col")
    for column, (metric, title) in enumerate(metrics.items()):
        first = 0
        for axis, frame, keys in ((axes[0, column], published, ["case"]), (axes[1, column], results, ["case", "seed"])):
            wide = frame.pivot(index=keys, columns="method", values=metric)
            wide = wide.sub(wide["soft-d"], axis=0)[methods]
            for k, case in enumerate(dict.fromkeys(frame["case"])):
                part, y, color = wide.loc[[case]], rows + 0.22 * (1 - k), PALETTE[first + k]
                if len(part) > 1:
                    axis.plot(part.T, y, "|", color=color, markersize=7, alpha=0.7)
                label = f"{case} ({'here' if first else 'published'})"
                axis.plot(part.mean(), y, _MARKERS[first + k], color=color, markersize=5.5, label=label)
            axis.axvline(0, color="0.3", linewidth=1)
            first += k + 1
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel("less CE (points)")
    for axis, name in zip(axes[:, 0], ("published", "here"), strict=True):
        axis.set_yticks(rows, methods)
        axis.set_ylabel(name)
    handles = [pair for axis in axes[:, 0] for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=3)


def scores(published: pd.DataFrame, results: pd.DataFrame, known: str = "MNIST", model: str = "cnn") -> None:
    """Fig. 10 as differences: AUROC with OCCE less without, in points, for each score.

    Both frames: index = score, one column per known and unknown data set; ``results`` has columns (set, seed).
    ``known``, ``model``: what ours was trained on, and how the page calls the network.
    """
    order = list(published.index)
    rows = np.arange(len(order))[::-1]
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 4.3), sharey=True)
    for k, case in enumerate(published):
        paper.plot(
            published[case], rows + 0.12 * (0.5 - k), _MARKERS[k], color=PALETTE[k], markersize=6, label=f"{case} (published)"
        )
    sets = results.columns.unique(0)
    for k, case in enumerate(sets):
        seeds, color = results[case].loc[order], PALETTE[k + 2]
        y = rows + 0.24 * ((len(sets) - 1) / 2 - k)
        here.plot(seeds, y, "|", color=color, markersize=7, alpha=0.7)
        here.plot(seeds.mean(axis=1), y, _MARKERS[k + 2], color=color, markersize=6, label=f"{known} against {case} (here)")
    for axis, title in ((paper, "published, ResNet-18"), (here, f"here, {model}")):
        axis.axvline(0, color="0.3", linewidth=1)
        axis.set(title=title, xlabel="AUROC with less without OCCE (points)")
    paper.set_yticks(rows, order)
    figure.legend(loc="outside lower center", ncols=2)


def activations(frame: pd.DataFrame, titles: Mapping[str, str]) -> None:
    """Fig. 11: the distribution of the logits of the label and of the other classes; ``titles``: run_id -> title."""
    figure, axes = plt.subplots(1, len(titles), figsize=(7.2, 3.1))
    for axis, (run, title) in zip(axes, titles.items(), strict=True):
        part = frame[frame["run_id"] == run]
        for column, color, label in (("others", CE, "other classes"), ("label", OCCE, "label")):
            axis.stairs(part[column], [*part["left"], part["right"].iloc[-1]], color=color, fill=True, alpha=0.6, label=label)
        axis.set(title=title, xlabel="logit", yticks=[])
        axis.grid(visible=False, axis="y")
    axes[0].set_ylabel("density")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def curves(frame: pd.DataFrame) -> None:
    """Fig. 7: training accuracy and the cross-entropy part of the loss over the epochs, one line per gamma."""
    _, (accuracy, loss) = plt.subplots(1, 2, figsize=(7.2, 3.4))
    lines = list(frame.groupby("arg_occe_weight"))
    for color, (gamma, part) in zip(_gammas(len(lines)), lines, strict=True):
        base = part["loss_base"].fillna(part["train_loss"])  # without the one-cold term the loss is the cross entropy
        accuracy.plot(part["epoch"], 100 * part["train_accuracy"], color=color, label=f"γ = {gamma:g}")
        loss.plot(part["epoch"], base, color=color)
    accuracy.set(xlabel="epoch", ylabel="training accuracy (%)", ylim=(80, 101))
    loss.set(xlabel="epoch", ylabel="cross entropy (nats)", yscale="log")
    accuracy.legend()


def similarity(matrices: Mapping[str, np.ndarray], layers: list[str]) -> None:
    """Fig. 17: CKA between the layers of two networks; ``matrices``: title -> (layers of the second, layers of the first)."""
    figure, axes = plt.subplots(1, len(matrices), figsize=(7.2, 3.2), sharey=True)
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        image = axis.imshow(matrix, cmap="cividis", vmin=0, vmax=1, origin="lower")
        for (row, column), value in np.ndenumerate(matrix):
            axis.text(
                column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color="black" if value > 0.6 else "white"
            )
        axis.set_xticks(range(len(layers)), layers, rotation=45, ha="right")
        axis.set_yticks(range(len(layers)), layers)
        axis.set_title(title)
        axis.set_xlabel("layer of a CE network")
        axis.grid(visible=False)
    axes[0].set_ylabel("layer of the other network")
    figure.colorbar(image, ax=axes, label="CKA", shrink=0.8, pad=0.01)


def maps(points: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
    """Figs. 9 and 12: features in two dimensions (n, 2), one panel per loss, one colour per class; -1 (unknown) is grey."""
    figure, axes = plt.subplots(1, len(points), figsize=(7.2, 2.9))
    for axis, (title, xy) in zip(axes, points.items(), strict=True):
        for label in np.unique(labels):
            color, name = ("0.7", "unknown") if label < 0 else (PALETTE[label % len(PALETTE)], str(label))
            axis.plot(*xy[labels == label].T, ".", color=color, markersize=3, label=name)
        axis.set(title=title, xticks=[], yticks=[])
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=10,
        markerscale=3,
        handletextpad=0,
        columnspacing=1,
    )


def patches(images: np.ndarray, labels: np.ndarray) -> None:
    """Some grey images (n, H, W) of every class, one column per class."""
    classes, shown = np.unique(labels), 4
    _, axes = plt.subplots(shown, len(classes), figsize=(7.2, 2.5))
    for column, label in zip(axes.T, classes, strict=True):
        for axis, image in zip(column, images[labels == label][::2], strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set_axis_off()


def gain_texts(errors: pd.DataFrame) -> pd.DataFrame:
    """Cells of Table 1: mean errors without and with OCCE, and their difference with its 95 % interval over the seeds.

    ``errors`` are those of :func:`lossbook.papers.onecold.read.baseline_errors`; one row per baseline comes out.
    """
    by_baseline = errors.groupby("baseline", sort=False)
    texts = by_baseline[["without", "with"]].mean().map("{:.2f}".format)
    intervals = by_baseline["difference"].apply(mean_interval)
    return texts.assign(difference=[f"{i.mean:+.2f} [{i.low:+.2f}, {i.high:+.2f}]" for i in intervals])


def ood_texts(changes: pd.DataFrame) -> pd.DataFrame:
    """Cells of Tables 7 and 8: mean changes ± half of their 95 % interval over the seeds.

    ``changes`` are those of :func:`lossbook.papers.onecold.read.ood_changes`; one row per score and one column per unknown set
    come out.
    """
    texts = {}
    for name in changes.columns.unique(0):
        found = [mean_interval(row) for row in changes[name].to_numpy()]
        texts[name] = [f"{i.mean:+z.1f} ± {i.high - i.mean:.1f}" for i in found]
    return pd.DataFrame(texts, index=changes.index)
