"""The head of the `warped` paper: distances to proxies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lossbook.heads.linear import Head
from lossbook.precision import widest


class _Distances(torch.autograd.Function):
    """Euclidean distances (B, N) between the rows of (B, d) and (N, d), in (B, N) memory forward and backward.

    Forward takes the differences themselves: squares and products would lose a distance that is small against the
    vectors' lengths.  ``torch.cdist`` does that too, but its CUDA backward keeps a (B, N, d) tensor; here the gradient is
    two matrix products, in float64 (where the device has it) for the same reason.  At distance 0 it is 0, the subgradient of
    least norm.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, columns: Tensor) -> Tensor:
        return torch.cdist(rows, columns, compute_mode="donot_use_mm_for_euclid_dist")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        rows, columns, distances = ctx.saved_tensors
        wide = widest(gradient.device)
        pull = gradient.to(wide) / distances.masked_fill(distances == 0, torch.inf)
        wide_rows, wide_columns = rows.to(wide), columns.to(wide)
        of_rows = pull.sum(1, keepdim=True) * wide_rows - pull @ wide_columns
        of_columns = pull.sum(0).unsqueeze(1) * wide_columns - pull.T @ wide_rows
        return of_rows.to(rows.dtype), of_columns.to(columns.dtype)


class EuclideanHead(Head):
    r"""Minus the Euclidean distances to one proxy per class, Sec. III of `warped`; nothing is squared or normalised:

    .. math:: c_j(x) = -d_j(x) = -\|x - p_j\|

    The proxies are ``weight``, normally distributed at the start (``kaiming_normal_``).  There is no bias.  Half
    precision is computed and returned in float32.  Distances take (B, N) memory, as do their
    gradients, and keep their relative precision when an embedding nearly meets its proxy.

    Example:
        >>> head = EuclideanHead(in_features=2, num_classes=3)
        >>> _ = head.weight.data.copy_(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
        >>> head.distances(torch.zeros(1, 2)).tolist()
        [[0.0, 5.0, 1.0]]
    """

    bias_sign = +1

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__(in_features, num_classes, bias="zero")
        nn.init.kaiming_normal_(self.weight)

    def distances(self, features: Tensor) -> Tensor:
        """Distances to all proxies, (B, d) -> (B, N), each >= 0."""
        wide = torch.promote_types(torch.promote_types(features.dtype, self.weight.dtype), torch.float32)
        return _Distances.apply(features.to(wide), self.weight.to(wide))

    def similarities(self, features: Tensor) -> Tensor:
        """Minus the distances, (B, d) -> (B, N), each <= 0."""
        return -self.distances(features)
