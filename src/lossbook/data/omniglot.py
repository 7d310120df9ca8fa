"""Omniglot, both its parts, and its cached features: 964 background and then 659 evaluation characters.

Of each character 15 drawers train and 5 test; ink is 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lossbook.data.arrays import cut_each_class
from lossbook.data.dataset import DOWNLOAD, DataSet, Split, data_dir, may_download
from lossbook.data.features import FeatureCache, features_of


def _read(parts: Sequence[str]) -> tuple[Split, ...]:
    """105 x 105 pixels become 35 x 35 means of 3 x 3 blocks, exact on every machine."""
    folder = data_dir() / "omniglot"
    found = [_packed(folder / f"images_{part}.npz") for part in ("background", "evaluation")]
    if None in found:
        found = [_of_torchvision(background) for background in (True, False)]
    (images, labels), (more_images, more_labels) = found
    images, labels = np.concatenate([images, more_images]), np.concatenate([labels, more_labels + labels.max() + 1])
    blocks = images.reshape(-1, 35, 3, 35, 3).sum((2, 4), dtype=np.uint16)
    return cut_each_class((blocks * 255 // 9).astype(np.uint8), labels, 15, parts)


def _packed(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Images (n, 105, 105), 1 = ink, and labels from a file of packed bits; None where there is no such file."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        return np.unpackbits(file["packed"], axis=1)[:, : 105 * 105].reshape(-1, 105, 105), file["label"].astype(np.int64)


def _of_torchvision(background: bool) -> tuple[np.ndarray, np.ndarray]:
    """The same from torchvision's folders, in the order of their names (torchvision's own is the file system's)."""
    from PIL import Image

    from lossbook._torchvision import datasets

    folder = Path(datasets.Omniglot(data_dir(), background=background, download=may_download()).target_folder)
    characters = sorted(path for path in folder.glob("*/*") if path.is_dir())
    files = [(drawing, label) for label, path in enumerate(characters) for drawing in sorted(path.glob("*.png"))]
    images = np.stack([np.asarray(Image.open(drawing).convert("L")) < 128 for drawing, _ in files])
    return images, np.array([label for _, label in files])


OMNIGLOT = DataSet(
    "omniglot",
    num_classes=964 + 659,
    read=_read,
    cure=DOWNLOAD,
    folders=("omniglot", "omniglot-py"),
    sha256={
        "train": "1c23a56a57944e44474be2746fa22b2ea93a7e1a4c9bcb593c7761ed1d1ac7c7",
        "test": "aeff99f6d9c89dcf4ae87f44fcc8704ea5f50408673b0788d69ccdf79f5a03ca",
    },
)
CACHE = FeatureCache("omniglot", OMNIGLOT.sha256, {"train": 24_345, "test": 8_115})
FEATURES = features_of(CACHE, OMNIGLOT.num_classes)
