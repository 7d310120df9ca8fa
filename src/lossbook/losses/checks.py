"""The checks that every loss, objective and metric makes of its input."""

from __future__ import annotations

import torch
from torch import Tensor


def check_logits_labels(logits: Tensor, labels: Tensor) -> None:
    """Logits must be floating (B, N) with B >= 1 and N >= 2; see :func:`check_labels` for the labels.

    Raises:
        ValueError: saying what was expected and what came.
        TypeError: likewise, for a wrong dtype.
    """
    if logits.ndim != 2 or logits.shape[0] < 1 or logits.shape[1] < 2:
        raise ValueError(f"expected logits of shape (B, N) with B >= 1 and N >= 2 classes, got {tuple(logits.shape)}")
    if not logits.is_floating_point():
        raise TypeError(f"expected floating-point logits, got {logits.dtype}")
    check_labels(labels, *logits.shape, logits.device)


def check_labels(labels: Tensor, samples: int, num_classes: int, device: torch.device) -> None:
    """Labels must be int64 (samples,) within 0..num_classes-1 on the device.

    Their range is checked on the CPU only.  On CUDA the check would cost a synchronisation per step, and the device-side
    assertion of the gather that follows catches a wrong label.

    Raises:
        ValueError: saying what was expected and what came.
        TypeError: likewise, for a wrong dtype.
    """
    if labels.shape != (samples,):
        raise ValueError(f"expected labels of shape ({samples},), one per sample, got {tuple(labels.shape)}")
    if labels.dtype != torch.int64:
        raise TypeError(f"expected labels of dtype torch.int64, got {labels.dtype}")
    if labels.device != device:
        raise ValueError(f"expected labels on the device {device}, got {labels.device}")
    if labels.device.type == "cpu" and not torch.compiler.is_compiling():
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= num_classes:
            raise ValueError(f"expected labels within 0..{num_classes - 1}, got values from {low} to {high}")
