"""What needs no new training: a temperature, class priors that are taken off the logits, neighbours instead of a classifier.

They are rivals of a new loss: each changes what is made of a trained model, by one line of code.
"""

from __future__ import annotations

import math

import scipy
import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.longtail import group_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_NEIGHBOURS = 10
_LARGEST = 100.0  # temperatures lie within 1 / 100 and 100
_CHUNK = 2000


def measure(outputs: Outputs) -> Measured:
    labels, counts = outputs.test_labels, torch.bincount(outputs.train_labels, minlength=outputs.data.num_classes)
    with torch.no_grad():
        logits = outputs.objective.logits(outputs.test_features).double()
    scaled = scaled_by_the_other_half(logits, labels)
    adjusted = group_accuracy(logits - (counts / counts.sum()).double().log(), labels, counts)
    nearest = neighbours_vote(outputs.test_features, outputs.train_features, outputs.train_labels)
    return Measured(
        {
            "ece_scaled": expected_calibration_error(scaled.softmax(1).amax(1), scaled.argmax(1) == labels),
            "accuracy_all_adjusted": adjusted.all,
            "accuracy_few_adjusted": adjusted.few,
            "accuracy_neighbours": (nearest == labels).double().mean().item(),
        }
    )


def scaled_by_the_other_half(logits: Tensor, labels: Tensor) -> Tensor:
    """Logits (n, K) over the temperature that fits the labels (n,) best, for every other image by those of the other half: no
    image is scored at a temperature that has seen its label."""
    scaled = logits.clone()
    for half in (0, 1):
        scaled[half::2] /= best_temperature(logits[1 - half :: 2], labels[1 - half :: 2])
    return scaled


def best_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T > 0 with the lowest cross entropy of logits (n, K) / T (Guo et al., 2017)."""

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(logits / math.exp(log_temperature), labels).item()

    bound = math.log(_LARGEST)
    return math.exp(scipy.optimize.minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x)


def neighbours_vote(test: Tensor, train: Tensor, labels: Tensor) -> Tensor:
    """The class with the most of the ten nearest training features by cosine, the first of equal ones: (n, d) -> (n,)."""
    directions, classes = F.normalize(train), F.one_hot(labels)
    votes = [
        classes[(chunk @ directions.T).topk(min(_NEIGHBOURS, len(train)), dim=1).indices].sum(1)
        for chunk in F.normalize(test).split(_CHUNK)
    ]
    return torch.cat(votes).argmax(1)


SUITE = Suite(
    measure,
    metrics={
        "ece_scaled": "expected calibration error of the softmax of the logits over a temperature, within [0, 1]; smaller is"
        " better; each half of the test images has the temperature with the lowest cross entropy on the other half",
        "accuracy_all_adjusted": "share of right predictions by the logits less the logarithm of the class's share of the"
        " training images, within [0, 1]; larger is better",
        "accuracy_few_adjusted": "the same of the classes with fewer than 20 training images",
        "accuracy_neighbours": "share of test images whose ten nearest training features (cosine) vote for their class, within"
        " [0, 1]; larger is better",
    },
)
