"""Checks of the errata of `warped`."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.losses.warped import (
    euclidean_softmax,
    generalized_softmax,
    identity,
    r_disk_ends,
    warp,
    warp_slope_integral,
    warped_softmax,
)
from lossbook.papers.erratum import Erratum, Rows, holds
from lossbook.papers.results import published
from lossbook.papers.uniform.read import EVIDENCE as UNIFORM_EVIDENCE
from lossbook.papers.warped.read import EVIDENCE

PAIR = torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.float64)


def _two_classes(points: Tensor, f1, f2) -> Tensor:
    """Eq. 6 at every point, for the first of the two classes."""
    own, other = torch.cdist(points, PAIR).T
    return torch.nn.functional.softplus(f1(own) - f2(other))


def _slope(f, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


def lemma() -> Rows:
    angles = torch.linspace(0, 2 * torch.pi, 361, dtype=torch.float64)
    circle = 2.0 * torch.stack([angles.cos(), angles.sin()], 1)
    far, near = r_disk_ends(PAIR[0], PAIR[1], 2.0)

    def minima(f) -> int:
        values = _two_classes(circle[:-1], f, f)
        return int((values <= values.min() + 1e-12).sum())

    strict = _two_classes(torch.stack([far, near]), identity, identity)
    return [
        holds("a constant function is non-decreasing: all 360 points of a disk are minima", minima(torch.zeros_like) == 360),
        holds("a step function, ⌊x / 2⌋, is non-decreasing: many points are", minima(lambda x: (x / 2).floor()) > 1),
        holds(
            "the strictly increasing f(x) = x: one minimum, the far point", minima(identity) == 1 and bool(strict[0] < strict[1])
        ),
    ]


def prop_arguments() -> Rows:
    t = torch.linspace(0.1, 6, 60, dtype=torch.float64)
    apart = float(PAIR[1, 0])
    rows: Rows = []
    for name, f, sign in (("x²", torch.square, -1.0), ("log(1 + x)", torch.log1p, 1.0)):
        outward = _slope(lambda x, f=f: _two_classes(torch.stack([-x, torch.zeros_like(x)], 1), f, f), t).sign()
        own, other = (_slope(f, x) for x in (t, t + apart))
        rows += [
            (
                f"f(x) = {name}: the loss outward has the sign of f′(d_i) − f′(d_j)",
                float((outward - (own - other).sign()).abs().max()),
                0.0,
            ),
            holds(
                f"f(x) = {name}: it {'falls' if sign < 0 else 'rises'} everywhere, though f′ − f′ at one distance is zero",
                bool((outward == sign).all()),
            ),
        ]
    return rows


def continuity() -> Rows:
    alpha, k1, k2 = 4.0, 0.5, 2.0
    edges = torch.tensor([alpha - 1e-9, alpha], dtype=torch.float64)
    rows: Rows = []
    for m in (1.0, 1.3, 5.5):
        drop = float(-warp(edges, alpha, k1, k2, m).diff())
        rows.append(
            (
                f"m = {m:g}: the value drops at α by (m − 1)(1 − k₁) α = {(m - 1) * (1 - k1) * alpha:g}",
                abs(drop - (m - 1) * (1 - k1) * alpha),
                1e-8,
            )
        )
    return rows


def delta_field() -> Rows:
    def work(loss) -> float:
        """The work of the negative gradient field around a square of side 2 off the line, by the trapezoidal rule."""
        side = torch.linspace(-1, 1, 1001, dtype=torch.float64)
        one = torch.ones_like(side)
        sides = [(side, -one), (one, side), (-side, one), (-one, -side)]
        path = torch.cat([torch.stack(pair, 1)[:-1] + torch.tensor([0.0, 2.0]) for pair in sides])
        path = torch.cat([path, path[:1]]).requires_grad_()
        total = len(path) * loss(torch.cdist(path, PAIR), torch.zeros(len(path), dtype=torch.int64))
        force = torch.autograd.grad(total, path)[0]
        return float((0.5 * (force[1:] + force[:-1]) * path.detach().diff(dim=0)).sum())

    def with_delta(distances: Tensor, labels: Tensor) -> Tensor:
        return warped_softmax(distances, labels, 4.0, 0.5, 2.0, margin=1.0)

    def without(distances: Tensor, labels: Tensor) -> Tensor:
        return generalized_softmax(distances, labels, lambda x: warp_slope_integral(x, 4.0, 0.5, 2.0), identity)

    return [
        ("without Δ: no work around a closed path, as for any gradient", abs(work(without)), 1e-5),
        holds("with Δ: at least 0.01 nats, so the field is no gradient", abs(work(with_delta)) > 0.01),
    ]


def symbols() -> Rows:
    rng = torch.Generator().manual_seed(0)
    distances, labels = 3 * torch.rand(20, 5, generator=rng, dtype=torch.float64), torch.arange(20) % 5
    longhand = torch.stack(
        [(1 + (row[y] - torch.cat([row[:y], row[y + 1 :]])).exp().sum()).log() for row, y in zip(distances, labels, strict=True)]
    ).mean()
    flat = warped_softmax(distances, labels, 1.0, 1.0, 1.0)
    return [
        (
            "Eq. 4 as restored, log(1 + Σ exp(d_y − d_j)), is the loss of the book",
            abs(float(longhand - euclidean_softmax(distances, labels))),
            1e-12,
        ),
        ("Eq. 8 as restored, with k₁ = k₂ = 1, is Eq. 4", abs(float(flat - longhand)), 1e-12),
    ]


def table2() -> Rows:
    return [holds("no number of Table II is in our copy", bool(published(EVIDENCE, "II")["value"].isna().all()))]


def table3() -> Rows:
    three = published(EVIDENCE, "III").drop_duplicates("row")
    known = three.loc[three["note"] != "inferred", "row"].tolist()
    return [
        ("of the first two rows we know the function, that of the other ten is inferred", abs(len(three) - len(known) - 10), 0.0),
        holds("they are the pretrained network and Eq. 4", known == ["pretrained", "softmax"]),
    ]


def cars() -> Rows:
    sizes = published(UNIFORM_EVIDENCE, "IV").pivot(index="dataset", columns="metric", values="value")[
        ["train_images", "test_images"]
    ]
    return [
        ("Cars: 8,144 + 8,041 = 16,185 images (Table IV of `uniform`)", abs(sizes.loc["cars"].sum() - 16_185), 0.0),
        ("CUB: the 5,864 + 5,924 of the text are the 11,788 of that table", abs(sizes.loc["cub"].sum() - 5864 - 5924), 0.0),
    ]


def complete() -> Rows:
    worse = set()
    for table in ("VI", "VII", "VIII"):
        frame = published(EVIDENCE, table).pivot(index=["method", "metric"], columns="setting", values="value")
        worse |= {(table, method) for method, _ in frame.index[frame["complete-512"] < frame["aggregate-128"]]}
    return [
        holds(
            "below “aggregate” are Multi-Similarity on Cars and Proxy-Anchor on SOP",
            worse == {("VII", "Multi-Similarity"), ("VIII", "Proxy-Anchor")},
        ),
    ]


def vanilla() -> Rows:
    three = published(EVIDENCE, "III").pivot(index="row", columns="metric", values="value")
    shared = three.loc[["softmax", "shared-1", "shared-2", "shared-3"]]
    return [
        holds("by R@1, Eq. 4 is the best of the functions that stand on both sides", shared["R@1"].idxmax() == "softmax"),
        holds("by NMI, two others are above it", int((shared["NMI"] > shared.loc["softmax", "NMI"]).sum()) == 2),
    ]


def cub() -> Rows:
    one = published(EVIDENCE, "I").query("dataset == 'cub'").dropna(subset=["value"])
    best = {m: rows.loc[rows["value"].idxmax(), "method"] for m, rows in one.groupby("metric")}
    plain = one[one["extra_components"] != "yes"]
    alike = {m: rows.loc[rows["value"].idxmax(), "method"] for m, rows in plain.groupby("metric")}
    return [
        holds(
            "R@2, R@4 and NMI: the warp is the best of all",
            {m for m in best if best[m] == "Warped-Softmax"} == {"R@2", "R@4", "NMI"},
        ),
        holds("R@1: CCL has 73.5, the warp 72.9", best["R@1"] == "CCL"),
        holds(
            "without the methods that use extra components the warp is the best in all four",
            set(alike.values()) == {"Warped-Softmax"},
        ),
    ]


ERRATA = (
    Erratum("warped", "lemma", "Lemma III.1, Appendix C-A", "formula", lemma),
    Erratum("warped", "prop-arguments", "Prop. III.2, Sec. III-A", "copy", prop_arguments),
    Erratum("warped", "continuity", "Eq. 7", "statement", continuity),
    Erratum("warped", "delta-field", "Eq. 7", "reading", delta_field),
    Erratum("warped", "symbols", "Eqs. 1 to 9 and 10 to 16", "copy", symbols),
    Erratum("warped", "table2", "Table II", "copy", table2),
    Erratum("warped", "table3", "Table III", "copy", table3),
    Erratum("warped", "cars", "Sec. IV-A", "misprint", cars),
    Erratum("warped", "complete", "Appendix D-D, Tables VII and VIII", "statement", complete),
    Erratum("warped", "vanilla", "Sec. IV-E, Table III", "reading", vanilla),
    Erratum("warped", "cub", "Sec. IV-C, Table I", "reading", cub),
)
