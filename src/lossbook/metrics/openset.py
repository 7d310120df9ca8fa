r"""Known and unknown classes together: OSCR, AUROC, and the generalisation gap (Secs. 3.1 and 3.3 of `onecold`)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lossbook.metrics.checks import check_classified, check_mask, check_scores, check_tensors
from lossbook.metrics.thresholds import roc
from lossbook.metrics.uniformity import samplewise_accuracy


def oscr(known_probs: Tensor, known_labels: Tensor, unknown_probs: Tensor) -> float:
    r"""Area under the open-set classification rate curve, exactly.

    At a threshold t on the largest probability, the correct classification rate is the share of known samples that are
    right and reach t, the false positive rate the share of unknown samples that reach t:

    .. math:: OSCR = \int CCR \, d\,FPR
              = \frac{1}{M U} \sum_{m\ \text{right}} \sum_u \left([s_m > s_u] + \tfrac12 [s_m = s_u]\right)

    Equal scores pass a threshold together (the trapezoid of the curve), so the order of the samples does not matter.

    Args:
        known_probs: (M, N), test samples of the known classes; any score whose largest entry is the confidence.
        known_labels: (M,), int64.
        unknown_probs: (U, N), samples of unknown classes.

    Returns:
        Within [0, accuracy].

    Raises:
        ValueError: for wrong shapes, a label out of range, no sample, or a score that is NaN; infinite ones are allowed.

    Example:
        >>> known = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
        >>> oscr(known, torch.tensor([0, 0, 0]), torch.tensor([[0.4, 0.6], [0.5, 0.5]]))  # 1/3 (1 + 3/4)
        0.5833333333333334
    """
    check_tensors(known_probs=known_probs, known_labels=known_labels, unknown_probs=unknown_probs)
    check_classified(known_probs, known_labels)
    if unknown_probs.ndim != 2 or unknown_probs.shape[1] != known_probs.shape[1]:
        raise ValueError(f"expected unknown_probs (U, {known_probs.shape[1]}), got {tuple(unknown_probs.shape)}")
    confidence, predicted = known_probs.max(1)
    known = check_scores("known_probs' maxima", confidence)
    unknown = check_scores("unknown_probs' maxima", unknown_probs.amax(1))
    return oscr_from_scores(known, predicted == known_labels, unknown)


def oscr_from_scores(known_scores: Tensor, right: Tensor, unknown_scores: Tensor) -> float:
    """:func:`oscr` of samples that are reduced to their confidence, for a stream of batches.

    Args:
        known_scores: (M,), the largest probability of each known sample.
        right: (M,) bool, whether its class is the right one.
        unknown_scores: (U,), the largest probability of each unknown sample.

    Example:
        >>> oscr_from_scores(torch.tensor([0.9, 0.6, 0.8]), torch.tensor([True, True, False]), torch.tensor([0.6, 0.5]))
        0.5833333333333334
    """
    check_tensors(known_scores=known_scores, right=right, unknown_scores=unknown_scores)
    known, unknown = check_scores("known_scores", known_scores), check_scores("unknown_scores", unknown_scores)
    check_mask("right", right)
    if right.shape != known.shape:
        raise ValueError(f"expected right of shape {tuple(known.shape)}, one per known score, got {tuple(right.shape)}")
    unknown = unknown.sort().values
    below = torch.searchsorted(unknown, known[right])
    up_to = torch.searchsorted(unknown, known[right], right=True)
    return int((below + up_to).sum()) / (2 * len(known) * len(unknown))


def auroc(known_scores: Tensor, unknown_scores: Tensor) -> float:
    """The probability that a known sample scores higher than an unknown one, ties counting half: the area under
    :func:`lossbook.metrics.thresholds.roc`.

    Args:
        known_scores: (M,), larger means more likely known.
        unknown_scores: (U,).

    Returns:
        Within [0, 1]; 0.5 is chance.

    Raises:
        ValueError: for wrong shapes, no sample, or NaN; infinite scores are allowed, and equal ones tie.

    Example:
        >>> auroc(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1]))
        0.875
    """
    _, tpr, fpr = roc(known_scores, unknown_scores)
    return float(np.trapezoid(tpr.cpu().numpy(), fpr.cpu().numpy()))


def generalisation_gap(train_logits: Tensor, train_labels: Tensor, test_logits: Tensor, test_labels: Tensor) -> float:
    """Accuracy on the training images less accuracy on the test images (Fig. 5c).

    Returns:
        Within [-1, 1]; smaller is better.

    Example:
        >>> right, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> label = torch.tensor([0])
        >>> generalisation_gap(right, label, wrong, label)
        1.0
    """
    check_tensors(train_logits=train_logits, train_labels=train_labels, test_logits=test_logits, test_labels=test_labels)
    return samplewise_accuracy(train_logits, train_labels) - samplewise_accuracy(test_logits, test_labels)
