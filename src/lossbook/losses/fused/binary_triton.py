"""The binary terms of :mod:`lossbook.losses.fused.binary` as one Triton kernel: a block of products is read and written once.

The three matrix products stay with cuBLAS.  Imported on CUDA only, where triton is installed; ``TRITON_INTERPRET=1`` runs
it on the CPU for the tests.  Every sum has a fixed order, so results do not change from run to run.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_CLASSES, _SAMPLES = 32, 128  # size of a tile


@triton.jit
def _binary_terms(  # type: ignore[no-untyped-def]  # triton reads the annotations
    products,
    own_rows,
    gain,
    bias,
    sample_bias,
    totals,
    class_sums,
    sample_sums,
    classes,
    samples,
    margin,
    gradients: tl.constexpr,
    tile_classes: tl.constexpr,
    tile_samples: tl.constexpr,
):
    """A program has ``tile_classes`` classes and goes through all samples; arguments that are None are left out."""
    program = tl.program_id(0)
    row = program * tile_classes + tl.arange(0, tile_classes)
    in_rows = row < classes
    total = tl.zeros((tile_classes,), tl.float32)
    class_sum = tl.zeros((tile_classes,), tl.float32)
    for start in range(0, samples, tile_samples):
        column = start + tl.arange(0, tile_samples)
        in_columns = column < samples
        where = in_rows[:, None] & in_columns[None, :]
        place = row.to(tl.int64)[:, None] * samples + column[None, :]
        logits = tl.load(products + place, mask=where, other=0.0)
        if gain is not None:
            logits *= tl.load(gain + row, mask=in_rows, other=0.0)[:, None]
        if bias is not None:
            logits += tl.load(bias + row, mask=in_rows, other=0.0)[:, None]
        if sample_bias is not None:
            logits += tl.load(sample_bias + column, mask=in_columns, other=0.0)[None, :]
        own = tl.load(own_rows + column, mask=in_columns, other=-1)[None, :] == row[:, None]
        logits = tl.where(own, margin - logits, logits)
        small = tl.exp(-tl.abs(logits))
        # log(1 + small) without its rounding: exact where 1 + small is 1.
        one_more = 1.0 + small
        log = tl.where(one_more == 1.0, small, tl.log(one_more) * (small / tl.where(one_more == 1.0, 1.0, one_more - 1.0)))
        # A where, as maximum() may drop a NaN.
        terms = tl.where(logits < 0.0, 0.0, logits) + log
        total += tl.sum(tl.where(where, terms, 0.0), 1)
        if gradients:
            slopes = tl.where(logits < 0.0, small, 1.0) / one_more
            slopes = tl.where(where, tl.where(own, -slopes, slopes), 0.0)
            class_sum += tl.sum(slopes, 1)
            if sample_bias is not None:
                tl.store(sample_sums + program * samples + column, tl.sum(slopes, 0), mask=in_columns)
            if gain is not None:
                slopes *= tl.load(gain + row, mask=in_rows, other=0.0)[:, None]
            tl.store(products + place, slopes, mask=where)
    tl.store(totals + row, total, mask=in_rows)
    if gradients:
        tl.store(class_sums + row, class_sum, mask=in_rows)


def binary_terms_(
    products: Tensor,
    rows: Tensor,
    inside: Tensor,
    gain: Tensor | None,
    bias: Tensor | None,
    sample_bias: Tensor | None,
    margin: float,
    gradients: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """:func:`lossbook.losses.fused.binary.binary_terms_` of float32 products, which has the description."""
    classes, samples = products.shape
    programs: Any = triton.cdiv(classes, _CLASSES)
    totals, class_sums = products.new_empty((2, classes))
    sample_sums = products.new_empty((programs, samples)) if sample_bias is not None else None
    _binary_terms[(programs,)](
        products,
        torch.where(inside, rows[0], -1),
        gain,
        None if bias is None else bias.contiguous(),
        None if sample_bias is None else sample_bias.contiguous(),
        totals,
        class_sums,
        sample_sums,
        classes,
        samples,
        margin,
        gradients,  # pyright: ignore[reportArgumentType]
        _CLASSES,  # pyright: ignore[reportArgumentType]
        _SAMPLES,  # pyright: ignore[reportArgumentType]
    )
    if not gradients:
        return totals.sum(), None, None
    return totals.sum(), class_sums, None if sample_sums is None else sample_sums.sum(0)
