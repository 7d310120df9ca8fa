"""Embeddings in the plane (`warped`, Fig. 10): where the training images of a two-dimensional embedding and its proxies lie."""

from __future__ import annotations

import torch

from lossbook.metrics.proxies import avg_dtp
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_SHOWN = 100  # images per class


def measure(outputs: Outputs) -> Measured:
    """Distances are Euclidean, in the unit of the embedding."""
    features, labels, proxies = outputs.train_features, outputs.train_labels, outputs.objective.head.weight.detach()
    if features.shape[1] != 2:
        raise ValueError(f"the suite 'plane' needs RunSpec.embedding_size = 2, got features of {features.shape[1]} dimensions")
    means = torch.stack([features[labels == label].mean(0) for label in range(len(proxies))])
    metrics = {
        "gap": torch.pdist(means).mean().item(),
        "spread": avg_dtp(features, labels, means),
        "to_proxy": avg_dtp(features, labels, proxies),
    }
    shown = torch.cat([torch.nonzero(labels == label).squeeze(1)[:_SHOWN] for label in range(len(proxies))])
    points = [(features[shown], labels[shown], 0.0), (proxies, torch.arange(len(proxies)), 1.0)]
    rows = [
        {"x": x, "y": y, "label": float(label), "proxy": proxy}
        for places, classes, proxy in points
        for (x, y), label in zip(places.tolist(), classes.tolist(), strict=True)
    ]
    return Measured(metrics, {"plane": rows})


SUITE = Suite(
    measure,
    metrics={
        "gap": "mean distance between the classes' means; larger is further apart",
        "spread": "mean distance of the training images to their class's mean; smaller is more compact",
        "to_proxy": "mean distance of the training images to their class's proxy (AvgDTP)",
    },
    small_tables={
        "plane": "one row per training image (the first hundred of each class) and per `proxy` (0 or 1): its place (`x`, `y`) and"
        " `label`"
    },
)
