"""Accuracy on the test images, and how much of a class's inner structure is left in their features (`multicenter`)."""

from __future__ import annotations

import torch

from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share
from lossbook.metrics.uniformity import samplewise_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """``purity`` needs classes that were merged from others, ``sigma`` a head with sub-centres."""
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
    """One row per class."""
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


SUITE = Suite(
    measure,
    metrics={
        "accuracy": "share of right predictions, within [0, 1]; larger is better",
        "diversity": "mean cosine distance of two samples of a class, mean over the classes, within [0, 2]; 0 where every class"
        " points in one direction",
        "within_share": "share of the features' variance within the classes, within [0, 1]; 0 for collapsed classes",
        "effective_rank": "in how many directions the samples of a class spread, mean over the classes, at least 1",
        "feature_norm": "mean length of a feature",
        "center_norm": "mean length of a centre, a row of the head's weight",
        "purity": "share of samples in the commonest sub-class of their k-means cluster, within (0, 1], about a half by chance;"
        " larger means sub-classes still apart; only where classes were merged (RunSpec.groups)",
        "sigma": "mean standard deviation of a sub-centre in one direction, so that the noise of its logit is about sigma times"
        " feature_norm; heads with sub-centres only",
    },
    small_tables={
        "classes": "one row per `class`: number of test `images`, `accuracy`, `diversity`, `effective_rank` and, where classes"
        " were merged, `purity`, as above"
    },
)
