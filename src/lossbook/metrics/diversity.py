r"""How much of a class' inner structure do the features keep?  "Over-clustering" (`multicenter`) in numbers.

The paper speaks of over-clustering and of diverse intra-class features without measuring either.  Three questions are
asked here: how far apart are the samples of a class (:func:`intra_class_diversity`, :func:`within_class_share`), in how
many directions do they spread (:func:`effective_rank`), and are the classes that were merged into one still apart
(:func:`subcluster_purity`).

``features`` is (n, d), ``labels`` (n,).  Everything is computed in float64 (float32 on a device that has no float64).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.optional import extra
from lossbook.precision import wide


def _check_features(features: Tensor) -> None:
    check_tensors(features=features)
    if features.ndim != 2 or features.shape[0] < 2 or features.shape[1] < 1:
        raise ValueError(f"expected features of shape (n, d) with n >= 2, got {tuple(features.shape)}")
    if not features.is_floating_point():
        raise TypeError(f"expected floating-point features, got {features.dtype}")
    if not bool(features.isfinite().all()):
        raise ValueError("expected finite features; did the training diverge?")


def _check(features: Tensor, labels: Tensor) -> None:
    check_tensors(features=features, labels=labels)
    _check_features(features)
    if labels.shape != features.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(
            f"expected {len(features)} labels of dtype torch.int64, one per sample, got {tuple(labels.shape)} of {labels.dtype}"
        )


def _class_sums(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Classes as 0..k-1 (n,), their sums (k, d) and their sizes (k,); a class without samples does not exist."""
    labels, sizes = labels.unique(return_inverse=True, return_counts=True)[1:]
    sums = features.new_zeros(len(sizes), features.shape[1]).index_add_(0, labels, features)
    return labels, sums, sizes


def intra_class_diversity(features: Tensor, labels: Tensor) -> float:
    r"""The mean cosine distance between two different samples of a class, mean over the classes.

    .. math:: D = \frac1C \sum_c \frac{1}{n_c (n_c - 1)} \sum_{m \neq l \in c} \left(1 - \cos(x_m, x_l)\right)
                = 1 - \frac1C \sum_c \frac{\|\sum_{m \in c} u_m\|^2 - \sum_{m \in c} \|u_m\|^2}{n_c (n_c - 1)},
              \qquad u = x / \|x\|

    The second form needs no pairs.  It does not depend on the features' scale, but on their origin, as the linear
    classifier does.  A zero feature has cosine 0 with every other one.

    Args:
        features: (n, d).
        labels: (n,), int64.  Classes of one sample are left out.

    Returns:
        Within [0, 2]; 0 when every class points in one direction, NaN if no class has two samples.

    Example:
        >>> features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [-2.0, 0.0]])
        >>> intra_class_diversity(features, torch.tensor([0, 0, 1, 1]))
        0.5
    """
    _check(features, labels)
    features = wide(features.detach())
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    units = torch.where(lengths > 0, features / lengths, 0.0)
    labels, sums, sizes = _class_sums(units, labels)
    own = _class_sums(units.square().sum(1, keepdim=True), labels)[1].squeeze(1)
    several = sizes > 1
    cosines = (sums.square().sum(1) - own)[several] / (sizes * (sizes - 1))[several]
    return (1 - cosines).clamp_min(0).mean().item()


def within_class_share(features: Tensor, labels: Tensor) -> float:
    r"""The share of the features' variance that lies within the classes.

    .. math:: \frac{\operatorname{tr} S_W}{\operatorname{tr} S_T}
              = \frac{\sum_m \|x_m - \mu_{y_m}\|^2}{\sum_m \|x_m - \mu\|^2}

    It depends neither on the scale nor on the origin of the features.

    Returns:
        Within [0, 1]; 0 for collapsed classes, 1 for classes of equal means, NaN if all features are equal.

    Example:
        >>> features = torch.tensor([[0.0], [2.0], [10.0], [12.0]])
        >>> round(within_class_share(features, torch.tensor([0, 0, 1, 1])), 4)
        0.0385
    """
    _check(features, labels)
    features = wide(features.detach())
    labels, sums, sizes = _class_sums(features, labels)
    within = (features - (sums / sizes.unsqueeze(1))[labels]).square().sum()
    return (within / (features - features.mean(0)).square().sum()).item()


def effective_rank(features: Tensor) -> float:
    r"""In how many directions samples spread: the effective rank of the centred features (Roy and Vetterli, 2007).

    .. math:: \exp\left(-\sum_i p_i \log p_i\right), \qquad p_i = s_i / \textstyle\sum_j s_j

    with the singular values :math:`s_i` of the centred features.

    Args:
        features: (n, d), e.g. those of one class.

    Returns:
        Within [1, min(n - 1, d)]; NaN if all features are equal.

    Example:
        >>> round(effective_rank(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 4)
        2.0
    """
    _check_features(features)
    features = wide(features.detach())
    values = torch.linalg.svdvals(features - features.mean(0))
    shares = values / values.sum()
    return torch.special.entr(shares).sum().exp().item()


def subcluster_purity(features: Tensor, labels: Tensor, fine: Tensor, seed: int = 0) -> float:
    r"""Are the sub-classes of a class still apart?  k-means inside every class, with as many clusters as it has
    sub-classes; the share of samples that belong to the commonest sub-class of their cluster.

    .. math:: \frac1n \sum_{c} \sum_{k} \max_f \left|\{m \in \text{cluster } (c, k) : f_m = f\}\right|

    Args:
        features: (n, d).
        labels: (n,), int64, the classes.
        fine: (n,), int64, the sub-classes; each within one class.
        seed: of the starts of scikit-learn's k-means (ten starts, the best one kept).

    Returns:
        Within (0, 1].  Chance is not 0: never below the share of every class' commonest sub-class, about a half for
        two sub-classes of equal size.

    Example:
        >>> features = torch.tensor([[0.0], [0.1], [5.0], [5.1], [9.0], [9.0]])
        >>> subcluster_purity(features, torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([3, 3, 3, 4, 5, 5]))
        0.8333333333333334
    """
    with extra("metrics"):
        from sklearn.cluster import KMeans

    check_tensors(features=features, labels=labels, fine=fine)
    _check(features, labels)
    _check(features, fine)
    if len(torch.stack([labels, fine]).unique(dim=1)[0]) != len(fine.unique()):
        raise ValueError("expected every fine label within one class")
    features = features.detach().cpu().double()
    starts: Any = 10  # scikit-learn's default is a string, which type checkers take for the only type
    right = 0
    for label in labels.unique():
        chosen = (labels == label).cpu()
        names, own = fine.cpu()[chosen].unique(return_inverse=True)
        if len(names) > 1 and len(features[chosen].unique(dim=0)) >= len(names):
            found = KMeans(len(names), n_init=starts, random_state=seed).fit_predict(features[chosen].numpy())
            clusters = torch.as_tensor(found, dtype=torch.int64)
        else:  # one sub-class, or too few different features to split
            clusters = torch.zeros_like(own)
        counts = torch.bincount(clusters * len(names) + own, minlength=len(names) ** 2)
        right += int(counts.view(len(names), len(names)).amax(1).sum())
    return right / len(labels)
