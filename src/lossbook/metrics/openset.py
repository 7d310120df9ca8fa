r"""Known and unknown classes together: OSCR, AUROC, and the generalisation gap (Secs. 3.1 and 3.3 of `onecold`)."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.losses.checks import check_logits_labels
from lossbook.metrics.uniformity import samplewise_accuracy
from lossbook.optional import extra


def _scores(name: str, values: Tensor) -> Tensor:
    if values.ndim != 1 or not len(values):
        raise ValueError(f"expected {name} (M,) with M >= 1, got {tuple(values.shape)}")
    if bool(values.isnan().any()):
        raise ValueError(f"expected {name} without NaN")
    return values.detach().double()


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

    Example:
        >>> known = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
        >>> oscr(known, torch.tensor([0, 0, 0]), torch.tensor([[0.4, 0.6], [0.5, 0.5]]))  # 1/3 (1 + 3/4)
        0.5833333333333334
    """
    check_logits_labels(known_probs, known_labels)
    if unknown_probs.ndim != 2 or unknown_probs.shape[1] != known_probs.shape[1]:
        raise ValueError(f"expected unknown_probs (U, {known_probs.shape[1]}), got {tuple(unknown_probs.shape)}")
    confidence, predicted = known_probs.max(1)
    right = _scores("known_probs' maxima", confidence)[predicted == known_labels]
    unknown = _scores("unknown_probs' maxima", unknown_probs.amax(1)).sort().values
    below = torch.searchsorted(unknown, right)
    up_to = torch.searchsorted(unknown, right, right=True)
    return int((below + up_to).sum()) / (2 * len(known_labels) * len(unknown))


def auroc(known_scores: Tensor, unknown_scores: Tensor) -> float:
    """The probability that a known sample scores higher than an unknown one, ties counting half.

    Args:
        known_scores: (M,), larger means more likely known.
        unknown_scores: (U,).

    Returns:
        Within [0, 1]; 0.5 is chance.

    Example:
        >>> auroc(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1]))
        0.875
    """
    with extra("metrics"):
        from sklearn.metrics import roc_auc_score  # imported late, as it takes seconds

    known, unknown = _scores("known_scores", known_scores), _scores("unknown_scores", unknown_scores)
    scores = torch.cat([known, unknown])
    return float(roc_auc_score((torch.arange(len(scores)) < len(known)).numpy(), scores.cpu().numpy()))


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
    return samplewise_accuracy(train_logits, train_labels) - samplewise_accuracy(test_logits, test_labels)
