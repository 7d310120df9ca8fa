"""Out-of-distribution scores beside pytorch-ood's, fitting included; AUROC beside scikit-learn's.

10,000 training features of 512 numbers after a ReLU, the sizes of a small validation set of ImageNet: 1,000 classes and
2,000 images.  Our scores are brought to the library's sign and scale: it gives outlier scores, and the relative
Mahalanobis distance with scatter matrices in place of covariances.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits
from torch import Tensor

import lossbook._torchvision  # noqa: F401  # before pytorch_ood, which imports torchvision its own way
from benchmarks.measure import DEVICE, compare, whole
from lossbook.metrics import auroc, ood

from pytorch_ood.detector import DICE, KNN, RMD  # isort: skip

TRAIN, SAMPLES, CLASSES, DIMENSIONS = 10_000, 2_000, 1_000, 512
SPARSITY, NEIGHBOURS, SCORES = 0.9, 50, 100_000
GOALS = {
    "dice": {"time": 1 / 50, "memory": 1 / 100, "error": 1e-5},
    "rmds": {"time": 1 / 30, "error": 1e-5},
    "knn": {"time": 0.7, "error": 1e-5},
}
AUROC_GOAL = {"error": 1e-6}


class Data(NamedTuple):
    features: Tensor
    train_features: Tensor
    train_labels: Tensor
    weight: Tensor
    bias: Tensor


def _draw() -> Data:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    means = normal(CLASSES, DIMENSIONS)
    labels = torch.arange(TRAIN) % CLASSES
    train = (means[labels] + normal(TRAIN, DIMENSIONS)).relu()
    features = (means[torch.arange(SAMPLES) % CLASSES] + 1.5 * normal(SAMPLES, DIMENSIONS)).relu()
    data = Data(features, train, labels, 0.05 * normal(CLASSES, DIMENSIONS), normal(CLASSES))
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


def run(quick: bool = False) -> list[dict[str, Any]]:
    """DICE, RMDS, KNN and AUROC (the same when ``quick``)."""
    data = _draw()
    x, train, labels, weight, bias = data
    sides = {
        "dice": (
            lambda: -ood.dice(x, train, weight, bias, SPARSITY),
            lambda: DICE(None, weight, bias, SPARSITY).fit_features(train, labels).predict_features(x),
        ),
        "rmds": (
            lambda: -ood.rmds(x, train, labels) / TRAIN,
            lambda: RMD(None).fit_features(train, labels).predict_features(x),
        ),
        "knn": (
            lambda: -ood.knn(x, train, NEIGHBOURS),
            lambda: KNN(None, NEIGHBOURS).fit_features(train, labels).predict_features(x),
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
        return [*rows, _auroc()]
