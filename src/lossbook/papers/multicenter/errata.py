"""Checks of the errata of `multicenter`."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pandas as pd
import torch

from lossbook.heads.multicenter import sample_subcenters
from lossbook.losses.multicenter import gaussian_kl
from lossbook.papers.erratum import Erratum, Rows, holds
from lossbook.papers.multicenter.read import CONVOLUTIONAL, EVIDENCE
from lossbook.papers.results import published

# The number of features of each network.
WIDTHS = {
    "resnet50": 2048,
    "resnet101": 2048,
    "regnety-4g": 1088,
    "regnety-16g": 3024,
    "deit-s": 384,
    "deit-b": 768,
    "swin-t": 768,
    "swin-b": 1024,
}


def _table(number: str, metric: str) -> pd.DataFrame:
    """One row per network, one column per method."""
    frame = published(EVIDENCE, number)
    return frame[frame["metric"] == metric].pivot(index="model", columns="method", values="value")


def resnet_parameters(blocks: tuple[int, ...]) -> int:
    """Parameters of a ResNet of bottleneck blocks (He et al., 2016), so many per stage, without its classifier."""
    total, entering = 3 * 7 * 7 * 64 + 2 * 64, 64  # convolution, and a scale and a shift per channel
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        leaving = 4 * width
        for block in range(count):
            channels = entering if block == 0 else leaving
            total += channels * width + 9 * width * width + width * leaving + 2 * (width + width + leaving)
        total += entering * leaving + 2 * leaving  # the shortcut around the first block
        entering = leaving
    return total


def _added(number: str, metric: str) -> pd.Series:
    frame = _table(number, metric)
    return (frame["mc"] - frame["linear"]).round(2)


def eq5() -> Rows:
    log_var = torch.tensor([[0.0, -1.0, 1.0]], dtype=torch.float64)
    noise = torch.eye(3, dtype=torch.float64)[None]  # a linear map is known by its values at the unit vectors
    centers = sample_subcenters(torch.zeros(1, 3, dtype=torch.float64), log_var, noise)[0]
    # w = A ε with ε ~ N(0, I) has the covariance A Aᵀ; the rows of `centers` are the columns of A.
    covariance = centers.T @ centers
    return [("the covariance of (6) is diag(σ²)", float((covariance - log_var[0].exp().diag()).abs().max()), 1e-12)]


def label_index() -> Rows:
    C, K = 4, 2
    places = [f"w_{c}" if k == 0 else f"w_{c}^({k})" for c in range(1, C + 1) for k in range(K + 1)]  # (7), as it stands
    from_zero = [places[t * (K + 1)] == f"w_{t + 1}" for t in range(C)]
    own = [places[(t - 1) * (K + 1) + 1 - 1] == f"w_{t}" for t in range(1, C + 1)]
    return [
        holds("with classes 1 to C, C (K + 1) + K is beyond the C (K + 1) centres", len(places) < C * (K + 1) + K),
        holds("counted from zero, t (K + 1) is the class centre", all(from_zero)),
        holds("counted from one, (t − 1)(K + 1) + 1 is", all(own)),
    ]


def eq10() -> Rows:
    log_var = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    each = -0.5 * (1 + log_var - log_var.exp()).sum(1)  # (10) for every class
    return [
        ("the book takes the mean of (10) over the classes", abs(float(each.mean() - gaussian_kl(log_var))), 1e-12),
        holds("the sum is C times that: the weight of the term depends on the choice", float(each.sum() / each.mean()) > 4.9),
    ]


def mixup() -> Rows:
    # Read, not imported: timm takes seconds to load.
    package = Path(importlib.util.find_spec("timm").origin).parent
    tree = ast.parse((package / "data" / "mixup.py").read_text(encoding="utf-8"))
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    start = next(node for node in classes["Mixup"].body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    options = {argument.arg for argument in start.args.args}
    return [
        holds(
            "timm's Mixup, which Swin's recipe uses, switches between mixup and cutmix",
            {"mixup_alpha", "cutmix_alpha", "switch_prob"} <= options,
        ),
        holds("and has no cutout", not any("cutout" in option for option in options)),
    ]


def sgformer_flops() -> Rows:
    one, two, three = (_table(number, "flops").loc["sgformer-b"] for number in ("1", "2", "3"))
    return [
        holds("Table 1: fewer operations with the classifier (15.26 G) than without (15.6 G)", one["mc"] < one["linear"]),
        ("Tables 2 and 3: 15.62 G", abs(two["mc"] - 15.62) + abs(three["mc"] - 15.62), 1e-9),
    ]


def parameters() -> Rows:
    one = _added("1", "params")
    needed = pd.Series(WIDTHS) * 1000 / 1e6  # σ: one number per class and feature
    rest = [m for m in one.index if m not in CONVOLUTIONAL]
    two, three = _added("2", "params"), _added("3", "params")
    return [
        ("2 M more are printed for every convolutional network", float((one[list(CONVOLUTIONAL)] - 2.0).abs().max()), 1e-9),
        ("1.5 M more for every transformer", float((one[rest] - 1.5).abs().max()), 1e-9),
        ("1000 classes × d features: 0.77 M for Swin-T", abs(needed["swin-t"] - 0.768), 1e-9),
        holds("between 0.38 M and 3.02 M over the eight networks", (needed.min(), needed.max()) == (0.384, 3.024)),
        (
            "100 classes (Tables 2, 3): the same differences are printed",
            float(max((two - one).abs().max(), (three - one).abs().max())),
            1e-9,
        ),
        holds("100 classes: no network needs more than 0.31 M", needed.max() / 10 < 0.31),
    ]


def sizes() -> Rows:
    fifty, hundred = (resnet_parameters(blocks) / 1e6 for blocks in ((3, 4, 6, 3), (3, 4, 23, 3)))
    classifier = (2048 + 1) * 1000 / 1e6
    one = _table("1", "params")
    return [
        ("ResNet-50 without its classifier: 23.5 M (23 are printed)", abs(fifty - 23.5), 0.05),
        ("... and with it: 25.6 M", abs(fifty + classifier - 25.6), 0.05),
        ("ResNet-101 without its classifier: 42.5 M", abs(hundred - 42.5), 0.05),
        ("... and with it: 44.5 M (45 are printed)", abs(hundred + classifier - 44.5), 0.05),
        holds("ResNet-50 as printed is nearer to the first", abs(one.loc["resnet50", "linear"] - fifty) < 1),
        holds(
            "ResNet-101 as printed is nearer to the second",
            abs(one.loc["resnet101", "linear"] - hundred - classifier) < 1,
        ),
        holds(
            "25 M, printed with sub-centres, is ResNet-50 with a plain classifier, to the million below",
            int(fifty + classifier) == one.loc["resnet50", "mc"],
        ),
    ]


def dominates() -> Rows:
    def label(number: int) -> tuple[float, float]:
        """What the class centre and each sub-centre get by (8)."""
        return 0.5, (1 - 0.5) / number

    alone, others = zip(*(label(number) for number in range(1, 9)), strict=True)
    return [
        ("K = 1: the sub-centre gets as much as the class centre", abs(alone[0] - others[0]), 0.0),
        holds(
            "K ≥ 2: the class centre gets more than each sub-centre",
            all(a > b for a, b in zip(alone[1:], others[1:], strict=True)),
        ),
        (
            "for every K, all sub-centres together get as much as the class centre",
            max(abs(a - k * b) for k, (a, b) in enumerate(zip(alone, others, strict=True), 1)),
            1e-12,
        ),
    ]


def operations() -> Rows:
    added = _added("1", "flops").drop("sgformer-b")
    needed = 2 * pd.Series(WIDTHS) * 1000 / 1e9  # K = 2 more centres per class
    ratio = (added / needed).dropna()
    return [
        holds("0.02 to 0.04 G are printed", (added.min(), added.max()) == (0.02, 0.04)),
        holds("2 · 1000 · d multiplications are at most 0.0061 G", needed.max() < 0.0061),
        holds("the printed ones are at least six times as many", ratio.min() > 6),
    ]


def features() -> Rows:
    wide = {m for m, d in WIDTHS.items() if d == 2048}
    rest = {m: d for m, d in WIDTHS.items() if m not in CONVOLUTIONAL}
    gain = _table("1", "gain")["mc"]
    return [
        holds("of the four convolutional networks only the two ResNets have 2048 features", wide == {"resnet50", "resnet101"}),
        holds("of the four known transformers two have 768", sorted(rest.values()) == [384, 768, 768, 1024]),
        holds("of the RegNets, the one with fewer features gains more", gain["regnety-4g"] > gain["regnety-16g"]),
    ]


def baselines() -> Rows:
    one, four, five = (_table(number, "top1") for number in ("1", "4", "5"))
    resnet = abs(one.loc["resnet50", "linear"] - four.loc["resnet50", "ls"])
    swin = abs(one.loc["swin-t", "linear"] - five.loc["swin-t", "mixup"])
    gain = five.loc["resnet50", "mc+mixup"] - five.loc["resnet50", "mixup"]
    return [
        ("the ResNet-50 of Table 1 (76.8) is that with label smoothing in Table 4", resnet, 0.0),
        ("the Swin-T of Table 1 (81.3) is that with MixUp in Table 5", swin, 0.0),
        ("with MixUp on both sides the gain of ResNet-50 is 0.4, not 0.9", abs(gain - 0.4), 1e-9),
    ]


def further() -> Rows:
    tables = {"ls": _table("4", "top1"), "mixup": _table("5", "top1")}
    four, five = (frame.loc["resnet50"] for frame in tables.values())
    return [
        holds(
            "with the classifier every augmentation is better than alone",
            all((f[f"mc+{a}"] > f[a]).all() for a, f in tables.items()),
        ),
        ("ResNet-50 with label smoothing: 77.7, as without", abs(four["mc+ls"] - four["mc"]), 0.0),
        ("ResNet-50 with MixUp: 77.6, a tenth less than without", abs(five["mc"] - five["mc+mixup"] - 0.1), 1e-9),
    ]


def small_gain() -> Rows:
    gain = _table("2", "gain")["mc"]
    return [
        ("SGFormer-B gains 0.0 on CIFAR-100", abs(gain["sgformer-b"]), 0.0),
        holds("all others gain", bool((gain.drop("sgformer-b") > 0).all())),
    ]


def large_data() -> Rows:
    large, mini, cifar = (_table(number, "gain")["mc"] for number in ("1", "3", "2"))
    more = mini[mini > large[mini.index]]
    return [
        holds("SGFormer-S alone gains more on Mini-ImageNet than on ImageNet: 0.5", more.to_dict() == {"sgformer-s": 0.5}),
        ("... and 0.3 on ImageNet", abs(large["sgformer-s"] - 0.3), 0.0),
        holds("the seven others gain less there", bool((mini < large[mini.index]).sum() == len(mini) - 1)),
        holds("all eight gain less on CIFAR-100 than on ImageNet", bool((cifar < large[cifar.index]).all())),
    ]


ERRATA = (
    Erratum("multicenter", "eq5", "Eq. 5", "formula", eq5),
    Erratum("multicenter", "label-index", "Sec. 4.2", "misprint", label_index),
    Erratum("multicenter", "eq10", "Eqs. 10 and 11", "reading", eq10),
    Erratum("multicenter", "mixup", "Sec. 5.3", "misprint", mixup),
    Erratum("multicenter", "sgformer-flops", "Table 1", "misprint", sgformer_flops),
    Erratum("multicenter", "parameters", "Tables 1 to 3", "statement", parameters),
    Erratum("multicenter", "sizes", "Tables 1 to 7", "misprint", sizes),
    Erratum("multicenter", "dominates", "Sec. 4.2", "reading", dominates),
    Erratum("multicenter", "operations", "Table 1", "statement", operations),
    Erratum("multicenter", "features", "Sec. 5.1", "statement", features),
    Erratum("multicenter", "baselines", "Tables 1, 4 and 5", "reading", baselines),
    Erratum("multicenter", "further", "Sec. 5.3, Tables 4 and 5", "reading", further),
    Erratum("multicenter", "large-data", "Sec. 5.2, Tables 1 and 3", "reading", large_data),
    Erratum("multicenter", "small-gain", "Sec. 5.2, Table 2", "reading", small_gain),
)
