"""The one check that every loss and metric makes of its input."""

from __future__ import annotations

import torch
from torch import Tensor


def check_logits_labels(logits: Tensor, labels: Tensor) -> None:
    """Logits must be floating (B, N) with B >= 1 and N >= 2, labels integer (B,) within 0..N-1 on the same device.

    The range of the labels is checked on the CPU only: on CUDA it would cost a synchronisation a step, and the
    device-side assertion of the gather that follows catches it there.

    Raises:
        ValueError: saying what was expected and what came.
        TypeError: likewise, for a wrong dtype.
    """
    if logits.ndim != 2 or logits.shape[0] < 1 or logits.shape[1] < 2:
        raise ValueError(f"expected logits of shape (B, N) with B >= 1 and N >= 2 classes, got {tuple(logits.shape)}")
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"expected labels of shape ({logits.shape[0]},) to match the logits, got {tuple(labels.shape)}")
    if not logits.is_floating_point():
        raise TypeError(f"expected floating-point logits, got {logits.dtype}")
    if labels.dtype != torch.int64:
        raise TypeError(f"expected labels of dtype torch.int64, got {labels.dtype}")
    if labels.device != logits.device:
        raise ValueError(f"expected labels on the logits' device {logits.device}, got {labels.device}")
    if labels.device.type == "cpu" and not torch.compiler.is_compiling():
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= logits.shape[1]:
            raise ValueError(f"expected labels within 0..{logits.shape[1] - 1}, got values from {low} to {high}")
