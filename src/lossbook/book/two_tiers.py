"""Verdicts and figures of the frozen tier: published numbers and results in, the current matplotlib figure out."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lossbook.papers.board import entries_of
from lossbook.papers.claims import Unit
from lossbook.papers.paper import Paper
from lossbook.papers.style import PALETTE
from lossbook.papers.uniform.figures import dumbbells

TIERS = {"quick": ("MNIST, trained from scratch", PALETTE[7], "o"), "frozen": ("frozen features", PALETTE[1], "D")}


def verdicts(papers: list[Paper]) -> pd.DataFrame:
    """The claims that the frozen tier decides, one row per claim and tier: ``word``, ``effect``, ``low``, ``high``, ``unit``."""
    rows = []
    for paper in papers:
        for entry in entries_of(paper):
            if entry.tier in TIERS and "frozen" in entry.claim.tiers:
                found = {name: getattr(entry.verdict, name) for name in ("word", "effect", "low", "high", "unit")}
                rows.append({"paper": paper.name, "claim": entry.claim.id, "tier": entry.tier, **found})
    return pd.DataFrame(rows)


def two_tiers(found: pd.DataFrame) -> None:
    """Effect and 95 % interval of every claim in points that has one, one mark per tier; papers are set apart by lines.

    ``found`` are the rows of :func:`verdicts`.
    """
    frame = found[(found["unit"] == Unit.POINTS) & np.isfinite(found["low"]) & (found["word"] != "by proof")]
    claims = frame[["paper", "claim"]].drop_duplicates()
    heights = {claim: -k for k, claim in enumerate(claims["claim"])}
    figure, axis = plt.subplots(figsize=(7.2, 0.21 * len(claims) + 1.3))
    for shift, (tier, (label, color, marker)) in zip((0.17, -0.17), TIERS.items(), strict=True):
        part = frame[frame["tier"] == tier]
        y = part["claim"].map(heights) + shift
        axis.errorbar(
            part["effect"],
            y,
            xerr=[part["effect"] - part["low"], part["high"] - part["effect"]],
            fmt=marker,
            color=color,
            markersize=4.5,
            linewidth=1.4,
            label=label,
        )
    for _, part in list(claims.groupby("paper", sort=False))[1:]:
        axis.axhline(heights[part["claim"].iloc[0]] + 0.5, color="0.6", linewidth=0.8)
    axis.axvline(0, color="0.2", linewidth=1)
    axis.set_xscale("symlog", linthresh=5)
    ticks = (-40, -20, -10, -5, 0, 5, 10, 20, 40)
    axis.set_xticks(ticks, [f"{tick:+d}".replace("-", "−") if tick else "0" for tick in ticks])
    axis.minorticks_off()
    axis.set(
        yticks=list(heights.values()), yticklabels=list(heights), xlabel="effect (points; straight to ±5, logarithmic beyond)"
    )
    axis.set_ylim(-len(claims) + 0.3, 0.7)
    figure.legend(loc="outside upper center", ncols=2)


def gaps(published: pd.DataFrame, results: pd.DataFrame) -> None:
    """From A_Uni (square) to A_SW (ring) of every loss: one published backbone, and frozen features."""
    losses = list(dict.fromkeys(results["objective"]))
    rows = np.arange(len(losses))[::-1]
    figure, (paper, here) = plt.subplots(1, 2, figsize=(7.2, 3.9), sharey=True)
    wide = published.pivot(index="loss", columns="metric", values="value").loc[losses]
    means = 100 * results.groupby("objective")[["A_Uni", "A_SW"]].mean().loc[losses]
    titles = ("published: ResNet50, ImageNet-1K", "here: frozen features, CIFAR-100")
    for axis, table, title in zip((paper, here), (wide, means), titles, strict=True):
        dumbbells(axis, rows, losses, table["A_Uni"], table["A_SW"])
        axis.axhline(len(losses) / 2 - 0.5, color="0.6", linewidth=0.8)
        axis.set(title=title, xlabel="accuracy (%)", yticks=rows, yticklabels=losses)
    paper.plot([], [], "s", color="0.35", label=r"$A_\mathrm{Uni}$")
    paper.plot([], [], "o", color="0.35", fillstyle="none", label=r"$A_\mathrm{SW}$")
    figure.legend(loc="outside lower center", ncols=2)
