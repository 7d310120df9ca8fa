r"""Losses for long-tailed data that stand beside `bce3s` in its tables, from the papers that it compares itself with.

:math:`c_j` is the logit of class :math:`j`, :math:`k` the sample's class, :math:`n_j \ge 1` the number of training images of
class :math:`j`, :math:`K` the number of classes.  Every loss takes the mean over the batch, or what ``reduction`` says; half
precision is computed in float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.losses.bce3s import class_balanced_weights
from lossbook.losses.checks import (
    Reduction,
    check_class_counts,
    check_logits_labels,
    check_per_class,
    check_reduction,
    reduce,
)
from lossbook.losses.uniform import as_target
from lossbook.precision import at_least_float32


def _check(logits: Tensor, labels: Tensor, class_counts: Tensor, soft: bool = False) -> Tensor:
    check_logits_labels(logits, labels, soft)
    check_class_counts(class_counts)
    check_per_class("class counts", class_counts, logits.shape[1])
    return at_least_float32(logits)


def class_balanced_focal(
    logits: Tensor,
    labels: Tensor,
    class_counts: Tensor,
    beta: float = 0.9999,
    gamma: float = 1.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Class-balanced focal loss (Cui et al. 2019): sigmoid focal loss, weighted by the effective number of samples.

    .. math:: L = \omega_k \sum_j (1 - p_j)^\gamma (-\log p_j), \qquad
              p_j = \sigma(c_j)\ \text{for}\ j = k,\ \text{else}\ \sigma(-c_j)

    with :math:`\omega_k \propto 1/(1 - \beta^{n_k})`, scaled to a sum of K.

    Args:
        logits: (B, K).
        labels: (B,), int64.
        class_counts: (K,).
        beta: within [0, 1).
        gamma: at least 0; 0 is the class-balanced BCE.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> class_balanced_focal(torch.zeros(1, 2), torch.tensor([0]), torch.tensor([5, 5]))  # 2 * 1/2 * log 2
        tensor(0.6931)
    """
    logits = _check(logits, labels, class_counts)
    if gamma < 0:
        raise ValueError(f"gamma must be at least 0, got {gamma}")
    own = labels.unsqueeze(1)
    signed = (-logits).scatter(1, own, logits.gather(1, own))  # log p_j = logsigmoid(signed)
    terms = -F.logsigmoid(signed) * torch.exp(gamma * F.logsigmoid(-signed))
    return reduce(class_balanced_weights(class_counts, beta, normalise=True)[labels] * terms.sum(1), reduction)


def ldam(
    logits: Tensor,
    labels: Tensor,
    class_counts: Tensor,
    max_margin: float = 0.5,
    scale: float = 30.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Label-distribution-aware margin loss (Cao et al. 2019): the rarer the class, the larger its margin.

    .. math:: L = -\log \frac{e^{s(\cos_k - m_k)}}{e^{s(\cos_k - m_k)} + \sum_{j \neq k} e^{s \cos_j}}, \qquad
              m_j = m_{\max} \Big(\frac{\min_i n_i}{n_j}\Big)^{1/4}

    Args:
        logits: :math:`s \cos_j`, (B, K), from a cosine head of the same ``scale``.
        labels: (B,), int64.
        class_counts: (K,).
        max_margin: :math:`m_{\max} \ge 0`, of the rarest class, in units of the cosine.
        scale: :math:`s > 0`.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats; the softmax cross entropy for ``max_margin=0``.

    Example:
        >>> ldam(torch.zeros(1, 2), torch.tensor([1]), torch.tensor([16, 1]), max_margin=0.5, scale=2.0)  # log(1 + e)
        tensor(1.3133)
    """
    logits = _check(logits, labels, class_counts)
    if max_margin < 0 or scale <= 0:
        raise ValueError(f"expected max_margin >= 0 and scale > 0, got {max_margin} and {scale}")
    margins = max_margin * (class_counts.min() / class_counts.to(logits.dtype)) ** 0.25
    check_reduction(reduction)
    moved = logits.scatter_add(1, labels.unsqueeze(1), -scale * margins[labels].unsqueeze(1))
    return F.cross_entropy(moved, labels, reduction=reduction)


def logit_adjusted(
    logits: Tensor, labels: Tensor, class_counts: Tensor, strength: float = 1.0, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""Softmax cross entropy of logits shifted by the logarithm of the class shares (Menon et al. 2021).

    .. math:: L = -\log \frac{n_k^{s}\, e^{c_k}}{\sum_j n_j^{s}\, e^{c_j}}

    Args:
        logits: (B, K).
        labels: (B,), int64, or soft targets (B, K): a distribution over the classes for every sample.
        class_counts: (K,).
        strength: :math:`s`; 0 is the softmax cross entropy, 1 the balanced softmax (Ren et al. 2020).
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> logit_adjusted(torch.zeros(1, 2), torch.tensor([1]), torch.tensor([3, 1]))  # log 4
        tensor(1.3863)
    """
    logits = _check(logits, labels, class_counts, soft=True)
    check_reduction(reduction)
    adjusted = logits + strength * class_counts.to(logits.dtype).log()
    return F.cross_entropy(adjusted, as_target(labels, logits), reduction=reduction)


def balanced_softmax(logits: Tensor, labels: Tensor, class_counts: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""Balanced softmax (Ren et al. 2020): :func:`logit_adjusted` with strength 1.

    .. math:: L = -\log \frac{n_k\, e^{c_k}}{\sum_j n_j\, e^{c_j}}

    Args:
        logits: (B, K).
        labels: (B,), int64.
        class_counts: (K,).
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> balanced_softmax(torch.zeros(1, 2), torch.tensor([1]), torch.tensor([3, 1]))  # log 4
        tensor(1.3863)
    """
    return logit_adjusted(logits, labels, class_counts, reduction=reduction)


def max_norm(weight: Tensor, bound: float) -> Tensor:
    r"""Classifier vectors no longer than a bound (MaxNorm, Alshammari et al. 2022): :math:`w_k \min(1, \delta / \|w_k\|)`.

    Args:
        weight: (K, d).
        bound: :math:`\delta > 0`.

    Returns:
        (K, d), a new tensor.

    Example:
        >>> max_norm(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    if not bound > 0:
        raise ValueError(f"bound must be positive, got {bound}")
    length = torch.linalg.vector_norm(at_least_float32(weight), dim=1, keepdim=True)
    return weight * (bound / length.clamp_min(bound)).to(weight.dtype)
