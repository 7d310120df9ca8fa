"""The runs behind the tables and figures of `warped` at every tier.

Quick tier: a small CNN with 16-dimensional embeddings on half of MNIST's digits (1,000 training images, 14 x 14 pixels);
retrieval among the test images of the other half.  Ten epochs, as at the frozen tier.  Before any tuning, at a rate of 0.03, two
seeds and held-out training images, twice the epochs change MAP@R by -2 points for Eq. 4 (T = 4) and +1 for the warp (T = 4) at
the quick tier, by -2.5 (T = 4) and -1 (T = 1) at the frozen one.
:mod:`lossbook.papers.warped.searches` has the runs of both tiers, and says how they are tuned.

The reality check goes over all 45 pairs of unknown digits, one run each, and over ten random halves of CIFAR-100's classes at
the frozen tier: pairs and halves are what its claims repeat, not seeds.

Paper tier: the authors' released hyper-parameters.
"""

from __future__ import annotations

from lossbook.papers import standard_tier
from lossbook.papers.warped.released import CARS, CUB, CUB_ONE, SOP, cub
from lossbook.papers.warped.searches import (
    BASE,
    EVERYWHERE,
    FORMULAS,
    ROBUST,
    generalized,
    three,
    tuned_runs,
    two_phases,
    warped,
)
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import EVIDENCE, Table

# Standard tier: half of CIFAR-100's classes, and Omniglot's 964 background characters; the quick tier's warp, not tuned.
_CIFAR, _OMNIGLOT = (
    base.replace(objective="euclidean-softmax", objective_args={"temperature": 1.0}, embedding_size=128, lr=0.05, suites=ROBUST)
    for base in (standard_tier.CIFAR100.replace(classes=tuple(range(50)), batch_classes=16), standard_tier.OMNIGLOT)
)


def _standard(base: RunSpec) -> tuple[RunSpec, ...]:
    """Eq. 4 and the warp in two phases, the second at a tenth of the rate as in the authors' code, and three baselines."""
    tenth = {"lr": base.lr / 10}
    phases = (spec.replace(second_phase=spec.second_phase | tenth) for spec in two_phases(base))
    names = ("proxy-nca++", "proxy-anchor", "arcface")
    return (*phases, *(base.replace(objective=name, objective_args={}) for name in names))


# Fig. 10: all digits, few images, many epochs, embeddings in the plane.
_PLANE = BASE.replace(classes=(), train_per_class=30, embedding_size=2, batch_classes=0, epochs=100, lr=0.03, suites=("plane",))
_FASHION = _PLANE.replace(dataset="fashion-mnist", train_per_class=100, image_size=0, epochs=200)

# The paper averages five trainings in Table I, and does not say how many in the other tables.
_FIVE, _ONE = EVIDENCE | {"paper": 5}, EVIDENCE | {"paper": 1}

TABLES = (
    Table(
        "I",
        "Retrieval of unknown classes, losses compared",
        {
            "quick": tuned_runs("quick", "I"),
            "frozen": tuned_runs("frozen", "I"),
            "standard": (*_standard(_CIFAR), *_standard(_OMNIGLOT)),
            "paper": (*CUB, *CARS, *SOP),
        },
        seeds=_FIVE,
    ),
    Table(
        "III",
        "Functions in place of f1 and f2",
        {
            "quick": tuned_runs("quick", "III"),
            "paper": (
                CUB_ONE,
                *(generalized(CUB_ONE, name) for name in FORMULAS),
                *(cub(alpha=EVERYWHERE, k1=k1).replace(augment=()) for k1 in (0.9, 0.5)),
                *(cub(alpha=0.0, k2=k2).replace(augment=()) for k2 in (1.15, 3.0)),
                *(cub(alpha=alpha).replace(augment=()) for alpha in (50.0, 25.0, 8.0)),
            ),
        },
        seeds=_ONE,
        small_tables=("curves",),
    ),
    Table(
        "fig-6",
        "alpha",
        {"quick": tuned_runs("quick", "fig-6"), "paper": tuple(cub(alpha=5.0 * i) for i in range(20))},
        seeds=_ONE,
    ),
    Table(
        "fig-7",
        "k1 and k2",
        {
            "quick": tuned_runs("quick", "fig-7"),
            "paper": tuple(cub(k1=k1, k2=k2) for k1 in (0.5, 0.7, 0.93, 1.0) for k2 in (1.0, 1.15, 1.5, 2.0)),
        },
        seeds=_ONE,
    ),
    Table(
        "fig-8",
        "The factor of Delta",
        {"quick": tuned_runs("quick", "fig-8"), "paper": tuple(cub(margin=1 + 0.5 * i) for i in range(10))},
        seeds=_ONE,
    ),
    Table(
        "dtp",
        "alpha at three slopes: the distance to the proxies",
        {"quick": tuned_runs("quick", "dtp")},
        seeds=EVIDENCE,
    ),
    Table(
        "temperature",
        "Eq. 4 at six temperatures",
        {"quick": tuned_runs("quick", "temperature")},
        seeds=EVIDENCE,
    ),
    Table(
        "VI",
        "The reality check: four folds, three ways to evaluate",
        {
            "quick": tuned_runs("quick", "VI"),
            "frozen": tuned_runs("frozen", "VI"),
            "standard": tuple(
                spec
                for base in (_CIFAR, _OMNIGLOT)
                for spec in three(base.replace(embedding_size=512, suites=("reality_check",)))
            ),
            "paper": tuple(spec.replace(suites=("reality_check",)) for spec in (*CUB, *CARS, *SOP)),
        },
        seeds={"quick": 1, "frozen": 1, "standard": 3, "paper": 10},
    ),
    Table(
        "fig-10",
        "Overfitted embeddings in the plane",
        {tier: (base, warped(base, alpha=4.0)) for tier, base in (("quick", _PLANE), ("standard", _FASHION))},
        seeds={"quick": 3, "standard": 1},
        small_tables=("plane",),
    ),
    Table(
        "mlp",
        "The warp on another backbone",
        {"quick": tuned_runs("quick", "mlp")},
        seeds=EVIDENCE,
    ),
)
