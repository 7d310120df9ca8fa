"""Few images per class, and a long tail: taken by position and not at random, so that they are the same on every machine."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.data.dataset import Split


def long_tail_counts(largest: int, num_classes: int, imbalance: float) -> Tensor:
    r"""Exponential long tail: images of class :math:`k = 0 \dots K-1`,

    .. math:: n_k = \lfloor n_{\max} \cdot \mathrm{IF}^{-k/(K-1)} \rfloor

    Example:
        >>> int(long_tail_counts(500, 100, 100.0).sum())  # CIFAR100-LT
        10847
    """
    if imbalance < 1 or num_classes < 2:
        raise ValueError(f"expected an imbalance of at least 1 and two classes, got {imbalance} and {num_classes}")
    return torch.tensor([int(largest * imbalance ** (-k / (num_classes - 1))) for k in range(num_classes)])


def first_of_each_class(split: Split, counts: Tensor) -> Split:
    """The first ``counts[k]`` images of every class k, in their old order (all of them where there are fewer).

    Args:
        split: n images of K classes.
        counts: (K,), int64.

    Example:
        >>> split = Split(torch.arange(5).view(5, 1, 1, 1), torch.tensor([0, 1, 0, 1, 0]))
        >>> first_of_each_class(split, torch.tensor([2, 1])).labels
        tensor([0, 1, 0])
    """
    return split.take(_rank_in_class(split.labels, len(counts)) < counts[split.labels])


def last_share_of_each_class(split: Split, share: float) -> tuple[Split, Split]:
    """The images without the last ``share`` of every class, and these last ones (at least one of every class).

    Example:
        >>> split = Split(torch.arange(5).view(5, 1, 1, 1), torch.tensor([0, 1, 0, 1, 0]))
        >>> [part.images.flatten().tolist() for part in last_share_of_each_class(split, 0.3)]
        [[0, 1, 2], [3, 4]]
    """
    sizes = torch.bincount(split.labels)
    kept = sizes - (share * sizes).round().long().clamp(min=1)
    first = _rank_in_class(split.labels, len(sizes)) < kept[split.labels]
    return split.take(first), split.take(~first)


def _rank_in_class(labels: Tensor, num_classes: int) -> Tensor:
    """(n,) the number of earlier images of the same class."""
    by_class = torch.argsort(labels, stable=True)
    sizes = torch.bincount(labels, minlength=num_classes)
    starts = sizes.cumsum(0) - sizes
    rank = torch.empty_like(labels)
    rank[by_class] = torch.arange(len(labels)) - starts[labels[by_class]]
    return rank
