"""What the cross-paper comparison measures on every head alike: calibration, retrieval, other data sets.

The papers' suites have more scores, but some of them need a linear head; these need logits and features only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.data.other_sets import others_of
from lossbook.data.unknown import unknown_for
from lossbook.heads.euclidean import EuclideanHead
from lossbook.metrics import ood
from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.openset import auroc
from lossbook.metrics.proxies import avg_dtp
from lossbook.metrics.retrieval import retrieval_scores
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_NEIGHBOURS = 50


def measure(outputs: Outputs) -> Measured:
    """Retrieval is by the distance that the head works with: Euclidean for distances to proxies, cosine for all others.
    A run on cached features is scored against cached features of the other data sets."""
    head, test, labels = outputs.objective.head, outputs.test_features, outputs.test_labels
    euclidean = isinstance(head, EuclideanHead)
    logits = _logits(outputs, test)
    correct = logits.argmax(1) == labels
    values = {
        "ece": expected_calibration_error(logits.softmax(1).amax(1), correct),
        "ece_sigmoid": expected_calibration_error(logits.amax(1).sigmoid(), correct),
    }
    values |= _out_of_distribution(outputs, logits)
    if outputs.unknown_features is not None:
        distance = "euclidean" if euclidean else "cosine"
        scores = retrieval_scores(outputs.unknown_features, outputs.unknown_labels, ks=(1,), distance=distance)
        values |= {name: scores[name] for name in ("recall@1", "MAP@R")}
    if euclidean:
        values["avg_dtp"] = avg_dtp(test, labels, head.weight)
    return Measured(values)


def _logits(outputs: Outputs, features: Tensor) -> Tensor:
    with torch.no_grad():
        return outputs.objective.logits(features).double()  # near 1, float32 probabilities tie


def _out_of_distribution(outputs: Outputs, logits: Tensor) -> dict[str, float]:
    train, test, known, dataset = outputs.train_features, outputs.test_features, outputs.data.test.images, outputs.spec.dataset
    neighbours = min(_NEIGHBOURS, len(train))
    areas: dict[str, list[float]] = {"ood_msp": [], "ood_knn": []}
    for name in others_of("bench", dataset):
        # Resized once, to the size that the run trains at, and not first to the known images' size.
        images = unknown_for(dataset, name, known, outputs.spec.image_size or known.shape[-1])
        others = outputs.extract(images)
        areas["ood_msp"].append(auroc(ood.msp(logits), ood.msp(_logits(outputs, others))))
        areas["ood_knn"].append(auroc(ood.knn(test, train, neighbours), ood.knn(others, train, neighbours)))
    return {name: sum(found) / len(found) for name, found in areas.items()}


SUITE = Suite(
    measure,
    metrics={
        "ece": "expected calibration error of the softmax of the logits, within [0, 1]; smaller is better",
        "ece_sigmoid": "the same of the sigmoid of the largest logit, which is what a BCE has trained",
        "ood_msp": "AUROC of the test images against other data sets by the largest softmax probability, mean over the sets,"
        " within [0, 1]; larger is better",
        "ood_knn": "the same by the distance to the 50th nearest training feature",
        "recall@1": "share of held-out classes' test images whose nearest neighbour has their class, within [0, 1]; larger is"
        " better; only where RunSpec.classes leaves some out",
        "MAP@R": "mean average precision at R among the same, within [0, 1]; larger is better",
        "avg_dtp": "mean Euclidean distance of the test images to their class's proxy; Euclidean heads only",
    },
)
