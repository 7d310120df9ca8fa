"""Data sets of photographs that a published list names: ImageNet-LT and iNaturalist 2018, as long-tailed recognition uses them.

A list has one image a line, its path below the data set's folder and its class: ``train/n01440764/x.JPEG 0``.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

SIDE = 224


def _photograph(path: Path) -> np.ndarray:
    """The central square at ``SIDE`` x ``SIDE`` pixels, (H, W, 3) uint8."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BILINEAR))


def read_list(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """All images of a list, (n, H, W, 3) uint8, and their labels (n,)."""
    lines = [line.rsplit(maxsplit=1) for line in (folder / name).read_text().splitlines() if line.strip()]
    return read_photographs([folder / path for path, _ in lines], [int(label) for _, label in lines])


def read_photographs(paths: list[Path], labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The images, (n, H, W, 3) uint8, decoded on all cores, and the labels (n,).

    They are held in memory, 150 kB each: 17 GB for ImageNet-LT's training images, 66 GB for iNaturalist's.
    """
    images = np.empty((len(paths), SIDE, SIDE, 3), dtype=np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row, image in enumerate(pool.map(_photograph, paths)):
            images[row] = image
    return images, np.array(labels, dtype=np.int64)
