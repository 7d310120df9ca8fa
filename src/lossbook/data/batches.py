"""Batches of a data set that lives on the device as one uint8 tensor: no loader, no copies, no workers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.data.dataset import Split


def resize(split: Split, size: int) -> Split:
    """A split with its images resized once to ``size`` x ``size`` pixels (0 = as they are), uint8 as before.

    Example:
        >>> resize(Split(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.arange(3)), 16).images.shape
        torch.Size([3, 1, 16, 16])
    """
    if not size or split.images.shape[-2:] == (size, size):
        return split
    chunks = [F.interpolate(c.float(), (size, size), mode="bilinear", antialias=True) for c in split.images.split(1000)]
    images = torch.cat([chunk.round_().clamp_(0, 255).to(torch.uint8) for chunk in chunks])
    return dataclasses.replace(split, images=images)


def to_float(images: Tensor) -> Tensor:
    """uint8 (B, C, H, W) -> float32 in [-1, 1], channels last; features (B, d) stay as they are.

    Example:
        >>> to_float(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
        tensor([[[[-1.,  1.]]]])
    """
    if images.is_floating_point():
        return images
    return images.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def _sent(drawn: Tensor, device: torch.device) -> Tensor:
    """Random numbers from a CPU generator, on the device; the host does not wait for the copy.

    A GPU copies on its own from pinned memory only.
    """
    if device.type == "cuda":
        drawn = drawn.pin_memory()
    return drawn.to(device, non_blocking=True)


def _shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image by its own random offset of up to an eighth of its size, reflected at the border."""
    batch, _, height, width = images.shape
    reach = max(1, height // 8)
    padded = F.pad(images, (reach,) * 4, mode="reflect").contiguous(memory_format=torch.channels_last)
    top, left = _sent(torch.randint(0, 2 * reach + 1, (2, batch), generator=generator), images.device)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, top, left, H, W), a view
    sample = torch.arange(batch, device=images.device)
    return windows[sample, :, top, left].contiguous(memory_format=torch.channels_last)


def _flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image mirrored left to right with probability 1/2."""
    mirrored = _sent(torch.rand(len(images), generator=generator) < 0.5, images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def _cutout(images: Tensor, generator: torch.Generator) -> Tensor:
    """In each image a square with a quarter of its size becomes grey; its centre lies anywhere, so the border may cut it.

    DeVries and Taylor (2017), whose squares on CIFAR-100 are of 8 pixels.
    """
    batch, _, height, width = images.shape
    side = height // 4
    drawn = torch.rand(2, batch, generator=generator) * torch.tensor([[height], [width]])
    top, left = (_sent(drawn.long(), images.device) - side // 2)[:, :, None]
    row, column = (torch.arange(size, device=images.device) for size in (height, width))
    in_rows, in_columns = (top <= row) & (row < top + side), (left <= column) & (column < left + side)
    return images.masked_fill((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0.0)


AUGMENTATIONS = {"shift": _shift, "flip": _flip, "cutout": _cutout}


def augment_batch(images: Tensor, names: tuple[str, ...], generator: torch.Generator) -> Tensor:
    """Apply augmentations by name, in order, to a float batch on its device.

    Args:
        images: (B, C, H, W).
        names: some of ``"shift"`` (each image by its own offset of up to an eighth of its size, reflected at the border),
            ``"flip"`` (left to right, half of them) and ``"cutout"`` (a grey square with a quarter of its size).
        generator: on the CPU.

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: for an unknown name, listing the known ones.
    """
    for name in names:
        if name not in AUGMENTATIONS:
            raise ValueError(f"unknown augmentation {name!r}; expected some of {', '.join(AUGMENTATIONS)}")
        images = AUGMENTATIONS[name](images, generator)
    return images


def _mixup(images: Tensor, partners: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, float]:
    """The weighted mean of two images."""
    return share * images + (1 - share) * partners, share


def _cutmix(images: Tensor, partners: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, float]:
    """A box of the partner at a random place, cut at the border; the share is what is left of the image."""
    height, width = images.shape[-2:]
    side = math.sqrt(1 - share)
    row, column = (torch.rand(2, generator=generator) * torch.tensor([height, width])).int().tolist()
    half_height, half_width = int(height * side) // 2, int(width * side) // 2
    rows = slice(max(row - half_height, 0), min(row + half_height, height))
    columns = slice(max(column - half_width, 0), min(column + half_width, width))
    mixed = images.clone()
    mixed[..., rows, columns] = partners[..., rows, columns]
    return mixed, 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)


_MIXES = {"mixup": (_mixup,), "cutmix": (_cutmix,), "mixup|cutmix": (_mixup, _cutmix)}
VIEWS = ("plain", *_MIXES)


def mix_batch(
    images: Tensor, labels: Tensor, view: str, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, float]:
    """A float batch seen in one view: (images, labels of the partners, share of each image's own label).

    The share is drawn once per batch from Beta(alpha, alpha); the partner is another image of the batch.

    Args:
        images: (B, C, H, W).
        labels: (B,), int64.
        view: ``"plain"``, ``"mixup"``, ``"cutmix"``, or ``"mixup|cutmix"`` (one of both, drawn).
        alpha: of the Beta distribution, positive.
        generator: on the CPU.

    Raises:
        ValueError: for an unknown view, listing the known ones.
    """
    if view == "plain":
        return images, labels, 1.0
    if view not in _MIXES:
        raise ValueError(f"unknown view {view!r}; expected some of {', '.join(VIEWS)}")
    choice = int(torch.randint(len(_MIXES[view]), (), generator=generator))
    # torch draws Beta from its default generator only; numpy's is seeded from ours.
    seed = int(torch.randint(2**31, (), generator=generator))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    order = _sent(torch.randperm(len(images), generator=generator), images.device)
    mixed, share = _MIXES[view][choice](images, images[order], share, generator)
    return mixed, labels[order], share


def batches(split: Split, batch_size: int, generator: torch.Generator, num_classes: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of (images, labels): ``n // batch_size`` batches, at least one.

    In random order, where the last, smaller batch is dropped unless it is the only one; or, with ``num_classes``, of
    equally many images of so many random classes.  The order comes from a CPU generator, so it is the same on every
    device.

    Example:
        >>> split = Split(torch.zeros(10, 1, 8, 8, dtype=torch.uint8), torch.arange(10))
        >>> [len(labels) for images, labels in batches(split, 4, torch.Generator())]
        [4, 4]
    """
    steps = max(1, len(split) // batch_size)
    if num_classes:
        order = _class_balanced(split.labels.cpu(), steps, batch_size // num_classes, num_classes, generator)
    else:
        order = torch.randperm(len(split), generator=generator)[: steps * batch_size]
    for index in order.to(split.labels.device).split(batch_size):
        yield split.images[index], split.labels[index]


def _class_balanced(labels: Tensor, steps: int, images: int, classes: int, generator: torch.Generator) -> Tensor:
    """Indices of ``steps`` batches of ``images`` images of ``classes`` random classes each.

    An image repeats within a batch only where its class has fewer images than that.
    """
    sizes = torch.bincount(labels)
    if not 1 <= classes <= len(sizes) or images < 1:
        raise ValueError(f"expected batches of 1..{len(sizes)} classes with images of each, got {classes} classes")
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = shuffled[torch.argsort(labels[shuffled], stable=True)]
    chosen = torch.rand(steps, len(sizes), generator=generator).argsort(1)[:, :classes, None]
    start = (torch.rand(chosen.shape, generator=generator) * sizes[chosen]).long()
    place = (start + torch.arange(images)) % sizes[chosen]
    return by_class[(sizes.cumsum(0) - sizes)[chosen] + place].flatten()
