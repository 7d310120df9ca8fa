"""Verification of pairs of unknown classes (`warped`, Table V): the protocol of the face benchmarks on any data set."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lossbook.data.pairs import ImagePairs
from lossbook.heads.euclidean import EuclideanHead
from lossbook.metrics.neighbours import Distance
from lossbook.metrics.pairs import cross_validated_accuracy, draw_pairs, similarities, tar_at_far
from lossbook.runs.suites.suite import Measured, Outputs, Suite

FALSE_ACCEPT_RATES = (0.1, 0.01)


def verification_scores(scores: Tensor, same: Tensor, fold: Tensor) -> dict[str, float]:
    """``pair_accuracy``: the mean over the folds; ``TAR@<FAR>``: share of accepted same-class pairs."""
    values = {"pair_accuracy": cross_validated_accuracy(scores, same, fold).mean().item()}
    return values | {f"TAR@{far:g}": tar_at_far(scores, same, far) for far in FALSE_ACCEPT_RATES}


def verify(embed: Callable[[Tensor], Tensor], pairs: ImagePairs, distance: Distance = "euclidean") -> dict[str, float]:
    """:func:`verification_scores` of image pairs, e.g. of :func:`lossbook.data.pairs.read_pairs`.

    Args:
        embed: uint8 images (n, C, H, W) to embeddings (n, d).
        distance: ``"euclidean"``, or ``"cosine"`` for losses that compare directions.
    """
    left, right = (torch.cat([embed(chunk) for chunk in images.split(1000)]) for images in (pairs.left, pairs.right))
    return verification_scores(similarities(left, right, distance), pairs.same, pairs.fold)


def measure(outputs: Outputs) -> Measured:
    """The pairs are ten folds of 300 same-class and 300 other pairs, as in LFW, drawn from the unknown classes' test images.
    They are the same for every run, and are compared by the distance that the loss works with."""
    if outputs.unknown_features is None:
        raise ValueError("the suite 'verification' needs RunSpec.classes: pairs come from the classes left out")
    distance: Distance = "euclidean" if isinstance(outputs.objective.head, EuclideanHead) else "cosine"
    pairs = draw_pairs(outputs.unknown_labels)
    scores = similarities(outputs.unknown_features[pairs.left], outputs.unknown_features[pairs.right], distance)
    return Measured(verification_scores(scores, pairs.same, pairs.fold))


SUITE = Suite(
    measure,
    metrics={
        "pair_accuracy": "share of right decisions, same class or not, for pairs of held-out classes, mean over ten folds whose"
        " threshold is chosen on the others, within [0, 1]; larger is better",
        "TAR@0.1": "share of accepted same-class pairs where a tenth of the others is accepted, within [0, 1]; larger is better",
        "TAR@0.01": "the same where a hundredth of the others is accepted",
    },
)
