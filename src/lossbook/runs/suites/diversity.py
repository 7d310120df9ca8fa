"""What the `multicenter` chapter measures on the test images: accuracy, and how much of a class' inner structure is left.

``purity`` needs classes that were merged from others (``RunSpec.groups``).
"""

from __future__ import annotations

import torch

from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share
from lossbook.metrics.uniformity import samplewise_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """``feature_norm`` and ``center_norm`` are mean lengths; ``sigma`` is the mean standard deviation of a sub-centre in
    one direction, so that the logit of a sub-centre has a noise of about ``sigma * feature_norm``."""
    head, features, labels = outputs.objective.head, outputs.test_features, outputs.test_labels
    with torch.no_grad():
        logits = outputs.objective.logits(features)
    rows = _class_rows(outputs, logits)
    values = {
        "accuracy": samplewise_accuracy(logits, labels),
        "diversity": intra_class_diversity(features, labels),
        "within_share": within_class_share(features, labels),
        "effective_rank": sum(row["effective_rank"] for row in rows) / len(rows),
        "feature_norm": features.norm(dim=1).mean().item(),
        "center_norm": head.weight.detach().norm(dim=1).mean().item(),
    }
    if outputs.data.test.fine is not None:
        values["purity"] = sum(row["purity"] * row["images"] for row in rows) / len(labels)
    if getattr(head, "num_subcenters", 0):
        values["sigma"] = head.sigma().mean().item()
    return Measured(values, {"classes": rows})


def _class_rows(outputs: Outputs, logits: torch.Tensor) -> list[dict[str, float]]:
    """One row a class."""
    rows = []
    for label in outputs.test_labels.unique().tolist():
        chosen = outputs.test_labels == label
        features, labels = outputs.test_features[chosen], outputs.test_labels[chosen]
        row = {
            "class": label,
            "images": len(labels),
            "accuracy": samplewise_accuracy(logits[chosen], labels),
            "diversity": intra_class_diversity(features, labels),
            "effective_rank": effective_rank(features),
        }
        if outputs.data.test.fine is not None:
            row["purity"] = subcluster_purity(features, labels, outputs.data.test.fine[chosen])
        rows.append(row)
    return rows


SUITE = Suite(measure)
