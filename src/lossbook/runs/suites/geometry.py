"""Compactness and separability of features and classifier vectors, in per cent (Figs. 2, 6, 7, 8, 10 of `bce3s`)."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.metrics.geometry import classifier_separability, compactness, feature_separability, separability_matrix
from lossbook.objectives.objective import Objective
from lossbook.runs.suites.suite import Measured, Outputs, Suite

# A record holds the K x K pairs of classifier vectors up to so many classes (Fig. 8 has 100).
_PAIRED_CLASSES = 100


def _classifier_vectors(objective: Objective, in_features: int) -> Tensor:
    """(K, d) as the metrics see them, normalised where the head normalises: the metrics of the unit vectors."""
    with torch.no_grad():
        return objective.head.similarities(torch.eye(in_features)).T


def measure(outputs: Outputs) -> Measured:
    """Mean (the measure's name) and standard deviation (``..._std``) over the classes, on training and test images.

    ``feature_separability`` is Eq. 15 as printed, ``global_separability`` the same centred on the global mean;
    ``pair_separability_std`` and ``_min`` are over the pairs of classifier vectors (Eq. 36).  The classes are all there
    are, so the deviation is the population's.  Frames: one row a class; one row a pair of classes
    (up to 100 classes).
    """
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


SUITE = Suite(measure)
