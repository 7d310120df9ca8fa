"""The `bce3s` paper: runs behind its tables at every tier, and its claims as checks.

Quick tier: MNIST at 14 x 14 pixels with an exponential tail of 200, 119, 71, 43, 25, 15, 9, 5, 3, 2 training images, so
that the paper's own bounds (more than 100, fewer than 20) give two many, three medium and five few classes; 40 epochs
from scratch with the paper's weight decay.  Paper tier: as printed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from lossbook.papers import frozen as _frozen
from lossbook.papers.claims import Claim, Verdict, by_seed, decide, rows_of
from lossbook.papers.paper import Evidence, Paper
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

# Table 2: the forms of the joint, the contrastive and the uniform term, in the order of its rows.
ABLATION = (
    *(("ce", None, None), ("bce", None, None)),
    *(("ce", "ce", None), ("ce", "bce", None), ("bce", "ce", None), ("bce", "bce", None)),
    *(("ce", None, "ce"), ("ce", None, "bce"), ("bce", None, "ce"), ("bce", None, "bce")),
    *(("ce", "ce", "ce"), ("ce", "bce", "bce"), ("bce", "ce", "ce"), ("bce", "bce", "bce")),
)
_FROZEN_ROWS = tuple(ABLATION[k] for k in (0, 1, 5, 9, 10, 13))  # CE, BCE, BCE and one term more, CE3S, BCE3S
IMBALANCES = (100.0, 50.0, 10.0)
SHARES_KEPT = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
WEIGHTS_CC = (0.002, 0.02, 0.2, 1.0, 1.25, 5.0, 20.0)
WEIGHTS_SS = (0.1, 1.0, 10.0)
TEMPERATURES = (0.05, 0.2, 1.0)
NORMALISATIONS = ("neither", "features", "classifier", "both")
MIXED_VIEWS = (("plain",), ("plain", "mixup", "cutmix"), ("plain", "mixup|cutmix"))

_SUITES = ("longtail", "geometry")
_MNIST = RunSpec(
    dataset="mnist5k",
    model="mlp",
    image_size=14,
    imbalance=100.0,
    epochs=40,
    batch_size=50,
    lr=0.1,
    weight_decay=5e-3,
    suites=_SUITES,
)
_FROZEN = _frozen.LONG_TAIL.replace(suites=_SUITES)
_DIGITS = _MNIST.replace(dataset="digits", image_size=0, imbalance=45.0)
_CIFAR100 = RunSpec(
    dataset="cifar100",
    model="resnet34-cifar",
    augment=("shift", "flip"),
    imbalance=100.0,
    epochs=320,
    batch_size=64,
    lr=0.01,
    weight_decay=5e-3,
    warmup_epochs=0.0,
    suites=_SUITES,
)
_CIFAR10 = _CIFAR100.replace(dataset="cifar10")
_IMAGENET = _CIFAR100.replace(
    dataset="imagenet-lt", model="resnet50", image_size=224, imbalance=1.0, epochs=200, batch_size=128, lr=0.05, weight_decay=5e-4
)
_INATURALIST = _IMAGENET.replace(dataset="inaturalist2018", epochs=180, batch_size=256, lr=0.1, weight_decay=1e-4)


def _standard(base: RunSpec) -> RunSpec:
    """A third of the epochs, a smaller network."""
    return base.replace(model="resnet18-cifar", epochs=100)


def _bce3s(base: RunSpec, joint: str = "bce", contrastive: str | None = "bce", uniform: str | None = "bce", **more) -> RunSpec:
    """A combination of Table 2; its three forms always stand in the arguments."""
    forms = {"joint": joint, "contrastive": contrastive, "uniform": uniform}
    return base.replace(objective="bce3s", objective_args=forms | more)


def _second_stage(spec: RunSpec, epochs: int, lr: float, **more: float) -> RunSpec:
    """Features frozen, class-balanced fine-tuning of the classifier (Eqs. 26, 35)."""
    terms = {} if spec.objective == "weight-balancing" else {"contrastive": None, "uniform": None}
    arguments = terms | {"beta": 0.9999} | more
    return spec.replace(second_phase={"frozen": True, "augment": (), "epochs": epochs, "lr": lr, "objective_args": arguments})


# The printed rate of the second stage is 1e-4.  Its weights are near 1/n_k, 0.02 on average here, and there are 9 steps
# an epoch where CIFAR100-LT has 169.
_QUICK_STAGE = {"epochs": 10, "lr": 0.3}
_PAPER_STAGE = {"epochs": 20, "lr": 1e-4}
_MAX_NORM = 0.5


def _ablation(base: RunSpec, rows: tuple[tuple[str | None, ...], ...] = ABLATION) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base, *forms) for forms in rows)


def _benchmark(base: RunSpec, stage: dict) -> tuple[RunSpec, ...]:
    """Table 3: what of its methods runs here, at three lengths of the tail."""
    names = ("soft-d", "cb-focal", "ldam", "logit-adjustment", "balanced-softmax")
    methods = (
        *(base.replace(objective=name) for name in names),
        _second_stage(base.replace(objective="weight-balancing"), stage["epochs"], stage["lr"] / 3, max_norm=_MAX_NORM),
        _bce3s(base),
        _second_stage(_bce3s(base), **stage),
    )
    return tuple(method.replace(imbalance=imbalance) for imbalance in IMBALANCES for method in methods)


def _imagenet(base: RunSpec, stage: dict) -> tuple[RunSpec, ...]:
    """Table 4 and, by its last two, Fig. 10."""
    baselines = (base.replace(objective=name) for name in ("cb-focal", "ldam"))
    return (*baselines, _second_stage(_bce3s(base, "ce", "ce", "ce"), **stage), _second_stage(_bce3s(base), **stage))


def _normalisations(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base, "bce", None, None, r=1.0, normalise=normalise) for normalise in NORMALISATIONS)


def _resampling(base: RunSpec) -> tuple[RunSpec, ...]:
    schemes = (("sample", SHARES_KEPT), ("batch", SHARES_KEPT[1:-1]))
    return tuple(_bce3s(base, "bce", None, None, r=r, resampling=name) for name, shares in schemes for r in shares)


def _uniform_weights(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base, form, None, form, lambda_cc=weight) for form in ("bce", "ce") for weight in WEIGHTS_CC)


def _contrastive_weights(base: RunSpec) -> tuple[RunSpec, ...]:
    pairs = ((weight, tau) for weight in WEIGHTS_SS for tau in TEMPERATURES)
    return tuple(_bce3s(base, "bce", "bce", None, lambda_ss=weight, tau=tau) for weight, tau in pairs)


def _stages(base: RunSpec, stage: dict) -> tuple[RunSpec, ...]:
    first = (_bce3s(base, form, form, form) for form in ("ce", "bce"))
    return tuple(
        spec for one in first for spec in (one, _second_stage(one, **stage), _second_stage(one, **stage, max_norm=_MAX_NORM))
    )


def _views(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base.replace(views=views), form, form, form) for form in ("ce", "bce") for views in MIXED_VIEWS)


_FIVE = {"quick": 5, "standard": 3, "paper": 1}

TABLES = (
    Table(
        "2",
        "Three terms, each absent, in its CE or in its BCE form",
        {
            "quick": _ablation(_MNIST.replace(suites=(*_SUITES, "tsne"))),
            "frozen": _ablation(_FROZEN, _FROZEN_ROWS),
            "standard": _ablation(_standard(_CIFAR100)),
            "paper": (*_ablation(_CIFAR100), *_ablation(_CIFAR10.replace(suites=(*_SUITES, "tsne")))),
        },
        seeds=_FIVE,
        small_tables=("accuracies", "geometry", "separability", "tsne"),
    ),
    Table(
        "3",
        "Eight methods at three lengths of the tail",
        {
            "quick": _benchmark(_MNIST, _QUICK_STAGE),
            "frozen": _benchmark(_FROZEN, _QUICK_STAGE),
            "standard": (*_benchmark(_standard(_CIFAR10), _PAPER_STAGE), *_benchmark(_standard(_CIFAR100), _PAPER_STAGE)),
            "paper": (*_benchmark(_CIFAR10, _PAPER_STAGE), *_benchmark(_CIFAR100, _PAPER_STAGE)),
        },
        seeds=_FIVE,
    ),
    Table(
        "4",
        "Another backbone: ResNet-50 in the paper, a small convolutional network here",
        {"quick": _imagenet(_MNIST.replace(model="cnn", lr=0.03), _QUICK_STAGE), "paper": _imagenet(_IMAGENET, _PAPER_STAGE)},
        small_tables=("geometry",),
    ),
    Table(
        "5",
        "Another data set, two lengths of training: iNaturalist 2018 in the paper, the 8 x 8 digits here",
        {
            "quick": tuple(_second_stage(_bce3s(_DIGITS.replace(epochs=epochs)), **_QUICK_STAGE) for epochs in (40, 90)),
            "paper": tuple(_second_stage(_bce3s(_INATURALIST.replace(epochs=epochs)), **_PAPER_STAGE) for epochs in (180, 400)),
        },
        seeds=_FIVE,
    ),
    Table(
        "6",
        "Normalising features and classifier vectors",
        {
            "quick": _normalisations(_MNIST),
            "standard": _normalisations(_standard(_CIFAR100)),
            "paper": _normalisations(_CIFAR100),
        },
        seeds=_FIVE,
    ),
    Table(
        "7",
        "A third backbone: ResNeXt-50 in the paper, a small residual network here",
        {
            "quick": (
                _MNIST.replace(model="resnet8", lr=0.03, objective="balanced-softmax"),
                _second_stage(_bce3s(_MNIST.replace(model="resnet8", lr=0.03)), **_QUICK_STAGE),
            ),
            "paper": (
                _IMAGENET.replace(model="resnext50_32x4d", objective="balanced-softmax"),
                _second_stage(_bce3s(_IMAGENET.replace(model="resnext50_32x4d")), **_PAPER_STAGE),
            ),
        },
    ),
    Table(
        "fig-5-r",
        "Share of the negatives kept, drawn for each sample or for the batch",
        {"quick": _resampling(_MNIST), "standard": _resampling(_standard(_CIFAR100)), "paper": _resampling(_CIFAR100)},
        seeds=_FIVE,
    ),
    Table(
        "fig-5-lambda-cc",
        "Weight of the uniform term",
        {
            "quick": _uniform_weights(_MNIST),
            "standard": _uniform_weights(_standard(_CIFAR100)),
            "paper": _uniform_weights(_CIFAR100),
        },
    ),
    Table(
        "fig-5-contrastive",
        "Weight and temperature of the contrastive term",
        {
            "quick": _contrastive_weights(_MNIST),
            "standard": _contrastive_weights(_standard(_CIFAR100)),
            "paper": _contrastive_weights(_CIFAR100),
        },
    ),
    Table(
        "stage2",
        "A second stage: class-balanced classifier, with and without MaxNorm",
        {
            "quick": _stages(_MNIST, _QUICK_STAGE),
            "standard": _stages(_standard(_CIFAR100), _PAPER_STAGE),
            "paper": _stages(_CIFAR100, _PAPER_STAGE),
        },
        seeds=_FIVE,
    ),
    Table(
        "views",
        "Mixup and cutmix beside the plain images",
        {"quick": _views(_MNIST), "standard": _views(_standard(_CIFAR100)), "paper": _views(_CIFAR100)},
    ),
)


# Claims -------------------------------------------------------------------------------------------------------------
# Accuracies are shares of 1 and become percentage points here; the geometry is in per cent already.  Every effect is a
# difference of two means of one seed, so that the interval is over independent trainings.


def _rows(results: pd.DataFrame, table: str, **wanted: object) -> pd.DataFrame:
    """Rows of a table with these values in these columns; None stands for an empty cell."""
    rows = rows_of(results, table)
    for column, value in wanted.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    if rows.empty:
        raise ValueError(f"no results of table {table} with {wanted}")
    return rows


def _forms(joint: str, contrastive: str | None, uniform: str | None) -> dict[str, str | None]:
    return {"arg_joint": joint, "arg_contrastive": contrastive, "arg_uniform": uniform}


def _values(rows: pd.DataFrame, metric: str) -> pd.Series:
    return by_seed(rows, metric, factor=100.0 if metric.startswith("accuracy") else 1.0)


def _difference(
    table: str, metric: str, one: dict[str, object], other: dict[str, object], unit: str = "points", bound: float = 0.0
) -> Callable[[pd.DataFrame], Verdict]:
    """Is the metric of ``one`` above that of ``other`` (by more than ``bound``)?"""

    def check(results: pd.DataFrame) -> Verdict:
        first, second = (_values(_rows(results, table, **wanted), metric) for wanted in (one, other))
        return decide((first - second).to_numpy(), bound, unit=unit)

    return check


def _best(table: str, own: dict[str, object], keys: list[str]) -> Callable[[pd.DataFrame], Verdict]:
    """Is one row's accuracy above that of the best other row?"""

    def check(results: pd.DataFrame) -> Verdict:
        winner = _rows(results, table, **own)
        others = rows_of(results, table).drop(winner.index)
        groups = {name: rows for name, rows in others.groupby(keys, dropna=False)}
        name = max(groups, key=lambda name: groups[name]["accuracy_all"].mean())
        words = " + ".join(str(word) for word in name if word == word)
        gain = _values(winner, "accuracy_all") - _values(groups[name], "accuracy_all")
        return decide(gain.to_numpy(), unit=f"points, against {words}")

    return check


_TERMS = ["arg_joint", "arg_contrastive", "arg_uniform"]
_CE, _BCE = _forms("ce", None, None), _forms("bce", None, None)
_CE3S, _BCE3S = _forms("ce", "ce", "ce"), _forms("bce", "bce", "bce")
_SPREAD = "points of separability, standard deviation over the classes"

_PAIR_SPREAD = "points of separability, standard deviation over the pairs"


def _etf(results: pd.DataFrame) -> Verdict:
    """Eq. 20: the mean separability of the simplex is 50 K / (K - 1), 55.6 % for ten classes."""
    rows = rows_of(results, "2")
    distance = rows.assign(distance=(rows["classifier_separability"] - 500 / 9).abs()).groupby("seed")["distance"].max()
    return decide(distance.to_numpy(), bound=1.0, above=False, unit="points, largest distance of all rows")


def _benchmark_best(results: pd.DataFrame) -> Verdict:
    """Against the best other method of each tail: the smallest of the gains."""
    rows = rows_of(results, "3")
    gains = []
    for _, tail in rows.groupby(["dataset", "imbalance"]):
        own = tail[(tail["objective"] == "bce3s") & tail["second_phase_epochs"].notna()]
        others = tail[tail["objective"] != "bce3s"].groupby("objective")["accuracy_all"].mean()
        gains.append(_values(own, "accuracy_all") - _values(tail[tail["objective"] == others.idxmax()], "accuracy_all"))
    return decide(np.min(gains, axis=0), unit="points, smallest gain on the best other method of a tail")


def _benchmark_few(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "3")
    rows = rows[rows.groupby("dataset")["accuracy_few"].transform("count") > 0]  # some tails end above 20 images
    own, other = (_rows(rows, "3", objective=name, imbalance=100.0) for name in ("bce3s", "soft-d"))
    return decide((_values(own[own["second_phase_epochs"].notna()], "accuracy_few") - _values(other, "accuracy_few")).to_numpy())


def _second_stage_gain(results: pd.DataFrame) -> Verdict:
    rows = _rows(results, "stage2", **_BCE3S)
    two = rows[rows["second_phase_epochs"].notna() & rows["second_phase_arg_max_norm"].isna()]
    return decide((_values(two, "accuracy_all") - _values(rows[rows["second_phase_epochs"].isna()], "accuracy_all")).to_numpy())


def _weight_has_an_optimum(results: pd.DataFrame) -> Verdict:
    own, low, high = (
        _values(_rows(results, "fig-5-lambda-cc", arg_joint="bce", arg_lambda_cc=weight), "accuracy_all")
        for weight in (1.25, WEIGHTS_CC[0], WEIGHTS_CC[-1])
    )
    return decide((own - np.maximum(low, high)).to_numpy(), unit="points, against the better end")


def _joint_with_all_negatives(results: pd.DataFrame) -> Verdict:
    bce = _values(_rows(results, "fig-5-r", arg_r=1.0, arg_resampling="sample"), "accuracy_all")
    return decide((bce - _values(_rows(results, "2", **_CE), "accuracy_all")).to_numpy())


def _kept(r: float, scheme: str = "sample") -> dict[str, object]:
    return {"arg_r": r, "arg_resampling": scheme}


def _contrast(weight: float, tau: float) -> dict[str, object]:
    return {"arg_lambda_ss": weight, "arg_tau": tau}


CLAIMS = (
    Claim(
        "bce3s-joint-few",
        "Table 2",
        "With the joint term alone, BCE has a higher accuracy on the few classes than CE.",
        "05-ablation",
        _difference("2", "accuracy_few", _BCE, _CE),
    ),
    Claim(
        "bce3s-joint-all",
        "Table 2",
        "With the joint term alone, BCE has a higher accuracy on all classes than CE.",
        "05-ablation",
        _difference("2", "accuracy_all", _BCE, _CE),
    ),
    Claim(
        "bce3s-joint-r1-all",
        "Tables 2, 6",
        "With the joint term alone and all negatives kept (r = 1), BCE still has a higher accuracy on all classes than CE.",
        "05-ablation",
        _joint_with_all_negatives,
    ),
    Claim(
        "bce3s-joint-many",
        "Table 2",
        "What BCE's joint term gains on the tail it pays for on the many classes, where CE is more accurate.",
        "05-ablation",
        _difference("2", "accuracy_many", _CE, _BCE),
    ),
    Claim(
        "bce3s-contrastive-all",
        "Table 2",
        "The BCE contrastive term raises the accuracy of the BCE joint term on all classes.",
        "05-ablation",
        _difference("2", "accuracy_all", _forms("bce", "bce", None), _BCE),
    ),
    Claim(
        "bce3s-uniform-all",
        "Table 2",
        "The BCE uniform term raises the accuracy of the BCE joint term on all classes.",
        "05-ablation",
        _difference("2", "accuracy_all", _forms("bce", None, "bce"), _BCE),
    ),
    Claim(
        "bce3s-best",
        "Table 2",
        "The three BCE terms together have the highest accuracy of all rows.",
        "05-ablation",
        _best("2", _BCE3S, _TERMS),
    ),
    Claim(
        "bce3s-joint-compactness",
        "Fig. 2",
        "BCE's joint term makes the training features of a class more compact than CE's.",
        "05-ablation",
        _difference("2", "compactness_train", _BCE, _CE),
    ),
    Claim(
        "bce3s-contrastive-compactness",
        "Fig. 2",
        "The BCE contrastive term makes the training features more compact still.",
        "05-ablation",
        _difference("2", "compactness_train", _forms("bce", "bce", None), _BCE),
    ),
    Claim(
        "bce3s-test-compactness",
        "Fig. 7",
        "On the test images too, BCE3S has more compact features than CE3S.",
        "05-ablation",
        _difference("2", "compactness_test", _BCE3S, _CE3S),
    ),
    Claim(
        "bce3s-benchmark-best",
        "Table 3",
        "BCE3S with its second stage is more accurate than every other method, at every length of the tail.",
        "06-benchmarks",
        _benchmark_best,
    ),
    Claim(
        "bce3s-benchmark-few",
        "Tables 2, 3",
        "BCE3S with its second stage is more accurate on the few classes than plain CE.",
        "06-benchmarks",
        _benchmark_few,
    ),
    Claim(
        "bce3s-stage2",
        "App. E",
        "A second, class-balanced stage raises the accuracy of BCE3S.",
        "06-benchmarks",
        _second_stage_gain,
    ),
    Claim(
        "bce3s-longer",
        "Table 5",
        "Training BCE3S 2.2 times as long raises its accuracy.",
        "06-benchmarks",
        _difference("5", "accuracy_all", {"epochs": 90}, {"epochs": 40}),
    ),
    Claim(
        "bce3s-r-all",
        "Fig. 5",
        "Keeping 40 % of the negatives is better on all classes than keeping all of them.",
        "07-parameters",
        _difference("fig-5-r", "accuracy_all", _kept(0.4), _kept(1.0)),
    ),
    Claim(
        "bce3s-r-few",
        "Fig. 5",
        "Keeping 40 % of the negatives is better on the few classes than keeping all of them.",
        "07-parameters",
        _difference("fig-5-r", "accuracy_few", _kept(0.4), _kept(1.0)),
    ),
    Claim(
        "bce3s-r-small",
        "Fig. 5",
        "Keeping too few negatives hurts: 10 % is worse on all classes than 40 %.",
        "07-parameters",
        _difference("fig-5-r", "accuracy_all", _kept(0.4), _kept(0.1)),
    ),
    Claim(
        "bce3s-lambda-cc",
        "Fig. 5",
        "The weight of the uniform term has an optimum inside: 1.25 is better than a much smaller and a much larger one.",
        "07-parameters",
        _weight_has_an_optimum,
    ),
    Claim(
        "bce3s-lambda-cc-ce",
        "Fig. 5",
        "Joint and uniform terms (weight 1.25) are more accurate in their BCE form than in their CE form.",
        "07-parameters",
        _difference(
            "fig-5-lambda-cc",
            "accuracy_all",
            {"arg_joint": "bce", "arg_lambda_cc": 1.25},
            {"arg_joint": "ce", "arg_lambda_cc": 1.25},
        ),
    ),
    Claim(
        "bce3s-contrastive-fails",
        "Fig. 5",
        "A strong contrastive term (large weight, low temperature) loses more than 10 points of accuracy.",
        "07-parameters",
        _difference("fig-5-contrastive", "accuracy_all", _contrast(0.1, 1.0), _contrast(10.0, 0.05), bound=10.0),
    ),
    Claim(
        "bce3s-normalise-best",
        "Table 6",
        "Normalising the classifier vectors only is the best of the four normalisations.",
        "07-parameters",
        _best("6", {"arg_normalise": "classifier"}, ["arg_normalise"]),
    ),
    Claim(
        "bce3s-normalise-features",
        "Table 6",
        "Normalising the features only makes training fail: it loses more than 10 points against normalising nothing.",
        "07-parameters",
        _difference("6", "accuracy_all", {"arg_normalise": "neither"}, {"arg_normalise": "features"}, bound=10.0),
    ),
    Claim(
        "bce3s-uniform-spread",
        "Fig. 2",
        "The BCE uniform term evens out the separability of the classifier vectors: its spread over the classes falls.",
        "08-geometry",
        _difference("2", "classifier_separability_std", _BCE, _forms("bce", None, "bce"), _SPREAD),
    ),
    Claim(
        "bce3s-uniform-pairs",
        "Fig. 8",
        "The BCE uniform term evens out the separability of the pairs of classifier vectors: its spread over the pairs falls.",
        "08-geometry",
        _difference("2", "pair_separability_std", _BCE, _forms("bce", None, "bce"), _PAIR_SPREAD),
    ),
    Claim(
        "bce3s-uniform-spread-ce",
        "Fig. 2",
        "The uniform term in its BCE form leaves a smaller spread than in its CE form, each with its own joint term.",
        "08-geometry",
        _difference("2", "classifier_separability_std", _forms("ce", None, "ce"), _forms("bce", None, "bce"), _SPREAD),
    ),
    Claim(
        "bce3s-contrastive-spread",
        "Fig. 2",
        "The BCE contrastive term makes the classifier vectors less even: their spread rises.",
        "08-geometry",
        _difference("2", "classifier_separability_std", _forms("bce", "bce", None), _BCE, _SPREAD),
    ),
    Claim(
        "bce3s-ce-joint-limits",
        "Fig. 6",
        "On top of CE's joint term, the two other BCE terms do not reach the compactness of BCE3S.",
        "08-geometry",
        _difference("2", "compactness_train", _BCE3S, _forms("ce", "bce", "bce")),
    ),
    Claim(
        "bce3s-feature-separability",
        "Fig. 2",
        "BCE3S has a higher feature separability (Eq. 15, as printed) on the training images than CE3S.",
        "08-geometry",
        _difference("2", "feature_separability_train", _BCE3S, _CE3S),
    ),
    Claim(
        "bce3s-etf",
        "Fig. 2, App. B",
        "The mean separability of the classifier vectors is that of the simplex, whatever the loss: within 1 point.",
        "08-geometry",
        _etf,
    ),
)

EVIDENCE = Evidence(
    name="bce3s",
    tables=TABLES,
    shares=("accuracy",),
    headings={
        "arg_joint": "joint",
        "arg_contrastive": "contrastive",
        "arg_uniform": "uniform",
        "arg_lambda_ss": "λ<sub>ss</sub>",
        "arg_lambda_cc": "λ<sub>cc</sub>",
        "arg_tau": "τ",
        "arg_r": "r",
        "arg_resampling": "drawn for",
        "arg_normalise": "normalised",
        "imbalance": "IF",
        "accuracy_all": "All",
        "accuracy_many": "Many",
        "accuracy_medium": "Med.",
        "accuracy_few": "Few",
        "compactness_train": "compactness, train",
        "compactness_test": "compactness, test",
        "feature_separability_train": "separability, train",
        "feature_separability_test": "separability, test",
        "classifier_separability": "classifier separability",
    },
)

PAPER = Paper("Long-tailed recognition by three BCE terms", EVIDENCE, CLAIMS)
