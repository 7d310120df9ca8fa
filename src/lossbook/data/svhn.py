"""The unknown set ``svhn``: the test images of Street View House Numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.data.dataset import DOWNLOAD, data_dir, may_download
from lossbook.data.unknown_set import UnknownSet


def _read(size: int) -> Tensor:
    from lossbook._torchvision import datasets

    return torch.from_numpy(datasets.SVHN(data_dir(), split="test", download=may_download()).data)


SVHN = UnknownSet("svhn", _read, DOWNLOAD)
