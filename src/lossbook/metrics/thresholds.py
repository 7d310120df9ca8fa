r"""Known against unknown at a threshold: the ROC and what is read off it, and thresholds calibrated on held-out scores.

``known_scores`` (M,) and ``unknown_scores`` (U,) are larger the more surely a sample is of a known class.  A sample is
accepted where its score exceeds the threshold, and equal scores pass together.  The true positive rate (TPR) is the share of
known samples that are accepted, the false positive rate (FPR) that of unknown ones.

Scores may be infinite.  An infinite score lies above (or below) all finite ones and equals those of its own sign, in every
function here; only a threshold can never accept a score of minus infinity.  NaN is refused.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lossbook.metrics.checks import check_scores, check_tensors
from lossbook.precision import wide


class ROC(NamedTuple):
    """The corners of the ROC, each (K,), from accepting nothing to accepting everything."""

    threshold: Tensor
    tpr: Tensor
    fpr: Tensor


class AUPR(NamedTuple):
    """Average precision where the known (in) or the unknown samples (out) are the positive ones."""

    aupr_in: float
    aupr_out: float


def _checked(known_scores: Tensor, unknown_scores: Tensor) -> tuple[Tensor, Tensor]:
    check_tensors(known_scores=known_scores, unknown_scores=unknown_scores)
    return check_scores("known_scores", known_scores), check_scores("unknown_scores", unknown_scores)


def _reaching(known: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The different scores in falling order, and how many known and how many unknown ones reach each: (K,) each."""
    values, place = torch.cat([known, unknown]).unique(return_inverse=True)
    counts = torch.stack([part.bincount(minlength=len(values)) for part in place.split([len(known), len(unknown)])])
    reaching = counts.flip(1).cumsum(1)
    return values.flip(0), reaching[0], reaching[1]


def _needed(tpr: float, samples: int) -> int:
    """How many of the known samples must be accepted: 0.95 of 20 are 19, in spite of rounding."""
    if not 0 < tpr <= 1:
        raise ValueError(f"expected a true positive rate within (0, 1], got {tpr}")
    return max(1, math.ceil(tpr * samples - 1e-9))


def roc(known_scores: Tensor, unknown_scores: Tensor) -> ROC:
    r"""The receiver operating characteristic, exactly: TPR and FPR of every threshold that makes a corner.

    .. math:: TPR(t) = \frac1M \sum_m [s_m > t], \qquad FPR(t) = \frac1U \sum_u [s_u > t]

    Returns:
        Thresholds in falling order, from the largest score, which accepts nothing, to minus infinity, which stands for
        accepting everything; the rates in float64.  Points on a straight line between others are left out.

    Example:
        >>> roc(torch.tensor([3.0, 2.0]), torch.tensor([2.0, 1.0])).tpr.tolist()
        [0.0, 0.5, 1.0, 1.0]
    """
    known, unknown = _checked(known_scores, unknown_scores)
    values, true, false = _reaching(known, unknown)
    bend = (true.diff(n=2) != 0) | (false.diff(n=2) != 0)
    corner = torch.cat([bend.new_ones(1), bend, bend.new_ones(1)])[: len(values)]
    below = torch.cat([values[1:], values.new_full((1,), -torch.inf)])
    points = (below, true / wide(true[-1]), false / wide(false[-1]))
    nothing = (values[:1], values.new_zeros(1), values.new_zeros(1))
    return ROC(*(torch.cat([start, column[corner]]) for start, column in zip(nothing, points, strict=True)))


def fpr_at_tpr(known_scores: Tensor, unknown_scores: Tensor, tpr: float = 0.95) -> float:
    r"""The share of unknown samples that are accepted where at least the share ``tpr`` of the known ones is.

    .. math:: \min_t FPR(t) \quad\text{with}\quad TPR(t) \ge \mathrm{tpr}

    Of a threshold between two scores, not interpolated; "FPR95" for the default.

    Returns:
        Within [0, 1]; smaller is better.

    Example:
        >>> fpr_at_tpr(torch.tensor([0.9, 0.8, 0.7, 0.2]), torch.tensor([0.75, 0.5, 0.1, 0.0]), tpr=0.75)
        0.25
    """
    known, unknown = _checked(known_scores, unknown_scores)
    lowest = known.sort(descending=True).values[_needed(tpr, len(known)) - 1]
    return int((unknown >= lowest).sum()) / len(unknown)


def _average_precision(positive: Tensor, negative: Tensor) -> float:
    _, true, false = _reaching(positive, negative)
    recalled = true.diff(prepend=true.new_zeros(1))
    return float((recalled * (true / wide(true + false))).sum() / len(positive))


def aupr(known_scores: Tensor, unknown_scores: Tensor) -> AUPR:
    r"""The area under the precision-recall curve, as average precision.

    .. math:: AP = \sum_k (R_k - R_{k-1}) P_k

    over the different scores in falling order, with recall :math:`R_k` and precision :math:`P_k` of the samples that reach
    the k-th.  Steps, as straight lines between the points would promise too much (Davis and Goadrich, 2006).

    Returns:
        ``aupr_in``, with known samples as the positive ones, and ``aupr_out``, with unknown ones and the scores negated; each
        within (0, 1].  Chance is the positive ones' share.

    Example:
        >>> aupr(torch.tensor([0.9, 0.5]), torch.tensor([0.7, 0.1]))
        AUPR(aupr_in=0.8333333333333333, aupr_out=0.8333333333333333)
    """
    known, unknown = _checked(known_scores, unknown_scores)
    return AUPR(_average_precision(known, unknown), _average_precision(-unknown, -known))


def equal_error_rate(known_scores: Tensor, unknown_scores: Tensor) -> float:
    r"""The rate at which as many known samples are rejected as unknown ones are accepted, 1 - TPR = FPR.

    The ROC is taken as straight between its corners.

    Returns:
        Within [0, 1]; smaller is better, 0.5 is chance.

    Example:
        >>> equal_error_rate(torch.tensor([0.9, 0.8, 0.3]), torch.tensor([0.5, 0.2, 0.1]))
        0.3333333333333333
    """
    _, tpr, fpr = roc(known_scores, unknown_scores)
    excess = fpr - (1 - tpr)  # from -1 to 1, never falling
    after = int((excess >= 0).int().argmax())
    step = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(fpr[after - 1] + step * (fpr[after] - fpr[after - 1]))


def calibrate(known_scores: Tensor, unknown_scores: Tensor | None = None, tpr: float = 0.95) -> float:
    r"""The threshold above which a sample is taken for known: ``accepted = score > threshold``.

    From known samples alone: the largest threshold that accepts at least the share ``tpr`` of them.  With unknown samples: the
    threshold of the best balanced accuracy,

    .. math:: \max_t \; \tfrac12 \left(TPR(t) + 1 - FPR(t)\right)

    as the middle between two neighbouring scores (the lowest pair where several are equally good).

    Args:
        known_scores: (M,), of samples that were not trained on.
        unknown_scores: (U,), or None.
        tpr: within (0, 1]; used only without unknown samples.

    Returns:
        In the scores' unit and exact in their dtype; -inf where accepting everything is best.

    Raises:
        ValueError: where too many known scores are minus infinity, which no threshold accepts.

    Example:
        >>> known = torch.tensor([0.5, 0.75, 1.0, 2.0])
        >>> threshold = calibrate(known, tpr=0.75)
        >>> (known > threshold).tolist(), calibrate(known, torch.tensor([0.0, 0.25]))
        ([False, True, True, True], 0.375)
    """
    if unknown_scores is None:
        check_tensors(known_scores=known_scores)
        needed = _needed(tpr, len(check_scores("known_scores", known_scores)))
        if not known_scores.is_floating_point():
            raise TypeError(f"expected floating-point known_scores, got {known_scores.dtype}")
        lowest = known_scores.detach().sort(descending=True).values[needed - 1]
        if lowest == -torch.inf:
            raise ValueError(f"expected a share {tpr:g} of known_scores above minus infinity, which no threshold accepts")
        return torch.nextafter(lowest, torch.full_like(lowest, -torch.inf)).item()
    values, known, unknown = _reaching(*_checked(known_scores, unknown_scores))
    # The threshold values[k] accepts what reaches the scores before it; the last column accepts everything.
    accepted, taken = (torch.cat([count.new_zeros(1), count]) for count in (known, unknown))
    balance = accepted * len(unknown_scores) + (len(unknown_scores) - taken) * len(known_scores)
    if values[-1] == -torch.inf:
        balance = balance[:-1]  # no threshold accepts -inf
    best = len(balance) - 1 - int(balance.flip(0).argmax())
    low = float(values[best]) if best < len(values) else -math.inf
    high = float(values[best - 1]) if best else math.inf
    middle = low + (high - low) / 2
    if not math.isfinite(middle):
        return low
    middle = torch.tensor(middle, dtype=torch.promote_types(known_scores.dtype, unknown_scores.dtype)).item()
    return middle if low < middle < high else low
