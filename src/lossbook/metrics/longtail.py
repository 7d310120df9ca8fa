"""Accuracy on a long tail: all classes, and those with many, medium and few training images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.metrics.uniformity import top1

Counts = Tensor | np.ndarray | Sequence[int]


class GroupAccuracy(NamedTuple):
    """Shares of right predictions within [0, 1]; NaN for a group without test images."""

    all: float
    many: float
    medium: float
    few: float


def class_groups(class_counts: Counts, many: int = 100, few: int = 20) -> Tensor:
    """Which group every class is in: 0 (more than ``many`` training images), 1, or 2 (fewer than ``few``).

    Args:
        class_counts: training images per class, (K,): a tensor, an array or a list.
        many: classes with more training images are "many".
        few: classes with fewer training images are "few"; the others are "medium".

    Returns:
        (K,) int64.

    Raises:
        ValueError: for counts that are no vector, negative or not finite, or where a class would be in two groups.

    Example:
        >>> class_groups([101, 100, 20, 19])
        tensor([0, 1, 1, 2])
    """
    if few > many + 1:
        raise ValueError(f"expected few <= many + 1, so that no class is in both groups, got {few} and {many}")
    counts = torch.as_tensor(class_counts)
    if counts.ndim != 1 or not len(counts) or not bool(((counts >= 0) & counts.isfinite()).all()):
        raise ValueError(f"expected finite numbers of training images >= 0, (K,) with K >= 1, got {class_counts}")
    return 1 - (counts > many).long() + (counts < few).long()


def group_accuracy(logits: Tensor, labels: Tensor, class_counts: Counts, many: int = 100, few: int = 20) -> GroupAccuracy:
    """Top-1 accuracy on the whole test set and on the test images of each group of classes.

    Args:
        logits: of the test images, (n, K); the first of equal largest ones is the prediction.
        labels: (n,), int64.
        class_counts: training images per class, (K,): a tensor, an array or a list.
        many, few: the groups' bounds, see :func:`class_groups`.

    Raises:
        ValueError: for a wrong shape, a label out of range, or NaN in the logits.

    Example:
        >>> logits, labels = torch.eye(3)[[0, 1, 0, 2]], torch.tensor([0, 1, 1, 2])
        >>> group_accuracy(logits, labels, [500, 50, 5])
        GroupAccuracy(all=0.75, many=1.0, medium=0.5, few=1.0)
    """
    check_tensors(logits=logits, labels=labels)
    groups = class_groups(class_counts, many, few).to(labels.device)
    return accuracy_of_groups(*count_right(logits, labels, groups))


def count_right(logits: Tensor, labels: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """How many samples of each group are classified right, and how many there are: each (3,) int64.  The numbers of several
    batches add up to those of all.

    Args:
        logits: (n, K).
        labels: (n,), int64.
        groups: (K,), the group of each class, from :func:`class_groups`.

    Example:
        >>> count_right(torch.eye(2), torch.tensor([0, 0]), torch.tensor([0, 2]))
        (tensor([1, 0, 0]), tensor([2, 0, 0]))
    """
    check_tensors(logits=logits, labels=labels, groups=groups)
    _, right = top1(logits, labels)
    if groups.shape != logits.shape[1:]:
        raise ValueError(f"expected class counts of shape ({logits.shape[1]},), got {tuple(groups.shape)}")
    wrong, found = (groups[labels] + 3 * right).bincount(minlength=6).view(2, 3)
    return found, wrong + found


def accuracy_of_groups(right: Tensor, samples: Tensor) -> GroupAccuracy:
    """The accuracies of :func:`group_accuracy` from the numbers of :func:`count_right`.

    Example:
        >>> accuracy_of_groups(torch.tensor([1, 1, 1]), torch.tensor([1, 2, 1]))
        GroupAccuracy(all=0.75, many=1.0, medium=0.5, few=1.0)
    """
    pairs = zip([int(right.sum()), *right.tolist()], [int(samples.sum()), *samples.tolist()], strict=True)
    return GroupAccuracy(*(found / all_ if all_ else math.nan for found, all_ in pairs))
