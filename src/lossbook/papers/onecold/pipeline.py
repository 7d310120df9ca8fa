"""The picture of the `onecold` chapter: one sample's logits under the two losses of Eq. 8."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import ConnectionPatch

from lossbook.papers.style import PALETTE


def softmax(activations: np.ndarray) -> np.ndarray:
    """Of one sample, (N,)."""
    exponentials = np.exp(activations - activations.max())
    return exponentials / exponentials.sum()


def unified(logits: Sequence[float], names: Sequence[str], label: int) -> None:
    """Fig. 3 with numbers: the logits (left), and what either loss makes of them (right).

    Bars are the class and the anti-class distribution of the sample, rings the targets that CE and OCCE compare them with.

    Args:
        logits: (N,).
        names: the classes.
        label: place of the sample's own class.
    """
    z, own = np.asarray(logits, dtype=float), np.arange(len(names)) == label
    colors = [PALETTE[1] if mine else PALETTE[0] for mine in own]
    places, layout = [["z", "ce"], ["z", "occe"]], ConstrainedLayoutEngine(wspace=0.14)
    figure, axes = plt.subplot_mosaic(places, figsize=(7.2, 3.3), width_ratios=[1, 1.3], layout=layout)
    axes["z"].bar(names, z, color=colors)
    axes["z"].axhline(0, color="0.3", linewidth=0.8)
    axes["z"].set_title("logits z of one sample")
    panels = {
        "ce": (z, own.astype(float), 0.75, "CE: softmax(z)"),
        "occe": (-z, ~own / (len(names) - 1), 0.25, "OCCE: softmax(−z)"),
    }
    for key, (activations, target, height, title) in panels.items():
        axes[key].bar(names, softmax(activations), color=colors)
        axes[key].plot(range(len(names)), target, "o", color="0.15", markerfacecolor="none", markersize=9, label="target")
        axes[key].set(title=title, ylim=(-0.13, 1.15))
        arrow = ConnectionPatch(
            xyA=(1.02, height),
            xyB=(-0.14, 0.5),
            coordsA="axes fraction",
            coordsB="axes fraction",
            axesA=axes["z"],
            axesB=axes[key],
            arrowstyle="->",
            color="0.3",
        )
        figure.add_artist(arrow)
    axes["ce"].legend(loc="upper right")
    for axis in axes.values():
        axis.grid(visible=False, axis="x")
