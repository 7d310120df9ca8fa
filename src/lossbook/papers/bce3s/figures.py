"""Figures of `bce3s`: each takes published numbers and results, and draws into a new matplotlib figure.

Results hold accuracies as shares, published tables in per cent; the figures show per cent.  Metrics of geometry are in per cent
in both.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lossbook.papers.bce3s.read import GROUPS, ONE_STAGE, Stage
from lossbook.papers.bce3s.tables import BCE, CE, FAMILIES, Terms, family_terms
from lossbook.papers.style import PALETTE

Families = Sequence[tuple[str, str]]  # form of the joint term, form of the two others

FORM_COLORS = {"ce": PALETTE[0], "bce": PALETTE[1]}
FAMILY_COLORS = dict(zip(FAMILIES, (PALETTE[0], PALETTE[2], PALETTE[4], PALETTE[1]), strict=True))
PURE_FAMILIES = (("ce", "ce"), ("bce", "bce"))
FIGURE_FAMILIES = (("ce", "ce"), ("ce", "bce"), ("bce", "bce"))  # rows of Figs. 6 to 9
COMBINATIONS = ("joint", "+ contrastive", "+ uniform", "+ both")  # of a family, in the order of family_terms
GROUP_LABELS = dict(zip(GROUPS, ("Many", "Medium", "Few", "all classes"), strict=True))
GROUP_COLORS = dict(zip(GROUPS, (PALETTE[2], PALETTE[4], PALETTE[3], "black"), strict=True))
# Method -> colour, marker and fill; a method that does not run here is grey.
METHOD_STYLES = {
    "CE": (FORM_COLORS["ce"], "o", "full"),
    "CB-Focal": (PALETTE[2], "s", "full"),
    "LDAM": (PALETTE[4], "^", "full"),
    "Logit Adj.": (PALETTE[3], "v", "full"),
    "Balanced softmax": (PALETTE[5], "P", "full"),
    "Weight balancing": (PALETTE[9], "X", "full"),
    "BCE3S": (FORM_COLORS["bce"], "D", "full"),
    ONE_STAGE: (FORM_COLORS["bce"], "D", "none"),
}


def _family_label(family: tuple[str, str]) -> str:
    joint, other = (form.upper() for form in family)
    return joint if joint == other else f"{joint} with {other}"


def _terms_color(terms: Terms) -> str:
    """The colour of the family; the joint term alone has the colour of the pure family."""
    return FAMILY_COLORS[terms.joint, terms.contrastive or terms.uniform or terms.joint]


def pipeline(images: Sequence[int]) -> None:
    """Fig. 1, drawn anew: what the network makes of a batch, and between which two things each of the three terms acts.

    ``images``: training images of every class, the most frequent first.
    """
    _, axis = plt.subplots(figsize=(7.2, 3.7))
    axis.set(xlim=(0, 12), ylim=(0, 6.6))
    axis.axis("off")
    boxes = {
        (3.4, 3.2): "network",
        (5.6, 3.2): "feature $x$",
        (5.6, 5.4): "projection $z$",
        (10.6, 5.4): "memory $m_j$:\none $z$ per class",
        (10.6, 3.2): "class vectors\n$w_1, \\dots, w_N$",
    }
    frame = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.4"}
    for place, text in boxes.items():
        axis.text(*place, text, ha="center", va="center", fontsize=9, bbox=frame)
    tail = axis.inset_axes([0.0, 0.33, 0.19, 0.28])
    tail.bar(range(len(images)), images, color="0.6", width=0.8)
    tail.set(xticks=[], yticks=[], xlabel="classes")
    tail.set_title("images of a long tail", fontsize=9)
    tail.grid(visible=False)
    plain = {"arrowstyle": "-|>", "color": "0.4"}
    for end, start in (((2.7, 3.2), (2.3, 3.2)), ((4.7, 3.2), (4.1, 3.2)), ((5.6, 4.9), (5.6, 3.7))):
        axis.annotate("", end, start, arrowprops=plain)
    axis.annotate("", (10.6, 6.0), (5.6, 5.9), arrowprops=plain | {"linestyle": "--", "connectionstyle": "arc3,rad=-0.12"})
    axis.text(8.1, 6.35, "the last one of its class", fontsize=8, color="0.4", ha="center")
    terms = {  # ends of the arrow, its bend, place of the text, the text
        PALETTE[1]: ((6.7, 5.3), (9.3, 5.3), 0.0, (8.0, 4.65), "contrastive (4)\nsample to sample"),
        PALETTE[0]: ((6.6, 3.2), (9.3, 3.2), 0.0, (8.0, 2.55), "joint (3)\nsample to class"),
        PALETTE[2]: ((10.1, 2.6), (11.1, 2.6), 1.6, (10.6, 0.9), "uniform (5)\nclass to class"),
    }
    for color, (start, end, bend, place, text) in terms.items():
        arrow = {"arrowstyle": "<|-|>", "color": color, "linewidth": 2, "connectionstyle": f"arc3,rad={bend}"}
        axis.annotate("", end, start, arrowprops=arrow)
        axis.text(*place, text, color=color, fontsize=9, fontweight="bold", ha="center", va="center")


def ablation(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Table 2: accuracy over all and over the few-shot classes, one row per combination, published above, ours below.

    ``published``: index = :class:`Terms`, columns = metrics, per cent; ``results`` has a column ``terms``.
    """
    order = list(published.index)
    rows = pd.Series(np.arange(len(order))[::-1], order)
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 7.6), sharey=True)
    for column, metric in enumerate(("accuracy_all", "accuracy_few")):
        above, below = axes[:, column]
        for terms in order:
            color = _terms_color(terms)
            above.plot(published.loc[terms, metric], rows[terms], "D", color=color, markersize=6)
            seeds = 100 * results.loc[results["terms"] == terms, metric]
            below.plot(seeds, [rows[terms]] * len(seeds), "|", color=color, markersize=8)
            below.plot(seeds.mean(), rows[terms], "D", color=color, markersize=6)
        label = GROUP_LABELS[metric]
        above.set_title(f"published: {label}")
        below.set(title=f"here: {label}", xlabel="accuracy (%)")
        for axis in (above, below):
            reference = published[metric] if axis is above else 100 * results.groupby("terms")[metric].mean()
            for terms in (CE, BCE):
                axis.axvline(reference[terms], color=_terms_color(terms), linestyle=":", linewidth=1)
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.set(yticks=rows, yticklabels=[str(terms) for terms in order], ylim=(-0.6, len(order) - 0.4))
            for block in (2, 6, 10):  # joint alone, with ss, with cc, with both
                axis.axhline(len(order) - block - 0.5, color="0.4", linewidth=0.8)
    marks = [
        plt.Line2D([], [], marker="D", linestyle="", color=color, label=_family_label(family))
        for family, color in FAMILY_COLORS.items()
    ]
    marks.append(plt.Line2D([], [], marker="|", linestyle="", markersize=8, color="0.35", label="one seed"))
    figure.legend(handles=marks, loc="outside lower center", ncols=5)


def bars(results: pd.DataFrame, rows: dict[str, str]) -> None:
    """Figs. 6 and 7 as bars: mean over the classes and the seeds, the line is the standard deviation over the classes.

    ``rows``: metric -> label of its axis, with one row of panels per metric and one column per family.
    """
    _, axes = plt.subplots(len(rows), 3, figsize=(7.2, 1.75 * len(rows) + 0.7), sharey="row", sharex=True, squeeze=False)
    means = results.groupby("terms")[[name for metric in rows for name in (metric, f"{metric}_std")]].mean()
    for line, (metric, label) in zip(axes, rows.items(), strict=True):
        for axis, family in zip(line, FIGURE_FAMILIES, strict=True):
            part = means.loc[family_terms(*family)]
            x = np.arange(len(part))
            axis.bar(x, part[metric] - 50, bottom=50, width=0.7, color=FAMILY_COLORS[family], alpha=0.6, linewidth=0)
            axis.errorbar(x, part[metric], part[f"{metric}_std"], fmt="none", color="0.2", linewidth=1.2, capsize=3)
            for position, value in zip(x, part[metric], strict=True):
                axis.text(position, 0.02, f"{value:.1f}", transform=axis.get_xaxis_transform(), ha="center", fontsize=8)
            axis.set_xticks(x, COMBINATIONS, rotation=35, ha="right")
            axis.grid(visible=False, axis="x")
        low, high = line[0].get_ylim()
        line[0].set_ylim(low - 0.16 * (high - low), high)  # room for the numbers
        line[0].set_ylabel(f"{label} (%)")
    for axis, family in zip(axes[0], FIGURE_FAMILIES, strict=True):
        axis.set_title(_family_label(family))


def over_classes(geometry: pd.DataFrame, measures: dict[str, str], families: Families = PURE_FAMILIES) -> None:
    """Fig. 2: metrics of every class, from the most frequent to the rarest; columns are families, lines the combinations."""
    figure, axes = plt.subplots(len(measures), len(families), figsize=(7.2, 1.9 * len(measures) + 1.0), sharey="row", sharex=True)
    styles = dict(zip(COMBINATIONS, ("-", "--", "-", "--"), strict=True))
    colors = dict(zip(COMBINATIONS, ("0.25", "0.25", PALETTE[3], PALETTE[3]), strict=True))
    for line, (measure, label) in zip(axes, measures.items(), strict=True):
        for axis, family in zip(line, families, strict=True):
            for terms, combination in zip(family_terms(*family), COMBINATIONS, strict=True):
                part = geometry[geometry["terms"] == terms].sort_values("class")
                style = {"linestyle": styles[combination], "color": colors[combination], "label": combination}
                axis.plot(part["class"], part[measure], marker=".", linewidth=1.3, **style)
        line[0].set_ylabel(f"{label} (%)")
    for axis, family in zip(axes[0], families, strict=True):
        axis.set_title(_family_label(family))
    images = geometry[geometry["terms"] == family_terms(*families[0])[0]].sort_values("class")
    for axis in axes[-1]:
        axis.set_xticks(images["class"], images["images"])
        axis.set_xlabel("class, by its number of training images")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


def _grid(families: Families, height: float) -> tuple[plt.Figure, np.ndarray]:
    figure, axes = plt.subplots(len(families), 4, figsize=(7.2, height), squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
    for axis, family in zip(axes[:, 0], families, strict=True):
        axis.set_ylabel(_family_label(family))
    for axis, combination in zip(axes[0], COMBINATIONS, strict=True):
        axis.set_title(combination)
    return figure, axes


def matrices(pairs: pd.DataFrame, families: Families = FIGURE_FAMILIES) -> None:
    """Fig. 8: separability (per cent) of every pair of classifier vectors, head classes first; the diagonal is left out."""
    figure, axes = _grid(families, 5.4)
    off = 100 * pairs.loc[pairs["row"] != pairs["column"], "separability"]
    for line, family in zip(axes, families, strict=True):
        for axis, terms in zip(line, family_terms(*family), strict=True):
            matrix = 100 * pairs[pairs["terms"] == terms].pivot(index="row", columns="column", values="separability").to_numpy()
            np.fill_diagonal(matrix, np.nan)
            image = axis.imshow(matrix, cmap="cividis", vmin=off.min(), vmax=off.max())
            axis.set_xlabel(f"{np.nanmin(matrix):.0f} to {np.nanmax(matrix):.0f}", fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.6, pad=0.01, label="separability of two classifier vectors (%)")


def scatter(points: pd.DataFrame, images: pd.Series, families: Families = FIGURE_FAMILIES) -> None:
    """Figs. 3 and 9: t-SNE of test features, one colour per class; ``images``: training images of each class."""
    figure, axes = _grid(families, 6.3)
    for line, family in zip(axes, families, strict=True):
        for axis, terms in zip(line, family_terms(*family), strict=True):
            part = points[points["terms"] == terms]
            axis.scatter(part["x"], part["y"], s=5, c=[PALETTE[int(k)] for k in part["label"]], linewidths=0)
    marks = [
        plt.Line2D([], [], marker="o", linestyle="", markersize=5, color=PALETTE[int(k)], label=f"{n}") for k, n in images.items()
    ]
    figure.legend(
        handles=marks,
        loc="outside lower center",
        ncols=10,
        title="class, by its number of training images",
        columnspacing=0.9,
        handletextpad=0.1,
    )


def tails(counts: dict[str, Sequence[int]], ends: dict[str, tuple[int, int]]) -> None:
    """Fig. 4: training images (log) over the rank of the class, as a share of all classes.

    ``counts``: every class of a data set, largest first; ``ends``: only its largest and its smallest class are known.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.8))
    for (name, images), color in zip(counts.items(), PALETTE, strict=False):
        axis.plot(np.linspace(0, 1, len(images)), images, marker="." if len(images) < 20 else "", color=color, label=name)
    for (name, pair), color in zip(ends.items(), PALETTE[len(counts) :], strict=False):
        axis.plot([0, 1], pair, "D", color=color, fillstyle="none", label=f"{name} (ends)")
    for bound in (100, 20):
        axis.axhline(bound, color="0.3", linestyle=":", linewidth=1.2)
    for height, name in ((250, "Many"), (45, "Medium"), (7, "Few")):
        axis.text(1.02, height, name, transform=axis.get_yaxis_transform(), va="center", fontsize=9)
    axis.set(yscale="log", xlabel="rank of the class (0: largest, 1: smallest)", ylabel="training images")
    axis.set_yticks([2, 5, 20, 100, 500, 1000, 5000], ["2", "5", "20", "100", "500", "1000", "5000"])
    axis.minorticks_off()
    figure.legend(loc="outside lower center", ncols=3)


def _range(axis: Axes, frame: pd.DataFrame, key: str, metric: str, factor: float = 1.0, **style: object) -> None:
    """Mean (line) and range (band) of the seeds over a parameter."""
    seeds = factor * frame.groupby(key)[metric].agg(["mean", "min", "max"])
    (line,) = axis.plot(seeds.index, seeds["mean"], **({"marker": "."} | style))
    axis.fill_between(seeds.index, seeds["min"], seeds["max"], color=line.get_color(), alpha=0.2, linewidth=0)


def shares_kept(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """Fig. 5, r: what keeping a share r of the negatives gains over keeping all, in points, for every group.

    ``published``: index = r (1 among them), columns = metrics, per cent.  Dashed: one draw for the whole batch.
    """
    figure, axes = plt.subplots(1, 4, figsize=(7.2, 3.2), sharex=True, sharey=True)
    full = results[results["arg_r"] == 1].set_index("seed")
    for axis, metric in zip(axes, GROUPS, strict=True):
        gains = results.assign(gain=100 * (results[metric] - results["seed"].map(full[metric])))
        for scheme, style, shade in (("sample", "-", GROUP_COLORS[metric]), ("batch", "--", "0.5")):
            part = gains[(gains["arg_resampling"] == scheme) | (gains["arg_r"] == 1)]
            _range(axis, part, "arg_r", "gain", linestyle=style, color=shade)
        axis.plot(published.index, published[metric] - published.loc[1.0, metric], "D", color="black", fillstyle="none")
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.set(title=GROUP_LABELS[metric], xlabel="share kept, r", xticks=(0.2, 0.6, 1.0))
    axes[0].set_ylabel("gain over r = 1 (points)")
    handles = [
        plt.Line2D([], [], color="0.2", marker=".", label="here, drawn for each sample"),
        plt.Line2D([], [], color="0.5", marker=".", linestyle="--", label="here, drawn for the batch"),
        plt.Line2D([], [], color="black", marker="D", fillstyle="none", linestyle="", label="published"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def uniform_weights(results: pd.DataFrame, without: pd.DataFrame, best: float) -> None:
    """Fig. 5, lambda_cc: accuracy and the spread of the classifier over the weight, one line per form.

    ``without``: the runs of the two joint terms alone (dotted); ``best``: the setting that the paper calls best.
    """
    panels = {
        "accuracy_all": ("accuracy, all classes (%)", 100),
        "accuracy_few": ("accuracy, Few (%)", 100),
        "pair_separability_std": ("spread over pairs of\nclassifier vectors (points)", 1),
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.6))
    for axis, (metric, (label, factor)) in zip(axes, panels.items(), strict=True):
        for form, color in FORM_COLORS.items():
            name = f"{form.upper()} + cc ({form.upper()})"
            _range(axis, results[results["arg_uniform"] == form], "arg_lambda_cc", metric, factor, color=color, label=name)
            level = factor * without.loc[without["arg_joint"] == form, metric].mean()
            axis.axhline(level, color=color, linestyle=":", linewidth=1.3, label=f"{form.upper()} alone")
        axis.axvline(best, color="0.3", linestyle="--", linewidth=1, label=f"best in the paper, {best:g}")
        axis.set(xscale="log", xlabel=r"weight $\lambda_\mathrm{cc}$", ylabel=label)
    axes[-1].set_yscale("log")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def contrastive_weights(results: pd.DataFrame, metrics: tuple[str, ...]) -> None:
    """Fig. 5, lambda_ss and tau: accuracy (per cent) as a map, the weight across, the temperature up."""
    figure, axes = plt.subplots(1, len(metrics), figsize=(7.2, 3.0), sharey=True)
    for axis, metric in zip(axes, metrics, strict=True):
        wide = 100 * results.pivot_table(index="arg_tau", columns="arg_lambda_ss", values=metric, sort=True)
        image = axis.imshow(wide, cmap="cividis", origin="lower", aspect="auto")
        middle = (wide.to_numpy().min() + wide.to_numpy().max()) / 2
        for (row, column), value in np.ndenumerate(wide.to_numpy()):
            color = "black" if value > middle else "white"
            axis.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8.5, color=color)
        axis.set(xticks=range(len(wide.columns)), xticklabels=[f"{v:g}" for v in wide.columns], title=GROUP_LABELS[metric])
        axis.set(yticks=range(len(wide)), yticklabels=[f"{v:g}" for v in wide.index], xlabel=r"weight $\lambda_\mathrm{ss}$")
        axis.grid(visible=False)
        figure.colorbar(image, ax=axis, label="accuracy (%)" if axis is axes[-1] else None)
    axes[0].set_ylabel(r"temperature $\tau$")


def _style(method: str) -> tuple[str, str, str]:
    return METHOD_STYLES.get(method, ("0.7", "", "full"))


def _method_legend(figure: plt.Figure, methods: Sequence[str], others: bool = True, columns: int = 4) -> None:
    handles = []
    for method in methods:
        color, marker, fill = _style(method)
        handles.append(plt.Line2D([], [], linestyle="", color=color, marker=marker, fillstyle=fill, label=method))
    if others:
        handles.append(plt.Line2D([], [], linestyle="", color="0.7", marker=".", label="other methods"))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def imbalances(published: dict[str, pd.DataFrame], results: pd.DataFrame) -> None:
    """Tables 1 and 3: accuracy over the imbalance factor, one panel per published data set, the last one ours.

    ``published``: index = method, columns = imbalance factors, per cent; ``results`` has a column ``method``.
    """
    ours = 100 * results.groupby(["method", "imbalance"], sort=False)["accuracy_all"].mean().unstack()
    panels = {f"published: {name}": frame for name, frame in published.items()} | {"here: MNIST": ours}
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 4.4))
    for axis, (title, frame) in zip(axes, panels.items(), strict=True):
        for method, row in frame.iterrows():
            color, marker, fill = _style(method)
            row = row.dropna()
            axis.plot(row.index, row, color=color, marker=marker or ".", fillstyle=fill, linewidth=1, zorder=3 if marker else 1)
        axis.set(xscale="log", xlabel="imbalance factor")
        axis.set_title(title, fontsize=9.5)
        axis.set_xticks([10, 50, 100], ["10", "50", "100"])
        axis.minorticks_off()
    axes[0].set_ylabel("accuracy over all classes (%)")
    _method_legend(figure, list(ours.index), columns=3)


def trade_off(panels: dict[str, pd.DataFrame]) -> None:
    """Accuracy on Few over accuracy on Many, in per cent; one panel per table, one point per method (index)."""
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.9))
    names: dict[str, bool] = {}
    for axis, (title, frame) in zip(axes, panels.items(), strict=True):
        for method, row in frame.iterrows():
            color, marker, fill = _style(method)
            style = {"color": color, "fillstyle": fill, "zorder": 3 if marker else 1}
            axis.plot(row["accuracy_many"], row["accuracy_few"], marker or ".", **style)
            names[method] = bool(marker)
        axis.set(xlabel="Many (%)")
        axis.set_title(title, fontsize=9.5)
    axes[0].set_ylabel("Few (%)")
    _method_legend(figure, [name for name, marked in names.items() if marked], others=not all(names.values()))


def stages(results: pd.DataFrame) -> None:
    """One stage (ring) and two (disc, square with MaxNorm) of CE3S and BCE3S, in per cent; one panel per group of classes.

    ``results`` has a column ``stage``.
    """
    figure, axes = plt.subplots(1, len(GROUPS), figsize=(7.2, 2.9))
    markers = {Stage.ONE: ("o", "none"), Stage.TWO: ("o", "full"), Stage.MAX_NORM: ("s", "full")}
    for axis, metric in zip(axes, GROUPS, strict=True):
        for x, (form, color) in enumerate(FORM_COLORS.items()):
            rows = results[results["arg_joint"] == form]
            for shift, (stage, (marker, fill)) in zip((-0.2, 0.0, 0.2), markers.items(), strict=True):
                seeds = 100 * rows.loc[rows["stage"] == stage, metric]
                axis.errorbar(
                    x + shift, seeds.mean(), seeds.std(), fmt=marker, color=color, fillstyle=fill, linewidth=1, capsize=2
                )
        axis.set_xticks([0, 1], ["CE3S", "BCE3S"])
        axis.set(title=GROUP_LABELS[metric], xlim=(-0.5, 1.5))
        axis.grid(visible=False, axis="x")
    axes[0].set_ylabel("accuracy (%)")
    handles = [
        plt.Line2D([], [], linestyle="", color="0.3", marker=marker, fillstyle=fill, label=str(stage))
        for stage, (marker, fill) in markers.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
