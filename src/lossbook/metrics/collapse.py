r"""How far is a classifier collapsed?  Neural collapse, Fisher's ratio and the independence deficit of `onecold`.

``features`` (M, d) with ``labels`` (M,) are the penultimate layer's outputs, ``weight`` (K, d) and ``bias`` the linear
classifier on them.  :math:`h_k` is the mean feature of class :math:`k`, :math:`h_G` the mean of the class means: every
class counts the same, as in Appendix A.9, where all classes have equally many samples.  Everything is computed in float64
(float32 on a device that has no float64), of which only the class means and one chunk of the features are held.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lossbook.metrics.checks import check_classified, check_tensors
from lossbook.precision import wide, widest

# Rows whose float64 copies exist at a time.
_CHUNK_ROWS = 512


def _class_means(features: Tensor, labels: Tensor, num_classes: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The class means (K, d) in the widest dtype, each sample's class counted among those K, and their sizes (K,).

    With ``num_classes`` every class needs a sample; without, K is the number of classes that have one.
    """
    check_tensors(features=features, labels=labels)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(
            f"expected features (M, d) and labels (M,) with M >= 1, got {tuple(features.shape)} and {tuple(labels.shape)}"
        )
    if labels.dtype != torch.int64:
        raise TypeError(f"expected labels of dtype torch.int64, got {labels.dtype}")
    present, member, counts = labels.unique(return_inverse=True, return_counts=True)
    if num_classes is not None and (len(present) != num_classes or int(present[0]) != 0 or int(present[-1]) != num_classes - 1):
        raise ValueError(f"expected samples of each of the {num_classes} classes, got the labels {present.tolist()}")
    if len(present) < 2:
        raise ValueError(f"expected samples of at least 2 classes, got the labels {present.tolist()}")
    means = features.new_zeros(len(present), features.shape[1], dtype=widest(features.device))
    for rows, own in zip(features.detach().split(_CHUNK_ROWS), member.split(_CHUNK_ROWS), strict=True):
        means.index_add_(0, own, wide(rows))
    if not bool(means.isfinite().all()):
        raise ValueError("expected finite features; did the training diverge?")
    return means.div_(counts.unsqueeze(1)), member, counts


def _residuals(features: Tensor, means: Tensor, member: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Features less their class mean in the widest dtype, and their classes, chunk by chunk."""
    for rows, own in zip(features.detach().split(_CHUNK_ROWS), member.split(_CHUNK_ROWS), strict=True):
        yield wide(rows) - means[own], own


def _rank_tolerance(values: Tensor, shape: torch.Size, dtype: torch.dtype) -> float:
    """Singular values up to this are zero at the precision in which the data came (float32 for half precision)."""
    epsilon = torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps
    return float(values.max()) * max(shape) * epsilon


def nc1(features: Tensor, labels: Tensor) -> float:
    r"""NC1: within-class against between-class variability, Appendix A.9.

    .. math:: NC_1 = \frac1K \operatorname{tr}(\Sigma_W \Sigma_B^\dagger), \qquad
              \Sigma_B = \frac1K \sum_k (h_k - h_G)(h_k - h_G)^\top

    The pseudo-inverse never appears: :math:`\Sigma_B` has at most K - 1 eigenvectors that are not noise, found as
    singular vectors of the K class means, and only those are inverted.  One counts when its singular value exceeds
    ``max(K, d) * eps`` times the largest (``eps`` of float32 unless the features are float64).

    Returns:
        Within [0, inf]; 0 is full collapse, inf is equal class means.  Unitless, and unchanged by any rotation,
        translation or scale of the features.

    Example:
        >>> features = torch.tensor([[1.0, 0.0], [3.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
        >>> round(nc1(features, torch.tensor([0, 0, 1, 1])), 6)
        0.125
    """
    means, member, sizes = _class_means(features, labels)
    count = len(means)
    _, singular, directions = torch.linalg.svd(means - means.mean(0), full_matrices=False)
    singular, directions = singular[: count - 1], directions[: count - 1]
    kept = singular > _rank_tolerance(singular, means.shape, features.dtype)
    if not bool(kept.any()):
        return float("inf")
    share = 1 / (count * wide(sizes))
    variance = sum(share[own] @ (rows @ directions[kept].T).square_() for rows, own in _residuals(features, means, member))
    return float((variance / (singular[kept].square() / count)).sum() / count)


def _distance_to_etf(gram: Tensor) -> float:
    classes = len(gram)
    etf = (torch.eye(classes, dtype=gram.dtype, device=gram.device) - 1 / classes) / (classes - 1) ** 0.5
    length = gram.square().sum().sqrt()
    if not bool(length > 0):
        return float("nan")
    return float((gram / length - etf).square().sum().sqrt())


def _check_weight(weight: Tensor) -> Tensor:
    check_tensors(weight=weight)
    if weight.ndim != 2 or len(weight) < 2:
        raise ValueError(f"expected a weight (K, d) of at least 2 classes, got {tuple(weight.shape)}")
    return wide(weight.detach())


def nc2(weight: Tensor) -> float:
    r"""NC2: how far the classifier is from a simplex equiangular tight frame, Appendix A.9.

    .. math:: NC_2 = \left\| \frac{W W^\top}{\|W W^\top\|_F}
              - \frac{1}{\sqrt{K-1}} \left(I_K - \frac1K 1 1^\top\right) \right\|_F

    Returns:
        Within [0, sqrt 2]; 0 for a simplex ETF of any size and rotation, NaN for a zero weight.

    Example:
        >>> nc2(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        0.0
    """
    weight = _check_weight(weight)
    return _distance_to_etf(weight @ weight.T)


def nc3(features: Tensor, labels: Tensor, weight: Tensor) -> float:
    r"""NC3: is the classifier dual to the centred class means, Appendix A.9?

    .. math:: NC_3 = \left\| \frac{W H}{\|W H\|_F} - \frac{1}{\sqrt{K-1}} \left(I_K - \frac1K 1 1^\top\right) \right\|_F,
              \qquad H = [h_1 - h_G, \dots, h_K - h_G]

    Returns:
        Within [0, 2]; 0 when both are the same simplex ETF up to scale, NaN when all products are zero.
    """
    check_tensors(features=features, labels=labels, weight=weight)
    weight = _check_weight(weight)
    means, _, _ = _class_means(features, labels, len(weight))
    if features.shape[1] != weight.shape[1]:
        raise ValueError(f"expected features of the weight's {weight.shape[1]} dimensions, got {features.shape[1]}")
    return _distance_to_etf(weight @ (means - means.mean(0)).T)


def nc4(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor | None) -> float:
    r"""NC4: does the bias cancel the features' mean, Appendix A.9?

    .. math:: NC_4 = \| b + W h_G \|^2

    Squared as in the paper; the code that it cites takes the norm without the square.

    Args:
        features: (M, d), which give :math:`h_G` with their labels.
        labels: (M,).
        weight: (K, d).
        bias: added to the products: (K,), (1,), or None for none.

    Returns:
        Within [0, inf), in units of the logits squared.

    Example:
        >>> features, labels = torch.tensor([[1.0], [3.0]]), torch.tensor([0, 1])
        >>> nc4(features, labels, torch.tensor([[1.0], [-1.0]]), torch.tensor([-2.0, 2.0]))
        0.0
    """
    check_tensors(features=features, labels=labels, weight=weight)
    if bias is not None:
        check_tensors(weight=weight, bias=bias)
    weight = _check_weight(weight)
    means, _, _ = _class_means(features, labels)
    if features.shape[1] != weight.shape[1]:
        raise ValueError(f"expected features of the weight's {weight.shape[1]} dimensions, got {features.shape[1]}")
    if bias is not None and bias.shape not in ((1,), weight.shape[:1]):
        raise ValueError(f"expected a bias of shape ({len(weight)},) or (1,), got {tuple(bias.shape)}")
    mean_logits = weight @ means.mean(0) + (0 if bias is None else wide(bias.detach()))
    return float(mean_logits.square().sum())


def fisher_ratio(features: Tensor, labels: Tensor) -> float:
    r"""Fisher's discriminant ratio, Appendix A.1.2: scatter between the classes against scatter within.

    .. math:: FDR = \frac{\operatorname{tr} S_B}{\operatorname{tr} S_W}
              = \frac{\sum_k n_k \|h_k - \bar h\|^2}{\sum_k \sum_{i \in k} \|h_i - h_k\|^2}

    with :math:`\bar h` the mean of all samples.

    Returns:
        Within [0, inf]; larger is better separated.  NaN when all features are equal.

    Example:
        >>> fisher_ratio(torch.tensor([[1.0], [3.0], [-1.0], [-3.0]]), torch.tensor([0, 0, 1, 1]))
        4.0
    """
    means, member, sizes = _class_means(features, labels)
    within = sum(rows.square_().sum() for rows, _ in _residuals(features, means, member))
    share = wide(sizes)
    between = share @ (means - share @ means / len(labels)).square().sum(1)
    return float(between / within)


def principal_accuracies(logits: Tensor, labels: Tensor) -> Tensor:
    r"""The independence deficit, Fig. 5a: accuracy when the logits keep their top k principal directions only.

    .. math:: \tilde z^{(k)} = \bar z + \sum_{i \le k} u_i u_i^\top (z - \bar z)

    with the eigenvectors :math:`u_i` of the logits' covariance, largest eigenvalue first.

    Args:
        logits: (M, N), the activations of the last layer.
        labels: (M,), int64.

    Returns:
        (N + 1,) float64 on the CPU: the accuracies for k = 0, 1, ..., N; the last one is the accuracy itself.

    Example:
        >>> logits = torch.tensor([[4.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
        >>> principal_accuracies(logits, torch.tensor([0, 0, 1, 2])).tolist()
        [0.5, 0.75, 1.0, 1.0]
    """
    check_classified(logits, labels)
    if not bool(logits.isfinite().all()):
        raise ValueError("expected finite logits; did the training diverge?")
    exact = wide(logits.detach())
    mean = exact.mean(0)
    directions = torch.linalg.eigh((exact - mean).T @ (exact - mean)).eigenvectors.flip(1)
    coordinates = (exact - mean) @ directions
    kept = mean.expand_as(exact).clone()
    right = [(kept.argmax(1) == labels).sum()]
    for k in range(exact.shape[1] - 1):  # one matrix (M, N) is updated in place
        kept.addr_(coordinates[:, k], directions[:, k])
        right.append((kept.argmax(1) == labels).sum())
    right.append((exact.argmax(1) == labels).sum())  # all directions: the logits themselves, without rounding
    return torch.stack(right).cpu().double() / len(labels)


def dimensions_needed(accuracies: Tensor, share: float) -> int:
    """How many principal directions restore so much of the accuracy, Fig. 5a (80, 90 and 99 %).

    Args:
        accuracies: (N + 1,) from :func:`principal_accuracies`.
        share: of the full accuracy, within (0, 1].

    Returns:
        The smallest k with accuracy(k) >= share * accuracy(N), within 0..N.

    Example:
        >>> dimensions_needed(torch.tensor([0.1, 0.4, 0.8, 0.9, 1.0]), share=0.8)
        2
    """
    check_tensors(accuracies=accuracies)
    if accuracies.ndim != 1 or not len(accuracies):
        raise ValueError(f"expected the accuracies (N + 1,), got {tuple(accuracies.shape)}")
    if bool(accuracies.isnan().any()):
        raise ValueError("expected accuracies without NaN")
    if not 0 < share <= 1:
        raise ValueError(f"expected share within (0, 1], got {share}")
    enough = accuracies >= share * accuracies[-1] - 1e-7
    return int(enough.nonzero()[0])
