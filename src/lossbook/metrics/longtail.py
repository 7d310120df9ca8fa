"""Accuracy on a long tail: all classes, and those with many, medium and few training images."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lossbook.losses.checks import check_logits_labels


class GroupAccuracy(NamedTuple):
    """Shares of right predictions within [0, 1]; NaN for a group without test images."""

    all: float
    many: float
    medium: float
    few: float


def class_groups(class_counts: Tensor, many: int = 100, few: int = 20) -> Tensor:
    """Which group every class is in: 0 (more than ``many`` training images), 1, or 2 (fewer than ``few``).

    Example:
        >>> import torch
        >>> class_groups(torch.tensor([101, 100, 20, 19]))
        tensor([0, 1, 1, 2])
    """
    if few > many + 1:
        raise ValueError(f"expected few <= many + 1, so that no class is in both groups, got {few} and {many}")
    return 1 - (class_counts > many).long() + (class_counts < few).long()


def group_accuracy(logits: Tensor, labels: Tensor, class_counts: Tensor, many: int = 100, few: int = 20) -> GroupAccuracy:
    """Top-1 accuracy on the whole test set and on the test images of each group of classes.

    Args:
        logits: of the test images, (n, K); the first of equal largest ones is the prediction.
        labels: (n,), int64.
        class_counts: training images per class, (K,).
        many: classes with more training images are "many".
        few: classes with fewer training images are "few"; the others are "medium".

    Raises:
        ValueError: for a wrong shape, a label out of range, or NaN in the logits.

    Example:
        >>> import torch
        >>> logits, labels = torch.eye(3)[[0, 1, 0, 2]], torch.tensor([0, 1, 1, 2])
        >>> group_accuracy(logits, labels, torch.tensor([500, 50, 5]))
        GroupAccuracy(all=0.75, many=1.0, medium=0.5, few=1.0)
    """
    check_logits_labels(logits, labels)
    if class_counts.shape != logits.shape[1:]:
        raise ValueError(f"expected class counts of shape ({logits.shape[1]},), got {tuple(class_counts.shape)}")
    if bool(logits.isnan().any()):
        raise ValueError("expected logits without NaN; did the training diverge?")
    right = (logits.argmax(1) == labels).double()
    group = class_groups(class_counts, many, few).to(labels.device)[labels]
    return GroupAccuracy(right.mean().item(), *(right[group == g].mean().item() for g in range(3)))
