"""The unknown set ``photographs``: patches of the two photographs inside scikit-learn."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.data.dataset import reinstall
from lossbook.data.unknown_set import UnknownSet


def photographs(size: int) -> Tensor:
    """Every whole ``size`` x ``size`` patch of the two photographs, (n, 3, size, size) uint8."""
    from sklearn.datasets import load_sample_images

    patches = []
    for photograph in load_sample_images().images:
        image = torch.tensor(photograph).permute(2, 0, 1)
        patches.append(image.unfold(1, size, size).unfold(2, size, size).permute(1, 2, 0, 3, 4).reshape(-1, 3, size, size))
    return torch.cat(patches)


PHOTOGRAPHS = UnknownSet("photographs", photographs, reinstall("scikit-learn"), package="scikit-learn")
