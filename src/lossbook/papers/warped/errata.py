"""Checks of the errata of `warped`."""

from __future__ import annotations

from functools import partial

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
from lossbook.metrics.retrieval import recall_at_k
from lossbook.papers.erratum import Erratum, Rows, holds
from lossbook.papers.results import published
from lossbook.papers.uniform.read import EVIDENCE as UNIFORM_EVIDENCE
from lossbook.papers.warped.landscapes import lowest
from lossbook.papers.warped.read import EVIDENCE

PAIR = torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.float64)


def _two_classes(points: Tensor, f1, f2) -> Tensor:
    """Eq. 6 at every point, for the first of the two classes."""
    own, other = torch.cdist(points, PAIR).T
    return torch.nn.functional.softplus(f1(own) - f2(other))


def _slope(f, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


def _flat_beyond_3(x: Tensor) -> Tensor:
    """Twice continuously differentiable and non-decreasing."""
    return (x - 3).clamp_max(0) ** 3


def lemma() -> Rows:
    angles = torch.linspace(0, 2 * torch.pi, 361, dtype=torch.float64)
    circle = 2.0 * torch.stack([angles.cos(), angles.sin()], 1)
    far, near = r_disk_ends(PAIR[0], PAIR[1], 2.0)

    def minima(f) -> int:
        values = _two_classes(circle[:-1], f, f)
        return int((values <= values.min() + 1e-12).sum())

    strict = _two_classes(torch.stack([far, near]), identity, identity)
    return [
        holds(
            "a constant function is non-decreasing and smooth: all 360 points of a disk are minima",
            minima(torch.zeros_like) == 360,
        ),
        holds("min(x − 3, 0)³ is non-decreasing and twice smooth, flat beyond 3: many points are", minima(_flat_beyond_3) > 1),
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


def smoothness() -> Rows:
    alpha, k1, k2 = 4.0, 0.5, 2.0
    sides = torch.tensor([alpha - 1e-6, alpha + 1e-6], dtype=torch.float64)
    continuous = partial(warp_slope_integral, alpha=alpha, k1=k1, k2=k2)
    best = lowest(PAIR, continuous, reach=8.0)
    return [
        *(
            (f"{name}: the slope jumps at α from k₁ to k₂", float((_slope(f, sides) - torch.tensor([k1, k2])).abs().max()), 1e-12)
            for name, f in (("Eq. 7", partial(warp, alpha=alpha, k1=k1, k2=k2)), ("its continuous form", continuous))
        ),
        ("and yet the lowest place of two classes is at α", abs(float(best[0]) + alpha) + abs(float(best[1])), 1e-2),
    ]


def converse() -> Rows:
    alpha, share = 1.0, 0.05

    def wiggle(t: Tensor) -> Tensor:
        """g: a strict minimum at 0, twice smooth, and g′ changes its sign in every neighbourhood of it."""
        x = torch.where(t == 0, 1.0, t)
        return torch.where(t == 0, 0.0, x**6 * (2 + (1 / x).sin()))

    def f1(x: Tensor) -> Tensor:
        return x + share * wiggle(x - alpha)

    k = torch.arange(3, 200, dtype=torch.float64)
    falls, rises = 1 / (2 * torch.pi * k), 1 / (torch.pi * (2 * k + 1))  # cos(1/t) is 1 there, or -1
    outward = torch.linspace(0, 6, 60_001, dtype=torch.float64)
    ray = torch.stack([-outward, torch.zeros_like(outward)], 1)
    own, other = torch.cdist(ray, PAIR).T
    lift = wiggle(outward - alpha)
    return [
        holds("f₁ and f₂(x) = x rise everywhere", bool((_slope(f1, outward) > 0).all())),
        (
            "on the ray f₁(d_i) − f₂(d_j) is g / 20 less a constant",
            float((f1(own) - other + PAIR[1, 0] - share * lift).abs().max()),
            1e-11,
        ),
        holds("and g is above 0 but at α: Eq. 6 is lowest there, and only there", outward[lift <= 0].tolist() == [alpha]),
        holds(
            "but from 0.05 down to 0.0008 on either side of α, f₁′ − f₂′ is both negative and positive: nothing is reversed",
            all(
                bool((_slope(f1, alpha + side * falls) < 1).all() and (_slope(f1, alpha + side * rises) > 1).all())
                for side in (1.0, -1.0)
            ),
        ),
    ]


def moving_proxies() -> Rows:
    alpha, k1 = 4.0, 0.93

    def distance_after(share: float) -> float:
        """From the own proxy after 300 steps of descent from 1; the proxies' rate is a share of the embedding's."""
        embedding, proxies = torch.tensor([[-1.0, 0.0]], dtype=torch.float64), PAIR.clone()
        for _ in range(300):
            embedding.requires_grad_(), proxies.requires_grad_()
            loss = warped_softmax(torch.cdist(embedding, proxies), torch.tensor([0]), alpha, k1, 1.2, temperature=0.5)
            of_embedding, of_proxies = torch.autograd.grad(loss, [embedding, proxies])
            embedding, proxies = (embedding - 0.5 * of_embedding).detach(), (proxies - 0.5 * share * of_proxies).detach()
        return float((embedding - proxies[:1]).norm())

    return [
        holds(
            "proxies that stand still, k₁ = 0.93: the embedding moves away from its proxy, towards α", distance_after(0.0) > 1.1
        ),
        holds("proxies as fast as the embedding: its proxy catches it", distance_after(1.0) < 0.1),
    ]


def many_classes() -> Rows:
    square = torch.tensor([[2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0], [2.0, -2.0]], dtype=torch.float64)
    alpha, f1 = 4.0, partial(warp_slope_integral, alpha=4.0, k1=0.93, k2=1.2)
    pairs = [(lowest(square[[0, j]], f1, reach=8.0) - square[0]).norm() for j in (1, 2, 3)]
    return [
        (
            "each of three pairs alone: the lowest place is at α from the own proxy",
            float(max(abs(p - alpha) for p in pairs)),
            1e-2,
        ),
        (
            "the four classes together, α = 4, k₁ = 0.93: it is the own proxy",
            float((lowest(square, f1) - square[0]).norm()),
            1e-9,
        ),
    ]


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


def three_metrics() -> Rows:
    features, labels = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 4
    nearest = (torch.cdist(features, features) + torch.diag(torch.full((60,), torch.inf))).argmin(1)
    precision_at_1 = float((labels[nearest] == labels).double().mean())
    return [("P@1 is the R@1 of Table I", abs(precision_at_1 - recall_at_k(features, labels, ks=(1,))[1]), 1e-7)]


def table4() -> Rows:
    clean = published(EVIDENCE, "IV").query("corruption == 'uncorrupted'").set_index("method")["value"]
    one = published(EVIDENCE, "I").query("dataset == 'cub' and metric == 'R@1' and backbone == 'R512' and large_images == 'no'")
    equal = [method for method in clean.index if (one.loc[one["method"] == method, "value"] == clean[method]).any()]
    return [holds("no clean recall of Table IV is the one that Table I has for the same method", not equal)]


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
    Erratum("warped", "converse", "Prop. III.2, Appendix C-B", "formula", converse),
    Erratum("warped", "prop-arguments", "Prop. III.2, Sec. III-A", "copy", prop_arguments),
    Erratum("warped", "continuity", "Eq. 7", "statement", continuity),
    Erratum("warped", "moving-proxies", "Sec. III-B", "statement", moving_proxies),
    Erratum("warped", "many-classes", "Secs. III-C and III-D", "statement", many_classes),
    Erratum("warped", "three-metrics", "Appendix D", "statement", three_metrics),
    Erratum("warped", "smoothness", "Sec. II-D, Appendix C, Eq. 7", "reading", smoothness),
    Erratum("warped", "table4", "Tables I and IV", "reading", table4),
    Erratum("warped", "delta-field", "Eq. 7", "reading", delta_field),
    Erratum("warped", "symbols", "Eqs. 1 to 9 and 10 to 16", "copy", symbols),
    Erratum("warped", "table2", "Table II", "copy", table2),
    Erratum("warped", "table3", "Table III", "copy", table3),
    Erratum("warped", "cars", "Sec. IV-A", "misprint", cars),
    Erratum("warped", "complete", "Appendix D-D, Tables VII and VIII", "statement", complete),
    Erratum("warped", "vanilla", "Sec. IV-E, Table III", "reading", vanilla),
    Erratum("warped", "cub", "Sec. IV-C, Table I", "reading", cub),
)
