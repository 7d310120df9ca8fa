r"""How compact are the classes, how far apart are they?  The measures of `bce3s` (Eqs. 13-19, 36), exact and linear in n.

No n x n matrix is made: over unit vectors the sum of all cosines is a squared length,
:math:`\sum_{i, i'} u_i^\top u_{i'} = \|\sum_i u_i\|^2`.  Sums are taken in float64 (float32 on a device that has no
float64), chunk by chunk.  A zero vector has cosine 0 with everything.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.precision import wide, widest

# Rows whose float64 copies exist at a time.
_CHUNK_ROWS = 512


def _classes(features: Tensor, labels: Tensor, num_classes: int | None) -> tuple[Tensor, int]:
    """After all checks: every sample's class among the K, (n,), and K.  Without ``num_classes`` only classes that occur
    count, so that the memory does not depend on how large the labels are."""
    check_tensors(features=features, labels=labels)
    if features.ndim != 2 or len(features) < 1 or not features.is_floating_point():
        raise ValueError(f"expected floating-point features (n, d), got {features.dtype} of shape {tuple(features.shape)}")
    if labels.shape != features.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(f"expected int64 labels of shape ({len(features)},), got {labels.dtype}, {tuple(labels.shape)}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (num_classes is not None and high >= num_classes):
        raise ValueError(f"expected labels within 0..{'' if num_classes is None else num_classes - 1}, got {low} to {high}")
    if num_classes is not None:
        return labels, num_classes
    present, member = labels.unique(return_inverse=True)
    return member, len(present)


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=1, eps=torch.finfo(vectors.dtype).tiny)


def _sums(features: Tensor, labels: Tensor, num_classes: int, offsets: Tensor | None = None, unit: bool = True) -> Tensor:
    """Sums over every class of its features, less ``offsets[class]``, made unit vectors or not; in the widest dtype, (K, d)."""
    sums = features.new_zeros(num_classes, features.shape[1], dtype=widest(features.device))
    for chunk, own in zip(features.detach().split(_CHUNK_ROWS), labels.split(_CHUNK_ROWS), strict=True):
        rows = wide(chunk) if offsets is None else wide(chunk) - offsets[own]
        sums.index_add_(0, own, _unit(rows) if unit else rows)
    if not bool(sums.isfinite().all()):
        raise ValueError("expected finite features; did the training diverge?")
    return sums


def compactness(features: Tensor, labels: Tensor, num_classes: int | None = None) -> Tensor:
    r"""Intra-class compactness, Eq. 14: the mean cosine of two different samples of a class, on a scale from 0 to 100.

    .. math:: \mathcal E_k = \frac{100}{n_k^2 - n_k} \sum_{i \neq i'} \frac{1 + \cos(x_i, x_{i'})}{2}

    Args:
        features: (n, d).
        labels: (n,), int64.
        num_classes: K; None = the classes that occur, in the order of their labels.

    Returns:
        (K,), float64, in per cent: 100 when all samples have one direction, 50 when they have none in common; NaN for
        a class of fewer than two samples.

    Example:
        >>> compactness(torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 0, 1, 1]))
        tensor([100.,  50.], dtype=torch.float64)
    """
    labels, num_classes = _classes(features, labels, num_classes)
    count = labels.bincount(minlength=num_classes)
    nonzero = torch.cat([(rows != 0).any(1) for rows in features.split(_CHUNK_ROWS)])
    with_itself = labels[nonzero].bincount(minlength=num_classes)
    cosines = _sums(features, labels, num_classes).square().sum(1) - with_itself
    mean = cosines / (count * (count - 1))
    return torch.where(count > 1, 50 * (1 + mean), torch.nan)


def feature_separability(
    features: Tensor, labels: Tensor, num_classes: int | None = None, center: Literal["class", "global"] = "class"
) -> Tensor:
    r"""Inter-class separability of the features, Eq. 15, on a scale from 0 to 100.

    .. math:: \mathcal E_k = \frac{100}{n_k (K-1)} \sum_i \sum_{j \neq k} \frac{1 - \cos(\hat x_i, \bar x^{(j)})}{2}

    With ``center="class"`` (as printed) :math:`\hat x_i = x_i - \bar x^{(k)}` is what a sample differs by from its own
    class mean: those differences add up to zero, so the value stays near 50 whatever the features are.  With ``"global"``
    samples and class means are both centred on the mean of the class means, as Eq. 13 centres the classifier vectors; a
    collapsed simplex gives :math:`50\,K/(K-1)`, the largest value that all classes reach together.

    Args:
        features: (n, d).
        labels: (n,), int64.
        num_classes: K, of which classes without samples are left out of the sums; None = the classes that occur, in the
            order of their labels.
        center: ``"class"`` or ``"global"``.

    Returns:
        (K,), float64, in per cent; NaN for a class without samples, or when there is no other class.

    Example:
        >>> features = torch.tensor([[1.0, 5.0], [-1.0, 5.0]])
        >>> feature_separability(features, torch.tensor([0, 1]), center="global")
        tensor([100., 100.], dtype=torch.float64)
    """
    labels, num_classes = _classes(features, labels, num_classes)
    count = wide(labels.bincount(minlength=num_classes)).unsqueeze(1)
    present = count > 0
    means = _sums(features, labels, num_classes, unit=False) / count.clamp_min(1)
    if center == "class":
        offsets, others = means, means
    elif center == "global":
        middle = means.sum(0, keepdim=True) / present.sum()
        offsets, others = middle.expand_as(means), (means - middle) * present
    else:
        raise ValueError(f"center must be 'class' or 'global', got {center!r}")
    directions = _unit(others)
    rest = directions.sum(0, keepdim=True) - directions
    pairs = count * (present.sum() - 1)
    mean = (_sums(features, labels, num_classes, offsets) * rest).sum(1, keepdim=True) / pairs
    return torch.where(pairs > 0, 50 * (1 - mean), torch.nan).squeeze(1)


def _centred_cosines(weight: Tensor) -> Tensor:
    check_tensors(weight=weight)
    if weight.ndim != 2 or len(weight) < 2 or not weight.is_floating_point():
        raise ValueError(f"expected floating-point classifier vectors (K, d), K >= 2, got {tuple(weight.shape)}")
    unit = _unit(wide(weight.detach()) - wide(weight.detach()).mean(0))
    return unit @ unit.T


def classifier_separability(weight: Tensor) -> Tensor:
    r"""Separability of the classifier vectors, Eq. 13, on a scale from 0 to 100.

    .. math:: \mathcal E_k = \frac{100}{K-1} \sum_{j \neq k} \frac{1 - \cos(\hat w_k, \hat w_j)}{2}, \qquad
              \hat w_k = w_k - \frac1K \sum_j w_j

    Args:
        weight: (K, d).

    Returns:
        (K,), float64, in per cent; :math:`50\,K/(K-1)` for every class of a simplex ETF.

    Example:
        >>> classifier_separability(torch.tensor([[5.0, 1.0], [1.0, 1.0]]))  # opposite once their mean is taken off
        tensor([100., 100.], dtype=torch.float64)
    """
    cosines = _centred_cosines(weight)
    return 50 * (1 - (cosines.sum(1) - cosines.diagonal()) / (len(cosines) - 1))


def separability_matrix(weight: Tensor) -> Tensor:
    r"""Separability of every pair of classifier vectors, Eq. 36.

    .. math:: s_{jk} = \frac{1 - \cos(\hat w_j, \hat w_k)}{2}\ (j \neq k), \qquad s_{jj} = 1

    Args:
        weight: (K, d); centred here as in :func:`classifier_separability`.

    Returns:
        (K, K), float64, within [0, 1].

    Example:
        >>> separability_matrix(torch.tensor([[5.0, 1.0], [1.0, 1.0]]))
        tensor([[1., 1.],
                [1., 1.]], dtype=torch.float64)
    """
    return ((1 - _centred_cosines(weight)) / 2).clamp(0, 1).fill_diagonal_(1.0)
