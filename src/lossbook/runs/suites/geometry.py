"""Compactness and separability of features and classifier vectors, in per cent (Figs. 2, 6, 7, 8, 10 of `bce3s`)."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.metrics.geometry import classifier_separability, compactness, feature_separability, separability_matrix
from lossbook.objectives.objective import Objective
from lossbook.runs.suites.suite import Measured, Outputs, Suite

# Up to so many classes K, a record holds the K x K pairs of classifier vectors (Fig. 8 has 100).
_PAIRED_CLASSES = 100


def _classifier_vectors(objective: Objective, in_features: int) -> Tensor:
    """(K, d), normalised where the head normalises: the similarities of the unit vectors to every class."""
    with torch.no_grad():
        return objective.head.similarities(torch.eye(in_features)).T


def measure(outputs: Outputs) -> Measured:
    """No class is left out, so standard deviations over the classes are the population's."""
    weight = _classifier_vectors(outputs.objective, outputs.train_features.shape[1])
    columns: dict[str, Tensor] = {}
    parts = {
        "train": (outputs.train_features, outputs.train_labels, len(weight)),
        "test": (outputs.test_features, outputs.test_labels, len(weight)),
    }
    for part, arguments in parts.items():
        columns[f"compactness_{part}"] = compactness(*arguments)
        columns[f"feature_separability_{part}"] = feature_separability(*arguments)
        columns[f"global_separability_{part}"] = feature_separability(*arguments, center="global")
    columns["classifier_separability"] = classifier_separability(weight)
    values = {}
    for name, column in columns.items():
        seen = column[~column.isnan()]
        values |= {name: seen.mean().item(), f"{name}_std": seen.std(correction=0).item()}
    matrix = separability_matrix(weight)
    pairs = 100 * matrix[~torch.eye(len(matrix), dtype=torch.bool)]
    values |= {"pair_separability_std": pairs.std(correction=0).item(), "pair_separability_min": pairs.min().item()}
    images = torch.bincount(outputs.train_labels, minlength=len(weight))
    rows = [{"class": k, "images": int(images[k])} | {n: c[k].item() for n, c in columns.items()} for k in range(len(weight))]
    small = {"geometry": rows}
    if len(weight) <= _PAIRED_CLASSES:
        small["separability"] = _pairs(matrix)
    return Measured(values, small)


def _pairs(matrix: Tensor) -> list[dict[str, float]]:
    return [
        {"row": j, "column": k, "separability": value} for j, row in enumerate(matrix.tolist()) for k, value in enumerate(row)
    ]


_MEASURES = {
    "compactness_train": "mean cosine of two training samples of a class, 50 at a right angle, 100 if equal; larger is better",
    "feature_separability_train": "Eq. 15 as printed on training images, from 0 to 100; near 50 whatever the features are",
    "global_separability_train": "the same with features and class means centred on the global mean; larger is better separated",
    "compactness_test": "as compactness_train, on test images",
    "feature_separability_test": "as feature_separability_train, on test images",
    "global_separability_test": "as global_separability_train, on test images",
    "classifier_separability": "Eq. 13 of the classifier vectors, from 0 to 100; 50 K / (K - 1) for K vectors at equal angles",
}
SUITE = Suite(
    measure,
    metrics={
        **{name: f"{line}; mean over the classes" for name, line in _MEASURES.items()},
        **{f"{name}_std": f"standard deviation of {name} over the classes" for name in _MEASURES},
        "pair_separability_std": "standard deviation over the pairs of classifier vectors of Eq. 36, times 100",
        "pair_separability_min": "the smallest of them, from 0 to 100",
    },
    small_tables={
        "geometry": "one row per `class`: number of training `images` and "
        + ", ".join(f"`{name}`" for name in _MEASURES)
        + ", as above",
        "separability": "one row per pair of classes (`row`, `column`), up to 100 classes: the `separability` of their classifier"
        " vectors within [0, 1] (Eq. 36)",
    },
)
