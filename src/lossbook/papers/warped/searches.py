"""The runs of `warped` at the quick and the frozen tier, and the search for the settings of each.

Every run has its own learning rate and one more setting: the temperature T of the losses of distances, the scale of the others
(or what plays its part); of two phases also the second rate.  Eq. 4, the control, is searched for like everyone else.  The
warp's alpha, k1 and k2 stay as they are, so that no loss has a larger search than its control; tables "III", "fig-6" to
"fig-8" and "dtp" vary them, with a search for each value.  Table "temperature" varies T, with a rate for each.

The searches train on other classes than the tables: on digits 0-4, CIFAR-100's second half, the next 200 characters.  They
retrieve held-out *training* images of the classes left out, by MAP@R and the distance that the loss works with.  Choices by
MAP@R also serve the claims by recall@1.  Under the reality check the score is its own: MAP@R of the four models, each on the
fold that it has not seen, with digits 8 and 9 left out; the frozen tier takes the choices for one model of 128 dimensions,
which is what each of its four models is.
"""

from __future__ import annotations

from itertools import combinations

from lossbook.papers import frozen_tier
from lossbook.papers.tuning import RATES, Search, chosen, with_setting
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import draw_classes

BASELINES = (
    *("proxy-nca++", "proxy-anchor", "normalized-softmax", "softtriple", "arcface", "cosface"),
    *("multi-similarity", "contrastive"),
)
# Losses of distances to proxies; all others compare directions.
EUCLIDEAN = ("euclidean-softmax", "warped-softmax", "generalized-softmax")
# The two directions: train on these digits, retrieve the others.
REPORTED, TUNED = (5, 6, 7, 8, 9), (0, 1, 2, 3, 4)
ALPHAS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
K1, K2 = (0.5, 0.8, 1.0), (1.0, 1.3, 2.0)
DTP_ALPHAS, DTP_K1 = (1.0, 8.0, 32.0), (0.5, 0.8, 0.9)
MARGINS = (1.0, 1.3, 2.0, 4.0)
TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SECOND_RATES = (3e-4, 1e-3, 3e-3, 0.01, 0.03)
FORMULAS = {"log1p": "log(1 + x)", "power-1.5": "x^1.5", "square": "x²"}  # of generalized-softmax, f1 = f2
EVERYWHERE = 1e6  # no distance reaches this alpha: the half warp that pushes outward
DRAWS = 10  # of the known classes, for the reality check at the frozen tier

# Loss -> the setting that is searched for beside the rate, where its search starts, and the ladder.
_SCALES = (4.0, 8.0, 16.0, 32.0, 64.0)
_SECOND_LADDER: dict[str, tuple[str, float, tuple[float, ...]]] = {
    **dict.fromkeys(EUCLIDEAN, ("arg_temperature", 4.0, TEMPERATURES)),
    **dict.fromkeys(("arcface", "cosface", "softtriple"), ("arg_scale", 16.0, _SCALES)),
    "proxy-nca++": ("arg_scale", 9.0, (2.25, 4.5, 9.0, 18.0, 36.0)),
    "proxy-anchor": ("arg_alpha", 32.0, _SCALES),
    "normalized-softmax": ("arg_temperature", 0.1, (0.025, 0.05, 0.1, 0.2, 0.4)),
    "multi-similarity": ("arg_beta", 50.0, (12.5, 25.0, 50.0, 100.0, 200.0)),
    "contrastive": ("arg_neg_margin", 1.0, (0.25, 0.5, 1.0, 1.5)),
}
# Number of the known classes -> those that a search trains on.
_SEARCHED_ON = {5: TUNED, 8: tuple(range(8)), 50: tuple(range(50, 100)), 200: tuple(range(200, 400))}

RETRIEVAL = ("retrieval",)
_PAIRS = ("retrieval", "verification")
ROBUST = (*_PAIRS, "corruption")
_NEIGHBOURS, _REALITY = ("neighbours",), ("reality_check",)
_WARP = {"alpha": 8.0, "k1": 0.8, "k2": 1.3, "temperature": 1.0, "margin": 1.0}
_TWO = {"lr": 0.003}

BASE = RunSpec(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    dataset="mnist5k",
    classes=REPORTED,
    model="cnn",
    image_size=14,
    embedding_size=16,
    epochs=10,
    batch_size=100,
    batch_classes=5,
    lr=0.01,
    suites=RETRIEVAL,
)
_REPORTED = BASE.replace(suites=ROBUST)
_HALF = frozen_tier.CIFAR100.replace(
    objective="euclidean-softmax",
    objective_args={"temperature": 1.0},
    classes=frozen_tier.HALF,
    batch_classes=25,
    lr=0.01,
    suites=_NEIGHBOURS,
)
_CHARACTERS = _HALF.replace(dataset="omniglot-efficientnet_lite0", classes=tuple(range(200)), train_per_class=0)


def warped(base: RunSpec, **changes: float) -> RunSpec:
    """The run with the warp."""
    return base.replace(objective="warped-softmax", objective_args=_WARP | changes)


def generalized(base: RunSpec, name: str) -> RunSpec:
    """The run with f1 = f2, one of :data:`FORMULAS`."""
    return base.replace(objective="generalized-softmax", objective_args={"f1": name, "f2": name})


def three(base: RunSpec) -> tuple[RunSpec, RunSpec, RunSpec]:
    """Eq. 4, the warp and the paper's baseline."""
    return base, warped(base), base.replace(objective="proxy-nca++", objective_args={})


def two_phases(base: RunSpec) -> tuple[RunSpec, RunSpec]:
    """Eq. 4 and the warp, the last three tenths of the epochs in a second phase at T = 1: the control, and the method."""
    second = base.epochs * 3 // 10
    base, then = base.replace(epochs=base.epochs - second), _TWO | {"epochs": second}
    cooled = {"temperature": 1.0}
    return (
        base.replace(second_phase=then | {"objective_args": cooled}),
        warped(base).replace(second_phase=then | {"objective_args": cooled | {"alpha": 4.0, "k2": 1.5}}),
    )


def _five(base: RunSpec) -> tuple[RunSpec, ...]:
    """The losses of Table IV that are here, the Euclidean ones also in two phases."""
    plain, warp, nca = three(base)
    return plain, warp, *two_phases(base), nca


def _sweep(*settings: dict[str, float]) -> tuple[RunSpec, ...]:
    """The warp with some arguments changed; the unchanged one is the run of Table I."""
    specs = (warped(BASE, **changes) for changes in settings)
    return tuple(warped(_REPORTED) if spec == warped(BASE) else spec for spec in specs)


def _left_out(pair: tuple[int, int]) -> tuple[int, ...]:
    return tuple(digit for digit in range(10) if digit not in pair)


_FOLDED = BASE.replace(train_per_class=100, embedding_size=64, suites=_REALITY)

# Tier -> table -> its runs before they are tuned.
STARTS: dict[str, dict[str, tuple[RunSpec, ...]]] = {
    "quick": {
        "I": (
            *_five(_REPORTED),
            *(BASE.replace(objective=name, objective_args={}, suites=_PAIRS) for name in BASELINES[1:]),
        ),
        "III": (
            _REPORTED,
            *(generalized(BASE, name) for name in FORMULAS),
            *(warped(BASE, alpha=EVERYWHERE, k1=k1) for k1 in (0.9, 0.5)),
            *(warped(BASE, alpha=0.0, k2=k2) for k2 in (1.3, 3.0)),
            *_sweep(*({"alpha": alpha} for alpha in (4.0, 8.0, 16.0, 32.0))),
        ),
        "fig-6": _sweep(*({"alpha": alpha} for alpha in ALPHAS)),
        "fig-7": _sweep(*({"k1": k1, "k2": k2} for k1 in K1 for k2 in K2)),
        "fig-8": _sweep(*({"margin": margin} for margin in MARGINS)),
        "dtp": _sweep(*({"alpha": alpha, "k1": k1} for k1 in DTP_K1 for alpha in DTP_ALPHAS)),
        "temperature": tuple(BASE.replace(objective_args={"temperature": t}) for t in TEMPERATURES),
        # All pairs of unknown digits: eight digits train, in four folds of two.
        "VI": tuple(spec for pair in combinations(range(10), 2) for spec in three(_FOLDED.replace(classes=_left_out(pair)))),
        "mlp": tuple(spec.replace(model="mlp") for spec in (BASE, warped(BASE, alpha=4.0), warped(BASE))),
    },
    "frozen": {
        "I": (*_five(_HALF), *_five(_CHARACTERS)),
        "VI": tuple(
            spec
            for k in range(DRAWS)
            for spec in three(_HALF.replace(classes=draw_classes(100, 50, k), embedding_size=512, suites=_REALITY))
        ),
    },
}


def search(spec: RunSpec, table: str) -> Search:
    """The search for the settings of a run of a table."""
    if spec.objective == "warped-softmax" and spec.objective_args["k1"] == spec.objective_args["k2"] == 1:
        # This corner of Fig. 7 is Eq. 4, so it takes that one's settings.
        spec = spec.replace(objective="euclidean-softmax", objective_args={})
    if spec.embedding_size == 512:
        # Each of the four models of the frozen tier's reality check is one of Table I.
        spec = spec.replace(embedding_size=frozen_tier.CIFAR100.embedding_size, suites=_NEIGHBOURS)
    reality = spec.suites == _REALITY
    ladders, start = {"lr": RATES}, {"lr": spec.lr}
    if table != "temperature":
        name, first, ladder = _SECOND_LADDER[spec.objective]
        ladders, start = ladders | {name: ladder}, start | {name: first}
    if spec.second_phase:
        ladders["second_phase_lr"] = SECOND_RATES
    by = "validation_MAP@R" if reality else "unknown_MAP@R" if spec.objective in EUCLIDEAN else "unknown_MAP@R_cosine"
    spec = with_setting(spec.replace(classes=_SEARCHED_ON[len(spec.classes)], suites=()), start)
    return Search(spec, ladders, metric=by, suites=_REALITY if reality else _NEIGHBOURS)


def _searches(tables: dict[str, tuple[RunSpec, ...]]) -> tuple[Search, ...]:
    """The searches of some tables; one that two of them need comes once."""
    found = (search(spec, table) for table, specs in tables.items() for spec in specs)
    return tuple({one.family: one for one in found}.values())


SEARCHES = {tier: _searches(tables) for tier, tables in STARTS.items()}


def setting(spec: RunSpec, table: str) -> dict[str, float]:
    """The settings that were chosen for a run of a table, those where its search starts if none were."""
    one = search(spec, table)
    return chosen("warped", one) or one.setting(one.start)


def tuned_runs(tier: str, table: str) -> tuple[RunSpec, ...]:
    """The runs of a table at their chosen settings."""
    return tuple(with_setting(spec, setting(spec, table)) for spec in STARTS[tier][table])
