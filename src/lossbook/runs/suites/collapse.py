"""Neural collapse, separation, independence of the classes and the generalisation gap (`onecold`, Secs. 3.1 and A.9)."""

from __future__ import annotations

import torch

from lossbook.heads.dual import DualHead
from lossbook.metrics.collapse import dimensions_needed, fisher_ratio, nc1, nc2, nc3, nc4, principal_accuracies
from lossbook.metrics.openset import generalisation_gap
from lossbook.metrics.uniformity import samplewise_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """``nc1`` to ``nc4`` and ``fisher`` are taken on the training images, as neural collapse is a property of training.
    For a dual head, ``nc2`` to ``nc4`` are those of its cross-entropy head."""
    objective = outputs.objective
    with torch.no_grad():
        train, test = (objective.logits(features) for features in (outputs.train_features, outputs.test_features))
    head = objective.head.ce if isinstance(objective.head, DualHead) else objective.head
    weight, added = head.weight, -head.threshold().reshape(-1)
    features, labels = outputs.train_features, outputs.train_labels
    accuracies = principal_accuracies(test, outputs.test_labels)
    values = {
        "nc1": nc1(features, labels),
        "nc2": nc2(weight),
        "nc3": nc3(features, labels, weight),
        "nc4": nc4(features, labels, weight, added),
        "fisher": fisher_ratio(features, labels),
        "fisher_test": fisher_ratio(outputs.test_features, outputs.test_labels),
        "error": 1 - samplewise_accuracy(test, outputs.test_labels),
        "generalisation_gap": generalisation_gap(train, labels, test, outputs.test_labels),
    }
    values |= {f"dimensions_{percent}": float(dimensions_needed(accuracies, percent / 100)) for percent in (80, 90, 99)}
    rows = [{"dimensions": k, "accuracy": accuracy} for k, accuracy in enumerate(accuracies.tolist())]
    return Measured(values, {"independence": rows})


SUITE = Suite(
    measure,
    metrics={
        "nc1": "within-class against between-class variability of the training features, within [0, inf]; 0 is full collapse",
        "nc2": "distance of the classifier vectors to a simplex of equal angles, within [0, 1.41]; 0 is full collapse",
        "nc3": "how far the classifier vectors are from dual to the centred class means, within [0, 2]; 0 is full collapse",
        "nc4": "squared length of the logits of the features' mean, bias included, at least 0; 0 is full collapse",
        "fisher": "Fisher's ratio of the training features, scatter between over scatter within classes, within [0, inf]; larger"
        " is better separated",
        "fisher_test": "the same of the test features",
        "error": "share of wrong predictions on the test images, within [0, 1]; smaller is better",
        "generalisation_gap": "accuracy on the training less accuracy on the test images, within [-1, 1]; smaller is better",
        "dimensions_80": "principal directions of the test logits that restore 80 % of the accuracy; more means more independent",
        "dimensions_90": "the same for 90 %",
        "dimensions_99": "the same for 99 %",
    },
    small_tables={
        "independence": "one row per number of principal directions kept (`dimensions`): the `accuracy` on the test images"
        " (Fig. 5a)"
    },
)
