"""Figures of the derivations of `warped`: landscapes of the loss over the place of one embedding, proxies held still.

Numbers and functions in, the current matplotlib figure out.  The true class's proxy is always the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lossbook.losses.warped import Warp, identity, warp_slope_integral
from lossbook.papers.style import PALETTE

OWN, OTHER, LOW = PALETTE[2], PALETTE[3], PALETTE[1]


def exponent(points: Tensor, proxies: Tensor, f1: Warp, f2: Warp = identity, temperature: float = 1.0) -> Tensor:
    r""":math:`\log \sum_{j \neq y} e^{T [f_1(d_y) - f_2(d_j)]}` at every point; the loss is its softplus.

    Where the loss rounds to zero, the exponent still falls.  Arguments: see :func:`landscape`.
    """
    distances = torch.cdist(points, proxies, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.logsumexp(temperature * (f1(distances[:, :1]) - f2(distances[:, 1:])), 1)


def landscape(points: Tensor, proxies: Tensor, f1: Warp, f2: Warp = identity, temperature: float = 1.0) -> Tensor:
    """Eq. 6 (its form for any number of classes) at every point: what ``generalized_softmax`` averages over a batch.

    Args:
        points: (n, d), places of the embedding.
        proxies: (N, d), the true class's first.
        f1, f2, temperature: see :func:`lossbook.losses.warped.generalized_softmax`.

    Returns:
        (n,), in nats.
    """
    return F.softplus(exponent(points, proxies, f1, f2, temperature), threshold=50.0)


def lowest(
    proxies: Tensor, f1: Warp, f2: Warp = identity, temperature: float = 1.0, reach: float = 10.0, step: float = 0.05
) -> Tensor:
    """The lowest place of a landscape in the plane: the best point of a grid around the own proxy, refined twice.

    Args:
        proxies: (N, 2), the true class's first.
        f1, f2, temperature: see :func:`landscape`.
        reach: how far to look in every direction.
        step: the step of the first grid; the place found is within a hundredth of it.

    Returns:
        (2,); on an edge of the square searched, if the loss falls all the way to it.
    """
    centre = proxies[0]
    for _ in range(3):
        axis = torch.arange(-round(reach / step), round(reach / step) + 1, dtype=proxies.dtype) * step
        points = centre + torch.cartesian_prod(axis, axis)
        values = exponent(points, proxies, f1, f2, temperature)
        # Among equals the one closest to the own proxy, as along the ray of Eq. 4.
        equal = points[values <= values.min() + 1e-9]
        centre = equal[(equal - proxies[0]).norm(dim=1).argmin()]
        reach, step = 2 * step, step / 10
    return centre


def contours(
    axis: Axes,
    proxies: Tensor,
    f1: Warp,
    f2: Warp = identity,
    *,
    temperature: float = 1.0,
    half_width: float = 6.0,
    alpha: float | None = None,
) -> None:
    """One landscape, seen from above: darker is lower; a star at the lowest place, if it lies within the picture."""
    line = torch.linspace(-half_width, half_width, 161, dtype=proxies.dtype)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
    s = exponent(grid, proxies, f1, f2, temperature)
    # The logarithm of the loss; where the loss is tiny, it is the exponent itself.
    values = torch.where(s < -20, s, F.softplus(s.clamp_min(-20)).log()).reshape(161, 161)
    axis.contourf(line, line, values, levels=24, cmap="mako")
    axis.contour(line, line, values, levels=24, colors="white", linewidths=0.3, alpha=0.6)
    best = lowest(proxies, f1, f2, temperature, reach=4 * half_width, step=0.2)
    if alpha is not None:
        axis.add_patch(plt.Circle(tuple(proxies[0].tolist()), alpha, fill=False, color="white", linestyle="--", linewidth=1.2))
    axis.plot(*proxies[1:].T, "s", color=OTHER, markeredgecolor="white", markersize=7)
    axis.plot(*proxies[0], "o", color=OWN, markeredgecolor="white", markersize=8)
    if best.abs().max() < half_width:
        axis.plot(*best, "*", color=LOW, markeredgecolor="white", markersize=14)
    axis.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), aspect="equal")
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.grid(False)


def landscapes(cases: dict[str, tuple[Warp, Warp, float | None]], proxies: Tensor, **arguments: float) -> None:
    """Several functions over the same proxies; a case is f1, f2 and the radius of a circle to draw (alpha, or None)."""
    columns = min(3, len(cases))
    rows = -(-len(cases) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(7.2, 0.35 + 7.2 / columns * rows), sharex=True, sharey=True, squeeze=False
    )
    for axis, (title, (f1, f2, alpha)) in zip(axes.flat, cases.items(), strict=True):
        contours(axis, proxies, f1, f2, alpha=alpha, **arguments)
        axis.set_title(title, fontsize="small")
    for axis in axes[-1]:
        axis.set_xlabel("position x")
    for axis in axes[:, 0]:
        axis.set_ylabel("position y")
    handles = [
        plt.Line2D([], [], marker="o", linestyle="", color=OWN, label="own proxy"),
        plt.Line2D([], [], marker="s", linestyle="", color=OTHER, label="other proxy"),
        plt.Line2D([], [], marker="*", linestyle="", markersize=11, color=LOW, label="lowest place"),
        plt.Line2D([], [], linestyle="--", color="0.4", label="distance α from the own proxy"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize="small")


def around_the_disk(functions: dict[str, Callable[[Tensor], Tensor]], apart: float, radius: float) -> None:
    """Eq. 5 once around an r-disk, over the angle from the far point; each curve from its least to its largest value."""
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    angle = torch.linspace(0, torch.pi, 361, dtype=torch.float64)
    points = radius * torch.stack([-angle.cos(), angle.sin()], 1)
    proxies = torch.tensor([[0.0, 0.0], [apart, 0.0]], dtype=torch.float64)
    styles = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
    for (name, f), style in zip(functions.items(), styles, strict=False):
        values = landscape(points, proxies, f, f)
        span = values.max() - values.min()
        shown = (values - values.min()) / span if span > 1e-9 else torch.full_like(values, 0.5)
        axis.plot(np.degrees(angle), shown, linestyle=style, linewidth=2, label=name)
    axis.set(
        xlabel="angle at the own proxy, 0° = away from the other (degrees)",
        ylabel="loss, scaled to 0–1",
        xticks=range(0, 181, 30),
    )
    figure.legend(loc="outside right center")


def profiles(cases: dict[str, tuple[Warp, Warp]], apart: float, half_width: float, alpha: float) -> None:
    """The exponent of Eq. 6 along the line through two proxies, the own one at 0, the other at ``apart`` to the right."""
    figure, axis = plt.subplots(figsize=(7.2, 3.4))
    x = torch.linspace(-half_width, apart + 2, 601, dtype=torch.float64)
    for (name, (f1, f2)), style in zip(cases.items(), ["-", "--", "-.", ":"], strict=False):
        values = f1(x.abs()) - f2((x - apart).abs())
        axis.plot(x, values, linestyle=style, linewidth=2, label=name)
    axis.axvline(-alpha, color="0.5", linewidth=1, linestyle=":")
    bottom = axis.get_ylim()[0]
    for place, text in ((-alpha, "−α"), (0, "own proxy"), (apart, "other proxy")):
        axis.annotate(text, (place, bottom), (3, 4), textcoords="offset points", fontsize="small")
        if place != -alpha:
            axis.axvline(place, color=OWN if place == 0 else OTHER, linewidth=1.2)
    axis.set(xlabel="position on the line through the proxies", ylabel=r"$f_1(d_y) - f_2(d_j)$ (distance)")
    figure.legend(loc="outside right center")


def fields(fields_of: dict[str, tuple[np.ndarray, np.ndarray]], proxies: Tensor, half_width: float, alpha: float) -> None:
    """Where gradient descent moves the embedding: arrows of one length, coloured by the speed.

    Args:
        fields_of: title -> points (n, 2) and the moves there (n, 2), in the same order.
        proxies: (2, 2), the true class's first.
        half_width: of the picture.
        alpha: radius of the circle drawn.
    """
    figure, axes = plt.subplots(1, len(fields_of), figsize=(7.2, 3.9), sharey=True)
    for axis, (title, (points, moves)) in zip(axes, fields_of.items(), strict=True):
        speed = np.linalg.norm(moves, axis=1)
        unit = moves / np.maximum(speed, 1e-12)[:, None]
        drawn = speed > 1e-9
        quiver = axis.quiver(*points[drawn].T, *unit[drawn].T, speed[drawn], cmap="flare", clim=(0, 2), scale=22, width=0.006)
        axis.add_patch(plt.Circle(tuple(proxies[0].tolist()), alpha, fill=False, color="0.4", linestyle="--", linewidth=1.2))
        axis.plot(*proxies[1:].T, "s", color=OTHER, markersize=8)
        axis.plot(*proxies[0], "o", color=OWN, markersize=9)
        axis.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), aspect="equal", xlabel="position x")
        axis.set_title(title, fontsize="small")
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axis.grid(False)
    axes[0].set_ylabel("position y")
    figure.colorbar(quiver, ax=axes, label="length of the gradient (nats / distance)", shrink=0.8)


def settling(curves: dict[str, tuple[Sequence[float], Sequence[float]]]) -> None:
    """Distance of the lowest place from the own proxy, over alpha; on the diagonal it lies at alpha."""
    figure, axis = plt.subplots(figsize=(7.2, 3.5))
    longest = max(max(alphas) for alphas, _ in curves.values())
    axis.plot([0, longest], [0, longest], color="0.6", linewidth=4, alpha=0.5, label="at α")
    for k, (name, (alphas, distances)) in enumerate(curves.items()):
        # Curves that coincide stay visible as rings around each other.
        axis.plot(alphas, distances, marker="osv^"[k], markersize=11 - 2 * k, fillstyle="none", linewidth=1.4, label=name)
    axis.set(xlabel="α (distance)", ylabel="lowest place, distance\nfrom the own proxy")
    figure.legend(loc="outside right center")


def toy(results: dict[str, tuple[np.ndarray, np.ndarray]], labels: np.ndarray) -> None:
    """Free embeddings (dots) and proxies (crosses) after training, one panel per loss, all to the same scale."""
    _figure, axes = plt.subplots(1, len(results), figsize=(7.2, 3.9), sharex=True, sharey=True)
    colors = plt.get_cmap("tab10")
    for axis, (title, (embeddings, proxies)) in zip(axes, results.items(), strict=True):
        for y in range(len(proxies)):
            axis.plot(*embeddings[labels == y].T, "o", color=colors(y), markersize=3.5, alpha=0.7, zorder=3)
        axis.plot(*proxies.T, "x", color="black", markersize=7, markeredgewidth=1.6)
        axis.set(aspect="equal", xlabel="embedding, first coordinate")
        axis.set_title(title, fontsize="small")
    axes[0].set_ylabel("embedding, second coordinate")


def warps(x: Tensor, curves: dict[str, Tensor], alpha: float) -> None:
    """Values of f1 over the distance; the page compares their slopes."""
    figure, axis = plt.subplots(figsize=(7.2, 3.4))
    for (name, values), style in zip(curves.items(), ["-", "--", "-.", ":"], strict=True):
        shown = values.numpy().copy()
        shown[np.abs(np.diff(shown, prepend=shown[0])) > 0.2] = np.nan  # a jump is not drawn as a line
        axis.plot(x, shown, linestyle=style, linewidth=2, label=name)
    axis.axvline(alpha, color="0.5", linewidth=1, linestyle=":")
    axis.annotate("α", (alpha, 0), (4, 2), textcoords="offset points")
    axis.set(xlabel=r"distance to the own proxy $d_y$", ylabel=r"$f_1(d_y)$ (distance)")
    figure.legend(loc="outside right center")


def speeds(t: Tensor, curves: dict[str, Tensor], alpha: float) -> None:
    """Outward speed of an embedding on the ray: above zero it moves away from its proxy."""
    figure, axis = plt.subplots(figsize=(7.2, 3.4))
    for (name, values), style in zip(curves.items(), ["-", "--", "-.", ":"], strict=True):
        axis.plot(t, values, linestyle=style, linewidth=2, label=name)
    axis.axhline(0, color="0.3", linewidth=1)
    axis.axvline(alpha, color="0.5", linewidth=1, linestyle=":")
    axis.annotate("α", (alpha, axis.get_ylim()[1]), (4, -12), textcoords="offset points")
    axis.set(xlabel="distance from the own proxy, outward", ylabel="outward speed (nats / distance)")
    figure.legend(loc="outside right center")


def idea(proxies: Tensor, alpha: float, k1: float, k2: float) -> None:
    """The paper's idea for two classes: the loss on the ray outward from the own proxy, and seen from above, for Eq. 4 and for
    the warp with these arguments."""
    figure, (ray, plain, warped) = plt.subplots(1, 3, figsize=(7.2, 2.9), gridspec_kw={"width_ratios": (1, 1.1, 1.1)})
    warp = partial(warp_slope_integral, alpha=alpha, k1=k1, k2=k2)
    t = torch.linspace(0, 2 * alpha, 201, dtype=proxies.dtype)
    apart = float((proxies[1] - proxies[0]).norm())
    for name, f1, style in (("Eq. 4", identity, "--"), ("warp", warp, "-")):
        level = f1(t) - (apart + t)
        ray.plot(t, level - level[0], linestyle=style, linewidth=2, color=LOW if name == "warp" else PALETTE[0], label=name)
    ray.axvline(alpha, color="0.5", linewidth=1, linestyle=":")
    ray.plot(alpha, (k1 - 1) * alpha, "*", color=LOW, markeredgecolor="white", markersize=14)
    ray.set(title="straight outward", xlabel="distance from the own proxy", ylabel="exponent of the loss", xticks=(0, alpha))
    ray.set_xticklabels(["0", "α"])
    ray.set_yticks([])
    ray.legend(loc="upper center")
    for axis, title, f1, radius in ((plain, "Eq. 4", identity, None), (warped, "the warp", warp, alpha)):
        contours(axis, proxies, f1, alpha=radius, half_width=2.2 * alpha)
        axis.set(title=title, xticks=[], yticks=[])
    handles = [
        plt.Line2D([], [], marker="o", linestyle="", color=OWN, label="own proxy"),
        plt.Line2D([], [], marker="s", linestyle="", color=OTHER, label="other proxy"),
        plt.Line2D([], [], marker="*", linestyle="", markersize=11, color=LOW, label="lowest place"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
