"""Accuracy on a long tail: all classes, many, medium and few (Tables 2-7 of `bce3s`)."""

from __future__ import annotations

import torch

from lossbook.metrics.longtail import class_groups, group_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """``accuracy_all``, ``accuracy_many``, ``accuracy_medium``, ``accuracy_few`` on the test images; one row a class."""
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


SUITE = Suite(measure)
