"""The unknown set ``faces``: the hundred faces of Labeled Faces in the Wild inside scikit-image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lossbook.data.dataset import reinstall
from lossbook.data.unknown_set import UnknownSet


def _read(size: int) -> Tensor:
    """(100, 1, 25, 25) uint8"""
    from skimage.data import lfw_subset

    return torch.from_numpy(np.round(255 * lfw_subset()[:100]).astype(np.uint8))[:, None]


FACES = UnknownSet("faces", _read, reinstall("scikit-image"), package="scikit-image")
