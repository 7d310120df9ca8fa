r"""Losses of *BCE3S: BCE-based Tripartite Synergistic Learning for Long-tailed Recognition* (`bce3s`).

Three terms, each in a BCE and a CE (softmax) form: *joint* (sample to class), *contrastive* (sample to sample, through
a memory bank) and *uniform* (class to class).  Notation: :math:`c_j = w_j^\top x + b_j` is a logit, :math:`k` the
sample's class, :math:`K` the number of classes, :math:`n_k` the training images of class :math:`k`, :math:`z` a
projection of the feature, :math:`z_*^{(j)}` the bank's projection of class :math:`j`.

Joint and contrastive terms are sums over the classes and means over the batch (or what ``reduction`` says), uniform terms means
over the classes.  Half precision is computed and returned in float32.  All raise ``ValueError`` / ``TypeError`` for a
wrong shape, dtype or label.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.heads.linear import unit_vectors
from lossbook.losses.checks import (
    Reduction,
    check_class_counts,
    check_logits_labels,
    check_per_class,
    check_reduction,
    check_tensor,
    is_soft,
    reduce,
)
from lossbook.losses.uniform import binary_terms, log_one_plus_exp
from lossbook.precision import at_least_float32, widest

Resampling = Literal["sample", "batch"]


def _weighted(losses: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
    return losses if class_weights is None else class_weights[labels] * losses


def _weighted_shares(targets: Tensor, logits: Tensor, class_weights: Tensor | None) -> Tensor:
    """Soft targets times the weights of their classes, in the logits' precision."""
    shares = targets.to(logits.dtype)
    return shares if class_weights is None else shares * class_weights


# Joint learning: sample to class ----------------------------------------------------------------------------------


def joint_bce(
    logits: Tensor,
    labels: Tensor,
    keep: Tensor | None = None,
    class_weights: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""BCE-based joint learning with negative re-sampling, Eq. 3; with weights per class, Eq. 35.

    .. math:: L^{(sc)}_{bce} = \omega_k \Big[ \log(1 + e^{-c_k}) + \sum_{j \neq k,\, j \in \text{keep}} \log(1 + e^{c_j}) \Big]

    The gradient is :math:`\partial L / \partial c_j = \omega_k (\sigma(c_j) - [j = k])` for every class kept: it depends on
    no other class's logit.

    The paper's settings: a share r = 0.4 of the negatives and no weights in the first stage; in the second, which trains the
    classifier alone, weights with :math:`\beta = 0.9999`.

    Args:
        logits: :math:`c_j`, (B, K).
        labels: (B,), int64, or soft targets (B, K): a distribution over the classes for every sample.
        keep: the negatives that count, bool (B, K), see :func:`draw_negatives`; the own class always counts.
        class_weights: :math:`\omega`, (K,), see :func:`class_balanced_weights`.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats; K log 2 for zero logits, all negatives and no weights.

    Example:
        >>> keep = torch.tensor([[True, False, True, False]])
        >>> joint_bce(torch.zeros(1, 4), torch.tensor([0]), keep)  # the positive and one negative: 2 log 2
        tensor(1.3863)
    """
    check_logits_labels(logits, labels, soft=True)
    check_per_class("class_weights", class_weights, logits.shape[1])
    if keep is not None and (keep.shape != logits.shape or keep.dtype != torch.bool):
        raise ValueError(f"expected keep of bool and shape {tuple(logits.shape)}, got {keep.dtype} and {tuple(keep.shape)}")
    logits = at_least_float32(logits)
    if is_soft(labels):
        positives = _weighted_shares(labels, logits, class_weights)
        negatives = (positives.sum(1, keepdim=True) - positives) * (1 if keep is None else keep)
        return reduce((positives * log_one_plus_exp(-logits) + negatives * log_one_plus_exp(logits)).sum(1), reduction)
    terms = binary_terms(logits, labels)
    if keep is not None:
        terms = terms * keep.scatter(1, labels.unsqueeze(1), True)  # twice as fast as masked_fill
    return reduce(_weighted(terms.sum(1), labels, class_weights), reduction)


def joint_ce(logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, *, reduction: Reduction = "mean") -> Tensor:
    r"""CE-based joint learning, Eqs. 1 and 22; with weights per class, Eq. 26.

    .. math:: L^{(sc)}_{ce} = -\omega_k \log \frac{e^{c_k}}{\sum_j e^{c_j}}

    The mean is over the batch, not over the weights (as ``torch.nn.functional.cross_entropy`` with weights takes it).

    The paper's settings: no weights in the first stage; in the second, which trains the classifier alone, weights with
    :math:`\beta = 0.9999`.

    Args:
        logits, labels, class_weights, reduction: (B, K), (B,), (K,) and how to reduce, see :func:`joint_bce`.

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> joint_ce(torch.zeros(2, 4), torch.tensor([0, 3]), torch.tensor([0.5, 1.0, 1.0, 1.5]))  # log 4
        tensor(1.3863)
    """
    check_logits_labels(logits, labels, soft=True)
    check_per_class("class_weights", class_weights, logits.shape[1])
    logits = at_least_float32(logits)
    if is_soft(labels):
        return reduce(F.cross_entropy(logits, _weighted_shares(labels, logits, class_weights), reduction="none"), reduction)
    return reduce(_weighted(F.cross_entropy(logits, labels, reduction="none"), labels, class_weights), reduction)


def draw_negatives(
    labels: Tensor, num_classes: int, r: float, scheme: Resampling = "sample", generator: torch.Generator | None = None
) -> Tensor:
    r"""Which negatives count in :func:`joint_bce`: a random share r of them.

    ``"sample"`` is Eq. 3: each class of each sample by itself, kept if :math:`p_j < r`, :math:`p_j \sim U(0, 1)`.
    ``"batch"`` is the authors' code: one set for the whole batch, the classes in the batch and random other ones up to
    :math:`\lfloor K r \rfloor`.  A tail class, rarely in the batch, is then repelled less often.

    Args:
        labels: (B,), int64.
        num_classes: number of classes, K.
        r: within (0, 1].
        scheme: ``"sample"`` or ``"batch"``.
        generator: on the labels' device; None = torch's default one.

    Returns:
        bool (B, K); True for the own class.

    Example:
        >>> draw_negatives(torch.tensor([2]), num_classes=3, r=1.0)
        tensor([[True, True, True]])
    """
    if not 0 < r <= 1:
        raise ValueError(f"r must lie within (0, 1], got {r}")
    # Compiled with a variable B, rand refuses generator=None.
    source: dict[str, Any] = {} if generator is None else {"generator": generator}
    if scheme == "sample":
        keep = torch.rand(len(labels), num_classes, device=labels.device, **source) < r
        return keep.scatter(1, labels.unsqueeze(1), True)
    if scheme == "batch":
        present = torch.zeros(num_classes, dtype=torch.bool, device=labels.device).scatter(0, labels, True)
        score = torch.rand(num_classes, device=labels.device, **source) + present
        rank = score.argsort(descending=True).argsort()
        size = int(num_classes * r + 1e-6)  # 100 * 0.29 is 28.999... in floating point
        return ((rank < size) | present).expand(len(labels), -1)
    raise ValueError(f"scheme must be 'sample' or 'batch', got {scheme!r}")


def class_balanced_weights(class_counts: Tensor, beta: float = 0.9999, normalise: bool = False) -> Tensor:
    r"""Weights by the effective number of samples, Eqs. 26 and 35 (Cui et al. 2019).

    .. math:: \omega_k = \frac{1 - \beta}{1 - \beta^{n_k}}

    1 for one image, near :math:`1/n_k` while :math:`n_k \ll 1/(1-\beta)`, :math:`1 - \beta` for very many.

    Args:
        class_counts: :math:`n_k \ge 1`, (K,).
        beta: within [0, 1); 0 gives equal weights.
        normalise: scale them to a sum of K, as Cui et al. and the authors' code do and the paper's equations do not.

    Returns:
        (K,), float32.

    Example:
        >>> class_balanced_weights(torch.tensor([100, 10, 1]), beta=0.9)
        tensor([0.1000, 0.1535, 1.0000])
    """
    check_class_counts(class_counts)
    if not 0 <= beta < 1:
        raise ValueError(f"beta must lie within [0, 1), got {beta}")
    exponent = class_counts.to(widest(class_counts.device)) * (math.log(beta) if beta > 0 else -math.inf)
    weights = (1 - beta) / -torch.expm1(exponent)
    return (weights * len(weights) / weights.sum() if normalise else weights).float()


# Contrastive learning: sample to sample ---------------------------------------------------------------------------


def _bank_logits(projections: Tensor, labels: Tensor, bank: Tensor, tau: float, seen: Tensor | None) -> Tensor:
    """Cosines of projections and bank over tau, (B, K), after all checks."""
    check_tensor("projections", projections)
    if projections.ndim != 2 or bank.ndim != 2 or projections.shape[1] != bank.shape[1]:
        raise ValueError(f"expected projections (B, p) and a bank (K, p), got {tuple(projections.shape)} and {tuple(bank.shape)}")
    if not projections.is_floating_point():
        raise TypeError(f"expected floating-point projections, got {projections.dtype}")
    if not tau > 0:
        raise ValueError(f"tau must be positive, got {tau}")
    projections = at_least_float32(projections)
    logits = F.linear(unit_vectors(projections), unit_vectors(bank.detach().to(projections.dtype)))
    check_logits_labels(logits, labels)
    check_per_class("seen", seen, logits.shape[1])
    return at_least_float32(logits) / tau


def contrastive_bce(
    projections: Tensor,
    labels: Tensor,
    bank: Tensor,
    tau: float = 1.0,
    seen: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""BCE-based contrastive learning against a memory bank, Eq. 4.

    .. math:: L^{(ss)}_{bce} = \log\big(1 + e^{-\cos(z, z_*^{(k)})/\tau}\big)
                               + \sum_{j \neq k} \log\big(1 + e^{\cos(z, z_*^{(j)})/\tau}\big)

    The paper's settings: :math:`\tau = 1` and a weight :math:`\lambda_{ss} = 0.1` beside the joint term.  In the authors' code
    projections have 128 numbers, and the term counts from the second epoch on.

    Args:
        projections: :math:`z`, (B, p).
        labels: (B,), int64.
        bank: :math:`z_*`, one projection per class, (K, p); gets no gradient.
        tau: temperature, positive.
        seen: bool (K,), the classes whose entry of the bank is set.  The terms of the others, positive ones too, are
            left out.  None = all seen.
        reduction: see :func:`~lossbook.losses.checks.reduce`; ``"none"`` gives every sample's loss, (B,).

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> contrastive_bce(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.eye(2), tau=0.1)  # log 2 + log(1 + e^-10)
        tensor(0.6932)
    """
    logits = _bank_logits(projections, labels, bank, tau, seen)
    terms = binary_terms(logits, labels)
    return reduce((terms if seen is None else terms * seen).sum(1), reduction)


def contrastive_ce(
    projections: Tensor,
    labels: Tensor,
    bank: Tensor,
    tau: float = 1.0,
    seen: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""CE-based contrastive learning against a memory bank, Eqs. 2 and 23 with the denominator over the bank.

    .. math:: L^{(ss)}_{ce} = -\log \frac{e^{\cos(z, z_*^{(k)})/\tau}}{\sum_j e^{\cos(z, z_*^{(j)})/\tau}}

    The paper's settings are those of :func:`contrastive_bce`.

    Args:
        projections, labels, bank, tau, reduction: (B, p), (B,), (K, p), ..., see :func:`contrastive_bce`.
        seen: bool (K,), the classes whose entry of the bank is set.  The others are left out of the denominator, and a
            sample of such a class adds 0.  None = all seen.

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> contrastive_ce(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.eye(2))  # log(1 + e^-1)
        tensor(0.3133)
    """
    logits = _bank_logits(projections, labels, bank, tau, seen)
    check_reduction(reduction)
    if seen is None:
        return F.cross_entropy(logits, labels, reduction=reduction)
    # The own class stays in, whether seen or not, so that every row has a finite loss to be left out.
    keep = seen.expand_as(logits).scatter(1, labels.unsqueeze(1), True)
    losses = F.cross_entropy(logits.masked_fill(~keep, -torch.inf), labels, reduction="none")
    return reduce(torch.where(seen[labels], losses, 0.0), reduction)


@torch.no_grad()
def update_bank(bank: Tensor, seen: Tensor, projections: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The memory bank after a batch: the last projection of every class in the batch, the old one of the others.

    Args:
        bank: (K, p).
        seen: bool (K,).
        projections: (B, p).
        labels: (B,), int64.

    Returns:
        New ``(bank, seen)``; the given ones are left alone.

    Example:
        >>> bank, seen = torch.zeros(2, 1), torch.tensor([False, False])
        >>> update_bank(bank, seen, torch.tensor([[1.0], [2.0]]), torch.tensor([1, 1]))
        (tensor([[0.],
                [2.]]), tensor([False,  True]))
    """
    positions = torch.arange(len(labels), device=labels.device)
    last = torch.full_like(seen, -1, dtype=torch.int64).scatter_reduce(0, labels, positions, "amax")
    present = last >= 0
    newest = projections[last.clamp_min(0)].to(bank.dtype)
    return torch.where(present.unsqueeze(1), newest, bank), seen | present


# Uniform learning: class to class ---------------------------------------------------------------------------------


def _class_cosines(weight: Tensor) -> Tensor:
    if weight.ndim != 2 or len(weight) < 2:
        raise ValueError(f"expected classifier vectors (K, d) of K >= 2 classes, got {tuple(weight.shape)}")
    directions = unit_vectors(at_least_float32(weight))
    return at_least_float32(directions @ directions.T)


def uniform_bce(weight: Tensor, constant: bool = True) -> Tensor:
    r"""BCE-based uniform learning of the classifier vectors, Eq. 5, as a mean over the classes.

    .. math:: L^{(cc)}_{bce} = \frac1K \sum_k \Big[ \log(1 + e^{-1}) + \sum_{j \neq k} \log(1 + e^{\cos(w_k, w_j)}) \Big]

    Its minimum is the simplex ETF, where every cosine is :math:`-1/(K-1)`.

    The paper's settings: a weight :math:`\lambda_{cc} = 1` with the other two terms, and 1.25 beside the joint term alone.

    Args:
        weight: :math:`w`, (K, d), of any length: normalised here.
        constant: with the positive term, which has no gradient; the paper leaves it out in its experiments.

    Returns:
        Scalar, at least :math:`(K-1) \log(1 + e^{-1/(K-1)})` without the constant, in nats.

    Example:
        >>> uniform_bce(torch.tensor([[1.0, 0.0], [-3.0, 0.0]]), constant=False)  # log(1 + e^-1)
        tensor(0.3133)
    """
    terms = F.softplus(_class_cosines(weight))
    loss = (terms.sum() - terms.diagonal().sum()) / len(terms)
    return loss + math.log1p(math.exp(-1)) if constant else loss


def uniform_ce(weight: Tensor) -> Tensor:
    r"""CE-based uniform learning of the classifier vectors, Eq. 24, as a mean over the classes.

    .. math:: L^{(cc)}_{ce} = -\frac1K \sum_k \log \frac{e^1}{\sum_j e^{\cos(w_k, w_j)}}

    The paper's settings are those of :func:`uniform_bce`.

    Args:
        weight: :math:`w`, (K, d), of any length: normalised here.

    Returns:
        Scalar, at least :math:`\log(1 + (K-1) e^{-K/(K-1)})`, in nats.

    Example:
        >>> uniform_ce(torch.tensor([[1.0, 0.0], [-3.0, 0.0]]))  # log(1 + e^-2)
        tensor(0.1269)
    """
    cosines = _class_cosines(weight)
    return F.cross_entropy(cosines, torch.arange(len(cosines), device=cosines.device))
