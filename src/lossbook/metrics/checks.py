"""The checks that the metrics make of their input.

Metrics take tensors only, all of one call on one device.  They return plain numbers and so wait for the device anyway: unlike
a loss, a metric checks the range of its labels on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.losses.checks import check_logits_labels, check_tensor
from lossbook.precision import wide


def check_tensors(**values: Tensor) -> None:
    """All values, given by their names, must be tensors on one device.

    Raises:
        TypeError: for a list, an array or anything else that is no tensor.
        ValueError: for tensors on different devices.
    """
    devices = {}
    for name, value in values.items():
        check_tensor(name, value)
        devices[name] = value.device
    if len(set(devices.values())) > 1:
        placed = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"expected all tensors on one device, got {placed}")


def check_range(labels: Tensor, num_classes: int) -> None:
    """Integer labels must lie within 0..num_classes-1."""
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise ValueError(f"expected labels within 0..{num_classes - 1}, got values from {low} to {high}")


def check_classified(logits: Tensor, labels: Tensor) -> None:
    """Logits (M, N) of M >= 1 samples, and their labels (M,) within 0..N-1; see :func:`check_logits_labels`."""
    check_tensors(logits=logits, labels=labels)
    fit = logits.ndim == 2 and labels.shape == logits.shape[:1] and labels.dtype == torch.int64 and len(labels)
    if fit and labels.device.type != "cpu":  # on a CPU the next check does it
        check_range(labels, logits.shape[1])
    check_logits_labels(logits, labels)


def check_scores(name: str, values: Tensor) -> Tensor:
    """Scores (M,) without NaN, in the widest dtype.  Infinities are scores like others: above or below all finite ones."""
    if values.ndim != 1 or not len(values):
        raise ValueError(f"expected {name} (M,) with M >= 1, got {tuple(values.shape)}")
    if bool(values.isnan().any()):
        raise ValueError(f"expected {name} without NaN")
    return wide(values.detach())


def check_mask(name: str, mask: Tensor) -> None:
    """A mask must be boolean: labels or predictions in its place would pass for numbers."""
    if mask.dtype != torch.bool:
        raise TypeError(f"expected a boolean mask {name}, got {mask.dtype}")
