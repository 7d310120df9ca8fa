"""Image pairs for verification from a folder: ``pairs.csv`` and the pictures that it names.

``pairs.csv`` has one pair per line: the pictures' paths below the folder, 1 for the same person (class) and 0 for two, and
the fold of the pair::

    left,right,same,fold
    anna/1.jpg,anna/2.jpg,1,0
    anna/1.jpg,bert/1.jpg,0,0

The threshold for a fold is chosen on all others; as in LFW, no person should be in two folds.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lossbook.data.dataset import DataError

COLUMNS = ("left", "right", "same", "fold")


class ImagePairs(NamedTuple):
    """Two uint8 images per pair, (P, C, H, W) each, whether they show the same class (P,), and the fold (P,)."""

    left: Tensor
    right: Tensor
    same: Tensor
    fold: Tensor


def _picture(path: Path, size: int, gray: bool) -> Tensor:
    """The central square at ``size`` x ``size`` pixels, (C, H, W) uint8."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        fitted = ImageOps.fit(image.convert("L" if gray else "RGB"), (size, size), Image.Resampling.BILINEAR)
    pixels = np.array(fitted)
    return torch.from_numpy(pixels[None] if gray else pixels.transpose(2, 0, 1).copy())


def read_pairs(folder: str | Path, size: int, gray: bool = False) -> ImagePairs:
    """Read ``pairs.csv`` and its pictures, each picture once.

    Args:
        folder: holds ``pairs.csv``.
        size: height and width of the images in pixels.
        gray: one channel in place of three.

    Raises:
        DataError: for a missing or damaged file, with the line of ``pairs.csv``.
    """
    listing = Path(folder) / "pairs.csv"
    if not listing.is_file():
        raise DataError(f"no {listing.name} in {folder}: expected a file with the columns {', '.join(COLUMNS)}")
    pictures: dict[str, Tensor] = {}
    rows = []
    with listing.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DataError(f"{listing}: expected the columns {', '.join(COLUMNS)}, got {', '.join(reader.fieldnames or ())}")
        for row in reader:
            try:
                if row["same"] not in ("0", "1"):
                    raise ValueError(f"same must be 0 or 1, got {row['same']!r}")
                for name in (row["left"], row["right"]):
                    if name not in pictures:
                        pictures[name] = _picture(listing.parent / name, size, gray)
                rows.append((row["left"], row["right"], row["same"] == "1", int(row["fold"])))
            except (OSError, TypeError, ValueError) as error:
                raise DataError(f"{listing}, line {reader.line_num}: {type(error).__name__}: {error}") from error
    if not rows:
        raise DataError(f"{listing}: no pairs")
    left, right, same, fold = zip(*rows, strict=True)
    images = (torch.stack([pictures[name] for name in names]) for names in (left, right))
    return ImagePairs(*images, torch.tensor(same), torch.tensor(fold))
