"""The unknown set ``gtsrb``, traffic signs at 32 x 32, and its cached features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lossbook.data.batches import resize
from lossbook.data.dataset import DOWNLOAD, Split, content_hash, data_dir, may_download
from lossbook.data.features import FeatureCache
from lossbook.data.unknown_features import unknown_features_of
from lossbook.data.unknown_set import UnknownSet

# Of the 1,500 packed test images, every label 0.
_SHA256 = {"test": "6b7a2803fe6aa7daab3ae090ea1b5e1d487dfc14d31331146ed393f0c5621f24"}


def _read(size: int) -> Tensor:
    """1,500 test images where they lie packed, else all of torchvision's."""
    packed = data_dir() / "gtsrb32" / "gtsrb32.npz"
    if not packed.is_file():
        return _of_torchvision()
    with np.load(packed) as file:
        images = torch.from_numpy(file["images"].transpose(0, 3, 1, 2).copy())
    found = content_hash(Split(images, torch.zeros(len(images), dtype=torch.int64)))
    if found != _SHA256["test"]:
        raise ValueError(f"the {len(images):,} images have SHA-256 {found}, expected {_SHA256['test']} of 1,500 images")
    return images


def _of_torchvision() -> Tensor:
    from lossbook._torchvision import datasets

    found = datasets.GTSRB(data_dir(), split="test", download=may_download())
    signs = (torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())[None] for image, _ in found)
    return torch.cat([resize(Split(sign, sign.new_empty(0)), 32).images for sign in signs])


GTSRB = UnknownSet("gtsrb", _read, DOWNLOAD)
CACHE = FeatureCache("gtsrb", _SHA256, {"test": 1_500})
UNKNOWN_FEATURES = unknown_features_of(CACHE)
