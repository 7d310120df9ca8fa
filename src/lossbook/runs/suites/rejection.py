"""Open set and verification with one threshold (`uniform`, Secs. III-E and V-C).

Needs a run on some classes only (``RunSpec.classes``): the test images of the other classes are the unknown ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lossbook.metrics.openset import auroc
from lossbook.metrics.thresholds import calibrate
from lossbook.metrics.uniformity import uniform_accuracy
from lossbook.metrics.verification import threshold_accuracy, verification_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_PAIRS = 10_000


def measure(outputs: Outputs) -> Measured:
    """One threshold rejects: the best possible one, the best on the known training images, the one that accepts 95 % of some
    known test images, or the one that the loss learned."""
    if outputs.unknown_features is None:
        raise ValueError("the suite 'rejection' needs RunSpec.classes: the classes left out are the unknown ones")
    head = outputs.objective.head
    with torch.no_grad():
        train, known, unknown = (
            head.similarities(x) for x in (outputs.train_features, outputs.test_features, outputs.unknown_features)
        )
    scores = torch.cat([known.amax(1), unknown.amax(1)])
    is_known = torch.arange(len(scores)) < len(known)
    threshold = uniform_accuracy(train, outputs.train_labels)[1]
    learned = outputs.objective.threshold()
    accepted_right = (known.amax(1) > threshold) & (known.argmax(1) == outputs.test_labels)
    rejected = unknown.amax(1) <= threshold
    values = {
        "rejection_best": verification_accuracy(scores, is_known)[0],
        "rejection_train": threshold_accuracy(scores, is_known, threshold),
        "auroc": auroc(known.amax(1), unknown.amax(1)),
        "open_accuracy": (accepted_right.sum() + rejected.sum()).item() / len(scores),
    }
    responses = known.amax(1)
    usual = calibrate(responses[::2], tpr=0.95)
    held_out = torch.cat([responses[1::2], unknown.amax(1)])
    values["rejection_95"] = threshold_accuracy(held_out, torch.arange(len(held_out)) < len(responses[1::2]), usual)
    if learned.numel() == 1:
        values["rejection_learned"] = threshold_accuracy(scores, is_known, learned.item())
    known_pairs = _pairs(outputs.test_features, outputs.test_labels)
    unknown_pairs = _pairs(outputs.unknown_features, outputs.unknown_labels)
    pair_threshold = verification_accuracy(*known_pairs)[1]
    values["verification"] = threshold_accuracy(*unknown_pairs, pair_threshold)
    values["verification_best"] = verification_accuracy(*unknown_pairs)[0]
    return Measured(values)


def _pairs(features: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines of as many same-class as different-class pairs, drawn with a fixed seed, and which are which."""
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randint(len(labels), (2, 20 * _PAIRS), generator=generator)
    same = labels[first] == labels[second]
    apart = first != second
    index = torch.cat([(same & apart).nonzero()[: _PAIRS // 2, 0], (~same).nonzero()[: _PAIRS // 2, 0]])
    unit = F.normalize(features, dim=1)
    return (unit[first[index]] * unit[second[index]]).sum(1), same[index]


SUITE = Suite(
    measure,
    metrics={
        "rejection_best": "share of known and unknown test images told apart by the best threshold on the largest similarity,"
        " within [0, 1]; larger is better",
        "rejection_train": "the same by the threshold that is best for A_Uni on the known training images",
        "rejection_95": "as rejection_best, by the usual rule: the threshold that accepts 95 % of every other known test image,"
        " on the rest of them and the unknown ones",
        "auroc": "AUROC of known against unknown test images by the largest similarity, within [0, 1]; larger is better",
        "open_accuracy": "share of known images accepted and classified right plus unknown ones rejected, at the threshold of"
        " rejection_train, within [0, 1]; larger is better",
        "rejection_learned": "as rejection_best, by the threshold that the loss has learned; losses with one threshold only",
        "verification": "share of right decisions, same class or not, for pairs of unknown images by cosine, with a threshold"
        " chosen on known pairs, within [0, 1]; larger is better",
        "verification_best": "the same with the best threshold for the unknown pairs",
    },
)
