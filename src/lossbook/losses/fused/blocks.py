"""The input, checked and cut: blocks of classes, groups of samples; and matrix products of a stated precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lossbook.losses.checks import check_logits_labels


@dataclass(frozen=True)
class Precision:
    """``wide``: of sums, terms and gradients; ``operands``: what the matrix products' operands are rounded to."""

    wide: torch.dtype
    operands: torch.dtype

    @classmethod
    def of(cls, features: Tensor, weight: Tensor) -> Precision:
        both, device = torch.promote_types(features.dtype, weight.dtype), features.device.type
        autocast = torch.is_autocast_enabled(device) and both != torch.float64
        operands = torch.get_autocast_dtype(device) if autocast else both
        return cls(torch.promote_types(both, torch.float32), operands)

    def operand(self, values: Tensor) -> Tensor:
        """Rounded; on the CPU then widened, as its half precision products would accumulate and return half precision."""
        rounded = values.to(self.operands)
        return rounded if rounded.is_cuda else rounded.to(self.wide)


def product_into(a: Tensor, b: Tensor, out: Tensor, add: bool = False, factor: float = 1.0) -> None:
    """``out = factor * a @ b``, or ``out +=`` that, accumulated in float32 or wider whatever the operands."""
    if a.dtype in (torch.float16, torch.bfloat16):
        product = torch.mm(a, b, out_dtype=torch.float32).mul_(factor)
        out.add_(product) if add else out.copy_(product)
    elif out.dtype == a.dtype:
        torch.addmm(out, a, b, beta=int(add), alpha=factor, out=out)
    else:
        out.copy_((a @ b).mul_(factor))


def blocks(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def block_size(device: torch.device, samples: int) -> int:
    """Classes per block.  On the CPU the logits of a block, 4 MiB in float32, fit the last cache, and fewer classes would make
    slower products; on a GPU a block is large enough to keep it busy."""
    return 16_384 if device.type == "cuda" else min(4_096, max(128, 2**20 // samples))


def sample_groups(samples: int, features: int) -> list[slice]:
    """Groups of about d/4 samples, at least 32 and all of nearly one size: a group of one sample would stream the whole
    weight and its gradient through memory for a matrix-vector product."""
    count = -(-samples // max(32, features // 4))
    return list(blocks(samples, -(-samples // count)))


def positions(labels: Tensor, block: slice) -> tuple[Tensor, Tensor]:
    """Which samples' labels are in the block, (B,), and their row there, (1, B); any row for the other samples."""
    inside = (labels >= block.start) & (labels < block.stop)
    return inside, (labels - block.start).clamp(0, block.stop - block.start - 1).unsqueeze(0)


def check(features: Tensor, weight: Tensor, labels: Tensor) -> None:
    """What every function here asks of its input."""
    if features.ndim != 2 or weight.ndim != 2 or features.shape[1] != weight.shape[1]:
        raise ValueError(f"expected features (B, d) and a weight (N, d), got {tuple(features.shape)} and {tuple(weight.shape)}")
    if not features.is_floating_point() or not weight.is_floating_point():
        raise TypeError(f"expected floating-point features and weight, got {features.dtype} and {weight.dtype}")
    if features.device != weight.device:
        raise ValueError(f"expected features and weight on one device, got {features.device} and {weight.device}")
    check_logits_labels(features.new_empty((1, 1)).expand(len(features), len(weight)), labels)
