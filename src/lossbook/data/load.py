"""``load(name)``: a data set's training and test images as uint8 tensors, verified."""

from __future__ import annotations

import functools

from lossbook.data.dataset import DataSet, ImageData, Split
from lossbook.data.registry import DATASETS


def get_dataset(name: str) -> DataSet:
    """A data set by name, its images not yet read.

    Example:
        >>> get_dataset("mnist5k").num_classes
        10

    Raises:
        ValueError: for an unknown name, listing the known ones.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; expected one of {', '.join(DATASETS)}")
    return DATASETS[name]


@functools.lru_cache(maxsize=2)
def load(name: str) -> ImageData:
    """Load and verify a data set; the last two stay in memory.

    Returns:
        Its training and test images.

    Example:
        >>> data = load("digits")
        >>> data.train.images.shape, data.test.images.dtype
        (torch.Size([900, 1, 8, 8]), torch.uint8)

    Raises:
        ValueError: for an unknown name, listing the known ones.
        DataError: for a missing or damaged file, with the data set, the folder and the cure.
    """
    dataset = get_dataset(name)
    train, test = dataset.load()
    return ImageData(name, train, test, dataset.num_classes)


@functools.lru_cache(maxsize=2)
def load_test(name: str) -> Split:
    """The test images of a data set, verified; files of training images only need not be there.

    Raises:
        ValueError, DataError: like :func:`load`.
    """
    return get_dataset(name).load(("test",))[0]
