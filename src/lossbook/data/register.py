"""A data set of a user's own, by name."""

from __future__ import annotations

from lossbook import registered
from lossbook.data.dataset import PARTS, DataSet
from lossbook.data.registry import DATASETS
from lossbook.data.unknown_registry import UNKNOWN_SETS


def register_dataset(name: str, dataset: DataSet) -> None:
    """Add a data set to those that runs and ``lossbook list`` know by name, in this process.

    A run is done again when its images change: their SHA-256 is part of the fingerprint in its record, and is compared with
    the images whenever they are loaded.  So a registered set states it for both parts.

    Args:
        name: one that no data set has yet, the same as ``dataset.name``.
        dataset: images (n, C, H, W) uint8 or features (n, d) float32, with labels (n,) int64 within 0..num_classes - 1.

    Raises:
        TypeError: for anything but a :class:`~lossbook.data.dataset.DataSet`.
        ValueError: for a name that is taken or not the set's own, or a missing SHA-256.

    Example:
        >>> import torch
        >>> from lossbook.data.dataset import Split, content_hash
        >>> parts = {
        ...     "train": Split(torch.zeros(6, 1, 8, 8, dtype=torch.uint8), torch.arange(6) % 3),
        ...     "test": Split(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.arange(3)),
        ... }
        >>> mine = DataSet(
        ...     "black",
        ...     num_classes=3,
        ...     read=lambda names: tuple(parts[name] for name in names),
        ...     cure="run the example again",
        ...     sha256={name: content_hash(split) for name, split in parts.items()},
        ... )
        >>> register_dataset("black", mine)
        >>> from lossbook.data.load import load
        >>> len(load("black").train)
        6
    """
    if not isinstance(dataset, DataSet):
        raise TypeError(f"expected a lossbook.data.dataset.DataSet, got {type(dataset).__name__}")
    if not name or name != dataset.name:
        raise ValueError(f"expected the name of the data set, {dataset.name!r}, got {name!r}")
    if name in DATASETS or name in UNKNOWN_SETS:
        raise ValueError(f"the name {name!r} is taken by another data set; choose another one")
    missing = [part for part in PARTS if part not in dataset.sha256]
    if missing:
        raise ValueError(
            f"expected the SHA-256 of the train and test images of {name!r}, {' and '.join(missing)} is missing: "
            "lossbook.data.dataset.content_hash(split) computes it"
        )
    DATASETS[name] = registered.DATASETS[name] = dataset
