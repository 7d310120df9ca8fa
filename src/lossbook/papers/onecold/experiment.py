"""The `onecold` paper: runs behind its tables at every tier, and its claims as checks.

Quick tier: 2,000 training images of MNIST at 14 x 14 pixels (or 900 of the 8 x 8 digits), 10 epochs from scratch; for
transfer, a linear classifier on frozen ImageNet features of patches of twelve photographs.
Paper tier: as printed, with two substitutes: ``resnet18-cifar`` is ResNet-18 and not its pre-activation form, and the
random crop is a random shift.  The gammas of the paper's figures are on the axes only; text and captions name 0, 1, 10.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pandas as pd

from lossbook.papers import frozen as _frozen
from lossbook.papers.claims import Claim, Verdict, by_seed, decide, rows_of
from lossbook.papers.paper import Evidence, Paper
from lossbook.papers.statistics import mean_interval
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

GAMMAS = (0.0, 0.1, 1.0, 3.0, 10.0)
# Table 1 in its order, name as printed: without and with the one-cold term.
PAIRS = {
    "CE": ("soft-d", "ce+occe"),
    "LSCE": ("label-smoothing", "label-smoothing+occe"),
    "CE+NL": ("ce+nl", "ce+nl+occe"),
    "COT": ("cot", "cot+occe"),
    "CCE": ("cce", "cce+occe"),
    "FL": ("focal", "focal+occe"),
    "ASL": ("asymmetric", "asymmetric+occe"),
    "CFL": ("cyclical-focal", "cyclical-focal+occe"),
    "ADAFL": ("adafocal", "adafocal+occe"),
    "BCE": ("bce-d", "bce+occe"),  # ours: not a row of Table 1
}
OPEN_SET_LOSSES = ("bce-d", "soft-d", "occe", "ce+occe", "ce+occe-dual")
SOFT_TARGETS = ("soft-d", "occe", "ce+occe", "ce+occe-instance", "ce+occe-class")
OOD_METHODS = ("msp", "odin", "rmds", "energy", "vim", "knn", "dice", "she", "relation", "scale")
DRAWS = 5
_ALPHAS = {"ce+occe-instance": 0.1, "ce+occe-class": 0.5}
_PAPER_MODELS = ("resnet18-cifar", "mobilenetv2_100", "densenet121")

_MLP = RunSpec(dataset="mnist5k", model="mlp", image_size=14, epochs=10, batch_size=100, lr=0.03, suites=("collapse",))
_CNN = _MLP.replace(model="cnn")
_DIGITS = _MLP.replace(dataset="digits", image_size=0)
_CIFAR100 = RunSpec(
    dataset="cifar100",
    model="resnet18-cifar",
    augment=("shift", "flip"),
    epochs=150,
    batch_size=128,
    lr=0.1,
    lr_steps=(50, 100),
    weight_decay=1e-4,
    warmup_epochs=0.0,
    suites=("collapse",),
)
_SWIN = "swin_tiny_patch4_window7_224"
# Table 2's optimiser; 500 steps at the quick tier (ten a pass over 120 patches), 10,000 at the others.
_TUNED = RunSpec(pretrained=True, lr=0.01, weight_decay=0.0, warmup_epochs=0.0, suites=("collapse",))
_PROBE = _TUNED.replace(
    dataset="patches", model="efficientnet_lite0", frozen=True, epochs=50, batch_size=12, lr_steps=(15, 30, 45)
)
_LITE = _TUNED.replace(
    model="efficientnet_lite0",
    image_size=96,
    augment=("flip",),
    epochs=26,
    batch_size=128,
    lr_steps=(8, 16, 23),
    evaluate_every=2,
)
_TINY = _CIFAR100.replace(dataset="tinyimagenet", epochs=90, lr_steps=(30, 60, 80))
_STANDARD = _CIFAR100.replace(epochs=60, lr=0.05, lr_steps=(), weight_decay=5e-4, warmup_epochs=3.0)

_FROZEN = _frozen.CIFAR100.replace(suites=("collapse",))
_TWENTY = _FROZEN.replace(train_per_class=250)  # of twenty classes, as many images as of a hundred


def _loss(base: RunSpec, loss: str, **arguments: float) -> RunSpec:
    return base.replace(objective=loss, objective_args=arguments)


def _gammas(*bases: RunSpec, every: int = 0) -> tuple[RunSpec, ...]:
    """Over the weight of OCCE, measured every so many epochs too."""
    bases = tuple(base.replace(evaluate_every=every) for base in bases)
    return tuple(_loss(base, "ce+occe", occe_weight=gamma) for base in bases for gamma in GAMMAS)


def _baselines(base: RunSpec, names: tuple[str, ...] = tuple(PAIRS)) -> tuple[RunSpec, ...]:
    return tuple(_loss(base, loss) for loss in ("occe", *(loss for name in names for loss in PAIRS[name])))


def _step_sizes(base: RunSpec) -> tuple[RunSpec, ...]:
    """Cross entropy and reverse cross entropy with larger steps, for longer, and with three classes."""
    three = base.replace(classes=(0, 1, 2))
    variants = (*(base.replace(lr=factor * base.lr) for factor in (1, 3, 9)), base.replace(epochs=40), three)
    return (
        *(_loss(variant, loss) for variant in variants for loss in ("soft-d", "occe")),
        _loss(three.replace(lr=2 * base.lr), "occe"),
    )


def known_classes(classes: int, known: int) -> tuple[tuple[int, ...], ...]:
    """Five random draws of the known classes."""
    return tuple(tuple(sorted(random.Random(draw).sample(range(classes), known))) for draw in range(DRAWS))


def _open_set(base: RunSpec, classes: int, known: int, losses: tuple[str, ...] = OPEN_SET_LOSSES) -> tuple[RunSpec, ...]:
    base = base.replace(suites=("openset",))
    draws = known_classes(classes, known)
    return tuple(_loss(base.replace(classes=draw, seed=0), loss) for loss in losses for draw in draws)


def _ood(base: RunSpec, gammas: tuple[float, ...], suite: str = "ood") -> tuple[RunSpec, ...]:
    base = base.replace(suites=(suite,))
    return (_loss(base, "soft-d"), *(_loss(base, "ce+occe", occe_weight=gamma) for gamma in gammas))


def _soft_targets(*bases: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(
        _loss(base, loss, **({"alpha": _ALPHAS[loss]} if loss in _ALPHAS else {})) for base in bases for loss in SOFT_TARGETS
    )


def _pairs(*bases: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_loss(base, loss) for base in bases for loss in ("soft-d", "ce+occe"))


def _transfer() -> tuple[RunSpec, ...]:
    """10,000 steps of 512 images (ImageNet 20,000), the rate divided by 10 after 30, 60 and 90 % of them."""
    schedules = {
        "stl10": (1024, (307, 614, 922)),
        "cifar100": (102, (31, 61, 92)),
        "tinyimagenet": (51, (15, 31, 46)),
        "imagenet1k": (8, (2, 5, 7)),
    }
    base = _TUNED.replace(image_size=224, augment=("flip",), batch_size=512)
    return _pairs(
        *(
            base.replace(model=model, dataset=dataset, epochs=epochs, lr_steps=steps)
            for model in ("wide_resnet50_2", _SWIN)
            for dataset, (epochs, steps) in schedules.items()
        )
    )


def _entities() -> tuple[RunSpec, ...]:
    """Table 6: three epochs of AdamW, batches of 32 sentences, the best of three learning rates."""
    base = RunSpec(dataset="conll2003", pretrained=True, epochs=3, batch_size=32, optimizer="adamw", suites=())
    return _pairs(
        *(base.replace(model=model, lr=lr) for model in ("roberta", "bert", "distilbert", "gpt-2") for lr in (1e-4, 2e-4, 4e-4))
    )


_IMAGENET200 = _CIFAR100.replace(dataset="imagenet200", model="resnet18", image_size=224, epochs=90, lr_steps=(30, 60, 80))
_ONE_SEED = {"quick": 1, "frozen": 1, "standard": 1, "paper": 1}
_PRINTED = tuple(name for name in PAIRS if name != "BCE")

TABLES = (
    Table(
        "gamma",
        "Figs. 4 and 5: neural collapse, independence and generalisation over the weight of OCCE",
        {
            "quick": _gammas(_MLP, _CNN, every=1),
            "frozen": _gammas(_FROZEN, every=0),
            "standard": _gammas(_STANDARD, every=5),
            "paper": _gammas(_CIFAR100, every=5),
        },
        seeds={"quick": 3, "standard": 3, "paper": 10},
        small_tables=("independence", "curves"),
    ),
    Table(
        "swin",
        "Figs. 15 and 16: the same for Swin-T",
        # The paper prints no settings: those of Table 2.
        {
            "paper": _gammas(
                _TUNED.replace(
                    dataset="cifar100",
                    model=_SWIN,
                    image_size=224,
                    augment=("flip",),
                    batch_size=512,
                    epochs=102,
                    lr_steps=(31, 61, 92),
                ),
                every=5,
            )
        },
        small_tables=("independence", "curves"),
    ),
    Table(
        "1",
        "Nine baselines without and with OCCE",
        {
            "quick": _baselines(_MLP),
            "frozen": _baselines(_FROZEN),
            "standard": _baselines(_STANDARD),
            "paper": tuple(
                spec
                for data in (_CIFAR100, _TINY)
                for model in _PAPER_MODELS
                for spec in _baselines(data.replace(model=model), _PRINTED)
            ),
        },
        seeds={"quick": 5, "standard": 3, "paper": 3},
    ),
    Table(
        "rce",
        "Reverse cross entropy with larger steps, more epochs, fewer classes",
        {"quick": _step_sizes(_MLP)},
        small_tables=("curves",),
    ),
    Table(
        "2",
        "Transfer learning",
        {
            "quick": _pairs(_PROBE),
            "standard": _pairs(*(_LITE.replace(dataset=dataset) for dataset in ("cifar100", "cifar10"))),
            "paper": _transfer(),
        },
        seeds={"quick": 4, "standard": 3, "paper": 5},
        small_tables=("curves",),
    ),
    Table(
        "3",
        "Open-set recognition with one and two heads",
        {
            # With two known classes OCCE is the cross entropy.
            "quick": (*_open_set(_MLP, 10, 4), *_open_set(_MLP, 10, 6)),
            "frozen": (*_open_set(_frozen.FASHION, 10, 4), *_open_set(_TWENTY, 100, 20)),
            "standard": (*_open_set(_STANDARD.replace(dataset="fashion-mnist"), 10, 4), *_open_set(_STANDARD, 100, 20)),
            "paper": (
                *_open_set(_CIFAR100.replace(dataset="fashion-mnist"), 10, 4),
                *_open_set(_CIFAR100, 100, 20),
                *_open_set(_TINY, 200, 40),
            ),
        },
        seeds=_ONE_SEED,
    ),
    Table(
        "4",
        "Tables 4, 7 and 8: out-of-distribution detection by ten scores",
        {
            "quick": _ood(_CNN, (0.1, 1.0)),
            "frozen": _ood(_FROZEN, (0.1, 1.0)),
            "standard": _ood(_STANDARD, (0.1, 1.0)),
            "paper": _ood(_CIFAR100, (0.1,), "ood_printed") + _ood(_IMAGENET200, (0.1,), "ood_printed"),
        },
        seeds={"quick": 5, "standard": 3, "paper": 3},
    ),
    Table(
        "5",
        "Soft anti-class targets",
        {
            "quick": _soft_targets(_MLP, _DIGITS),
            "frozen": _soft_targets(_FROZEN),
            "standard": _soft_targets(_STANDARD),
            "paper": _soft_targets(
                _CIFAR100.replace(dataset="mnist", augment=()), _CIFAR100.replace(dataset="cifar10"), _CIFAR100, _TINY
            ),
        },
        seeds={"quick": 5, "standard": 3, "paper": 3},
    ),
    Table("6", "Named entities", {"paper": _entities()}, seeds={"quick": 1, "standard": 1, "paper": 5}),
    Table(
        "layers",
        "Figs. 11 and 13: activations and ranks of the Jacobians",
        {
            "quick": (
                *(_loss(_MLP.replace(suites=("layers",)), "ce+occe", occe_weight=g) for g in (0.0, 1.0, 10.0)),
                _loss(_MLP.replace(suites=("layers",)), "occe"),
            )
        },
        small_tables=("activations",),
    ),
)


# Claims -------------------------------------------------------------------------------------------------------------
# Errors and accuracies in percentage points; values are first averaged within a seed (over backbones, data sets or
# baselines), so that the interval is over independent trainings.


def _pick(rows: pd.DataFrame, loss: str, metric: str, unit: float = 100.0, **columns: float | str) -> pd.Series:
    """Mean of a metric a seed, of the rows of one loss."""
    for name, value in columns.items():
        rows = rows[rows[name] == value]
    return by_seed(rows[rows["objective"] == loss], metric, unit)


def _at_gamma(results: pd.DataFrame, gamma: float, metric: str, unit: float = 100.0) -> pd.Series:
    return _pick(rows_of(results, "gamma"), "ce+occe", metric, unit, arg_occe_weight=gamma)


def _gains(results: pd.DataFrame) -> pd.DataFrame:
    """How much lower the error of the paper's baselines is with OCCE: one row a seed, one column a baseline."""
    rows = rows_of(results, "1")
    return pd.DataFrame({name: _pick(rows, PAIRS[name][0], "error") - _pick(rows, PAIRS[name][1], "error") for name in _PRINTED})


def _lower_error(results: pd.DataFrame) -> Verdict:
    return decide(_gains(results).mean(axis=1).to_numpy(), unit="points of error less, mean of nine baselines")


def _almost_all(results: pd.DataFrame) -> Verdict:
    return decide((_gains(results) > 0).sum(axis=1).to_numpy(), bound=7.0, unit="baselines of nine, a seed")


def _rce_behind(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "1")
    return decide((_pick(rows, "occe", "error") - _pick(rows, "soft-d", "error")).to_numpy(), unit="points of error more than CE")


def _ten_classes(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["classes"].isna() & (rows["epochs"] == 10)]


def _rce_large_steps(results: pd.DataFrame) -> Verdict:
    """Nine times the rate of the cross entropy makes equal steps at equal logits (N - 1 = 9)."""
    rows = _ten_classes(rows_of(results, "rce"))
    lr = rows["lr"].min()
    difference = _pick(rows[np.isclose(rows["lr"], 9 * lr)], "occe", "error") - _pick(rows, "soft-d", "error", lr=lr)
    return decide(difference.to_numpy(), bound=1.0, unit="points of error more than CE")


def _rce_three_classes(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "rce")
    rows = rows[rows["classes"].notna()]
    lr = rows["lr"].min()
    difference = _pick(rows, "occe", "error", lr=lr) - _pick(rows, "soft-d", "error", lr=lr)
    return decide(difference.to_numpy(), bound=1.0, above=False, unit="points of error more than CE, three classes")


def _collapse(metric: str) -> Callable[[pd.DataFrame], Verdict]:
    """Relative fall from gamma = 0 to gamma = 10."""

    def check(results: pd.DataFrame) -> Verdict:
        without, with_ = (_at_gamma(results, gamma, metric, 1.0) for gamma in (0.0, 10.0))
        return decide((100 * (1 - with_ / without)).to_numpy(), unit="% lower than at γ = 0")

    return check


def _collapse_goes_on(results: pd.DataFrame) -> Verdict:
    falls = [1 - _at_gamma(results, 10.0, f"nc{k}", 1.0) / _at_gamma(results, 1.0, f"nc{k}", 1.0) for k in range(1, 5)]
    return decide(100 * np.minimum.reduce([fall.to_numpy() for fall in falls]), unit="% lower, the smallest of the four falls")


def _fisher(results: pd.DataFrame) -> Verdict:
    """As it must be meant: the paper prints "minimizes", and describes the opposite in its next sentence."""
    without, with_ = (_at_gamma(results, gamma, "fisher", 1.0) for gamma in (0.0, 10.0))
    return decide((100 * (with_ / without - 1)).to_numpy(), unit="% higher than at γ = 0")


def _more_dimensions(results: pd.DataFrame) -> Verdict:
    names = [f"dimensions_{percent}" for percent in (80, 90, 99)]
    differences = [_at_gamma(results, 10.0, name, 1.0) - _at_gamma(results, 0.0, name, 1.0) for name in names]
    return decide(pd.concat(differences, axis=1).mean(axis=1).to_numpy(), unit="dimensions more, mean of 80, 90 and 99 %")


def _smaller_gap(results: pd.DataFrame) -> Verdict:
    without, with_ = (_at_gamma(results, gamma, "generalisation_gap") for gamma in (0.0, 10.0))
    return decide((without - with_).to_numpy(), unit="points smaller gap at γ = 10")


def _gamma_one_is_best(results: pd.DataFrame) -> Verdict:
    errors = {gamma: _at_gamma(results, gamma, "error") for gamma in GAMMAS}
    runner_up = min((gamma for gamma in GAMMAS if gamma != 1.0), key=lambda gamma: errors[gamma].mean())
    return decide((errors[runner_up] - errors[1.0]).to_numpy(), unit=f"points of error less than at γ = {runner_up:g}")


def _transfer_gain(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "2")
    return decide((_pick(rows, "soft-d", "error") - _pick(rows, "ce+occe", "error")).to_numpy(), unit="points of error less")


def _softer_is_better(loss: str) -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        rows = rows_of(results, "5")
        return decide((_pick(rows, "ce+occe", "error") - _pick(rows, loss, "error")).to_numpy(), unit="points of error less")

    return check


def baseline_errors(results: pd.DataFrame) -> pd.DataFrame:
    """Test errors of Table 1 in per cent: one row a baseline and seed, columns ``without``, ``with``, ``difference``."""
    names = {loss: name for name, pair in PAIRS.items() for loss in pair}
    rows = rows_of(results, "1").query("objective != 'occe'")
    side = np.where(rows["objective"].isin([pair[1] for pair in PAIRS.values()]), "with", "without")
    rows = rows.assign(baseline=rows["objective"].map(names), side=side, error=100 * rows["error"])
    wide = rows.pivot(index=["baseline", "seed"], columns="side", values="error")[["without", "with"]]
    return wide.assign(difference=wide["with"] - wide["without"]).reindex(list(PAIRS), level="baseline")


def printed_errors(printed: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as printed, in the same columns: one row a baseline and case (data set and network)."""
    rows = printed[printed["baseline"] != "RCE"]
    rows = rows.assign(case=rows["dataset"] + ", " + rows["model"], side=rows["occe_weight"].map({0.0: "without", 1.0: "with"}))
    wide = rows.pivot(index=["baseline", "case"], columns="side", values="value")[["without", "with"]]
    wide = wide.assign(difference=wide["with"] - wide["without"])
    return wide.reindex(rows["case"].unique(), level="case").reindex(list(PAIRS), level="baseline")


def gain_texts(errors: pd.DataFrame) -> pd.DataFrame:
    """Means of :func:`baseline_errors` as text, the difference with its 95 % interval over the seeds."""
    by_baseline = errors.groupby("baseline", sort=False)
    texts = by_baseline[["without", "with"]].mean().map("{:.2f}".format)
    intervals = by_baseline["difference"].apply(mean_interval)
    return texts.assign(difference=[f"{i.mean:+.2f} [{i.low:+.2f}, {i.high:+.2f}]" for i in intervals])


def ood_sets(results: pd.DataFrame) -> list[str]:
    """The unknown sets that all rows were measured against."""
    names = [name for name in results.columns if name.startswith("ood_") and name.count("_") == 1]
    return [name.removeprefix("ood_") for name in names if results[name].notna().all()]


def ood_changes(results: pd.DataFrame, gamma: float) -> pd.DataFrame:
    """What OCCE adds to the AUROC of Table 4's runs, in points: index = score, columns (unknown set, seed)."""
    rows = rows_of(results, "4").fillna({"arg_occe_weight": 0.0}).set_index(["arg_occe_weight", "seed"])
    columns = {}
    for name in ood_sets(rows):
        areas = 100 * rows[[f"ood_{name}_{method}" for method in OOD_METHODS]].set_axis(list(OOD_METHODS), axis=1)
        columns[name] = (areas.loc[gamma] - areas.loc[0.0]).T
    return pd.concat(columns, axis=1)


def ood_texts(changes: pd.DataFrame) -> pd.DataFrame:
    """Mean changes as text, ± half of their 95 % interval over the seeds: index = score, one column an unknown set."""
    texts = {}
    for name in changes.columns.unique(0):
        found = [mean_interval(row) for row in changes[name].to_numpy()]
        texts[name] = [f"{i.mean:+z.1f} ± {i.high - i.mean:.1f}" for i in found]
    return pd.DataFrame(texts, index=changes.index)


def open_set_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Results of Table 3 with one row a prediction (the dual head has three), a column ``prediction`` and ``known``."""
    rows = rows.assign(known=rows["classes"].str.split().str.len())
    rows["draw"] = rows.groupby(["objective", "known"]).cumcount()
    dual = rows["objective"] == "ce+occe-dual"
    parts = [rows[~dual].assign(prediction="")]
    for head in ("ce", "occe", "combined"):
        values = {metric: rows.loc[dual, f"{metric}_{head}"] for metric in ("error", "oscr", "auroc_msp")}
        parts.append(rows[dual].assign(prediction=head, **values))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(method=found["objective"] + np.where(found["prediction"] == "", "", " (" + found["prediction"] + ")"))


def _open_set_gain(metric: str, method: str = "ce+occe") -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        rows = open_set_rows(rows_of(results, "3"))
        means = 100 * rows.groupby(["method", "draw"])[metric].mean()
        return decide((means[method] - means["soft-d"]).to_numpy(), unit="points, over draws of the known classes")

    return check


def _ood_means(results: pd.DataFrame, loss: str, **columns: float) -> pd.DataFrame:
    """Mean AUROC over the unknown sets, in per cent: one row a seed, one column a method."""
    rows = rows_of(results, "4")
    sets = ood_sets(rows)
    means = {
        method: pd.concat([_pick(rows, loss, f"ood_{name}_{method}", **columns) for name in sets], axis=1).mean(axis=1)
        for method in OOD_METHODS
    }
    return pd.DataFrame(means)


def _ood_gains(results: pd.DataFrame) -> pd.DataFrame:
    return _ood_means(results, "ce+occe", arg_occe_weight=0.1) - _ood_means(results, "soft-d")


def _ood_better(results: pd.DataFrame) -> Verdict:
    return decide(_ood_gains(results).mean(axis=1).to_numpy(), unit="points of AUROC, mean of ten scores and all unknown sets")


def _ood_most_methods(results: pd.DataFrame) -> Verdict:
    return decide((_ood_gains(results) > 0).sum(axis=1).to_numpy(), bound=5.0, unit="scores of ten that gain")


def _ood_accuracy(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "4")
    with_ = _pick(rows, "ce+occe", "error", arg_occe_weight=0.1)
    return decide((_pick(rows, "soft-d", "error") - with_).to_numpy(), unit="points of error less")


def _layer(results: pd.DataFrame, metric: str, gamma: float, unit: float = 1.0) -> pd.Series:
    return _pick(rows_of(results, "layers"), "ce+occe", metric, unit, arg_occe_weight=gamma)


def _rank_early(results: pd.DataFrame) -> Verdict:
    return decide((_layer(results, "rank_1", 10.0) - _layer(results, "rank_1", 0.0)).to_numpy(), unit="more, γ = 10 against 0")


def _rank_late(results: pd.DataFrame) -> Verdict:
    return decide((_layer(results, "rank_2", 0.0) - _layer(results, "rank_2", 10.0)).to_numpy(), unit="less, γ = 10 against 0")


def _equal_activations(results: pd.DataFrame) -> Verdict:
    without, with_ = (_layer(results, "complement_spread", gamma) for gamma in (0.0, 1.0))
    return decide((100 * (1 - with_ / without)).to_numpy(), unit="% less spread at γ = 1")


_NC = {
    "nc1": "Within-class variability NC1 is lower with γ = 10 than without OCCE.",
    "nc2": "The classifier is closer to a simplex ETF (NC2 lower) with γ = 10 than without OCCE.",
    "nc3": "Classifier and class means are closer to self-duality (NC3 lower) with γ = 10 than without OCCE.",
    "nc4": "The bias compensates the global mean better (NC4 lower) with γ = 10 than without OCCE.",
}

CLAIMS = (
    Claim(
        "onecold-rce",
        "Table 1",
        "Alone, the one-cold cross entropy (RCE) is not competitive with cross entropy.",
        "02-reverse-cross-entropy",
        _rce_behind,
    ),
    Claim(
        "onecold-rce-steps",
        "Ours (Secs. 2.3, 3.2)",
        "Not only the step size: RCE stays more than one point behind with N − 1 times the learning rate.",
        "02-reverse-cross-entropy",
        _rce_large_steps,
    ),
    Claim(
        "onecold-rce-few-classes",
        "Table 5",
        "With few classes RCE is competitive: less than one point behind with three.",
        "02-reverse-cross-entropy",
        _rce_three_classes,
    ),
    *(Claim(f"onecold-{name}", "Fig. 4", text, "03-neural-collapse", _collapse(name)) for name, text in _NC.items()),
    Claim(
        "onecold-nc-consistent",
        "Sec. 3.1",
        "Larger γ consistently collapse further: all four metrics are lower at γ = 10 than at γ = 1.",
        "03-neural-collapse",
        _collapse_goes_on,
    ),
    Claim(
        "onecold-fisher",
        "Sec. A.1.2",
        "As it must be meant: uniform OCCE raises the Fisher ratio tr(S_B)/tr(S_W) of the training features.",
        "03-neural-collapse",
        _fisher,
    ),
    Claim(
        "onecold-dimensions",
        "Fig. 5a",
        "With γ = 10 more principal directions are needed to restore 80, 90 and 99 % of the accuracy.",
        "04-independence-deficit",
        _more_dimensions,
    ),
    Claim(
        "onecold-gap",
        "Fig. 5c",
        "A large γ makes the generalisation gap smaller.",
        "04-independence-deficit",
        _smaller_gap,
    ),
    Claim(
        "onecold-best-gamma",
        "Fig. 5b",
        "γ = 1 has the lowest test error (the paper says so of ResNet-18 on CIFAR-100 only).",
        "04-independence-deficit",
        _gamma_one_is_best,
    ),
    Claim(
        "onecold-lower-error",
        "Table 1",
        "Adding OCCE with γ = 1 lowers the test error, on average over the baselines.",
        "05-baselines",
        _lower_error,
    ),
    Claim(
        "onecold-almost-all",
        "Table 1",
        "It does so for almost all of them (more than seven of nine).",
        "05-baselines",
        _almost_all,
    ),
    Claim(
        "onecold-instance",
        "Table 5",
        "Instance-based soft targets have a lower error than the uniform target.",
        "06-soft-targets",
        _softer_is_better("ce+occe-instance"),
    ),
    Claim(
        "onecold-class",
        "Table 5",
        "Class-based soft targets have a lower error than the uniform target.",
        "06-soft-targets",
        _softer_is_better("ce+occe-class"),
    ),
    Claim("onecold-oscr", "Table 3", "CE + OCCE has a higher OSCR than CE.", "07-open-set", _open_set_gain("oscr")),
    Claim("onecold-auroc", "Table 3", "CE + OCCE has a higher AUROC than CE.", "07-open-set", _open_set_gain("auroc_msp")),
    Claim(
        "onecold-dual-occe",
        "Table 3, Sec. 3.3",
        "The OCCE head of the dual architecture has a higher OSCR than CE.",
        "07-open-set",
        _open_set_gain("oscr", "ce+occe-dual (occe)"),
    ),
    Claim(
        "onecold-dual-ce",
        "Table 3, Sec. 3.3",
        "The CE head profits from its neighbour: in the dual architecture it has a higher OSCR than CE alone.",
        "07-open-set",
        _open_set_gain("oscr", "ce+occe-dual (ce)"),
    ),
    Claim(
        "onecold-ood",
        "Table 4",
        "OCCE with γ = 0.1 raises the AUROC against other data sets.",
        "08-out-of-distribution",
        _ood_better,
    ),
    Claim(
        "onecold-ood-methods",
        "Fig. 10, Tables 7, 8",
        "Most of the ten scores gain from OCCE with γ = 0.1 (more than five).",
        "08-out-of-distribution",
        _ood_most_methods,
    ),
    Claim(
        "onecold-ood-accuracy",
        "Sec. 3.4",
        "OCCE with γ = 0.1 also lowers the error on the known data set.",
        "08-out-of-distribution",
        _ood_accuracy,
    ),
    Claim(
        "onecold-transfer",
        "Table 2",
        "Transfer from a pretrained network: CE + OCCE has a lower test error than CE.",
        "09-representations",
        _transfer_gain,
    ),
    Claim(
        "onecold-activations",
        "Fig. 11",
        "OCCE makes an image's complementary activations more alike (relative to their distance from its own).",
        "09-representations",
        _equal_activations,
    ),
    Claim(
        "onecold-rank-early",
        "Fig. 13",
        "With a large γ the first layer has Jacobians of higher rank.",
        "09-representations",
        _rank_early,
    ),
    Claim(
        "onecold-rank-late",
        "Fig. 13",
        "With a large γ the last layer of the backbone has Jacobians of lower rank.",
        "09-representations",
        _rank_late,
    ),
)

EVIDENCE = Evidence(
    name="onecold",
    tables=TABLES,
    shares=("error", "generalisation_gap", "oscr", "auroc", "ood"),
    headings={
        "arg_occe_weight": "γ",
        "generalisation_gap": "gap",
        "nc1": "NC<sub>1</sub>",
        "nc2": "NC<sub>2</sub>",
        "nc3": "NC<sub>3</sub>",
        "nc4": "NC<sub>4</sub>",
        "fisher": "FDR train",
        "fisher_test": "FDR test",
        "dimensions_80": "80 %",
        "dimensions_90": "90 %",
        "dimensions_99": "99 %",
        "oscr": "OSCR",
        "auroc_msp": "AUROC",
        "ood_digits": "digits",
        "ood_faces": "faces",
        "ood_photographs": "photographs",
        "rank_1": "layer 1",
        "rank_2": "layer 2",
        "rank_logits": "logits",
        "complement_spread": "spread",
    },
)

PAPER = Paper("Anti-classes and the one-cold cross entropy", EVIDENCE, CLAIMS)
