"""The runs behind the tables of `bce3s`, at every tier.

The quick tier trains on MNIST at 14 x 14 pixels with an exponential tail of 200, 119, 71, 43, 25, 15, 9, 5, 3, 2 images, so
that the paper's own bounds (more than 100, fewer than 20) give two many, three medium and five few classes.  The frozen tier
has the data of CIFAR100-LT, as features.  The weight decay is the paper's at both, 5e-3.

Training is so long that twice the epochs move no method at its best rate by more than its seeds differ.  That takes 80 epochs
from scratch at the quick tier, and 20 at the frozen one: after 10 the projections of BCE3S still have one direction there, and
its contrastive term does nothing yet.

At the quick and the frozen tier every run has its own tuned rate, and one for its second stage: also the values of a
parameter, because the claims compare them.  The score is the accuracy on held-out images, equally many of every class.  At the
standard tier all runs have the rate of the tier.

The paper tier has the printed epochs, batch sizes, rates and weight decays.  Its network for CIFAR is the authors' ResNet-34 of
512 features, where the text says ResNet32.  Their AutoAugment, Cutout and mixed views are not in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lossbook.papers import frozen_tier, standard_tier
from lossbook.papers.tuning import RATES, Search, tuned
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import EVIDENCE, Table


@dataclass(frozen=True)
class Terms:
    """The forms of the three terms of a loss, ``"ce"`` or ``"bce"``; None where a term is absent."""

    joint: str
    contrastive: str | None = None
    uniform: str | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns of results that say which terms a run had."""
        return {"arg_joint": self.joint, "arg_contrastive": self.contrastive, "arg_uniform": self.uniform}

    def __str__(self) -> str:
        """As on the pages: ``CE``, ``BCE + ss (CE)``, ``BCE3S``."""
        others = {name: form for name, form in (("ss", self.contrastive), ("cc", self.uniform)) if form}
        if list(others.values()) == [self.joint, self.joint]:
            return f"{self.joint.upper()}3S"
        form = (self.contrastive or self.uniform or "").upper()
        return self.joint.upper() + (f" + {', '.join(others)} ({form})" if others else "")

    def __lt__(self, other: Terms) -> bool:
        """The order of their names, by which pandas sorts the rows of a pivot."""
        return str(self) < str(other)


def family_terms(joint: str, other: str) -> list[Terms]:
    """A form of the joint term alone, and with the contrastive, the uniform and both terms in another form."""
    return [Terms(joint), Terms(joint, other), Terms(joint, None, other), Terms(joint, other, other)]


CE, BCE, CE3S, BCE3S = Terms("ce"), Terms("bce"), Terms("ce", "ce", "ce"), Terms("bce", "bce", "bce")
# Form of the joint term, form of the two others.
FAMILIES = (("ce", "ce"), ("ce", "bce"), ("bce", "ce"), ("bce", "bce"))
# Table 2, in the order of its rows: the joint term alone, then each family with the contrastive, the uniform, both.
ABLATION = (CE, BCE, *(family_terms(*family)[k] for k in (1, 2, 3) for family in FAMILIES))
_FROZEN_ROWS = (CE, BCE, Terms("bce", "bce"), Terms("bce", None, "bce"), CE3S, BCE3S)

IMBALANCES = (100.0, 50.0, 10.0)
SHARES_KEPT = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
WEIGHTS_CC = (0.002, 0.02, 0.2, 1.0, 1.25, 5.0, 20.0)
WEIGHTS_SS = (0.1, 1.0, 10.0)
TEMPERATURES = (0.05, 0.2, 1.0)
NORMALISATIONS = ("neither", "features", "classifier", "both")
MIXED_VIEWS = (("plain",), ("plain", "mixup", "cutmix"), ("plain", "mixup|cutmix"))
LENGTHS = (80, 178)  # epochs of Table 5's counterpart, whose ratio is that of the paper's 180 and 400
STAGE_RATES = (0.003, 0.01, 0.03, 0.1, 0.3)

_SUITES = ("longtail", "geometry")
_MNIST = RunSpec(
    dataset="mnist5k",
    model="mlp",
    image_size=14,
    imbalance=100.0,
    epochs=80,
    batch_size=50,
    lr=0.3,
    weight_decay=5e-3,
    suites=_SUITES,
)
_CNN, _RESNET = _MNIST.replace(model="cnn", lr=0.1), _MNIST.replace(model="resnet8", lr=0.1)
_FROZEN = frozen_tier.LONG_TAIL.replace(epochs=20, lr=0.1, weight_decay=5e-3, suites=_SUITES)
# The short tail has twice as many images, so that its runs have as many steps.
_FROZEN_TAILS = (_FROZEN, _FROZEN.replace(imbalance=10.0, epochs=10))
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
    """The standard tier's version."""
    return standard_tier.LONG_TAIL.replace(dataset=base.dataset, suites=base.suites)


def _bce3s(base: RunSpec, terms: Terms = BCE3S, **more: float | str) -> RunSpec:
    """A run with these terms; the arguments name all three forms, None for an absent term."""
    return base.replace(objective="bce3s", objective_args=asdict(terms) | more)


def _second_stage(spec: RunSpec, epochs: int, lr: float, **more: float) -> RunSpec:
    """The run with a second stage: frozen features, class-balanced fine-tuning of the classifier (Eqs. 26, 35)."""
    terms = {} if spec.objective == "weight-balancing" else {"contrastive": None, "uniform": None}
    arguments = terms | {"beta": 0.9999} | more
    return spec.replace(second_phase={"frozen": True, "augment": (), "epochs": epochs, "lr": lr, "objective_args": arguments})


# Where the search for the second stage's rate starts.  The printed one, 1e-4, is for twenty epochs of 169 steps; here are ten,
# of nine steps at the quick tier.
_STAGE = {"epochs": 10, "lr": 0.03}
_PAPER_STAGE = {"epochs": 20, "lr": 1e-4}
_PAPER_BALANCING = _PAPER_STAGE | {"lr": _PAPER_STAGE["lr"] / 3}
_MAX_NORM = 0.5


def _ablation(base: RunSpec, rows: tuple[Terms, ...] = ABLATION) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base, terms) for terms in rows)


def _benchmark(base: RunSpec, stage: dict, balancing: dict) -> tuple[RunSpec, ...]:
    """Those methods of Table 3 that run here; the second stages of BCE3S and of weight balancing."""
    names = ("soft-d", "cb-focal", "ldam", "logit-adjustment", "balanced-softmax")
    return (
        *(base.replace(objective=name) for name in names),
        _second_stage(base.replace(objective="weight-balancing"), **balancing, max_norm=_MAX_NORM),
        _bce3s(base),
        _second_stage(_bce3s(base), **stage),
    )


def _benchmarks(base: RunSpec, stage: dict, balancing: dict) -> tuple[RunSpec, ...]:
    """The same at three lengths of the tail."""
    tails = (base.replace(imbalance=imbalance) for imbalance in IMBALANCES)
    return tuple(spec for tail in tails for spec in _benchmark(tail, stage, balancing))


def _imagenet(base: RunSpec, stage: dict) -> tuple[RunSpec, ...]:
    """The methods of Table 4; the last two are those of Fig. 10."""
    baselines = (base.replace(objective=name) for name in ("cb-focal", "ldam"))
    return (*baselines, _second_stage(_bce3s(base, CE3S), **stage), _second_stage(_bce3s(base), **stage))


def _normalisations(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base, BCE, r=1.0, normalise=normalise) for normalise in NORMALISATIONS)


def _resampling(base: RunSpec) -> tuple[RunSpec, ...]:
    schemes = (("sample", SHARES_KEPT), ("batch", SHARES_KEPT[1:-1]))
    return tuple(_bce3s(base, BCE, r=r, resampling=name) for name, shares in schemes for r in shares)


def _all_or_few(base: RunSpec) -> tuple[RunSpec, ...]:
    """All negatives, and the paper's share of them."""
    return tuple(_bce3s(base, BCE, r=r, resampling="sample") for r in (0.4, 1.0))


def _uniform_weights(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base, Terms(form, None, form), lambda_cc=weight) for form in ("bce", "ce") for weight in WEIGHTS_CC)


def _contrastive_weights(base: RunSpec) -> tuple[RunSpec, ...]:
    pairs = ((weight, tau) for weight in WEIGHTS_SS for tau in TEMPERATURES)
    return tuple(_bce3s(base, Terms("bce", "bce"), lambda_ss=weight, tau=tau) for weight, tau in pairs)


def _lengths(base: RunSpec, stage: dict, lengths: tuple[int, int]) -> tuple[RunSpec, ...]:
    return tuple(_second_stage(_bce3s(base.replace(epochs=epochs)), **stage) for epochs in lengths)


def _resnext(base: RunSpec, stage: dict) -> tuple[RunSpec, ...]:
    """The methods of Table 7 that run here."""
    return (base.replace(objective="balanced-softmax"), _second_stage(_bce3s(base), **stage))


def _stages(base: RunSpec, stage: dict, bounds: tuple[dict, ...] = ({}, {"max_norm": _MAX_NORM})) -> tuple[RunSpec, ...]:
    """CE3S and BCE3S with one stage, and with two for every bound on the length of the classifier vectors."""
    one = (_bce3s(base, terms) for terms in (CE3S, BCE3S))
    return tuple(spec for first in one for spec in (first, *(_second_stage(first, **stage, **bound) for bound in bounds)))


def _views(base: RunSpec) -> tuple[RunSpec, ...]:
    return tuple(_bce3s(base.replace(views=views), terms) for terms in (CE3S, BCE3S) for views in MIXED_VIEWS)


_STARTS = {
    "quick": {
        "2": _ablation(_MNIST.replace(suites=(*_SUITES, "tsne"))),
        "3": _benchmarks(_MNIST, _STAGE, _STAGE),
        "4": _imagenet(_CNN, _STAGE),
        "5": _lengths(_DIGITS, _STAGE, LENGTHS),
        "6": _normalisations(_MNIST),
        "7": _resnext(_RESNET, _STAGE),
        "fig-5-r": _resampling(_MNIST),
        "fig-5-lambda-cc": _uniform_weights(_MNIST),
        # The strongest terms are best at low rates, and no search from 0.3 comes so far down.
        "fig-5-contrastive": tuple(
            spec.replace(lr=0.003) if spec.objective_args["lambda_ss"] == max(WEIGHTS_SS) else spec
            for spec in _contrastive_weights(_MNIST)
        ),
        "stage2": _stages(_MNIST, _STAGE),
        "views": _views(_MNIST),
    },
    "frozen": {
        "2": _ablation(_FROZEN, _FROZEN_ROWS),
        "3": tuple(spec for tail in _FROZEN_TAILS for spec in _benchmark(tail, _STAGE, _STAGE)),
        "stage2": _stages(_FROZEN, _STAGE, bounds=({},)),
    },
}


def search(spec: RunSpec) -> Search:
    """The search for a run's rate, and for that of its second stage if it has one, from those of ``spec``."""
    ladders = {"lr": RATES} | ({"second_phase_lr": STAGE_RATES} if spec.second_phase else {})
    return Search(spec, ladders, metric="accuracy_all", suites=("longtail",))


def _searches(tables: dict[str, tuple[RunSpec, ...]]) -> tuple[Search, ...]:
    """The searches of some tables; one that two of them need comes once."""
    found = (search(spec) for specs in tables.values() for spec in specs)
    return tuple({one.family: one for one in found}.values())


SEARCHES = {tier: _searches(tables) for tier, tables in _STARTS.items()}


def _specs(table: str, **as_printed: tuple[RunSpec, ...]) -> dict[str, tuple[RunSpec, ...]]:
    """The runs of a table by tier: tuned at the quick and the frozen one, as they are given at the others."""
    starts = {tier: tables[table] for tier, tables in _STARTS.items() if table in tables}
    return {tier: tuple(tuned("bce3s", search(spec)) for spec in specs) for tier, specs in starts.items()} | as_printed


TABLES = (
    Table(
        "2",
        "Three terms, each absent, in its CE or in its BCE form",
        _specs(
            "2",
            standard=_ablation(_standard(_CIFAR100), _FROZEN_ROWS),
            paper=(*_ablation(_CIFAR100), *_ablation(_CIFAR10.replace(suites=(*_SUITES, "tsne")))),
        ),
        seeds=EVIDENCE,
        small_tables=("accuracies", "geometry", "separability", "tsne"),
    ),
    Table(
        "3",
        "Eight methods at several lengths of the tail",
        _specs(
            "3",
            standard=(
                *_benchmarks(_standard(_CIFAR10), _PAPER_STAGE, _PAPER_BALANCING),
                *_benchmarks(_standard(_CIFAR100), _PAPER_STAGE, _PAPER_BALANCING),
            ),
            paper=(
                *_benchmarks(_CIFAR10, _PAPER_STAGE, _PAPER_BALANCING),
                *_benchmarks(_CIFAR100, _PAPER_STAGE, _PAPER_BALANCING),
            ),
        ),
        seeds=EVIDENCE,
    ),
    Table(
        "4",
        "Another backbone: ResNet-50 in the paper, a small convolutional network here",
        _specs("4", paper=_imagenet(_IMAGENET, _PAPER_STAGE)),
        small_tables=("geometry",),
    ),
    Table(
        "5",
        "Another data set, two lengths of training: iNaturalist 2018 in the paper, the 8 x 8 digits here",
        _specs("5", paper=_lengths(_INATURALIST, _PAPER_STAGE, (180, 400))),
        seeds=EVIDENCE,
    ),
    Table(
        "6",
        "Normalising features and classifier vectors",
        _specs("6", standard=_normalisations(_standard(_CIFAR100)), paper=_normalisations(_CIFAR100)),
        seeds=EVIDENCE,
    ),
    Table(
        "7",
        "A third backbone: ResNeXt-50 in the paper, a small residual network here",
        _specs("7", paper=_resnext(_IMAGENET.replace(model="resnext50_32x4d"), _PAPER_STAGE)),
    ),
    Table(
        "fig-5-r",
        "Share of the negatives kept, drawn for each sample or for the batch",
        _specs("fig-5-r", standard=_all_or_few(_standard(_CIFAR100)), paper=_resampling(_CIFAR100)),
        seeds=EVIDENCE,
    ),
    Table(
        "fig-5-lambda-cc",
        "Weight of the uniform term",
        _specs("fig-5-lambda-cc", standard=_uniform_weights(_standard(_CIFAR100)), paper=_uniform_weights(_CIFAR100)),
        seeds=EVIDENCE,
    ),
    Table(
        "fig-5-contrastive",
        "Weight and temperature of the contrastive term",
        _specs("fig-5-contrastive", standard=_contrastive_weights(_standard(_CIFAR100)), paper=_contrastive_weights(_CIFAR100)),
        seeds=EVIDENCE,
    ),
    Table(
        "stage2",
        "A second stage: class-balanced classifier, with and without MaxNorm",
        _specs(
            "stage2", standard=_stages(_standard(_CIFAR100), _PAPER_STAGE, bounds=({},)), paper=_stages(_CIFAR100, _PAPER_STAGE)
        ),
        seeds=EVIDENCE,
    ),
    Table(
        "views",
        "Mixup and cutmix beside the plain images",
        _specs("views", standard=_views(_standard(_CIFAR100)), paper=_views(_CIFAR100)),
    ),
)
