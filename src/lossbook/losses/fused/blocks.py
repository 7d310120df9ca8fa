"""The input, checked and cut: blocks of classes, groups of samples; and matrix products of a stated precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lossbook.losses.checks import check_logits_labels, check_tensor
from lossbook.precision import bfloat16_units


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

    def of_products(self, device: torch.device) -> torch.dtype:
        """The type of the operands in the products: on a CPU without units for bfloat16 the rounded operands are widened again,
        as its products of half precision are slow and accumulate in half precision."""
        in_half = device.type == "cuda" or (self.operands == torch.bfloat16 and device.type == "cpu" and bfloat16_units())
        return self.operands if in_half else self.wide

    def stored(self, device: torch.device) -> torch.dtype:
        """The type that products come back in: half precision from a CPU's units for it, else wide."""
        return self.of_products(device) if device.type == "cpu" else self.wide

    def operand(self, values: Tensor) -> Tensor:
        """Rounded, in the type of the products."""
        return values.to(self.operands).to(self.of_products(values.device))


def product_into(a: Tensor, b: Tensor, out: Tensor, add: bool = False, factor: float = 1.0) -> None:
    """``out = factor * a @ b``, or ``out +=`` that, accumulated in float32 or wider whatever the operands.

    A CPU's units for bfloat16 accumulate in float32 too, but round the product to bfloat16.
    """
    on_units = a.dtype == torch.bfloat16 and not a.is_cuda and bfloat16_units()
    if on_units and out.dtype == a.dtype and not add and factor == 1:
        torch.mm(a, b, out=out)
    elif a.dtype in (torch.float16, torch.bfloat16):
        product = torch.mm(a, b) if on_units else torch.mm(a, b, out_dtype=torch.float32)
        if add:
            out.add_(product, alpha=factor)
        elif factor == 1:
            out.copy_(product)
        else:
            torch.mul(product, factor, out=out)
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


def sample_groups(samples: int, features: int, half: bool = False) -> list[slice]:
    """Groups of about d/4 samples, at least 32 and all of nearly one size: a group of one sample would stream the whole weight
    and its gradient through memory for a matrix-vector product.

    ``half``: the logits wait in two bytes each.  Those of 2 d samples or fewer fit in the memory of the weight's gradient
    (float32), so that they need no second group; more samples make groups of about d/2.
    """
    if half and samples <= 2 * features:
        return [slice(0, samples)]
    count = -(-samples // max(32, features // (2 if half else 4)))
    return list(blocks(samples, -(-samples // count)))


def positions(labels: Tensor, block: slice) -> tuple[Tensor, Tensor]:
    """Which samples' labels are in the block, (B,), and their row there, (1, B); any row for the other samples."""
    inside = (labels >= block.start) & (labels < block.stop)
    return inside, (labels - block.start).clamp(0, block.stop - block.start - 1).unsqueeze(0)


def check(features: Tensor, weight: Tensor, labels: Tensor, soft: bool = False) -> None:
    """What every function here asks of its input; ``soft``: whether the labels may be soft targets."""
    check_tensor("features", features)
    if features.ndim != 2 or weight.ndim != 2 or features.shape[1] != weight.shape[1]:
        raise ValueError(f"expected features (B, d) and a weight (N, d), got {tuple(features.shape)} and {tuple(weight.shape)}")
    if not features.is_floating_point() or not weight.is_floating_point():
        raise TypeError(f"expected floating-point features and weight, got {features.dtype} and {weight.dtype}")
    if features.device != weight.device:
        raise ValueError(f"expected features and weight on one device, got {features.device} and {weight.device}")
    check_logits_labels(features.new_empty((1, 1)).expand(len(features), len(weight)), labels, soft)
