"""Cars196 for retrieval: 196 cars."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lossbook.data.dataset import DataSet
from lossbook.data.photographs import BY_HAND, read_photographs, whole


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """``cars_annos.mat`` beside ``car_ims/``."""
    from scipy.io import loadmat

    rows = loadmat(folder / "cars_annos.mat", squeeze_me=True)["annotations"]
    return read_photographs([folder / str(row["relative_im_path"]) for row in rows], [int(row["class"]) - 1 for row in rows])


CARS = DataSet(
    "cars-retrieval",
    num_classes=196,
    read=whole("cars196", _read),
    cure=BY_HAND,
    folders=("cars196",),
    counts={"train": 16_185, "test": 16_185},
)
