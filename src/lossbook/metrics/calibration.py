"""Are confidences the frequencies at which the predictions are right?"""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.metrics.checks import check_mask, check_tensors
from lossbook.precision import wide


def expected_calibration_error(confidences: Tensor, correct: Tensor, bins: int = 15) -> float:
    r"""The expected calibration error (Guo et al., 2017), with bins of equal width.

    .. math:: \mathrm{ECE} = \sum_{b} \frac{|B_b|}{M} \left| \operatorname{acc}(B_b) - \operatorname{conf}(B_b) \right|

    Bin b holds the confidences within :math:`((b-1)/n, b/n]`; 0 belongs to the first one.

    Args:
        confidences: (M,), the probability of the predicted class, within [0, 1].
        correct: (M,) bool, whether the prediction was right.
        bins: their number.

    Returns:
        Within [0, 1]; 0 is calibrated.

    Raises:
        ValueError: for wrong shapes, no sample, or a confidence that is no probability.
        TypeError: where ``correct`` is not boolean: labels in its place would pass for numbers.

    Example:
        >>> expected_calibration_error(torch.tensor([0.75, 0.75, 0.25]), torch.tensor([True, False, False]), bins=2)
        0.25
    """
    check_tensors(confidences=confidences, correct=correct)
    check_mask("correct", correct)
    if confidences.ndim != 1 or confidences.shape != correct.shape or not len(confidences) or bins < 1:
        raise ValueError(
            "expected confidences and correct of the same shape (M,) with M >= 1, and bins >= 1, "
            f"got {tuple(confidences.shape)}, {tuple(correct.shape)} and {bins}"
        )
    confidences = wide(confidences.detach())
    if not bool(((confidences >= 0) & (confidences <= 1)).all()):
        raise ValueError("expected confidences within [0, 1]")
    edges = torch.arange(1, bins, dtype=confidences.dtype, device=confidences.device) / bins
    gaps = confidences.new_zeros(bins).index_add_(0, torch.bucketize(confidences, edges), correct.to(confidences) - confidences)
    return float(gaps.abs().sum() / len(confidences))
