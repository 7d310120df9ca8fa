"""The unknown sets of out-of-distribution detection, as a run takes them: images in the format of its own, or features."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.data.batches import resize
from lossbook.data.dataset import Split
from lossbook.data.feature_names import are_features, features_name
from lossbook.data.load import load_test
from lossbook.data.registry import DATASETS
from lossbook.data.unknown_registry import UNKNOWN_SETS


def unknown_images(name: str, size: int) -> Tensor:
    """The images (n, C, H, W) uint8, or features (n, d), of an unknown set, or of a data set's test part.

    Args:
        name: of the set.
        size: of the patches that ``"photographs"`` is cut into; the others keep their size.

    Raises:
        ValueError: for an unknown name, listing the known ones.
        DataError: for a missing or damaged set, with its folder and the cure.
    """
    if name in UNKNOWN_SETS:
        return UNKNOWN_SETS[name].load(size)
    if name in DATASETS:
        return load_test(name).images
    raise ValueError(f"unknown set of images {name!r}; expected one of {', '.join((*UNKNOWN_SETS, *DATASETS))}")


def match_format(images: Tensor, channels: int, size: int) -> Tensor:
    """Images (n, channels, size, size) uint8: grey is repeated, or colours are averaged; features stay as they are."""
    if images.is_floating_point():
        return images
    images = resize(Split(images, images.new_empty(0)), size).images
    if images.shape[1] == channels:
        return images
    return images.expand(-1, channels, -1, -1) if images.shape[1] == 1 else images.float().mean(1, keepdim=True).to(torch.uint8)


def unknown_for(dataset: str, name: str, known: Tensor, size: int) -> Tensor:
    """An unknown set as a run on ``dataset`` takes it: features if that is features, else images like its ``known`` ones.

    Args:
        dataset: that the run trains on.
        name: of the unknown set's images, as for :func:`unknown_images`.
        known: images (n, C, H, W), or features (n, d), of ``dataset``.
        size: in pixels, of the images returned.
    """
    source = features_name(name) if are_features(dataset) else name
    return match_format(unknown_images(source, known.shape[-1]), known.shape[1], size)
