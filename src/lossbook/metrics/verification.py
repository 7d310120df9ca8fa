r"""Verification and rejection with one threshold: are two samples of the same class, is a sample of a known class?"""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.metrics.checks import check_mask, check_tensors


def _check(scores: Tensor, positive: Tensor) -> None:
    check_tensors(scores=scores, positive=positive)
    if scores.ndim != 1 or scores.shape != positive.shape or scores.numel() == 0:
        raise ValueError(
            f"expected scores and a boolean mask of the same shape (M,), got {tuple(scores.shape)} and {tuple(positive.shape)}"
        )
    check_mask("of the positive scores", positive)
    if bool(scores.isnan().any()):
        raise ValueError("expected scores without NaN")


def threshold_accuracy(scores: Tensor, positive: Tensor, threshold: float) -> float:
    r"""The share of scores on their side of a threshold chosen beforehand.

    .. math:: \frac1M \sum_m \left[(s_m > t) = p_m\right]

    Args:
        scores: (M,) similarities of pairs, or the largest similarity of each sample; larger means more likely positive.
        positive: (M,) bool: same class (verification), known class (rejection).
        threshold: in the scores' unit.

    Returns:
        Within [0, 1].
    """
    _check(scores, positive)
    return int(((scores > threshold) == positive).sum()) / len(scores)


def verification_accuracy(scores: Tensor, positive: Tensor) -> tuple[float, float]:
    """The best :func:`threshold_accuracy` over all unified thresholds, exactly (one sort, ties together).

    Returns:
        ``(accuracy, threshold)``: the threshold is one of the scores, or -inf where accepting all is best.

    Example:
        >>> verification_accuracy(torch.tensor([0.9, 0.8, 0.3, 0.1]), torch.tensor([True, True, True, False]))
        (1.0, 0.10000000149011612)
    """
    _check(scores, positive)
    values, inverse = torch.unique(scores.detach(), return_inverse=True)
    per_value = torch.zeros(2, values.numel(), dtype=torch.int64, device=scores.device)
    per_value[0].scatter_add_(0, inverse, (~positive).long())
    per_value[1].scatter_add_(0, inverse, positive.long())
    rejected_right, rejected_wrong = per_value.cumsum(1)
    # The threshold values[k] rejects all scores up to values[k].  The first column accepts everything.
    right = torch.cat([rejected_right.new_zeros(1), rejected_right - rejected_wrong]) + positive.sum()
    if values[0] == -torch.inf:
        right[0] = -1  # no threshold accepts -inf
    best = int(right.argmax())
    threshold = float("-inf") if best == 0 else values[best - 1].item()
    return right[best].item() / scores.numel(), threshold
