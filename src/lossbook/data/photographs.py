"""Data sets of photographs that a published list names: decoded, cut to a square and resized.

Their content is counted and not hashed: the last bit of a resized photograph differs between versions of the library.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lossbook.data.arrays import split_of
from lossbook.data.dataset import Split, data_dir

SIDE = 224
BY_HAND = "put the published lists and the photographs that they name there (data/README.md)"


def _photograph(path: Path) -> np.ndarray:
    """The central square at ``SIDE`` x ``SIDE`` pixels, (H, W, 3) uint8."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BILINEAR))


def read_photographs(paths: list[Path], labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The images, (n, H, W, 3) uint8, decoded on all cores, and the labels (n,).

    They are held in memory, 150 kB each: 17 GB for ImageNet-LT's training images, 66 GB for iNaturalist's.
    """
    images = np.empty((len(paths), SIDE, SIDE, 3), dtype=np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row, image in enumerate(pool.map(_photograph, paths)):
            images[row] = image
    return images, np.array(labels, dtype=np.int64)


def read_list(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All images of a list, (n, H, W, 3) uint8, and their labels (n,).

    A list has one image per line, its path below the list's folder and its class: ``train/n01440764/x.JPEG 0``.
    """
    lines = [line.rsplit(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return read_photographs([path.parent / name for name, _ in lines], [int(label) for _, label in lines])


def listed(folder: str, **lists: str) -> Callable[[Sequence[str]], tuple[Split, ...]]:
    """How a data set with one list per part is read.

    Args:
        folder: of the lists, below :func:`data_dir`.
        lists: part -> name of its list.
    """
    return lambda parts: tuple(split_of(*read_list(data_dir() / folder / lists[part])) for part in parts)


def whole(folder: str, read: Callable[[Path], tuple[np.ndarray, np.ndarray]]) -> Callable[[Sequence[str]], tuple[Split, ...]]:
    """How a retrieval benchmark is read: all images are in every part.

    It has no test images of the training classes.  A run trains on the first half of the classes (``RunSpec.classes``) and
    retrieves among all images of the others; what it measures on the "known" classes, it measures on training images.
    """
    return lambda parts: (split_of(*read(data_dir() / folder)),) * len(parts)
