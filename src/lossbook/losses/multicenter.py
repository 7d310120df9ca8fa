r"""Losses of *Generating Multi-Center Classifier via Conditional Gaussian Distribution* (`multicenter`).

Notation: :math:`z_{c,0}` is the similarity of a sample and the centre of class :math:`c`, :math:`z_{c,k}` that with its
sub-centre :math:`k = 1 \dots K`; :math:`y` is the label.  Logits have shape (B, C, K+1), the class centre at index 0, so that no
label is ever multiplied by K + 1.  Half precision is computed and returned in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lossbook.heads.multicenter import sample_subcenters
from lossbook.losses.checks import Reduction, check_logits_labels, check_tensor, is_soft, reduce
from lossbook.precision import at_least_float32

__all__ = [
    "additive_angular_margin",
    "gaussian_kl",
    "large_margin",
    "multicenter_cross_entropy",
    "sample_subcenters",
    "with_margin",
]

# Below it the square root in sin(theta) would have too steep a gradient: it gets none.
_SMALLEST_SQUARED_SINE = 1e-7


def _check_center_logits(logits: Tensor, labels: Tensor, soft: bool = False) -> None:
    check_tensor("logits", logits)
    if logits.ndim != 3 or logits.shape[2] < 1:
        raise ValueError(f"expected logits of shape (B, C, K+1), the class centre first, got {tuple(logits.shape)}")
    check_logits_labels(logits[:, :, 0], labels, soft)


def _own(logits: Tensor, labels: Tensor) -> Tensor:
    """The entries of the own class, (B, C, K+1) -> (B, K+1); their mean over the classes with soft targets."""
    if is_soft(labels):
        return (labels.to(logits.dtype).unsqueeze(2) * logits).sum(1)
    index = labels[:, None, None].expand(-1, 1, logits.shape[2])
    return logits.gather(1, index).squeeze(1)


def multicenter_cross_entropy(
    logits: Tensor, labels: Tensor, center_weight: float = 0.5, label_smoothing: float = 0.0, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""The cross entropy with the multi-centre class label, Eqs. 8 and 9: the softmax goes over all C(K+1) centres.

    .. math:: L = \log \sum_{c,k} e^{z_{c,k}} - \alpha z_{y,0} - \frac{1-\alpha}{K} \sum_{k=1}^{K} z_{y,k}

    With label smoothing the label is :math:`(1 - \epsilon) \tau + \epsilon / (C(K+1))`.  The authors' code (K = 2, label
    0.5, 0.2, 0.2 and 0.1 spread over all) is ``center_weight=5/9, label_smoothing=0.1``.

    The paper's settings: K = 2 and :math:`\alpha = 1/2`, without smoothing.

    Args:
        logits: similarities to all centres, (B, C, K+1), the class centre at index 0.  With K = 0 this is the ordinary
            cross entropy, whatever ``center_weight``.
        labels: (B,), int64, or soft targets (B, C): a distribution over the classes for every sample.
        center_weight: :math:`\alpha` within [0, 1], the class centre's share of the label.
        label_smoothing: :math:`\epsilon` within [0, 1].
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in nats; not below the label's entropy, log 2 + (log K) / 2 for :math:`\alpha = 1/2`,
        :math:`\epsilon = 0`.

    Raises:
        ValueError, TypeError: for a wrong shape, dtype, label or share.

    Example:
        >>> multicenter_cross_entropy(torch.zeros(2, 4, 3), torch.tensor([0, 3]))  # log 12
        tensor(2.4849)
    """
    _check_center_logits(logits, labels, soft=True)
    if not 0 <= center_weight <= 1 or not 0 <= label_smoothing <= 1:
        raise ValueError(f"expected center_weight and label_smoothing within [0, 1], got {center_weight} and {label_smoothing}")
    log_probabilities = at_least_float32(logits).flatten(1).log_softmax(1)
    own = _own(log_probabilities.view_as(logits), labels)
    target = own[:, 0]
    if own.shape[1] > 1:
        target = center_weight * target + (1 - center_weight) * own[:, 1:].mean(1)
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing * log_probabilities.mean(1)
    return reduce(-target, reduction)


def gaussian_kl(log_var: Tensor) -> Tensor:
    r"""The standard deviation loss, Eq. 10: the divergence of :math:`\mathcal N(\mu, \sigma^2)` from
    :math:`\mathcal N(\mu, I)`, summed over the d dimensions, mean over the classes (which the paper leaves open; the
    authors' code divides by C).

    .. math:: L_{\sigma^2} = -\frac{1}{2C} \sum_{c=1}^{C} \sum_{j=1}^{d} \left(1 + \log \sigma_{cj}^2 - \sigma_{cj}^2\right)

    The paper's settings: a weight of 1 (Eq. 11).

    Args:
        log_var: :math:`\log \sigma^2`, (C, d).

    Returns:
        Scalar in [0, inf), in nats; 0 exactly where all :math:`\sigma = 1`.

    Raises:
        ValueError: for a shape other than (C, d).

    Example:
        >>> gaussian_kl(torch.zeros(3, 4)).item()
        0.0
    """
    if log_var.ndim != 2 or log_var.shape[0] < 1:
        raise ValueError(f"expected log_var of shape (C, d), got {tuple(log_var.shape)}")
    log_var = at_least_float32(log_var)
    return 0.5 * (log_var.expm1() - log_var).sum(1).mean()  # expm1, as near 0 the terms cancel


def large_margin(cosines: Tensor, margin: int) -> Tensor:
    r"""L-Softmax's monotone continuation of :math:`\cos(m\theta)` (Liu et al., 2017):

    .. math:: \psi(\theta) = (-1)^k \cos(m\theta) - 2k, \qquad \theta \in [k\pi/m, (k+1)\pi/m]

    :math:`\cos(m\theta)` is the Chebyshev polynomial :math:`T_m(\cos\theta)`, so no arc cosine is taken, whose gradient
    is infinite at both ends.

    Args:
        cosines: :math:`\cos\theta`, any shape.
        margin: m, a whole number of at least 1.

    Returns:
        Values within [1 - 2m, 1], of the same shape, not above the cosines; the cosines themselves for m = 1.

    Raises:
        ValueError: for any other margin.

    Example:
        >>> large_margin(torch.tensor([1.0, 0.0, -1.0]), margin=2)
        tensor([ 1., -1., -3.])
    """
    if margin < 1 or margin != int(margin):
        raise ValueError(f"expected a whole margin of at least 1, got {margin}")
    previous, multiple = torch.ones_like(cosines), cosines
    for _ in range(int(margin) - 1):
        previous, multiple = multiple, 2 * cosines * multiple - previous
    section = sum((cosines <= math.cos(k * math.pi / margin)).to(cosines.dtype) for k in range(1, int(margin)))
    sign = 1 - 2 * (section % 2)
    return sign * multiple - 2 * section


def additive_angular_margin(cosines: Tensor, margin: float) -> Tensor:
    r"""ArcFace's :math:`\cos(\theta + m)` (Deng et al., 2019); beyond :math:`\theta = \pi - m`, where it would rise again,
    :math:`\cos\theta - m \sin m`.

    Args:
        cosines: :math:`\cos\theta`, any shape.
        margin: m in radians, within :math:`[0, \pi/2]`.

    Returns:
        Values of the same shape, not above the cosines.

    Raises:
        ValueError: for a margin out of range.

    Example:
        >>> additive_angular_margin(torch.tensor([1.0, 0.0]), margin=0.5)
        tensor([ 0.8776, -0.4794])
    """
    if not 0 <= margin <= math.pi / 2:
        raise ValueError(f"expected a margin within [0, pi/2] radians, got {margin}")
    squares = 1 - cosines.square()
    sines = squares.clamp_min(_SMALLEST_SQUARED_SINE).sqrt()
    sines = sines + (squares.detach().clamp_min(0).sqrt() - sines.detach())  # the value without the bound
    moved = cosines * math.cos(margin) - sines * math.sin(margin)
    return torch.where(cosines > -math.cos(margin), moved, cosines - margin * math.sin(margin))


def with_margin(logits: Tensor, labels: Tensor, lengths: Tensor, margin: Callable[[Tensor], Tensor]) -> Tensor:
    r"""Put a margin on the angles between a sample and all K+1 centres of its own class (Table 6).

    Args:
        logits: :math:`z_{c,k} = \ell_{c,k} \cos\theta_{c,k}`, (B, C, K+1).
        labels: (B,), int64.
        lengths: :math:`\ell_{y,k}` of the own class, (B, K+1) or what broadcasts to it: the product of both vectors'
            lengths for inner products, the scale for scaled cosines.
        margin: cosines to what takes their place, :func:`large_margin` or :func:`additive_angular_margin`.

    Returns:
        Logits in float32 or wider, (B, C, K+1).

    Example:
        >>> logits = torch.tensor([[[0.0], [4.0]]])
        >>> with_margin(logits, torch.tensor([0]), torch.tensor(4.0), lambda cosines: large_margin(cosines, 2))
        tensor([[[-4.],
                 [ 4.]]])
    """
    _check_center_logits(logits, labels)
    logits, lengths = at_least_float32(logits), at_least_float32(lengths)
    own = lengths * margin(_own(logits, labels) / lengths.clamp_min(torch.finfo(lengths.dtype).tiny))
    return logits.scatter(1, labels[:, None, None].expand(-1, 1, logits.shape[2]), own.unsqueeze(1))
