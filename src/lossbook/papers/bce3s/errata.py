"""The errata of `bce3s`, each with its check; notebooks/errata/03-bce3s has their text."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from lossbook.losses import bce3s as losses
from lossbook.metrics.geometry import classifier_separability, feature_separability, separability_matrix
from lossbook.papers.bce3s.read import EVIDENCE, GROUPS, totals_by_groups
from lossbook.papers.erratum import Erratum, Rows, holds
from lossbook.papers.results import printed, published

N, B, D = 10, 30, 6
CIFAR100_SHARES = np.array([0.35, 0.35, 0.30])  # of the many, medium and few classes


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _relative(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


def _through_length(g: Tensor, unit: Tensor, length: Tensor) -> Tensor:
    """The gradient for vectors of this length, from the one for their unit vectors."""
    return (g - (g * unit).sum(1, keepdim=True) * unit) / length[:, None]


def eq8() -> Rows:
    weight, cc = (2 * _normal(0, N, D)).requires_grad_(), 1.25
    bias, x, labels = _normal(1, N), _normal(2, B, D), torch.arange(B) % N
    keep = losses.draw_negatives(labels, N, 0.4, generator=torch.Generator().manual_seed(3))
    w = normalize(weight, dim=1)
    loss = losses.joint_bce(x @ w.T + bias, labels, keep=keep) + cc * losses.uniform_bce(weight)
    exact = torch.autograd.grad(loss, weight)[0]
    w, own, length = w.detach(), one_hot(labels, N).double(), weight.detach().norm(dim=1)
    others = (torch.sigmoid(w @ w.T) * (1 - torch.eye(N))) @ w / N

    def joint(bias: Tensor | float, keep: Tensor | float) -> Tensor:
        c = x @ w.T + bias
        return -(own * torch.sigmoid(-c) - (1 - own) * keep * torch.sigmoid(c)).T @ x / B

    corrected = _through_length(joint(bias, keep) + 2 * cc * others, w, length)
    once = _through_length(joint(bias, keep) + cc * others, w, length)
    as_printed = joint(0.0, 1.0) + others
    return [
        (
            "with b, the kept negatives, λ_cc, the factor 2 and the Jacobian: the gradient by autograd",
            _relative(corrected, exact),
            1e-12,
        ),
        holds("without the factor 2 it is not", _relative(once, exact) > 1e-3),
        holds("as printed it is not", _relative(as_printed, exact) > 0.1),
    ]


def eq12() -> Rows:
    w, bias, labels = normalize(_normal(0, N, D), dim=1), _normal(1, N), torch.arange(B) % N
    x = _normal(2, B, D).requires_grad_()
    keep = losses.draw_negatives(labels, N, 0.4, generator=torch.Generator().manual_seed(3))
    own = one_hot(labels, N).double()
    exact = B * torch.autograd.grad(losses.joint_bce(x @ w.T + bias, labels, keep=keep), x)[0]
    c = (x @ w.T).detach()
    kept = torch.where(own.bool(), 1, keep)
    return [
        (
            "with b in the sigmoid and the kept negatives only: the gradient by autograd",
            _relative((torch.sigmoid(c + bias) * kept - own) @ w, exact),
            1e-12,
        ),
        holds("as printed it is not", _relative((torch.sigmoid(c) - own) @ w, exact) > 0.1),
    ]


def eq32() -> Rows:
    weight = (2 * _normal(0, N, D)).requires_grad_()
    w, length = normalize(weight, dim=1).detach(), weight.detach().norm(dim=1)
    u = w @ w.T
    rows: Rows = []
    for name, loss, printed_act, act in (
        ("BCE", losses.uniform_bce, torch.sigmoid(u), 2 * torch.sigmoid(u)),
        ("CE", losses.uniform_ce, u.softmax(1), u.softmax(1) + u.softmax(1).T),
    ):
        exact = N * torch.autograd.grad(loss(weight), weight)[0]
        by = {a: _through_length((x * (1 - torch.eye(N))) @ w, w, length) for a, x in (("printed", printed_act), ("both", act))}
        rows += [
            (f"{name}, both places of each cosine counted: the gradient by autograd", _relative(by["both"], exact), 1e-12),
            holds(f"{name}: as printed it is about half", abs(_relative(by["printed"], exact) - 0.5) < 0.05),
        ]
    return rows


def eq28() -> Rows:
    tau, labels, bank = 0.2, torch.arange(B) % N, _normal(1, N, 8)
    z = _normal(0, B, 8).requires_grad_()
    exact = B * torch.autograd.grad(losses.contrastive_bce(z, labels, bank, tau=tau), z)[0]
    unit, memory, own = normalize(z, dim=1).detach(), normalize(bank, dim=1), one_hot(labels, N).double()
    cosines = unit @ memory.T
    found = _through_length((torch.sigmoid(cosines / tau) - own) @ memory / tau, unit, z.detach().norm(dim=1))
    return [
        (
            "with 1/τ in the activation, unit memory and the Jacobian of the cosine: the gradient by autograd",
            _relative(found, exact),
            1e-12,
        ),
        holds("as printed it is not", _relative((torch.sigmoid(cosines) - own) @ bank / tau, exact) > 0.1),
    ]


def eq2() -> Rows:
    z, bank, labels = _normal(0, B, 8), _normal(1, N, 8), torch.arange(B) % N
    cosines = normalize(z, dim=1) @ normalize(bank, dim=1).T
    longhand = -(cosines.gather(1, labels[:, None])[:, 0] - cosines.exp().sum(1).log()).mean()
    return [
        holds("the memory holds one vector per class, so the sum has K terms", cosines.shape == (B, N)),
        (
            "the sum over the K classes is the loss of the book",
            abs(float(longhand - losses.contrastive_ce(z, labels, bank))),
            1e-12,
        ),
    ]


def eq23() -> Rows:
    own, others, bank = _normal(0, 1, 8).requires_grad_(), _normal(1, N - 1, 8), _normal(2, N, 8)
    all_z = torch.cat([own, others])
    as_printed = -torch.log_softmax(torch.cosine_similarity(all_z, bank[:1]), 0)[0]
    corrected = losses.contrastive_ce(own, torch.tensor([0]), bank)
    g_printed, g = (torch.autograd.grad(loss, own, retain_graph=True)[0] for loss in (as_printed, corrected))
    pull = _through_length(normalize(bank[:1], dim=1), normalize(own, dim=1).detach(), own.detach().norm(dim=1))
    along = float(torch.cosine_similarity(g_printed, -pull))
    return [
        ("as printed, the gradient only pulls towards the own memory", abs(along - 1), 1e-12),
        holds("corrected, it also repels from the other memories, as (28) says", float(torch.cosine_similarity(g, -pull)) < 0.99),
    ]


def eq24() -> Rows:
    weight = _normal(0, N, D)
    w = normalize(weight, dim=1)
    longhand = -((w * w).sum(1) - (w @ w.T).exp().sum(1).log()).mean()
    return [
        (
            "(24) is the uniform term, of class vectors alone: the one that (25) calls (cc)",
            abs(float(longhand - losses.uniform_ce(weight))),
            1e-12,
        ),
    ]


def eq15() -> Rows:
    labels = torch.arange(400) % 4
    cloud = normalize(_normal(0, 100, 8), dim=1).repeat_interleave(4, 0) * torch.tensor([1.0, -1.0]).repeat(200)[:, None]
    cloud = torch.cat([cloud[:200], -cloud[:200]])  # symmetric around the mean of each class
    means = torch.eye(4, 8, dtype=torch.float64)  # a simplex
    rows: Rows = []
    for factor in (0.0, 1.0, 100.0):
        x = cloud + factor * means[labels]
        off = (feature_separability(x, labels) - 50).abs().max()
        rows.append((f"class means {factor:g} times as far apart: (15) is 50", float(off), 1e-9))
    far = feature_separability(cloud + 100 * means[labels], labels, center="global").mean()
    return [
        *rows,
        ("around the mean of all features the last one has 66.7, as a simplex of four", abs(float(far) - 200 / 3), 0.1),
    ]


def eq13() -> Rows:
    simplex = torch.eye(100, dtype=torch.float64)
    chance = [float(classifier_separability(_normal(seed, 100, 64)).mean()) for seed in range(5)]
    return [
        ("the simplex of 100 classes has 5000/99", abs(float(classifier_separability(simplex).mean()) - 5000 / 99), 1e-9),
        ("five random classifiers are within 0.1 points of it", max(abs(c - 5000 / 99) for c in chance), 0.1),
    ]


def appendix_b() -> Rows:
    return [
        ("(1 + 1/99) / 2 · 100 = 5000/99", abs((1 + 1 / 99) / 2 * 100 - 5000 / 99), 1e-12),
        ("which is 50.505", abs(5000 / 99 - 50.505), 5e-4),
        ("500/99 is 5.051", abs(500 / 99 - 5.051), 5e-4),
    ]


def table4_few() -> Rows:
    few = printed(EVIDENCE, "4", "method")["accuracy_few"]
    better = set(few.index[few > few["BCE3S"]])
    return [
        ("BCE3S has 40.56 on Few", abs(few["BCE3S"] - 40.56), 0.0),
        holds("GCL (52.12) and GCL+H2T (52.15) have more", better == {"GCL", "GCL+H2T"}),
    ]


def group_sums() -> Rows:
    found = totals_by_groups()
    far = found[found["difference"].abs() > 0.2]
    own = found.set_index(["table", "method"]).loc[("4", "BCE3S")]
    six = printed(EVIDENCE, "6", "normalise")
    four = found[found["table"] == "4"].set_index("method")["by the groups"].nlargest(2)
    five = found[found["table"] == "5"].set_index("method")["by the groups"]
    return [
        holds("seven rows are more than 0.2 points from what their groups add up to", len(far) == 7),
        (
            "Table 6: all groups add up",
            float((six[list(GROUPS[:3])] @ CIFAR100_SHARES - six["accuracy_all"]).abs().max()),
            0.01,
        ),
        ("Table 4, BCE3S: 57.85 printed, 58.53 by its groups", abs(own["by the groups"] - 58.53), 0.005),
        holds(
            "by the groups, Table 4 is led by BCE3S, by more than half a point",
            four.index[0] == "BCE3S" and four.iloc[0] - four.iloc[1] > 0.5,
        ),
        holds("two of the rows are BCE3S", far["method"].str.startswith("BCE3S").sum() == 2),
        holds(
            "by the groups, Table 5 is led by ProCo",
            five.idxmax() == "ProCo (400 ep.)" and five.nlargest(2).index[1] == "BCE3S (400 ep.)",
        ),
    ]


def table2_row() -> Rows:
    two = published(EVIDENCE, "2").query("contrastive.isna() and uniform.isna()", engine="python")
    two = two.pivot(index="joint", columns="metric", values="value")
    five = published(EVIDENCE, "fig-5").query("parameter == 'r'").pivot(index="setting", columns="metric", values="value")
    shared = [column for column in five if column in two]
    all_kept = five.loc[1.0]
    resampled = five.loc[0.4]
    return [
        (
            "the BCE row of Table 2 is the run with r = 0.4 of Fig. 5",
            float((two.loc["bce", shared] - resampled[shared]).abs().max()),
            0.0,
        ),
        (
            "with all negatives (r = 1) BCE has 51.56, CE 51.48",
            abs(all_kept["accuracy_all"] - 51.56) + abs(two.loc["ce", "accuracy_all"] - 51.48),
            0.0,
        ),
        holds("and less on Few than CE", all_kept["accuracy_few"] < two.loc["ce", "accuracy_few"]),
    ]


def table2_marks() -> Rows:
    frame = published(EVIDENCE, "2").pivot(index=["joint", "contrastive", "uniform"], columns="metric", values="value")
    total = frame[list(GROUPS[:3])] @ CIFAR100_SHARES
    return [
        (
            "the groups of all rows add up to their totals: the numbers are intact",
            float((total - frame["accuracy_all"]).abs().max()),
            0.01,
        ),
        holds("14 rows, each with other losses", len(frame) == 14),
        holds(
            "read literally, the row with All 55.40 would be a mixture of forms that no other row has",
            ("bce", "bce", "ce") not in frame.index,
        ),
    ]


def table1() -> Rows:
    one = published(EVIDENCE, "1")
    three = published(EVIDENCE, "3").query("dataset == 'cifar100-lt' and imbalance == 100").set_index("method")["value"]
    named = one.dropna(subset=["method"])
    return [
        (
            "every number that we keep stands in Table 3 too",
            float((named["value"].to_numpy() - three[named["method"]]).abs().max()),
            0.0,
        )
    ]


def fig8_caption() -> Rows:
    pair = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.5, 0.0], [-1.0, -0.5, 0.0]])
    matrix = separability_matrix(pair)
    return [
        ("(36) of two equal vectors is 0: the most similar are dark", float(matrix[0, 1]), 1e-6),
        holds("and of opposite ones near 1", float(matrix[0, 2]) > 0.9),
    ]


def appendix_g() -> Rows:
    """On top of CE's joint term: the rows with BCE's other terms are near those with CE's, unlike those of BCE's joint term."""
    frame = published(EVIDENCE, "2").query("metric == 'accuracy_all'").astype({"contrastive": object, "uniform": object})
    frame[["contrastive", "uniform"]] = frame[["contrastive", "uniform"]].fillna("")
    values = frame.set_index(["joint", "contrastive", "uniform"])["value"]

    def family(joint: str, other: str) -> np.ndarray:
        return values.loc[[(joint, other, ""), (joint, "", other), (joint, other, other)]].to_numpy()

    pure, mixed, bce = family("ce", "ce"), family("ce", "bce"), family("bce", "bce")
    return [
        ("on CE's joint term, BCE's and CE's other terms are at most 0.56 points apart", np.abs(mixed - pure).max(), 0.565),
        holds("BCE's joint term with BCE's other terms has more than a point more", bool((bce - pure).min() > 1)),
    ]


def eq35_scale() -> Rows:
    counts = torch.tensor([int(500 * 100 ** (-k / 99)) for k in range(100)])
    printed_weights, scaled = (losses.class_balanced_weights(counts, normalise=scale).double() for scale in (False, True))
    means = [float((counts * weights).sum() / counts.sum()) for weights in (printed_weights, scaled)]
    return [
        ("CIFAR100-LT, IF 100: the printed weights have the mean 0.0093 over the samples", abs(means[0] - 0.0093), 5e-5),
        ("scaled to a sum of 100 they have the mean 0.203", abs(means[1] - 0.203), 5e-4),
        ("the ratio is 21.89", abs(means[1] / means[0] - 21.89), 5e-3),
    ]


def resnet32() -> Rows:
    simplex = torch.eye(100, dtype=torch.float64) - 0.01
    rank = int(torch.linalg.matrix_rank(simplex))
    return [
        ("a simplex of 100 vectors spans 99 dimensions", abs(rank - 99), 0.0),
        holds("it fits into 512 dimensions, and not into 64", 64 < rank <= 512),
    ]


def fig10_text() -> Rows:
    ten = published(EVIDENCE, "fig-10").query("metric == 'feature_separability_train'").set_index("method")["value"]
    return [("50.099 is the value of CE3S in the figure", abs(ten["CE3S"] - 50.099), 0.0)]


ERRATA = (
    Erratum("bce3s", "eq8", "Eq. 8", "formula", eq8),
    Erratum("bce3s", "eq12", "Eqs. 10 and 12", "formula", eq12),
    Erratum("bce3s", "eq32", "Eq. 32", "formula", eq32),
    Erratum("bce3s", "eq28", "Eqs. 28 to 30", "formula", eq28),
    Erratum("bce3s", "eq2", "Eq. 2", "misprint", eq2),
    Erratum("bce3s", "eq23", "Eq. 23", "misprint", eq23),
    Erratum("bce3s", "eq24", "Eq. 24", "misprint", eq24),
    Erratum("bce3s", "eq15", "Eqs. 15 and 19", "reading", eq15),
    Erratum("bce3s", "eq13", "Eq. 13, Sec. on separability", "reading", eq13),
    Erratum("bce3s", "500-99", "Appendix B", "misprint", appendix_b),
    Erratum("bce3s", "table4-few", "Table 4 and its text", "statement", table4_few),
    Erratum("bce3s", "group-sums", "Tables 4, 5 and 7", "statement", group_sums),
    Erratum("bce3s", "table2-row", "Table 2", "reading", table2_row),
    Erratum("bce3s", "table2-marks", "Table 2", "copy", table2_marks),
    Erratum("bce3s", "table1", "Table 1", "copy", table1),
    Erratum("bce3s", "fig8-caption", "Caption of Fig. 8", "misprint", fig8_caption),
    Erratum("bce3s", "app-g", "Appendix G", "misprint", appendix_g),
    Erratum("bce3s", "fig10-text", "Appendix I", "misprint", fig10_text),
    Erratum("bce3s", "eq35-scale", "Eqs. 26 and 35", "reading", eq35_scale),
    Erratum("bce3s", "resnet32", "Appendix E", "reading", resnet32),
)
