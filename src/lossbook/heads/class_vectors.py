"""What a head multiplies with the features, whatever its kind."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.heads.protocol import AnyHead


def class_vectors(head: AnyHead) -> tuple[Tensor, bool]:
    """The class vectors of a head whose similarities are products, and whether these are with the features' directions.

    Whatever the head normalises or scales, its similarities at the unit vectors are its class vectors, to the last bit.  At
    features of twice the length they are twice as large, or the same where only directions count.

    Args:
        head: one whose similarities are products; of another one (distances) the result says nothing.

    Returns:
        The vectors (N, d), and True for cosines, False for inner products.

    Example:
        >>> from lossbook.heads.linear import CosineHead
        >>> vectors, directions_only = class_vectors(CosineHead(in_features=4, num_classes=3, scale=8.0))
        >>> vectors.norm(dim=1).round().tolist(), directions_only
        ([8.0, 8.0, 8.0], True)
    """
    units = torch.eye(head.weight.shape[1], dtype=head.weight.dtype, device=head.weight.device)
    vectors = head.similarities(units)
    change = head.similarities(2 * units) - vectors
    return vectors.T, bool(change.abs().max() < 0.5 * vectors.abs().max())
