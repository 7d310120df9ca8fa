"""Out-of-distribution scores beside pytorch-ood's, fitting included, and after it; AUROC beside scikit-learn's.

10,000 training features of 512 numbers after a ReLU, the sizes of a small validation set of ImageNet: 1,000 classes and
2,000 images.  Our scores are brought to the library's sign and scale: it gives outlier scores, and the relative
Mahalanobis distance with scatter matrices in place of covariances.  After the fit, on 20,000 training features of 100 classes,
a detector scores batches of 256; the logits are part of it on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits
from torch import Tensor

import lossbook._torchvision  # noqa: F401  # before pytorch_ood, which imports torchvision its own way
from benchmarks.measure import DEVICE, compare, incomparable, whole
from lossbook import ood
from lossbook.metrics import auroc
from lossbook.metrics import ood as scores

from pytorch_ood import detector as library  # isort: skip

TRAIN, SAMPLES, CLASSES, DIMENSIONS = 10_000, 2_000, 1_000, 512
SPARSITY, NEIGHBOURS, SCORES = 0.9, 50, 100_000
GOALS = {
    "dice": {"time": 1 / 50, "memory": 1 / 100, "error": 1e-5},
    "rmds": {"time": 1 / 30, "error": 1e-5},
    "knn": {"time": 0.7, "error": 1e-5},
}
AUROC_GOAL = {"error": 1e-6}
FITTED_TRAIN, BATCH, FITTED_CLASSES = 20_000, 256, 100
# Time of a fitted detector: none may take longer than the library's.
FITTED_GOALS = {"msp": 1, "energy": 1, "odin": 1, "rmds": 0.1, "vim": 1, "knn": 1, "dice": 0.05, "she": 1, "scale": 1}


class Data(NamedTuple):
    features: Tensor
    train_features: Tensor
    train_labels: Tensor
    weight: Tensor
    bias: Tensor


def _draw(train: int = TRAIN, samples: int = SAMPLES, classes: int = CLASSES) -> Data:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    means = normal(classes, DIMENSIONS)
    labels = torch.arange(train) % classes
    train_features = (means[labels] + normal(train, DIMENSIONS)).relu()
    features = (means[torch.arange(samples) % classes] + 1.5 * normal(samples, DIMENSIONS)).relu()
    data = Data(features, train_features, labels, 0.05 * normal(classes, DIMENSIONS), normal(classes))
    return Data(*(tensor.to(DEVICE) for tensor in data))


def _auroc() -> dict[str, Any]:
    """Scores far outside [0, 1], which one library passes through a sigmoid first."""
    generator = torch.Generator().manual_seed(0)
    known = 1_000 + 100 * torch.randn(SCORES, generator=generator)
    unknown = 900 + 100 * torch.randn(SCORES, generator=generator)
    truth = (torch.arange(2 * SCORES) < SCORES).numpy()
    return compare(
        f"auroc, {SCORES:,} + {SCORES:,} unbounded scores",
        "scikit-learn roc_auc_score",
        whole(lambda: (torch.tensor(auroc(known, unknown)),)),
        whole(lambda: (torch.tensor(roc_auc_score(truth, torch.cat([known, unknown]).numpy())),)),
        items=2 * SCORES,
        goals=AUROC_GOAL,
    )


def _fitted() -> list[dict[str, Any]]:
    """Every detector that the library has, fitted on both sides."""
    x, train, labels, *_ = _draw(FITTED_TRAIN, BATCH, FITTED_CLASSES)
    weight = 0.1 * train.unflatten(0, (-1, FITTED_CLASSES)).mean(0)  # the nearest mean: SHE needs a right sample of every class
    bias = -5 * weight.square().sum(1)
    linear = torch.nn.Linear(DIMENSIONS, FITTED_CLASSES, device=DEVICE)
    linear.load_state_dict({"weight": weight, "bias": bias})
    scale = library.SCALE(None, lambda maps: linear(maps.flatten(1)))
    theirs = {
        "msp": library.MaxSoftmax(linear).predict,
        "energy": library.EnergyBased(linear).predict,
        "odin": library.ODIN(linear, eps=0.0014, temperature=1000.0).predict,
        "rmds": library.RMD(None).fit_features(train, labels).predict_features,
        "vim": library.ViM(None, DIMENSIONS // 2, weight, bias).fit_features(train, labels).predict_features,
        "knn": library.KNN(None, NEIGHBOURS).fit_features(train, labels).predict_features,
        "dice": library.DICE(None, weight, bias, SPARSITY).fit_features(train, labels).predict_features,
        "she": library.SHE(None, linear).fit_features(train, labels).predict_features,
        "scale": lambda features: scale.predict_feature_maps(features[:, :, None, None]),
    }
    classes = (ood.MSP, ood.Energy, ood.ODIN, ood.RMDS, ood.ViM, ood.KNN, ood.DICE, ood.SHE, ood.SCALE)
    ours = {name: made().fit(train, linear, labels) for name, made in zip(theirs, classes, strict=True)}
    return [
        compare(
            f"{name} after the fit, M={FITTED_TRAIN:,}, B={BATCH}, N={FITTED_CLASSES}, d={DIMENSIONS}",
            "pytorch-ood",
            whole(lambda name=name: (_without_gradient(ours[name], x, name),)),
            whole(lambda name=name: (_without_gradient(theirs[name], x, name),)),
            items=BATCH,
            error=incomparable,  # the rows above and the package's tests compare values
            repeats=15,
            goals={"time": goal},
        )
        for name, goal in FITTED_GOALS.items()
    ]


def _without_gradient(score: Callable[[Tensor], Tensor], features: Tensor, name: str) -> Tensor:
    """ODIN needs the inputs' gradient; no other score needs one."""
    with torch.set_grad_enabled(name == "odin"):
        return score(features)


def run(quick: bool = False) -> list[dict[str, Any]]:
    """DICE, RMDS, KNN with their fit, all after it, and AUROC (the same when ``quick``)."""
    data = _draw()
    x, train, labels, weight, bias = data
    sides = {
        "dice": (
            lambda: -scores.dice(x, train, weight, bias, SPARSITY),
            lambda: library.DICE(None, weight, bias, SPARSITY).fit_features(train, labels).predict_features(x),
        ),
        "rmds": (
            lambda: -scores.rmds(x, train, labels) / TRAIN,
            lambda: library.RMD(None).fit_features(train, labels).predict_features(x),
        ),
        "knn": (
            lambda: -scores.knn(x, train, NEIGHBOURS),
            lambda: library.KNN(None, NEIGHBOURS).fit_features(train, labels).predict_features(x),
        ),
    }
    size = f"M={TRAIN:,}, B={SAMPLES:,}, N={CLASSES:,}, d={DIMENSIONS}"
    with threadpool_limits(1):  # scikit-learn's neighbours ask for all cores
        rows = [
            compare(
                f"{name}, {size}",
                f"pytorch-ood {name.replace('rmds', 'rmd').upper()}",
                whole(lambda ours=ours: (ours(),)),
                whole(lambda theirs=theirs: (theirs(),)),
                items=SAMPLES,
                goals=GOALS[name],
            )
            for name, (ours, theirs) in sides.items()
        ]
        return [*rows, *_fitted(), _auroc()]
