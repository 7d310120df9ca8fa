"""Cached features of an unknown set's images."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.data.features import FeatureCache
from lossbook.data.unknown_set import UnknownSet


def unknown_features_of(cache: FeatureCache) -> UnknownSet:
    """Cached features of test images as an unknown set."""

    def read(size: int) -> Tensor:
        return torch.from_numpy(cache.read("test")[0])

    return UnknownSet(cache.name, read, cache.cure)
