"""Batches of a data set that lives on the device as one uint8 tensor: no loader, no copies, no workers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.data.sets import Split


def resize(split: Split, size: int) -> Split:
    """A split with its images resized once to ``size`` x ``size`` pixels (0 = as they are), uint8 as before."""
    if not size or split.images.shape[-2:] == (size, size):
        return split
    chunks = [F.interpolate(c.float(), (size, size), mode="bilinear", antialias=True) for c in split.images.split(1000)]
    return Split(torch.cat([chunk.round_().clamp_(0, 255).to(torch.uint8) for chunk in chunks]), split.labels)


def to_float(images: Tensor) -> Tensor:
    """uint8 (B, C, H, W) -> float32 in [-1, 1], channels last."""
    return images.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def _shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image by its own random offset of up to an eighth of its size, reflected at the border."""
    batch, channels, height, width = images.shape
    reach = max(1, height // 8)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    offset = torch.randint(0, 2 * reach + 1, (2, batch), generator=generator).to(images.device)
    rows = (offset[0, :, None] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (offset[1, :, None] + torch.arange(width, device=images.device))[:, None, None, :]
    sample = torch.arange(batch, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[sample, channel, rows, columns].contiguous(memory_format=torch.channels_last)


def _flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image mirrored left to right with probability 1/2."""
    mirrored = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


AUGMENTATIONS = {"shift": _shift, "flip": _flip}


def augment_batch(images: Tensor, names: tuple[str, ...], generator: torch.Generator) -> Tensor:
    """Apply augmentations by name, in order, to a float batch on its device."""
    for name in names:
        if name not in AUGMENTATIONS:
            raise ValueError(f"unknown augmentation {name!r}; expected some of {', '.join(AUGMENTATIONS)}")
        images = AUGMENTATIONS[name](images, generator)
    return images


def batches(split: Split, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of (images, labels) in random order; the last, smaller batch is dropped unless it is the only one.

    The order comes from a CPU generator, so it is the same on every device.
    """
    order = torch.randperm(len(split), generator=generator).to(split.labels.device)
    steps = max(1, len(split) // batch_size)
    for index in order[: steps * batch_size].split(batch_size):
        yield split.images[index], split.labels[index]
