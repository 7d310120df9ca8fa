r"""Losses of *Rediscovering BCE Loss for Uniform Classification* (`uniform`): softmax, BCE and what lies between.

Notation: :math:`c_j` is the logit of a sample for class :math:`j` (the paper says *metric*), :math:`y` its label,
:math:`N` the number of classes.  Every loss sums over the classes and takes the mean over the batch, or what ``reduction``
says; half precision is computed and returned in float32.  Nothing is exponentiated outside a stable function.  A loss of soft
targets :math:`t` is :math:`L(t) = \sum_c t_c L(c)`.

All raise ``ValueError`` / ``TypeError`` for a wrong shape, dtype or label, see
:func:`~lossbook.losses.checks.check_logits_labels`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.losses.checks import Reduction, check_logits_labels, check_per_class, check_reduction, is_soft, reduce
from lossbook.precision import at_least_float32

# Above this value softplus returns its argument.  torch's default, 20, would cost float64 its last seven digits.
_SOFTPLUS_THRESHOLD = 60.0


def _own_logit(logits: Tensor, labels: Tensor) -> Tensor:
    """The logits of the own classes, (B, 1)."""
    return logits.gather(1, labels.unsqueeze(1))


def log_one_plus_exp(x: Tensor) -> Tensor:
    """log(1 + e^x) of every entry, exact in float64 too."""
    return F.softplus(x, threshold=_SOFTPLUS_THRESHOLD)


def as_target(labels: Tensor, logits: Tensor) -> Tensor:
    """Labels as they are, soft targets in the logits' precision."""
    return labels.to(logits.dtype) if is_soft(labels) else labels


def binary_terms(logits: Tensor, labels: Tensor) -> Tensor:
    """The terms of a binary cross entropy, (B, N): softplus(-c_y) in the label's column, softplus(c_j) in the others; the
    mixture of both with soft targets."""
    if is_soft(labels):
        share = labels.to(logits.dtype)
        return share * log_one_plus_exp(-logits) + (1 - share) * log_one_plus_exp(logits)
    negatives = log_one_plus_exp(logits)
    positive = log_one_plus_exp(-_own_logit(logits, labels))
    return negatives.scatter(1, labels.unsqueeze(1), positive)  # scatter_ has no form under vmap


def naive(logits: Tensor, labels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""The naive loss, Eq. 27: the mean logit of the other classes minus that of the own class.

    .. math:: L = -c_y + \frac{1}{N-1} \sum_{j \neq y} c_j

    The paper's settings: none, as it trains nothing with this loss: its derivation starts here.

    Args:
        logits: (B, N), any real number.
        labels: (B,), int64.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar, unbounded on both sides.

    Example:
        >>> naive(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0]))
        tensor(-2.5000)
    """
    check_logits_labels(logits, labels)
    logits = at_least_float32(logits)
    positive = _own_logit(logits, labels).squeeze(1)
    negatives = (logits.sum(1) - positive) / (logits.shape[1] - 1)
    return reduce(negatives - positive, reduction)


def cross_entropy(logits: Tensor, labels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""The softmax cross entropy, Eq. 29 (Eqs. 48-53 with the heads of Table I).

    .. math:: L = -\log \frac{e^{c_y}}{\sum_j e^{c_j}}

    The paper's settings: with a cosine head the scale 96; 30 epochs from a pretrained model at a learning rate of 1e-4 on
    ImageNet, 100 at 1e-3 on the five fine-grained sets, both with cosine decay.

    Args:
        logits: (B, N).
        labels: (B,), int64, or soft targets (B, N): a distribution over the classes for every sample.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))  # log 4
        tensor(1.3863)
    """
    check_logits_labels(logits, labels, soft=True)
    check_reduction(reduction)
    logits = at_least_float32(logits)
    return F.cross_entropy(logits, as_target(labels, logits), reduction=reduction)


def binary_cross_entropy(logits: Tensor, labels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""The binary cross entropy summed over the classes, Eq. 2 (Eqs. 54-59 with the heads of Table I).

    .. math:: L = \log(1 + e^{-c_y}) + \sum_{j \neq y} \log(1 + e^{c_j})
                = \operatorname{softplus}(-c_y) + \sum_{j \neq y} \operatorname{softplus}(c_j)

    The gradient is :math:`\partial L / \partial c_j = \sigma(c_j) - [j = y]`: it depends on no other class's logit.

    The paper's settings: with a cosine head the scale 96; 30 epochs from a pretrained model at a learning rate of 1e-4 on
    ImageNet, 100 at 1e-3 on the five fine-grained sets, both with cosine decay.

    Args:
        logits: (B, N), with their bias.
        labels: (B,), int64, or soft targets (B, N): a distribution over the classes for every sample.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats; N log 2 for zero logits.

    Example:
        >>> binary_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))  # 4 log 2
        tensor(2.7726)
    """
    check_logits_labels(logits, labels, soft=True)
    return reduce(binary_terms(at_least_float32(logits), labels).sum(1), reduction)


def uce(logits: Tensor, labels: Tensor, margin: float = 0.4, scale: float = 64.0, *, reduction: Reduction = "mean") -> Tensor:
    r"""UniFace's unified cross entropy: :func:`binary_cross_entropy` with a margin on the positive cosine.

    .. math:: L = \log(1 + e^{-[s(\cos\theta_y - m) - b]}) + \sum_{j \neq y} \log(1 + e^{s\cos\theta_j - b})

    The settings of UniFace: margin 0.4, scale 64, a bias that starts at log(10 N).

    Args:
        logits: :math:`s \cos\theta_j - b`, (B, N), from a cosine head of the same ``scale``.
        labels: (B,), int64.
        margin: :math:`m \ge 0`, in units of the cosine.
        scale: :math:`s > 0`.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats; equal to :func:`binary_cross_entropy` for ``margin=0``.

    Example:
        >>> uce(torch.zeros(1, 2), torch.tensor([0]), margin=0.5, scale=2.0)  # log 2 + log(1 + e)
        tensor(2.0064)
    """
    check_logits_labels(logits, labels)
    if margin < 0 or scale <= 0:
        raise ValueError(f"expected margin >= 0 and scale > 0, got {margin} and {scale}")
    logits = at_least_float32(logits)
    shift = torch.full_like(logits[:, :1], -scale * margin)
    return binary_cross_entropy(logits.scatter_add(1, labels.unsqueeze(1), shift), labels, reduction=reduction)


def bce_di(similarities: Tensor, bias: Tensor, labels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""N binary cross entropies, each with its own unified bias, Eq. 63: a sample's similarities are all
    compared with the bias of its own class.

    .. math:: L = \log(1 + e^{b_y - c_y}) + \sum_{j \neq y} \log(1 + e^{c_j - b_y})

    The paper's settings: none, as it names this loss for the future and trains nothing with it.

    Args:
        similarities: (B, N), without a bias.
        bias: :math:`b`, one threshold per class, (N,).
        labels: (B,), int64.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats; equal to :func:`binary_cross_entropy` of
        ``similarities - b`` when all biases are equal.

    Example:
        >>> bce_di(torch.zeros(1, 2), torch.tensor([0.0, 5.0]), torch.tensor([0]))  # 2 log 2: the bias of class 1 does not count
        tensor(1.3863)
    """
    check_logits_labels(similarities, labels)
    check_per_class("a bias", bias, similarities.shape[1])
    return binary_cross_entropy(at_least_float32(similarities) - bias[labels].unsqueeze(1), labels, reduction=reduction)


def _check_bounds(num_classes: int, lower: float, upper: float) -> None:
    if num_classes < 2 or not lower < upper:
        raise ValueError(f"expected num_classes >= 2 and lower < upper, got {num_classes}, {lower} and {upper}")


def stationary_bias(num_classes: int, lower: float, upper: float) -> float:
    r"""The bias of a perfectly trained ``bce-u``, Eq. 45 of Corollary 1: positives at B = ``upper``, negatives at
    A = ``lower``, bias subtracted (similarity - b).

    .. math:: b = \log \frac{(N-2) e^A + \sqrt{(N-2)^2 e^{2A} + 4 (N-1) e^{A+B}}}{2}

    Written with :math:`A` pulled out of the logarithm so that it cannot overflow.

    Example:
        >>> round(stationary_bias(2, -1.0, 1.0), 6)  # two classes: the middle
        0.0
        >>> round(stationary_bias(1000, -1.0, 1.0), 4)
        5.9131
    """
    _check_bounds(num_classes, lower, upper)
    gap = upper - lower
    log_first = math.log(num_classes - 2) if num_classes > 2 else -math.inf
    log_second = math.log(4 * (num_classes - 1)) + gap
    log_root = 0.5 * _logaddexp(2 * log_first, log_second)
    return lower + _logaddexp(log_first, log_root) - math.log(2)


def _logaddexp(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high + math.log1p(math.exp(low - high))


def softplus(x: float) -> float:
    """log(1 + e^x) of a number, stable at both ends."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def bce_at(bias: float, num_classes: int, lower: float, upper: float) -> float:
    r"""``bce-u`` of a perfectly trained model as a function of the bias:
    :math:`\log(1 + e^{b-B}) + (N-1) \log(1 + e^{A-b})`."""
    _check_bounds(num_classes, lower, upper)
    return softplus(bias - upper) + (num_classes - 1) * softplus(lower - bias)


def separable_classes(lower: float, upper: float) -> float:
    r"""Condition (42): the stationary bias lies inside (A, B) exactly when :math:`N < (e^{B-A} + 3)/2`; this is the
    right side (infinite where the exponential would overflow)."""
    gap = upper - lower
    return (math.exp(gap) + 3) / 2 if gap < 700 else math.inf


def etf_lower_bound(num_classes: int, scale: float) -> float:
    r"""The lowest similarity that all pairs of N class vectors can have at once on a cosine head: :math:`-\gamma/(N-1)`,
    that of the simplex ETF.  (Corollary 1 assumes :math:`-\gamma`, which three or more vectors cannot reach at once.)"""
    if num_classes < 2 or scale <= 0:
        raise ValueError(f"expected num_classes >= 2 and scale > 0, got {num_classes} and {scale}")
    return -scale / (num_classes - 1)
