"""From arrays, as packages and files hold images, to splits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lossbook.data.dataset import Split


def split_of(images: np.ndarray, labels: np.ndarray) -> Split:
    """(n, H, W) or (n, H, W, C) uint8 and labels (n,) to a split.

    Example:
        >>> split_of(np.zeros((2, 8, 8, 3), dtype=np.uint8), np.array([0, 1])).images.shape
        torch.Size([2, 3, 8, 8])
    """
    import torch  # here, so that listing the data sets is quick

    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return Split(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(np.asarray(labels, dtype=np.int64)))


def cut_each_class(images: np.ndarray, labels: np.ndarray, train_per_class: int, parts: Sequence[str]) -> tuple[Split, ...]:
    """The first images of every class train, the others test: nothing is random, so the parts are the same everywhere."""
    train = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        train[np.flatnonzero(labels == label)[:train_per_class]] = True
    masks = {"train": train, "test": ~train}
    return tuple(split_of(images[masks[part]], labels[masks[part]]) for part in parts)
