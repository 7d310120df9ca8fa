"""Figures of the derivations of the `onecold` pages: tensors and data frames in, the current matplotlib figure out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.ticker import NullFormatter
from torch import Tensor

from lossbook.losses.onecold import anti_class_probabilities
from lossbook.papers.style import PALETTE


def anti_class_maps(logits: dict[str, Callable[[Tensor], Tensor]], points: Tensor, labels: Tensor, reach: float) -> None:
    """Fig. 1b: the plane in the colours of the anti-classes, one panel per model.

    The colour of a place is the mean of the classes' colours, weighted by the anti-class distribution there.

    Args:
        logits: title -> function of points (n, 2).
        points: the training points (M, 2).
        labels: their classes (M,).
        reach: the map covers [-reach, reach] in both coordinates.
    """
    side = torch.linspace(-reach, reach, 200)
    grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), 2)
    colors = torch.tensor([to_rgb(color) for color in PALETTE])[: int(labels.max()) + 1]
    _, axes = plt.subplots(1, len(logits), figsize=(7.2, 7.2 / len(logits) + 0.4), sharey=True)
    for axis, (title, function) in zip(axes, logits.items(), strict=True):
        with torch.no_grad():
            weights = anti_class_probabilities(function(grid.reshape(-1, 2)))
        image = (weights.to(colors.dtype) @ colors).reshape(*grid.shape[:2], 3).clamp(0, 1)
        axis.imshow(image.numpy(), extent=(-reach, reach, -reach, reach), origin="lower", interpolation="nearest")
        axis.scatter(*points.T, c=colors[labels].numpy(), s=9, edgecolors="white", linewidths=0.4)
        axis.set(title=title, xlabel="$x_1$", aspect="equal")
        axis.grid(visible=False)
    axes[0].set_ylabel("$x_2$")


def pulls(margins: Tensor, curves: dict[int, tuple[Tensor, Tensor]]) -> None:
    """Size of the gradient on the label's logit over its lead, CE dashed and OCCE solid: one colour per number of classes."""
    figure, axis = plt.subplots(figsize=(7.2, 3.6))
    for color, (classes, (ce, occe)) in zip(PALETTE, curves.items(), strict=False):
        axis.plot(margins, ce, "--", color=color)
        axis.plot(margins, occe, "-", color=color, label=f"N = {classes}")
    axis.plot([], [], "--", color="0.3", label="CE")
    axis.plot([], [], "-", color="0.3", label="OCCE")
    axis.axvline(0, color="0.6", linewidth=0.8)
    axis.set(
        xlabel="lead m of the label's logit over the others, all equal (nats)",
        ylabel=r"$|\partial L / \partial z_y|$",
        ylim=(0, 1.02),
    )
    figure.legend(loc="outside right center")


def free_features(curves: pd.DataFrame) -> None:
    """Metrics over the steps of features that are parameters: columns ``loss``, ``step`` and one per metric."""
    panels = {"nc1": r"$NC_1$", "nc2": r"$NC_2$", "nc3": r"$NC_3$", "fisher": r"tr $S_B$ / tr $S_W$"}
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 4.8), sharex=True)
    for axis, (metric, title) in zip(axes.flat, panels.items(), strict=True):
        for color, style, (loss, part) in zip(
            PALETTE, ("-", "--", "-.", ":", "-"), curves.groupby("loss", sort=False), strict=False
        ):
            axis.plot(part["step"], part[metric], style, color=color, label=loss)
        axis.set(xscale="log", yscale="log", title=title)
        axis.yaxis.set_minor_formatter(NullFormatter())
    axes[1, 1].set_ylim(0.01, 1)
    for axis in axes[1]:
        axis.set_xlabel("step")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


def directions_kept(curves: dict[str, np.ndarray]) -> None:
    """Accuracy over the number of principal directions that the logits keep, for logits made by hand."""
    figure, axis = plt.subplots(figsize=(7.2, 3.6))
    for color, style, (name, accuracy) in zip(PALETTE, ("-", "--", "-."), curves.items(), strict=False):
        axis.plot(range(len(accuracy)), 100 * np.asarray(accuracy), style, color=color, label=name)
    axis.set(xlabel="principal directions kept", ylabel="samples classified right (%)", ylim=(0, 103))
    figure.legend(loc="outside lower center", ncols=3)
