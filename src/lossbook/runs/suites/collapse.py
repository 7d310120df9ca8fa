"""Neural collapse, separation, independence of the classes and the generalisation gap (`onecold`, Secs. 3.1 and A.9)."""

from __future__ import annotations

import torch

from lossbook.heads.dual import DualHead
from lossbook.metrics.collapse import dimensions_needed, fisher_ratio, nc1, nc2, nc3, nc4, principal_accuracies
from lossbook.metrics.openset import generalisation_gap
from lossbook.metrics.uniformity import samplewise_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """``nc1`` to ``nc4`` and ``fisher`` on the training images, as neural collapse is a property of training;
    ``fisher_test``, the ``error`` and the ``dimensions_*`` that restore 80, 90 and 99 % of the accuracy on the test images.
    The frame ``independence`` has the accuracy after each number of principal directions (Fig. 5a).

    Of a dual head, ``nc2`` to ``nc4`` are the cross entropy head's.
    """
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


SUITE = Suite(measure)
