"""The checks that every objective makes of its features and shares, and of what ``create_objective`` is given per class; those
of labels and weights per sample are with the losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lossbook.losses.checks import check_per_class, check_tensor, readable


def check_features(features: Tensor, weight: Tensor) -> None:
    """Features must be floating (B, d) with B >= 1, on the device and of the dtype of the class vectors (N, d).

    Raises:
        ValueError, TypeError: saying what was expected and what came.
    """
    check_tensor("features", features)
    if features.ndim != 2 or not len(features) or features.shape[1] != weight.shape[1]:
        raise ValueError(f"expected features of shape (B, {weight.shape[1]}) with B >= 1, got {tuple(features.shape)}")
    if not features.is_floating_point():
        raise TypeError(f"expected floating-point features, got {features.dtype}")
    if features.device != weight.device:
        raise ValueError(f"expected features on the objective's device {weight.device}, got {features.device}")
    check_dtype(features, weight)


def check_dtype(features: Tensor, weight: Tensor) -> None:
    """Features must have the dtype of the class vectors; under autocast they may be of another one than float64.

    Raises:
        TypeError: saying what was expected and what came.
    """
    check_tensor("features", features)
    if features.dtype != weight.dtype and (torch.float64 in (features.dtype, weight.dtype) or not _autocast(weight.device.type)):
        raise TypeError(
            f"expected features of the objective's dtype {weight.dtype}, got {features.dtype}:"
            " convert one of the two, or call the objective under torch.autocast with its parameters in float32"
        )


def _autocast(kind: str) -> bool:
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def check_no_vmap(*tensors: Tensor) -> None:
    """For losses of other libraries that choose by values, which ``torch.func.vmap`` cannot.

    Raises:
        RuntimeError: under vmap.
    """
    if not torch.compiler.is_compiling() and any(isinstance(tensor, Tensor) and _under_vmap(tensor) for tensor in tensors):
        raise RuntimeError(
            "this loss of pytorch-metric-learning does not go with torch.func.vmap: loop over the samples for their gradients, "
            'or take their losses with reduction="none"'
        )


def _under_vmap(tensor: Tensor) -> bool:
    functorch = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    while functorch.is_functorch_wrapped_tensor(tensor):
        if functorch.is_batchedtensor(tensor):
            return True
        tensor = functorch.get_unwrapped(tensor)
    return False


def check_share(share: float | Tensor, features: Tensor) -> None:
    """A share must lie within [0, 1]: a number, or one per sample.

    Raises:
        ValueError: saying what was expected and what came.
    """
    if not isinstance(share, Tensor):
        if not 0 <= share <= 1:
            raise ValueError(f"expected a share within [0, 1], got {share}")
        return
    if share.shape != features.shape[:1]:
        raise ValueError(f"expected a share or one per sample, ({len(features)},), got {tuple(share.shape)}")
    if (values := readable(share)) is not None and not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError(f"expected shares within [0, 1], got values from {values.min():.4g} to {values.max():.4g}")


def checked_counts(class_counts: Tensor | Sequence[int], num_classes: int) -> Tensor:
    """Training images per class, (N,), in int64, which half precision of the objective leaves alone.  Whether a class may have
    none depends on the loss.

    Raises:
        ValueError: for a wrong number of counts, one that is no whole number, or a negative one.
    """
    counts = torch.as_tensor(class_counts)
    check_per_class("class_counts", counts, num_classes)
    whole = counts.to(torch.int64)
    if (values := readable(counts)) is not None and not bool((values.isfinite() & (values >= 0) & (values == whole)).all()):
        raise ValueError(f"expected class_counts that are whole numbers >= 0, got {values.tolist()}")
    return whole


def checked_weight(weight: Tensor | Sequence[float], num_classes: int) -> Tensor:
    """Weights per class, (N,), in float32.

    Raises:
        ValueError: for a wrong number of weights, a negative one, or if all are 0.
    """
    weight = torch.as_tensor(weight, dtype=torch.float32)
    check_per_class("weight", weight, num_classes)
    if not (bool(((weight >= 0) & weight.isfinite()).all()) and bool(weight.any())):
        raise ValueError(f"expected weights that are finite, >= 0 and not all 0, got {weight.tolist()}")
    return weight
