"""The one look of every figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import seaborn as sns

PALETTE = sns.color_palette("colorblind").as_hex()


def use_style() -> None:
    """The one look of every figure: colour-blind safe, readable at the book's width, on a white card in dark mode."""
    sns.set_theme(context="notebook", style="whitegrid", palette=PALETTE, font_scale=0.9)
    plt.rcParams.update(
        {
            "figure.figsize": (7.2, 3.6),
            "figure.dpi": 150,
            "savefig.dpi": 150,
            "figure.constrained_layout.use": True,
            "axes.titlesize": "medium",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        }
    )
