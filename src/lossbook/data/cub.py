"""CUB-200-2011 for retrieval: 200 birds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lossbook.data.dataset import DataSet
from lossbook.data.photographs import BY_HAND, read_photographs, whole


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """``images.txt`` and ``image_class_labels.txt`` beside ``images/``."""
    names, classes = (
        dict(line.split() for line in (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines())
        for name in ("images", "image_class_labels")
    )
    return read_photographs([folder / "images" / name for name in names.values()], [int(classes[k]) - 1 for k in names])


CUB = DataSet(
    "cub-retrieval",
    num_classes=200,
    read=whole("CUB_200_2011", _read),
    cure=BY_HAND,
    folders=("CUB_200_2011",),
    counts={"train": 11_788, "test": 11_788},
)
