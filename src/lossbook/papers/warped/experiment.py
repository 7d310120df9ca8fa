"""The `warped` paper: runs behind its tables and figures at every tier, and its claims as checks.

Quick tier: a small CNN with 16-dimensional embeddings on half of MNIST's digits (1,000 training images, 14 x 14 pixels);
retrieval among the test images of the other half.  The warp's numbers were chosen by training on digits 0-4 and retrieving
5-9; what the pages report is the other direction, which had been looked at, too, before the choice was final (page 4 says
how).  Paper tier: the authors' released hyper-parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lossbook.papers import frozen as _frozen
from lossbook.papers.claims import Claim, Verdict, by_seed, decide, rows_of
from lossbook.papers.paper import Evidence, Paper
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Table

BASELINES = (
    *("proxy-nca++", "proxy-anchor", "normalized-softmax", "softtriple", "arcface", "cosface"),
    *("multi-similarity", "contrastive"),
)
RETRIEVAL = ("recall@1", "recall@2", "recall@4", "recall@8", "P@1", "R-precision", "MAP@R", "NMI", "AMI")
# Trained digits of the two directions, as the column ``classes`` of the results spells them.
REPORTED, TUNED = "5 6 7 8 9", "0 1 2 3 4"
FROZEN = ("0..49", "0..199")  # of the frozen tier: CIFAR-100's first half, some characters of Omniglot
ALPHAS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
K1, K2 = (0.5, 0.8, 1.0), (1.0, 1.3, 2.0)
MARGINS = (1.0, 1.3, 2.0, 4.0)
TEMPERATURES = (0.5, 1.0, 2.0, 4.0)
EVERYWHERE = 1e6  # an alpha that no distance reaches

_RETRIEVAL = ("retrieval",)
_PAIRS = ("retrieval", "verification")
_ROBUST = (*_PAIRS, "corruption")
_WARP = {"alpha": 8.0, "k1": 0.8, "k2": 1.3, "temperature": 1.0, "margin": 1.0}
_BASE = RunSpec(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    dataset="mnist5k",
    classes=(5, 6, 7, 8, 9),
    model="cnn",
    image_size=14,
    embedding_size=16,
    batch_size=100,
    batch_classes=5,
    lr=0.03,
    suites=_RETRIEVAL,
)
_TWO = {"epochs": 3, "lr": 0.003}


def _warped(base: RunSpec, **changes: float) -> RunSpec:
    return base.replace(objective="warped-softmax", objective_args=_WARP | changes)


def _two_phases(base: RunSpec) -> tuple[RunSpec, RunSpec]:
    """Eq. 4 and the warp with the same epochs, rates and temperatures: the control, and the method."""
    base = base.replace(epochs=7)
    control = base.replace(objective_args={"temperature": 2.0}, second_phase=_TWO | {"objective_args": {"temperature": 1.0}})
    second = {"alpha": 4.0, "k2": 1.5, "temperature": 1.0}
    return control, _warped(base, temperature=2.0).replace(second_phase=_TWO | {"objective_args": second})


def _four(base: RunSpec) -> tuple[RunSpec, ...]:
    """The losses of Table IV that are here, the Euclidean ones also in two phases."""
    control, two = _two_phases(base)
    nca = base.replace(objective="proxy-nca++", objective_args={})
    return base, _warped(base), control, two, nca


def _generalized(base: RunSpec, name: str) -> RunSpec:
    return base.replace(objective="generalized-softmax", objective_args={"f1": name, "f2": name})


_REPORTED = _BASE.replace(suites=_ROBUST)


def _three(base: RunSpec) -> tuple[RunSpec, RunSpec, RunSpec]:
    """Eq. 4, the warp and the paper's baseline."""
    return base, _warped(base), base.replace(objective="proxy-nca++", objective_args={})


def _sweep(*settings: dict[str, float]) -> tuple[RunSpec, ...]:
    """The warp with some arguments changed; the unchanged one is the run of Table I."""
    specs = (_warped(_BASE, **changes) for changes in settings)
    return tuple(_warped(_REPORTED) if spec == _warped(_BASE) else spec for spec in specs)


_COMPARED = (
    *_four(_REPORTED),
    *(_BASE.replace(objective=name, objective_args={}, suites=_PAIRS) for name in BASELINES[1:]),
    *_four(_BASE.replace(classes=(0, 1, 2, 3, 4))),
)
# Ten digits make five pairs: eight digits train, in four folds of two, and two are unknown.
_FOLDED = tuple(
    _BASE.replace(
        classes=tuple(digit for digit in range(10) if digit // 2 != pair),
        train_per_class=100,
        embedding_size=64,
        suites=("reality_check",),
    )
    for pair in range(5)
)
# Fig. 10: all digits, few images, many epochs, embeddings in the plane.
_PLANE = _BASE.replace(classes=(), train_per_class=30, embedding_size=2, batch_classes=0, epochs=100, suites=("plane",))
_FUNCTIONS = (
    _REPORTED,
    *(_generalized(_BASE, name) for name in ("log1p", "power-1.5", "square")),
    *(_warped(_BASE, alpha=EVERYWHERE, k1=k1) for k1 in (0.9, 0.5)),
    *(_warped(_BASE, alpha=0.0, k2=k2) for k2 in (1.3, 3.0)),
    *_sweep(*({"alpha": alpha} for alpha in (4.0, 8.0, 16.0, 32.0))),
)


# Standard tier: half of CIFAR-100's classes, and Omniglot's 964 background characters; the quick tier's warp, not tuned.
_CIFAR = RunSpec(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    dataset="cifar100",
    classes=tuple(range(50)),
    model="resnet18-cifar",
    embedding_size=128,
    augment=("shift", "flip"),
    epochs=60,
    batch_size=128,
    batch_classes=16,
    lr=0.05,
    warmup_epochs=3.0,
    suites=_ROBUST,
)
_OMNIGLOT = _CIFAR.replace(dataset="omniglot", classes=tuple(range(964)), batch_classes=32, augment=("shift",))
_STANDARD = tuple(
    spec
    for base in (_CIFAR, _OMNIGLOT)
    for spec in (base, _warped(base), *(base.replace(objective=name, objective_args={}) for name in BASELINES))
)
_FASHION = _PLANE.replace(dataset="fashion-mnist", train_per_class=100, image_size=0, epochs=200)

_HALF = _frozen.CIFAR100.replace(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    classes=_frozen.HALF,
    batch_classes=25,
    suites=("neighbours",),
)
_CHARACTERS = _HALF.replace(dataset="omniglot-efficientnet_lite0", classes=tuple(range(200)), train_per_class=0)
# Paper tier: the authors' released values, first phase -> second phase.
_RESNET = RunSpec(
    objective="euclidean-softmax",
    dataset="cub-retrieval",
    classes=tuple(range(100)),
    model="resnet50",
    pretrained=True,
    embedding_size=512,
    image_size=224,
    augment=("flip",),
    optimizer="adam",
    optimizer_args={"eps": 1.0},
    weight_decay=1e-7,
    gradient_clip=10.0,
    suites=_ROBUST,
)


def _released(
    dataset: str,
    classes: int,
    batch: tuple[int, int],
    epochs: tuple[int, int],
    lr: tuple[float, float],
    proxy_lr: tuple[float, float],
    temperature: float,
    margin: float,
    **warps: tuple[float, float],
) -> tuple[RunSpec, RunSpec, RunSpec]:
    """Eq. 4, the warp and ProxyNCA++ on one data set; the temperature ends at 1."""
    first, second = ({name: values[phase] for name, values in warps.items()} for phase in (0, 1))
    then: dict[str, Any] = {"epochs": epochs[1], "lr": lr[1], "head_lr": proxy_lr[1]}
    base = _RESNET.replace(
        dataset=dataset,
        classes=tuple(range(classes)),
        batch_size=batch[0],
        batch_classes=batch[1],
        epochs=epochs[0],
        lr=lr[0],
        head_lr=proxy_lr[0],
    )
    cooled = {"temperature": 1.0}
    return (
        base.replace(objective_args={"temperature": temperature}, second_phase=then | {"objective_args": cooled}),
        base.replace(
            objective="warped-softmax",
            objective_args=first | {"temperature": temperature, "margin": margin},
            second_phase=then | {"objective_args": second | cooled},
        ),
        base.replace(objective="proxy-nca++", second_phase=then),
    )


_CUB = _released(
    "cub-retrieval",
    classes=100,
    batch=(64, 8),
    epochs=(20, 30),
    lr=(0.01, 0.001),
    proxy_lr=(1.0, 5e-4),
    temperature=4.525,
    margin=1.30,
    alpha=(28.40, 24.68),
    k1=(0.93, 0.95),
    k2=(1.15, 1.20),
)
_CARS = _released(
    "cars-retrieval",
    classes=98,
    batch=(64, 4),
    epochs=(50, 50),
    lr=(0.01, 0.001),
    proxy_lr=(1.0, 5e-4),
    temperature=5.0,
    margin=1.50,
    alpha=(30.15, 23.25),
    k1=(0.80, 0.50),
    k2=(1.15, 1.55),
)
_SOP = _released(
    "sop",
    classes=11318,
    batch=(192, 64),
    epochs=(60, 20),
    lr=(0.024, 0.0075),
    proxy_lr=(225.0, 0.001),
    temperature=3.7442,
    margin=1.348,
    alpha=(13.025, 5.842),
    k1=(0.8563, 0.8024),
    k2=(1.1181, 1.6175),
)
_CUB_ONE = _CUB[0].replace(objective_args={"temperature": 1.0}, epochs=50, second_phase={}, augment=())


def _cub(**changes: float) -> RunSpec:
    """The first phase's warp on CUB, all epochs in one phase."""
    return _CUB[1].replace(objective_args=_CUB[1].objective_args | changes, epochs=50, second_phase={})


# The paper averages five trainings in Table I; of the other tables it does not say.
_FIVE, _ONE = {"quick": 5, "standard": 3, "paper": 5}, {"quick": 5, "standard": 3, "paper": 1}

TABLES = (
    Table(
        "I",
        "Retrieval of unknown classes, losses compared",
        {
            "quick": _COMPARED,
            "frozen": (*_four(_HALF), *_four(_CHARACTERS)),
            "standard": _STANDARD,
            "paper": (*_CUB, *_CARS, *_SOP),
        },
        seeds=_FIVE,
    ),
    Table(
        "III",
        "Functions in place of f1 and f2",
        {
            "quick": _FUNCTIONS,
            "paper": (
                _CUB_ONE,
                *(_generalized(_CUB_ONE, name) for name in ("log1p", "power-1.5", "square")),
                *(_cub(alpha=EVERYWHERE, k1=k1).replace(augment=()) for k1 in (0.9, 0.5)),
                *(_cub(alpha=0.0, k2=k2).replace(augment=()) for k2 in (1.15, 3.0)),
                *(_cub(alpha=alpha).replace(augment=()) for alpha in (50.0, 25.0, 8.0)),
            ),
        },
        seeds=_ONE,
        small_tables=("curves",),
    ),
    Table(
        "fig-6",
        "alpha",
        {"quick": _sweep(*({"alpha": a} for a in ALPHAS)), "paper": tuple(_cub(alpha=5.0 * i) for i in range(20))},
        seeds=_ONE,
    ),
    Table(
        "fig-7",
        "k1 and k2",
        {
            "quick": _sweep(*({"k1": k1, "k2": k2} for k1 in K1 for k2 in K2)),
            "paper": tuple(_cub(k1=k1, k2=k2) for k1 in (0.5, 0.7, 0.93, 1.0) for k2 in (1.0, 1.15, 1.5, 2.0)),
        },
        seeds=_ONE,
    ),
    Table(
        "fig-8",
        "The factor of Delta",
        {"quick": _sweep(*({"margin": m} for m in MARGINS)), "paper": tuple(_cub(margin=1 + 0.5 * i) for i in range(10))},
        seeds=_ONE,
    ),
    Table(
        "temperature",
        "Eq. 4 at four temperatures",
        {"quick": tuple(_REPORTED if t == 1 else _BASE.replace(objective_args={"temperature": t}) for t in TEMPERATURES)},
        seeds=_FIVE,
    ),
    Table(
        "VI",
        "The reality check: four folds, three ways to evaluate",
        {
            "quick": tuple(spec for base in _FOLDED for spec in _three(base)),
            "frozen": _three(_HALF.replace(embedding_size=512, suites=("reality_check",))),
            "standard": tuple(
                spec
                for base in (_CIFAR, _OMNIGLOT)
                for spec in _three(base.replace(embedding_size=512, suites=("reality_check",)))
            ),
            "paper": tuple(spec.replace(suites=("reality_check",)) for spec in (*_CUB, *_CARS, *_SOP)),
        },
        seeds={"quick": 1, "standard": 3, "paper": 10},
    ),
    Table(
        "fig-10",
        "Overfitted embeddings in the plane",
        {tier: (base, _warped(base, alpha=4.0)) for tier, base in (("quick", _PLANE), ("standard", _FASHION))},
        seeds={"quick": 3, "standard": 1},
        small_tables=("plane",),
    ),
    Table(
        "mlp",
        "The warp on another backbone",
        {"quick": tuple(s.replace(model="mlp") for s in (_BASE, _warped(_BASE, alpha=4.0), _warped(_BASE)))},
        seeds=_FIVE,
    ),
)


# Reading the results ------------------------------------------------------------------------------------------------


def with_methods(results: pd.DataFrame) -> pd.DataFrame:
    """Results with a column ``method`` and, for every retrieval metric, a column without a prefix: that of the unknown
    classes by the distance that the loss works with, Euclidean for distances to proxies, cosine for all others."""
    euclidean = results["objective"].isin(["euclidean-softmax", "warped-softmax", "generalized-softmax"])
    second = results["second_phase_epochs"].notna().map({True: ", two phases", False: ""})
    measured = [m for m in RETRIEVAL if f"unknown_{m}" in results]
    own = {m: results[f"unknown_{m}"].where(euclidean, results[f"unknown_{m}_cosine"]) for m in measured}
    return results.assign(method=results["objective"] + second, **own)


def function_name(run: pd.Series) -> str:
    """How the pages call the functions of a run of Table III."""
    if run["objective"] == "euclidean-softmax":
        return "f(x) = x (Eq. 4)"
    if run["objective"] == "generalized-softmax":
        return {"log1p": "f(x) = log(1 + x)", "power-1.5": "f(x) = x^1.5", "square": "f(x) = x²"}[run["arg_f1"]]
    if run["arg_alpha"] == EVERYWHERE:
        return f"half warp outward, k1 = {run['arg_k1']:g}"
    if run["arg_alpha"] == 0:
        return f"half warp inward, k2 = {run['arg_k2']:g}"
    return f"warp, α = {run['arg_alpha']:g}"


def functions(results: pd.DataFrame) -> pd.DataFrame:
    """The runs of Table III with their ``function``."""
    rows = rows_of(with_methods(results), "III")
    return rows.assign(function=rows.apply(function_name, axis=1))


SETTINGS = {"complete": "complete", "concatenated": "ensemble", "separated": "aggregate", "validation": "validation"}
AT_R = ("MAP@R", "R-precision", "P@1")


def reality_check(results: pd.DataFrame) -> pd.DataFrame:
    """Table VI, one row a run and way to evaluate (as the paper calls it): ``setting``, ``method`` and the three scores."""
    rows = rows_of(with_methods(results), "VI")
    keys = [name for name in ("method", "dataset", "classes", "seed") if name in rows]
    return pd.concat(
        [rows[keys].assign(setting=name, **{m: rows[f"{part}_{m}"] for m in AT_R}) for part, name in SETTINGS.items()],
        ignore_index=True,
    )


# Claims -------------------------------------------------------------------------------------------------------------
# Effects are in percentage points, seed by seed: the seeds' own spread is larger than most effects.


def _method(results: pd.DataFrame, method: str, classes: str = REPORTED) -> pd.DataFrame:
    rows = rows_of(with_methods(results), "I")
    wanted = (REPORTED, *FROZEN) if classes == REPORTED else (classes,)
    return rows[(rows["method"] == method) & rows["classes"].isin(wanted)]


def _gain(method: str, control: str, metric: str = "recall@1", classes: str = REPORTED):
    def check(results: pd.DataFrame) -> Verdict:
        own, other = (by_seed(_method(results, name, classes), metric) for name in (method, control))
        return decide((own - other).to_numpy())

    return check


def _above_all_baselines(results: pd.DataFrame) -> Verdict:
    means = {name: by_seed(_method(results, name), "recall@1") for name in BASELINES}
    runner_up = max(means, key=lambda name: means[name].mean())
    own = by_seed(_method(results, "warped-softmax, two phases"), "recall@1")
    return decide((own - means[runner_up]).to_numpy(), unit=f"points, against {runner_up}")


def _not_a_temperature(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "temperature")
    recalls = {t: by_seed(rows[rows["arg_temperature"] == t], "unknown_recall@1") for t in TEMPERATURES}
    best = max(recalls, key=lambda t: recalls[t].mean())
    own = by_seed(_method(results, WARPED), "recall@1")
    return decide((own - recalls[best]).to_numpy(), unit=f"points, against T = {best:g}")


def _mlp_gain(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "mlp")
    own, other = (by_seed(part, "unknown_recall@1") for part in (rows[rows["arg_alpha"] == 8], rows[rows["arg_alpha"].isna()]))
    return decide((own - other).to_numpy())


def _recall(results: pd.DataFrame, *names: str) -> pd.Series:
    """Recall@1 a seed, the mean over some functions of Table III."""
    rows = functions(results)
    return by_seed(rows[rows["function"].isin(names)], "recall@1")


EQ_4 = "f(x) = x (Eq. 4)"


def _identity_best(results: pd.DataFrame) -> Verdict:
    names = ("f(x) = log(1 + x)", "f(x) = x^1.5", "f(x) = x²")
    best = max(names, key=lambda name: _recall(results, name).mean())
    return decide((_recall(results, EQ_4) - _recall(results, best)).to_numpy(), unit=f"points, against {best}")


def _half_warps_fail(*names: str):
    """The better of the half warps is below Eq. 4."""

    def check(results: pd.DataFrame) -> Verdict:
        better = np.maximum.reduce([_recall(results, name).to_numpy() for name in names])
        return decide(_recall(results, EQ_4).to_numpy() - better)

    return check


def _dtp_follows_alpha(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "III")
    rows = rows[rows["arg_alpha"].isin([4.0, 8.0, 16.0])]
    rows = rows.assign(off=(rows["train_avg_dtp"] / rows["arg_alpha"] - 1).abs())
    return decide(by_seed(rows, "off").to_numpy(), bound=15.0, above=False, unit="% of α")


def dtp_thirds(results: pd.DataFrame) -> list[list[str]]:
    """The functions of Table III by their AvgDTP, smallest first, in three groups of four."""
    order = functions(results).groupby("function")["train_avg_dtp"].mean().sort_values().index.tolist()
    return [order[:4], order[4:8], order[8:]]


def _middle_dtp_best(results: pd.DataFrame) -> Verdict:
    low, middle, high = (_recall(results, *names).to_numpy() for names in dtp_thirds(results))
    return decide(middle - np.maximum(low, high))


def _at(results: pd.DataFrame, table: str, **arguments: float | tuple[float, ...]) -> np.ndarray:
    """Recall@1 a seed, the mean over the runs with these arguments."""
    rows = rows_of(results, table)
    for name, values in arguments.items():
        rows = rows[rows[f"arg_{name}"].isin(values if isinstance(values, tuple) else (values,))]
    return by_seed(rows, "unknown_recall@1").to_numpy()


def _alpha_has_a_peak(results: pd.DataFrame) -> Verdict:
    ends = np.maximum(_at(results, "fig-6", alpha=ALPHAS[0]), _at(results, "fig-6", alpha=ALPHAS[-1]))
    return decide(_at(results, "fig-6", alpha=(2.0, 4.0, 8.0)) - ends)


def _both_slopes_needed(results: pd.DataFrame) -> Verdict:
    """Neither slope 1 against one of the two."""
    one = (_at(results, "fig-7", k1=1.0, k2=K2[1:]) + _at(results, "fig-7", k1=K1[:2], k2=1.0)) / 2
    return decide(_at(results, "fig-7", k1=K1[:2], k2=K2[1:]) - one)


def _margin_helps(results: pd.DataFrame) -> Verdict:
    return decide(_at(results, "fig-8", margin=1.3) - _at(results, "fig-8", margin=1.0))


def _margin_too_large(results: pd.DataFrame) -> Verdict:
    return decide(_at(results, "fig-8", margin=(1.3, 2.0)) - _at(results, "fig-8", margin=4.0))


def corrupted(results: pd.DataFrame) -> list[str]:
    """The columns of the corruptions that were run, without that of the clean images."""
    names = [c for c in results if c.startswith("corrupted_") and c != "corrupted_none"]
    return [name for name in names if results[name].notna().any()]


def _robust(method: str, control: str, relative: bool = False):
    """Mean recall@1 over the corruptions; ``relative``: the points lost against clean images, control less method."""

    def check(results: pd.DataFrame) -> Verdict:
        values = []
        for name in (method, control):
            rows = _method(results, name)
            level = rows[corrupted(results)].mean(axis=1)
            values.append(by_seed(rows.assign(level=level - rows["corrupted_none"] if relative else level), "level"))
        return decide((values[0] - values[1]).to_numpy())

    return check


def _map_at_r(results: pd.DataFrame, **columns: str) -> np.ndarray:
    """MAP@R in points under the reality check, the mean over what is not named, one number a repetition."""
    rows = reality_check(results)
    rows = rows[rows["setting"] != "validation"]
    for column, value in columns.items():
        rows = rows[rows[column] == value]
    return 100 * rows.fillna({"MAP@R": 0.0}).groupby(["dataset", "classes", "seed"])["MAP@R"].mean().to_numpy()


def _reality(column: str, better: str, other: str):
    """Of two methods, or of two ways to evaluate."""

    def check(results: pd.DataFrame) -> Verdict:
        return decide(_map_at_r(results, **{column: better}) - _map_at_r(results, **{column: other}))

    return check


WARPED, SOFTMAX, NCA = "warped-softmax", "euclidean-softmax", "proxy-nca++"
TWO = ", two phases"

CLAIMS = (
    Claim(
        "warped-beats-euclidean",
        "Table I",
        "The warp retrieves unknown classes better than the plain Euclidean softmax, Eq. 4 (recall@1, one phase).",
        "04-retrieval",
        _gain(WARPED, SOFTMAX),
    ),
    Claim(
        "warped-beats-euclidean-map",
        "Ours (App. D)",
        "The same by MAP@R, which looks at all neighbours.",
        "04-retrieval",
        _gain(WARPED, SOFTMAX, "MAP@R"),
    ),
    Claim(
        "warped-two-phases",
        "Sec. IV-B",
        "Also where both are trained in two phases with the same temperatures and learning rates (recall@1).",
        "04-retrieval",
        _gain(WARPED + TWO, SOFTMAX + TWO),
    ),
    Claim(
        "warped-no-temperature",
        "Ours (Table I)",
        "The warp is more than another temperature: it is better than Eq. 4 at the best of four (recall@1, one phase).",
        "04-retrieval",
        _not_a_temperature,
    ),
    Claim(
        "warped-beats-proxy-nca",
        "Table I",
        "The warp in two phases is better than ProxyNCA++ (recall@1, cosine for the latter).",
        "04-retrieval",
        _gain(WARPED + TWO, NCA),
    ),
    Claim(
        "warped-best",
        "Table I",
        "The warp in two phases is better than the best of the eight other losses (recall@1).",
        "04-retrieval",
        _above_all_baselines,
    ),
    Claim(
        "warped-mlp",
        "Ours (Table I)",
        "Another backbone: the same warp is better than Eq. 4 on a perceptron (recall@1).",
        "04-retrieval",
        _mlp_gain,
    ),
    Claim(
        "warped-identity-best",
        "Sec. IV-E, Table III",
        "Of the functions f = f1 = f2, the identity (Eq. 4) is the best (recall@1, against the best of three others).",
        "05-functions",
        _identity_best,
    ),
    Claim(
        "warped-outward-fails",
        "Sec. IV-E, Table III",
        "Half warps that push outward everywhere are worse than Eq. 4 (recall@1, the better of two).",
        "05-functions",
        _half_warps_fail("half warp outward, k1 = 0.9", "half warp outward, k1 = 0.5"),
    ),
    Claim(
        "warped-inward-fails",
        "Sec. IV-E, Table III",
        "Half warps that pull inward everywhere are worse than Eq. 4 (recall@1, the better of two).",
        "05-functions",
        _half_warps_fail("half warp inward, k2 = 1.3", "half warp inward, k2 = 3"),
    ),
    Claim(
        "warped-dtp-follows-alpha",
        "Sec. IV-E, Table III",
        "AvgDTP ends near α: off by less than 15 % for α = 4, 8 and 16.",
        "05-functions",
        _dtp_follows_alpha,
    ),
    Claim(
        "warped-dtp-between",
        "Sec. IV-E, Table III",
        "The best AvgDTP lies between the extremes: the middle third of the functions retrieves better than both outer thirds.",
        "05-functions",
        _middle_dtp_best,
    ),
    Claim(
        "warped-alpha-peak",
        "Fig. 6",
        "Recall@1 rises with α, is level for a while, and falls: α = 2 to 8 is better than both 0 and 32.",
        "06-hyper-parameters",
        _alpha_has_a_peak,
    ),
    Claim(
        "warped-both-slopes",
        "Fig. 7",
        "Recall@1 is higher where neither k1 nor k2 is 1 than where one of them is.",
        "06-hyper-parameters",
        _both_slopes_needed,
    ),
    Claim(
        "warped-margin-helps",
        "Fig. 8",
        "A factor m a little above 1 improves recall@1 (1.3 against 1).",
        "06-hyper-parameters",
        _margin_helps,
    ),
    Claim(
        "warped-margin-too-large",
        "Fig. 8",
        "Past a certain point it falls again (4 against 1.3 and 2).",
        "06-hyper-parameters",
        _margin_too_large,
    ),
    Claim(
        "warped-robust-softmax",
        "Table IV",
        "On corrupted images the warp retrieves better than Eq. 4 (mean of the corruptions, one phase).",
        "07-robustness",
        _robust(WARPED, SOFTMAX),
    ),
    Claim(
        "warped-robust-nca",
        "Table IV",
        "On corrupted images the warp retrieves better than ProxyNCA++ (mean of the corruptions, two phases).",
        "07-robustness",
        _robust(WARPED + TWO, NCA),
    ),
    Claim(
        "warped-softmax-robust-nca",
        "Table IV",
        "On corrupted images Eq. 4 retrieves better than ProxyNCA++ (mean of the corruptions, two phases).",
        "07-robustness",
        _robust(SOFTMAX + TWO, NCA),
    ),
    Claim(
        "warped-loses-less",
        "Ours (Sec. IV-F)",
        "The corruptions cost the warp fewer points than they cost ProxyNCA++ (two phases).",
        "07-robustness",
        _robust(WARPED + TWO, NCA, relative=True),
    ),
    Claim(
        "warped-reality-euclidean",
        "Ours (App. D)",
        "Under the reality check the warp retrieves better than Eq. 4 (MAP@R, mean of complete, ensemble and aggregate).",
        "08-reality-check-and-faces",
        _reality("method", WARPED, SOFTMAX),
    ),
    Claim(
        "warped-reality-nca",
        "App. D-C",
        "Under the reality check the warp retrieves better than ProxyNCA++ (MAP@R, mean of complete, ensemble and aggregate).",
        "08-reality-check-and-faces",
        _reality("method", WARPED, NCA),
    ),
    Claim(
        "warped-ensemble-best",
        "App. D-D",
        "An ensemble of four retrieves better than one complete model (MAP@R, mean of the three losses).",
        "08-reality-check-and-faces",
        _reality("setting", "ensemble", "complete"),
    ),
    Claim(
        "warped-complete-aggregate",
        "App. D-D",
        "One complete model retrieves better than the models of the folds on their own (MAP@R, mean of the three losses).",
        "08-reality-check-and-faces",
        _reality("setting", "complete", "aggregate"),
    ),
    Claim(
        "warped-verification",
        "Table V",
        "The warp verifies pairs of unknown classes better than Eq. 4 (accuracy, one phase).",
        "08-reality-check-and-faces",
        _gain(WARPED, SOFTMAX, "pair_accuracy"),
    ),
    Claim(
        "warped-verification-margin",
        "Sec. IV-H",
        "Eq. 4 verifies less well than ArcFace.",
        "08-reality-check-and-faces",
        _gain("arcface", SOFTMAX, "pair_accuracy"),
    ),
)

EVIDENCE = Evidence(
    name="warped",
    tables=TABLES,
    shares=(
        *RETRIEVAL,
        *(f"{part}_{metric}" for part in ("known", "unknown") for metric in RETRIEVAL),
        "corrupted",
        "pair_accuracy",
        "TAR@0.1",
        "TAR@0.01",
    ),
    headings={
        "arg_alpha": "α",
        "arg_k1": "k<sub>1</sub>",
        "arg_k2": "k<sub>2</sub>",
        "arg_margin": "m",
        "arg_temperature": "T",
        "recall@1": "R@1",
        "recall@2": "R@2",
        "recall@4": "R@4",
        "R-precision": "RP",
        "unknown_recall@1": "R@1",
        "unknown_MAP@R": "MAP@R",
        "unknown_NMI": "NMI",
        "train_avg_dtp": "AvgDTP",
        "pair_accuracy": "accuracy",
    },
)

PAPER = Paper("Realigned softmax warping", EVIDENCE, CLAIMS)
