"""Accuracy on a long tail: all classes, many, medium and few (Tables 2-7 of `bce3s`)."""

from __future__ import annotations

import torch

from lossbook.metrics.longtail import class_groups, group_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """Predictions are those of the largest logit."""
    labels, num_classes = outputs.test_labels, outputs.data.num_classes
    counts = torch.bincount(outputs.train_labels, minlength=num_classes)
    with torch.no_grad():
        logits = outputs.objective.logits(outputs.test_features)
    values = group_accuracy(logits, labels, counts)._asdict()
    right = torch.bincount(labels[logits.argmax(1) == labels], minlength=num_classes)
    accuracy = right / torch.bincount(labels, minlength=num_classes)
    columns = {"images": counts, "group": class_groups(counts), "accuracy": accuracy}
    rows = [{"class": k} | {name: column[k].item() for name, column in columns.items()} for k in range(num_classes)]
    return Measured({f"accuracy_{name}": value for name, value in values.items()}, {"accuracies": rows})


SUITE = Suite(
    measure,
    metrics={
        "accuracy_all": "share of right predictions on the test images, within [0, 1]; larger is better",
        "accuracy_many": "the same of the classes with more than 100 training images",
        "accuracy_medium": "the same of the classes with 20 to 100",
        "accuracy_few": "the same of the classes with fewer than 20",
    },
    small_tables={
        "accuracies": "one row per `class`: number of training `images`, `group` (0 many, 1 medium, 2 few), `accuracy` on the"
        " test images"
    },
)
