"""Which of twelve photographs inside scikit-image is a patch cut from?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lossbook.data.arrays import split_of
from lossbook.data.dataset import DataSet, Split, reinstall

_PHOTOGRAPHS = (
    *("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "immunohistochemistry", "moon"),
    *("stereo_motorcycle", "text"),
)


def _read(parts: Sequence[str]) -> tuple[Split, ...]:
    """Grey patches of 32 x 32, evenly spread over a photograph: ten of its left half train, twenty of its right half test."""
    from skimage import data

    patches: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    for name in _PHOTOGRAPHS:
        found = getattr(data, name)()
        photograph = found[0] if isinstance(found, tuple) else found  # a stereo pair: the left one
        grey = photograph if photograph.ndim == 2 else photograph.mean(2).astype(np.uint8)
        rows, columns = grey.shape[0] // 32, grey.shape[1] // 32
        grid = grey[: 32 * rows, : 32 * columns].reshape(rows, 32, columns, 32).swapaxes(1, 2)
        halves = grid[:, : columns // 2].reshape(-1, 32, 32), grid[:, columns // 2 :].reshape(-1, 32, 32)
        for part, half, count in zip(("train", "test"), halves, (10, 20), strict=True):
            patches[part].append(half[np.linspace(0, len(half) - 1, count).round().astype(int)])
    splits = {
        part: split_of(np.concatenate(found), np.repeat(np.arange(len(found)), len(found[0]))) for part, found in patches.items()
    }
    return tuple(splits[part] for part in parts)


PATCHES = DataSet(
    "patches",
    num_classes=len(_PHOTOGRAPHS),
    read=_read,
    cure=reinstall("scikit-image"),
    package="scikit-image",
    sha256={
        "train": "1daaad1df9465ca93f900538e728c279b05423726a3c96fe9c2450af4e89aef4",
        "test": "98d0b5c8ee907faa621c2add74c76bf6b268bf6e1adc7b5eabb88e7c1170ac33",
    },
)
