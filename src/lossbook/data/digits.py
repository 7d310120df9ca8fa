"""The 8 x 8 digits inside scikit-learn: the first 90 per class train, the others test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lossbook.data.arrays import cut_each_class
from lossbook.data.dataset import DataSet, Split, reinstall


def _read(parts: Sequence[str]) -> tuple[Split, ...]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    return cut_each_class(images, bunch.target, 90, parts)


DIGITS = DataSet(
    "digits",
    num_classes=10,
    read=_read,
    cure=reinstall("scikit-learn"),
    package="scikit-learn",
    sha256={
        "train": "2d892ad0f9c2dd29d7ff27ac5adc17b94a9287187b7fc023238c815db02e287d",
        "test": "b89b944b1480fe43a63d916b349ba9e96d356792185770cf65183d5356a476db",
    },
)
