"""Cached features of an unknown set's images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lossbook.data.features import FeatureCache
from lossbook.data.unknown_set import UnknownSet

if TYPE_CHECKING:
    from torch import Tensor


def unknown_features_of(cache: FeatureCache) -> UnknownSet:
    """Cached features of test images as an unknown set."""

    def read(size: int) -> Tensor:
        import torch  # here, so that listing the data sets is quick

        return torch.from_numpy(cache.read("test")[0])

    return UnknownSet(cache.name, read, cache.cure)
