"""The `uniform` paper: runs behind its tables at every tier, and its claims as checks.

Quick tier: 2,000 training images of MNIST at 14 x 14 pixels (or 900 of the 8 x 8 digits), 10 epochs from scratch; the
scale is 16, since N = 10 classes need a smaller one than ImageNet's 1,000.  Paper tier: as printed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lossbook.papers import frozen as _frozen
from lossbook.papers.claims import Claim, Verdict, by_seed, decide, rows_of
from lossbook.papers.paper import Evidence, Paper
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

HEADS = ("0", "d", "u", "n0", "nd", "nu")
LOSSES = tuple(f"{formula}-{head}" for formula in ("soft", "bce") for head in HEADS)
QUICK_MODELS = ("mlp", "cnn", "resnet8")
PAPER_MODELS = ("resnet50", "resnet101", "densenet161")
FINE_GRAINED = ("cub", "aircraft", "flowers102", "cars", "dogs")
QUICK_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0, 256.0, 512.0)
PAPER_SCALES = (
    *(1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 80, 96),
    *(112, 128, 144, 160, 176, 192, 208, 256, 512),
)
BIAS_MODES = range(8)
BIAS_STARTS = (-8.0, -4.0, 0.0, 4.0, 8.0)
# Five draws of six known digits; the other four are unknown.
KNOWN_CLASSES = ((0, 1, 2, 3, 4, 5), (4, 5, 6, 7, 8, 9), (0, 2, 4, 6, 8, 9), (1, 3, 5, 7, 8, 9), (0, 1, 4, 5, 7, 9))

_MNIST = RunSpec(dataset="mnist5k", model="cnn", image_size=14, epochs=10, batch_size=100, lr=0.03)
_DIGITS = _MNIST.replace(dataset="digits", image_size=0)
_CIFAR100 = RunSpec(
    dataset="cifar100", model="resnet18-cifar", augment=("shift", "flip"), epochs=60, batch_size=128, lr=0.05, warmup_epochs=3.0
)
_IMAGENET = RunSpec(dataset="imagenet1k", pretrained=True, image_size=224, epochs=30, lr=1e-4)
_FGVC = _IMAGENET.replace(epochs=100, lr=1e-3)


def _with_loss(base: RunSpec, loss: str, scale: float, **arguments: float) -> RunSpec:
    """A run with one of the twelve losses; the scale goes to the normalised ones only."""
    normalised = loss.split("-")[1].startswith("n")
    return base.replace(objective=loss, objective_args=({"scale": scale} if normalised else {}) | arguments)


def _twelve(base: RunSpec, models: tuple[str, ...], scale: float) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base.replace(model=model), loss, scale) for model in models for loss in LOSSES)


def _scales(base: RunSpec, loss: str, scales: tuple[float, ...]) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base, loss, float(scale)) for scale in scales)


def _modes(base: RunSpec, scale: float) -> tuple[RunSpec, ...]:
    losses = ("soft-d", "soft-nd", "bce-d", "bce-nd")
    return tuple(_with_loss(base, loss, scale, bias_mode=mode) for loss in losses for mode in BIAS_MODES)


def _starts(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_with_loss(base, loss, 16.0, bias_start=start) for loss in ("bce-u", "bce-nu") for start in BIAS_STARTS)


def _open_set(base: RunSpec, scale: float, draws: tuple[tuple[int, ...], ...]) -> tuple[RunSpec, ...]:
    base = base.replace(suites=("uniformity", "rejection"))
    return tuple(_with_loss(base.replace(classes=classes), loss, scale) for loss in LOSSES for classes in draws)


_MLP = _MNIST.replace(model="mlp")

TABLES = (
    Table(
        "II",
        "Twelve losses, three backbones",
        {
            "quick": _twelve(_MNIST, QUICK_MODELS, 16.0),
            "frozen": _twelve(_frozen.CIFAR100, ("identity",), 32.0),
            "standard": _twelve(_CIFAR100, ("resnet18-cifar",), 32.0),
            "paper": _twelve(_IMAGENET, PAPER_MODELS, 96.0),
        },
        small_tables=("classes", "histogram"),
    ),
    Table(
        "III",
        "bce-nu over the scale",
        {
            "quick": _scales(_MLP, "bce-nu", QUICK_SCALES),
            "paper": _scales(_IMAGENET.replace(model="resnet50"), "bce-nu", PAPER_SCALES),
        },
    ),
    Table(
        "S.I",
        "soft-nu over the scale",
        {
            "quick": _scales(_MLP, "soft-nu", QUICK_SCALES),
            "paper": _scales(_IMAGENET.replace(model="resnet50"), "soft-nu", PAPER_SCALES),
        },
    ),
    Table(
        "V-IX",
        "Twelve losses on small data sets",
        {
            "quick": _twelve(_DIGITS, QUICK_MODELS, 16.0),
            "frozen": _twelve(_frozen.FASHION, ("identity",), 16.0),
            "paper": tuple(spec for name in FINE_GRAINED for spec in _twelve(_FGVC.replace(dataset=name), PAPER_MODELS, 96.0)),
        },
    ),
    Table(
        "X",
        "Eight initialisations of the diverse bias",
        {"quick": _modes(_DIGITS, 16.0), "paper": _modes(_FGVC.replace(dataset="cub", model="resnet50"), 96.0)},
        small_tables=("classes",),
    ),
    Table("bias-start", "Five initialisations of the unified bias", {"quick": _starts(_MLP)}),
    Table(
        "more-losses",
        "bce-di and uce beside bce-nu",
        {
            "quick": (
                _MNIST.replace(objective="bce-di"),
                *(_MNIST.replace(objective="uce", objective_args={"scale": 16.0, "margin": m}) for m in (0.0, 0.1, 0.2, 0.4)),
            )
        },
    ),
    Table(
        "open-set",
        "Rejection and verification with one threshold",
        {"quick": _open_set(_MLP, 16.0, KNOWN_CLASSES), "frozen": _open_set(_frozen.FASHION, 16.0, KNOWN_CLASSES)},
        seeds={"quick": 1, "frozen": 1, "standard": 1, "paper": 1},
    ),
)


# Claims -------------------------------------------------------------------------------------------------------------
# Effects are in percentage points.  Values are first averaged within a seed (over backbones and matching losses), so
# that the interval is over independent trainings; an interval that contains the bound leaves the claim undecided.


def _loss_rows(rows: pd.DataFrame, formula: str, heads: tuple[str, ...]) -> pd.DataFrame:
    return rows[rows["objective"].isin([f"{formula}-{head}" for head in heads])]


def _bce_minus_softmax(metric: str, heads: tuple[str, ...]):
    def check(results: pd.DataFrame) -> Verdict:
        rows = rows_of(results, "II")
        bce, soft = (by_seed(_loss_rows(rows, formula, heads), metric) for formula in ("bce", "soft"))
        return decide((bce - soft).to_numpy())

    return check


def _ordering(results: pd.DataFrame) -> Verdict:
    rows = results.dropna(subset=["A_SW", "A_CW", "A_Uni"])
    slack = 100 * np.minimum(rows["A_SW"] - rows["A_CW"], rows["A_CW"] - rows["A_Uni"])
    worst = float(slack.min())
    return Verdict(worst >= 0, worst, worst, worst, len(rows), "points, smallest gap of all runs")


def _best_is_bce_nu(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "II")
    means = rows.groupby("objective")["A_Uni"].mean().drop("bce-nu")
    runner_up = means.idxmax()
    own, other = (by_seed(rows[rows["objective"] == loss], "A_Uni") for loss in ("bce-nu", runner_up))
    return decide((own - other).to_numpy(), unit=f"points, against {runner_up}")


def _learned_threshold(losses: tuple[str, ...], bound: float, above: bool):
    """Loss of A_Uni when the learned threshold is used instead of the searched one."""

    def check(results: pd.DataFrame) -> Verdict:
        rows = rows_of(results, "II")
        rows = rows[rows["objective"].isin(losses)]
        return decide((by_seed(rows, "A_Uni_free") - by_seed(rows, "A_Uni_learned")).to_numpy(), bound, above)

    return check


def _at_scales(results: pd.DataFrame, table: str, scales: tuple[float, ...], metric: str) -> pd.Series:
    rows = rows_of(results, table)
    return by_seed(rows[rows["arg_scale"].isin(scales)], metric)


def _small_scale_fails(results: pd.DataFrame) -> Verdict:
    best = _at_scales(results, "III", (16.0,), "A_SW")
    return decide((best - _at_scales(results, "III", (0.5,), "A_SW")).to_numpy(), bound=10.0)


def _wide_scale_range(results: pd.DataFrame) -> Verdict:
    """32 to 192 is a factor of 6 around the paper's 96; here 8 to 32 around 16, and on to 64."""
    wide = (8.0, 12.0, 16.0, 24.0, 32.0, 64.0)
    worst = np.minimum.reduce([_at_scales(results, "III", (scale,), "A_Uni").to_numpy() for scale in wide])
    best = np.maximum.reduce([_at_scales(results, "III", (scale,), "A_Uni").to_numpy() for scale in wide])
    return decide(best - worst, bound=3.0, above=False)


def _softmax_prefers_small_scale(results: pd.DataFrame) -> Verdict:
    small = _at_scales(results, "S.I", (4.0, 8.0), "A_Uni")
    return decide((small - _at_scales(results, "S.I", (64.0, 128.0), "A_Uni")).to_numpy())


def _mode_range(results: pd.DataFrame, loss: str) -> np.ndarray:
    """Best less worst A_SW over the eight modes, a seed."""
    rows = rows_of(results, "X")
    rows = rows[rows["objective"] == loss].assign(value=lambda r: 100 * r["A_SW"].fillna(0.0))
    spread = rows.groupby("seed")["value"].agg(lambda v: v.max() - v.min())
    return spread.to_numpy()


def _bce_more_sensitive(results: pd.DataFrame) -> Verdict:
    return decide(_mode_range(results, "bce-d") - _mode_range(results, "soft-d"))


def _normalisation_steadies(results: pd.DataFrame) -> Verdict:
    return decide(_mode_range(results, "bce-d") - _mode_range(results, "bce-nd"))


def _bias_hardly_moves(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "X")
    rows = rows[rows["objective"].isin(["soft-nd", "bce-nd"]) & (rows["arg_bias_mode"] > 0)]
    change = rows.assign(value=rows["bias_change_mean"].abs() + rows["bias_change_std"]).groupby("seed")["value"].mean()
    return decide(change.to_numpy(), bound=0.1, above=False, unit="logit units, |mean| + std of the change")


def _softmaxed_gain(metric: str):
    def check(results: pd.DataFrame) -> Verdict:
        rows = pd.concat([rows_of(results, "II"), rows_of(results, "V-IX")])
        return decide((by_seed(rows, f"{metric}_softmax") - by_seed(rows, metric)).to_numpy())

    return check


def _open_set_gain(metric: str):
    def check(results: pd.DataFrame) -> Verdict:
        rows = rows_of(results, "open-set")
        means = {formula: _loss_rows(rows, formula, HEADS).groupby("classes")[metric].mean() * 100 for formula in ("bce", "soft")}
        return decide((means["bce"] - means["soft"]).to_numpy(), unit="points, over draws of the known classes")

    return check


LINEAR, COSINE = HEADS[:3], HEADS[3:]

CLAIMS = (
    Claim("uniform-ordering", "Eq. 26", "A_Uni ≤ A_CW ≤ A_SW for every trained model.", "01-three-classifications", _ordering),
    Claim(
        "uniform-auni-linear",
        "Table II",
        "With a linear head, BCE has a higher A_Uni than softmax.",
        "05-imagenet",
        _bce_minus_softmax("A_Uni", LINEAR),
    ),
    Claim(
        "uniform-auni-cosine",
        "Table II",
        "With a normalised head, BCE has a higher A_Uni than softmax.",
        "05-imagenet",
        _bce_minus_softmax("A_Uni", COSINE),
    ),
    Claim(
        "uniform-acw-linear",
        "Table II",
        "With a linear head, BCE has a higher A_CW than softmax.",
        "05-imagenet",
        _bce_minus_softmax("A_CW", LINEAR),
    ),
    Claim(
        "uniform-acw-cosine",
        "Table II",
        "With a normalised head, BCE has a higher A_CW than softmax.",
        "05-imagenet",
        _bce_minus_softmax("A_CW", COSINE),
    ),
    Claim(
        "uniform-asw",
        "Table II",
        "BCE also has a higher A_SW than softmax (all heads).",
        "05-imagenet",
        _bce_minus_softmax("A_SW", HEADS),
    ),
    Claim("uniform-best", "Table II", "bce-nu has the highest A_Uni of the twelve losses.", "05-imagenet", _best_is_bce_nu),
    Claim(
        "uniform-learned-threshold",
        "Fig. 2, Corollary 1",
        "The bias that bce-u and bce-nu learn is close to the optimal threshold: using it loses less than 2 points of A_Uni.",
        "05-imagenet",
        _learned_threshold(("bce-u", "bce-nu"), 2.0, above=False),
    ),
    Claim(
        "uniform-softmax-bias",
        "Fig. 2, Sec. IV-D",
        "The bias of soft-u and soft-nu is no threshold: using it loses more than 10 points of A_Uni.",
        "05-imagenet",
        _learned_threshold(("soft-u", "soft-nu"), 10.0, above=True),
    ),
    Claim(
        "uniform-small-scale",
        "Table III",
        "Too small a scale makes bce-nu fail: A_SW at the smallest scale is more than 10 points below the default scale.",
        "06-scale",
        _small_scale_fails,
    ),
    Claim(
        "uniform-wide-scale",
        "Table III, Fig. 1",
        "Once large enough, the scale matters little to bce-nu: A_Uni varies by less than 3 points from scale 8 to 64.",
        "06-scale",
        _wide_scale_range,
    ),
    Claim(
        "uniform-softmax-scale",
        "Table S.I, Fig. 1",
        "soft-nu has its best A_Uni at a small scale and loses it at large ones (4-8 against 64-128).",
        "06-scale",
        _softmax_prefers_small_scale,
    ),
    Claim(
        "uniform-softmaxed",
        "Tables S.II-S.VII",
        "Applying softmax to the metrics after training raises A_Uni.",
        "07-fine-grained",
        _softmaxed_gain("A_Uni"),
    ),
    Claim(
        "uniform-bias-sensitivity",
        "Table X",
        "bce-d is more sensitive to the start of its bias than soft-d (range of A_SW over eight starts).",
        "08-bias-initialisation",
        _bce_more_sensitive,
    ),
    Claim(
        "uniform-bias-normalised",
        "Table X",
        "A normalised head makes BCE less sensitive to the start of its bias (bce-d against bce-nd).",
        "08-bias-initialisation",
        _normalisation_steadies,
    ),
    Claim(
        "uniform-bias-change",
        "Table XI",
        "The biases of soft-nd and bce-nd hardly move in training: by less than 0.1.",
        "08-bias-initialisation",
        _bias_hardly_moves,
    ),
    Claim(
        "uniform-rejection",
        "Sec. III-E",
        "With a threshold chosen on known training images, BCE separates known from unknown images better than softmax.",
        "09-open-set",
        _open_set_gain("rejection_train"),
    ),
    Claim(
        "uniform-verification",
        "Sec. V-C",
        "BCE features verify pairs of unknown classes better than softmax features, with one threshold.",
        "09-open-set",
        _open_set_gain("verification"),
    ),
)

EVIDENCE = Evidence(
    name="uniform",
    tables=TABLES,
    shares=("A_SW", "A_CW", "A_Uni", "rejection", "verification", "open_accuracy", "auroc"),
    headings={
        "arg_scale": "γ",
        "arg_bias_mode": "mode",
        "arg_bias_start": "start of b",
        "A_SW": "A<sub>SW</sub>",
        "A_CW": "A<sub>CW</sub>",
        "A_Uni": "A<sub>Uni</sub>",
        "A_Uni_free": "A<sub>Uni</sub>",
        "A_Uni_learned": "A<sub>Uni</sub> at b",
        "threshold": "t*",
        "threshold_free": "best",
        "threshold_learned": "learned",
        "overlap_positive_min_mean": "min +",
        "overlap_negative_max_mean": "max −",
        "overlap_width": "width",
        "rejection_train": "t train",
        "rejection_learned": "t learned",
        "rejection_best": "t best",
        "auroc": "AUROC",
        "open_accuracy": "open set",
        "verification": "t known",
        "verification_best": "t best",
    },
)

PAPER = Paper("BCE and a unified threshold", EVIDENCE, CLAIMS)
