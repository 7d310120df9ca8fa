"""The errata of `uniform`, each with its check; notebooks/errata/02-uniform has their text."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch

from lossbook.losses import uniform as losses
from lossbook.metrics.uniformity import uniform_accuracy
from lossbook.objectives.uniform import bce_u, uce
from lossbook.papers.erratum import Erratum, Rows, holds
from lossbook.papers.results import published
from lossbook.papers.uniform.read import EVIDENCE

FINE_GRAINED = ("V", "VI", "VII", "VIII", "IX", "S.III", "S.IV", "S.V", "S.VI", "S.VII")


def _wide(table: str, index: list[str]) -> pd.DataFrame:
    """A published table with one column per metric."""
    return published(EVIDENCE, table).pivot(index=index, columns="metric", values="value")


def s5_order() -> Rows:
    cells = pd.concat({t: _wide(t, ["dataset", "model", "loss"]) for t in FINE_GRAINED}, names=["table"])
    broken = cells[(cells["A_Uni"] > cells["A_CW"]) | (cells["A_CW"] > cells["A_SW"])]
    seven, five = (cells.loc[(t, "flowers102", "densenet161", "bce-u"), "A_SW"] for t in ("VII", "S.V"))
    return [
        holds("one cell of Tables V to IX and S.III to S.VII breaks (26)", len(broken) == 1),
        holds(
            "it is Flowers102, DenseNet161, bce-u in Table S.V", broken.index[0] == ("S.V", "flowers102", "densenet161", "bce-u")
        ),
        ("Table VII prints the same A_SW, 96.08", abs(seven - five) + abs(five - 96.08), 0.0),
    ]


def s1_column() -> Rows:
    three, one = published(EVIDENCE, "III"), published(EVIDENCE, "S.I")
    noted = one.loc[one["note"] == "printed as 114", "gamma"].unique().tolist()
    return [
        holds("without the change, the scales would not rise", sorted([112, 128, 114, 160]) != [112, 128, 114, 160]),
        holds("with 144, Tables III and S.I have the same 25 scales", set(three["gamma"]) == set(one["gamma"])),
        holds("the column that is printed as 114 stands between 128 and 160", noted == [144]),
    ]


def gamma_12() -> Rows:
    found = _wide("III", ["gamma"])["A_Uni"]
    return [
        ("Table III: A_Uni at γ = 16 is 70.64", abs(found[16] - 70.64), 0.0),
        ("Table III: A_Uni at γ = 12 is 70.21", abs(found[12] - 70.21), 0.0),
        holds("70.64 is the largest of the table", found.idxmax() == 16),
    ]


def decline_to_76_78() -> Rows:
    found = _wide("S.I", ["gamma"])["A_SW"]
    return [
        ("Table S.I ends with an A_SW of 76.78, at γ = 512", abs(found[512] - 76.78), 0.0),
        holds("no scale has 76.68", not (found == 76.68).any()),
    ]


def fig2_order() -> Rows:
    spread = published(EVIDENCE, "fig-2").pivot(index="loss", columns="metric", values="std")
    rows: Rows = []
    for loss, first, second in (("soft-u", 2.17, 4.17), ("bce-u", 1.12, 0.97)):
        rows += [
            (f"{loss}: the minimum positive metric has {first}", abs(spread.loc[loss, "min_positive"] - first), 0.0),
            (f"{loss}: the maximum negative metric has {second}", abs(spread.loc[loss, "max_negative"] - second), 0.0),
        ]
    return rows


def fig2_caption() -> Rows:
    return [holds("the figure prints numbers of four losses", published(EVIDENCE, "fig-2")["loss"].nunique() == 4)]


def bias_sign() -> Rows:
    b = published(EVIDENCE, "fig-2").query("metric == 'learned_bias'").set_index("loss")["value"]
    t = _wide("II", ["model", "phase", "loss"]).loc[("resnet50", "fine-tuning"), "threshold"]
    linear, cosine = t["bce-u"] - b["bce-u"], t["bce-nu"] + b["bce-nu"]
    objective = bce_u(in_features=2, num_classes=3)
    with torch.no_grad():
        objective.head.bias.fill_(-0.08)
    return [
        ("linear head, c + b: the best threshold without bias is −0.318", abs(linear + 0.318), 1e-9),
        ("cosine head, c − b: the best threshold without bias is 9.154", abs(cosine - 9.154), 1e-9),
        ("a learned b = −0.08 is the threshold +0.08 on the linear metric", abs(float(objective.threshold()) - 0.08), 1e-6),
        ("so the two are 0.398 apart, not 0.238", abs(abs(linear - 0.08) - 0.398), 1e-9),
    ]


def forty_and_fifty() -> Rows:
    cells = published(EVIDENCE, "II").query("loss.str.startswith('soft') and phase == 'fine-tuning'", engine="python")
    above = cells[cells["value"] > cells["metric"].map({"A_Uni": 40.0, "A_CW": 50.0})]
    return [
        holds("ResNet50: no softmax loss is above 40 % (A_Uni) or 50 % (A_CW)", "resnet50" not in set(above["model"])),
        holds("ResNet101 and DenseNet161: some are", {"resnet101", "densenet161"} <= set(above["model"])),
    ]


def uce_name() -> Rows:
    bias = published(EVIDENCE, "I").set_index("loss")["bias"]
    start = uce(in_features=4, num_classes=5).head.bias
    return [
        holds("UCE has one bias", start.numel() == 1),
        holds(
            "Table I: L_bce-nu has one bias, L_bce-nd one per class", (bias["bce-nu"], bias["bce-nd"]) == ("unified", "diverse")
        ),
    ]


def eq46() -> Rows:
    A, B = -3.0, 2.0
    b = losses.stationary_bias(2, A, B)
    middle = math.log(math.sqrt(4 * math.exp(A + B)) / 2)
    return [
        ("N = 2: the first step is an equality", abs(b - middle), 1e-12),
        holds("the second step is strict, as A < B", middle > A),
        holds("N = 3: the first step is strict", losses.stationary_bias(3, A, B) > middle),
    ]


def eq39_sum() -> Rows:
    N, metrics, t = 3, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64), (0.5, 10.0, 10.0)
    naive = losses.naive(metrics[None], torch.tensor([0]))
    left = float(N / 2 * naive + N * math.log(2))
    right = losses.softplus(t[0] - 1) + losses.softplus(-t[1]) + losses.softplus(-t[2])
    return [
        holds("one sample: its share of the left side of (39) may exceed that of the right", left > right),
        ("they are 0.58 and 0.47", max(abs(left - 0.58), abs(right - 0.47)), 0.005),
    ]


def minimum_at_1() -> Rows:
    def minimum(lower: float) -> float:
        return losses.bce_at(losses.stationary_bias(1000, lower, 1.0), 1000, lower, 1.0)

    eye = torch.eye(4, dtype=torch.float64) - 0.25
    cosines = eye @ eye.T / eye.square().sum(1)
    lowest = cosines.fill_diagonal_(-1).max()
    return [
        ("5.91 is the value where all negatives have the cosine −1", abs(minimum(-1.0) - 5.91), 0.005),
        ("N = 4: vectors with equal angles have the cosine −1/3", abs(float(lowest) - losses.etf_lower_bound(4, 1.0)), 1e-12),
        ("with the attainable cosine −1/999 the minimum is 6.908", abs(minimum(losses.etf_lower_bound(1000, 1.0)) - 6.908), 5e-4),
    ]


def change_of_bias() -> Rows:
    table = published(EVIDENCE, "XI").query("loss == 'soft-nd'").set_index("bias_mode")
    size = table["value"].abs() + table["std"]
    return [
        holds("soft-nd, modes 2 to 7: mean and deviation together are below 10 · 10⁻³", bool((size.drop(1) < 10).all())),
        holds("soft-nd, mode 1: they are above 100 · 10⁻³", size[1] > 100),
    ]


def ten_and_twenty() -> Rows:
    table = _wide("X", ["loss", "bias_mode"]).loc["bce-d"]
    points = (table.loc[0] - table.loc[[4, 5, 6, 7]])[["A_SW", "A_CW", "A_Uni"]]
    shares = points / table.loc[0, ["A_SW", "A_CW", "A_Uni"]]
    return [
        ("mode 6: A_SW falls by 9.73 points", abs(points.loc[6, "A_SW"] - 9.73), 1e-9),
        ("mode 6: A_CW falls by 18.18 points", abs(points.loc[6, "A_CW"] - 18.18), 1e-9),
        holds("in points, A_Uni does fall by over 20 in all four modes", bool((points["A_Uni"] > 20).all())),
        holds("as shares of mode 0: all A_SW fall by over 10 %", bool((shares["A_SW"] > 0.10).all())),
        holds(
            "as shares of mode 0: all A_CW and A_Uni fall by over 20 %", bool((shares[["A_CW", "A_Uni"]] > 0.20).all(axis=None))
        ),
    ]


def mode_1() -> Rows:
    table = _wide("X", ["loss", "bias_mode"])
    plain, normalised = table.loc[("bce-d", 1)], table.loc[("bce-nd", 1)]
    rest = [m for m in range(2, 8) if table.loc[("bce-nd", m), "A_SW"] < table.loc[("bce-nd", 0), "A_SW"] - 2]
    return [
        ("mode 1: both have an A_SW of 0.52", abs(plain["A_SW"] - 0.52) + abs(normalised["A_SW"] - 0.52), 0.0),
        holds("modes 2 to 7: bce-nd is within 2 points of its default", rest == []),
    ]


def further_improved() -> Rows:
    cells = _wide("II", ["model", "phase", "loss"]).xs("fine-tuning", level="phase")[["A_SW", "A_CW", "A_Uni"]]
    gains = {
        (model, bias): cells.loc[(model, f"bce-n{bias}")] - cells.loc[(model, f"bce-{bias}")]
        for model in ("resnet50", "resnet101", "densenet161")
        for bias in ("0", "d", "u")
    }
    worse = {case: set(gain.index[gain < 0]) for case, gain in gains.items() if (gain < 0).any()}
    return [
        holds("only DenseNet161 gets worse, with bce-n0 and bce-nd", set(worse) == {("densenet161", "0"), ("densenet161", "d")}),
        holds("bce-n0: in A_CW and A_Uni", worse["densenet161", "0"] == {"A_CW", "A_Uni"}),
        holds("bce-nd: in all three", worse["densenet161", "d"] == {"A_SW", "A_CW", "A_Uni"}),
    ]


def inferior_at_any_scale() -> Rows:
    softmax, bce = (_wide(table, ["gamma"])[["A_CW", "A_Uni"]] for table in ("S.I", "III"))
    ahead = (softmax > bce).all(axis=1)
    return [
        holds("both accuracies of soft-nu are above those of bce-nu exactly at γ = 1 to 5 and 208",
              ahead.index[ahead].tolist() == [1, 2, 3, 4, 5, 208]),
        ("γ = 5: A_Uni is 46.59 against 16.51", abs(softmax.loc[5, "A_Uni"] - 46.59) + abs(bce.loc[5, "A_Uni"] - 16.51), 0.0),
    ]  # fmt: skip


def mode_0() -> Rows:
    """The losses differ in the mean of the bias only, which softmax cannot move (its gradients sum to zero)."""
    classes = published(EVIDENCE, "IV").query("metric == 'classes'").set_index("dataset")["value"]
    t = pd.concat(_wide(table, ["dataset", "model", "loss"])["threshold"].unstack() for table in ("V", "VI", "VII", "VIII", "IX"))
    start = np.log(10 * t.index.get_level_values("dataset").map(classes).to_numpy(dtype=float))
    off = t["soft-n0"] - t["soft-nd"] - start
    imagenet = _wide("II", ["model", "phase", "loss"])["threshold"].xs("fine-tuning", level="phase").unstack()
    return [
        ("15 cases: t*(soft-n0) − t*(soft-nd) less log(10 N), mean", abs(off.mean()), 0.02),
        ("and in every one of them", off.abs().max(), 0.71),
        holds("a mean of zero would be 6 to 8 off", (off + start).min() > 6),
        ("ImageNet-1K: there the difference is near 0", (imagenet["soft-n0"] - imagenet["soft-nd"]).abs().max(), 0.25),
    ]


def stretched_gaps() -> Rows:
    rng = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(200, 6, generator=rng, dtype=torch.float64)
    p = z.softmax(1)
    gap, after = z[:, :, None] - z[:, None], p[:, :, None] - p[:, None]
    closed = (p[:, :, None] + p[:, None]) * (gap / 2).tanh()
    return [
        ("p_i − p_j = (p_i + p_j) tanh((x_i − x_j)/2)", float((after - closed).abs().max()), 1e-12),
        ("so no gap exceeds half of what it was", float((after.abs() - gap.abs() / 2).max()), 1e-12),
    ]


def subsets() -> Rows:
    rng = torch.Generator().manual_seed(0)
    metrics, labels = torch.randn(6, 4, generator=rng), torch.randint(4, (6,), generator=rng)
    own = metrics.gather(1, labels[:, None])[:, 0]
    others = metrics.scatter(1, labels[:, None], -torch.inf).amax(1)
    hits = {tuple(((others <= t) & (t < own)).tolist()) for t in torch.linspace(-4, 4, 10_001)}
    accuracy, _ = uniform_accuracy(metrics, labels)
    return [
        holds("6 samples, 10,001 thresholds: at most 2 · 6 + 1 different subsets", len(hits) <= 13),
        ("the best subset has the uniform accuracy", abs(max(sum(h) for h in hits) / 6 - accuracy), 1e-12),
    ]


ERRATA = (
    Erratum("uniform", "s5-order", "Tables VII and S.V", "misprint", s5_order),
    Erratum("uniform", "s1-column", "Table S.I", "misprint", s1_column),
    Erratum("uniform", "gamma-12", "Sec. V-A", "misprint", gamma_12),
    Erratum("uniform", "76-68", "Sec. V-A", "misprint", decline_to_76_78),
    Erratum("uniform", "fig2-order", "Sec. V-A, Fig. 2", "misprint", fig2_order),
    Erratum("uniform", "fig2-caption", "Caption of Fig. 2", "misprint", fig2_caption),
    Erratum("uniform", "bias-sign", "Sec. V-A, Table I", "statement", bias_sign),
    Erratum("uniform", "40-and-50", "Sec. V-A, Table II", "statement", forty_and_fifty),
    Erratum("uniform", "uce-name", "Sec. V-C", "misprint", uce_name),
    Erratum("uniform", "eq46", "Eq. 46", "formula", eq46),
    Erratum("uniform", "eq39-sum", "Eqs. 39 and 41", "reading", eq39_sum),
    Erratum("uniform", "minimum-at-1", "Sec. V-A, (42)", "statement", minimum_at_1),
    Erratum("uniform", "change-of-bias", "Sec. V-B, Table XI", "statement", change_of_bias),
    Erratum("uniform", "ten-and-twenty", "Sec. V-B, Table X", "reading", ten_and_twenty),
    Erratum("uniform", "mode-1", "Sec. V-B, Table X", "statement", mode_1),
    Erratum("uniform", "further-improved", "Sec. V-A, Table II", "statement", further_improved),
    Erratum("uniform", "inferior", "S.III, Tables III and S.I", "statement", inferior_at_any_scale),
    Erratum("uniform", "mode-0", "Sec. V-B, Tables V to X", "statement", mode_0),
    Erratum("uniform", "stretched-gaps", "S.IV", "statement", stretched_gaps),
    Erratum("uniform", "subsets", "below Eq. 14", "reading", subsets),
)
