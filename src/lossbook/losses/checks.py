"""What every loss, objective and metric does with its input and with its result: the checks, and the reduction over the batch.

A check that reads values (the labels' range, the sums of soft targets) must not wait for a device.  On the CPU it raises at
once; on CUDA, and under ``torch.compile``, the range of the labels is asserted on the device (``RuntimeError``), and the other
values are not read.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "sum", "none"]


def reduce(losses: Tensor, reduction: Reduction, sample_weight: Tensor | None = None) -> Tensor:
    r"""The samples' losses :math:`l` put together, with weights :math:`w` if they are given.

    .. math:: \text{mean: } \frac{\sum_i w_i l_i}{\sum_i w_i}, \qquad \text{sum: } \sum_i w_i l_i, \qquad \text{none: } w_i l_i

    Args:
        losses: (B,).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        sample_weight: :math:`w \ge 0`, (B,); see :func:`check_sample_weight`.  Where all are 0 the mean is 0.

    Returns:
        Scalar, or (B,) for ``"none"``.

    Raises:
        ValueError: for any other reduction.

    Example:
        >>> reduce(torch.tensor([1.0, 4.0]), "mean", torch.tensor([2.0, 1.0]))
        tensor(2.)
    """
    check_reduction(reduction)
    if sample_weight is not None:
        losses = sample_weight.to(losses.dtype) * losses
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if sample_weight is None:
        return losses.mean()
    return losses.sum() / sample_weight.to(losses.dtype).sum().clamp_min(torch.finfo(losses.dtype).tiny)


def check_reduction(reduction: str) -> None:
    """The reduction must be ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: saying what was expected and what came.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"expected reduction 'mean', 'sum' or 'none', got {reduction!r}")


def readable(values: Tensor) -> Tensor | None:
    """The tensor in a form whose values a check can read now; None where reading would wait for a device, or is not possible.

    Under the transforms of ``torch.func`` it is the whole tensor, without its batch dimensions taken away.
    """
    return _unwrapped(values) if values.device.type == "cpu" and not torch.compiler.is_compiling() else None


def _unwrapped(values: Tensor) -> Tensor:
    values = values.detach()
    functorch = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    while functorch.is_functorch_wrapped_tensor(values):
        values = functorch.get_unwrapped(values)
    return values


def check_logits_labels(logits: Tensor, labels: Tensor, soft: bool = False) -> None:
    """Logits must be floating (B, N) with B >= 1 and N >= 2; see :func:`check_labels` for the labels.

    Args:
        soft: whether floating labels (B, N) are allowed, a distribution over the classes for every sample.

    Raises:
        ValueError: saying what was expected and what came.
        TypeError: likewise, for a wrong dtype, or something that is no tensor.
    """
    check_tensor("logits", logits)
    if logits.ndim != 2 or logits.shape[0] < 1 or logits.shape[1] < 2:
        raise ValueError(f"expected logits of shape (B, N) with B >= 1 and N >= 2 classes, got {tuple(logits.shape)}")
    if not logits.is_floating_point():
        raise TypeError(f"expected floating-point logits, got {logits.dtype}")
    samples, classes = logits.shape
    if soft and is_soft(labels):
        check_soft_targets(labels, samples, classes, logits.device)
    else:
        check_labels(labels, samples, classes, logits.device)


def check_labels(labels: Tensor, samples: int, num_classes: int, device: torch.device) -> None:
    """Labels must be int64 (samples,) within 0..num_classes-1 on the device, at least one.

    A label out of range is a ``ValueError`` on the CPU.  On CUDA and under ``torch.compile`` it is a ``RuntimeError`` of an
    assertion on the device, as reading the labels would cost a synchronisation per step; ``torch.compile`` of a
    ``torch.func.vmap`` is not possible, as the assertion has no form for it.

    Raises:
        ValueError: saying what was expected and what came.
        TypeError: likewise, for a wrong dtype, or something that is no tensor.
    """
    check_tensor("labels", labels)
    if labels.shape != (samples,):
        raise ValueError(f"expected labels of shape ({samples},), one per sample, got {tuple(labels.shape)}")
    if labels.dtype != torch.int64:
        raise TypeError(f"expected labels of dtype torch.int64, got {labels.dtype}")
    if labels.device != device:
        raise ValueError(f"expected labels on the device {device}, got {labels.device}")
    if samples < 1:
        raise ValueError("expected labels of at least one sample, got an empty batch")
    if (values := readable(labels)) is not None:
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= num_classes:
            raise ValueError(f"expected labels within 0..{num_classes - 1}, got values from {low} to {high}")
    elif labels.device.type in ("cpu", "cuda"):
        values = labels if torch.compiler.is_compiling() else _unwrapped(labels)
        inside = ((values >= 0) & (values < num_classes)).all()
        torch._assert_async(inside, f"expected labels within 0..{num_classes - 1}, got a label out of this range")  # pyright: ignore[reportPrivateImportUsage]


def is_soft(labels: Tensor) -> bool:
    """Whether the labels are soft targets: a floating tensor with a second dimension."""
    return isinstance(labels, Tensor) and labels.is_floating_point() and labels.ndim == 2


def check_soft_targets(targets: Tensor, samples: int, num_classes: int, device: torch.device) -> None:
    """Soft targets must be floating (samples, num_classes) on the device; on the CPU no entry < 0, and rows that sum to 1.

    Raises:
        ValueError: saying what was expected and what came.
    """
    if targets.shape != (samples, num_classes):
        raise ValueError(f"expected targets of the logits' shape ({samples}, {num_classes}), got {tuple(targets.shape)}")
    if targets.device != device:
        raise ValueError(f"expected targets on the device {device}, got {targets.device}")
    if (values := readable(targets)) is not None:
        if bool((values < 0).any()):
            raise ValueError(f"expected targets >= 0, got {values.min():.4g}")
        sums = values.float().sum(-1)
        if bool(((sums - 1).abs() > 1e-2).any()):
            raise ValueError(f"expected rows of targets that sum to 1, got sums from {sums.min():.4g} to {sums.max():.4g}")


def check_sample_weight(sample_weight: Tensor, samples: int, device: torch.device) -> None:
    """Weights must be floating (samples,) on the device; on the CPU each must be >= 0 and finite.

    Raises:
        ValueError: saying what was expected and what came.
        TypeError: likewise, for a wrong dtype, or something that is no tensor.
    """
    check_tensor("sample_weight", sample_weight)
    if sample_weight.shape != (samples,):
        raise ValueError(f"expected a sample_weight of shape ({samples},), one per sample, got {tuple(sample_weight.shape)}")
    if not sample_weight.is_floating_point():
        raise TypeError(f"expected a floating-point sample_weight, got {sample_weight.dtype}")
    if sample_weight.device != device:
        raise ValueError(f"expected a sample_weight on the device {device}, got {sample_weight.device}")
    if (values := readable(sample_weight)) is not None and not bool(((values >= 0) & values.isfinite()).all()):
        raise ValueError(f"expected sample_weight >= 0 and finite, got values from {values.min():.4g} to {values.max():.4g}")


def check_class_counts(class_counts: Tensor) -> None:
    """Counts must be (K,), finite, with at least one image of every class.

    The number of images is checked on the CPU only: elsewhere the check would wait for the device.
    """
    check_tensor("class_counts", class_counts)
    if class_counts.ndim != 1 or len(class_counts) < 2:
        raise ValueError(f"expected class counts of shape (K,) with K >= 2 classes, got {tuple(class_counts.shape)}")
    counts = readable(class_counts)
    if counts is not None and not bool(((counts >= 1) & counts.isfinite()).all()):
        raise ValueError(f"expected at least one training image of every class, and finitely many, got {counts.tolist()}")


def check_per_class(name: str, values: Tensor | None, num_classes: int) -> None:
    """One value per class, (N,), or none at all.

    Raises:
        ValueError: saying what was expected and what came.
    """
    if values is not None and values.shape != (num_classes,):
        raise ValueError(f"expected {name} of shape ({num_classes},), one per class, got {tuple(values.shape)}")


def check_tensor(name: str, values: object) -> None:
    """A number, list or array in a tensor's place is a ``TypeError``."""
    if not isinstance(values, Tensor):
        raise TypeError(f"expected {name} as a tensor, got {type(values).__name__}")
