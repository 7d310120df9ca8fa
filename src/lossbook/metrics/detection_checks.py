"""The checks of out-of-distribution scores and detectors: one message each, of what was expected and what came."""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.precision import at_least_float32


def check_matrix(name: str, values: Tensor, columns: str) -> Tensor:
    """The values of a floating matrix (B, columns) with B >= 1, half precision as float32.

    Raises:
        TypeError: where they are no tensor or not floating; the message says what came.
        ValueError: where the shape is another one.
    """
    check_tensors(**{name: values})
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"expected {name} of shape (B, {columns}) with B >= 1 samples, got {tuple(values.shape)}")
    if not values.is_floating_point():
        raise TypeError(f"expected floating-point {name}, got {values.dtype}")
    return at_least_float32(values)


def check_logits(name: str, logits: Tensor) -> Tensor:
    """The values of logits (B, N) with N >= 2, half precision as float32."""
    values = check_matrix(name, logits, "N")
    if values.shape[1] < 2:
        raise ValueError(f"expected {name} of N >= 2 classes, got {tuple(values.shape)}")
    return values


def check_logits_pair(features: Tensor, logits: Tensor, train: Tensor, train_logits: Tensor) -> tuple[Tensor, Tensor]:
    """The values of the logits (B, N) and (M, N) of features (B, d) and of training features (M, d)."""
    logits, train_logits = check_logits("logits", logits), check_logits("train_logits", train_logits)
    classes = logits.shape[1]
    if len(logits) != len(features) or train_logits.shape != (len(train), classes):
        raise ValueError(
            f"expected logits ({len(features)}, N) and train_logits ({len(train)}, N), one row per feature,"
            f" got {tuple(logits.shape)} and {tuple(train_logits.shape)}"
        )
    check_device("logits", logits, features)
    check_device("train_logits", train_logits, features)
    return logits, train_logits


def check_pair(features: Tensor, train_features: Tensor) -> tuple[Tensor, Tensor]:
    """The values of features (B, d) and of training features (M, d)."""
    check_tensors(features=features, train_features=train_features)
    if features.ndim != 2 or train_features.ndim != 2 or features.shape[1] != train_features.shape[1]:
        shapes = f"{tuple(features.shape)} and {tuple(train_features.shape)}"
        raise ValueError(f"expected features (B, d) and train_features (M, d), got {shapes}")
    features, train = check_matrix("features", features, "d"), check_matrix("train_features", train_features, "d")
    check_finite("train_features", train)
    return features, train


def check_finite(name: str, values: Tensor) -> None:
    """Without a synchronisation on CUDA, where an assertion on the device fails later."""
    message = f"expected finite {name}; did the training diverge?"
    finite = torch.stack(values.aminmax()).isfinite().all()
    if finite.device.type == "cuda":
        torch._assert_async(finite, message)  # pyright: ignore[reportPrivateImportUsage]
    elif not bool(finite):
        raise ValueError(message)


def check_device(name: str, values: Tensor, features: Tensor) -> None:
    if values.device != features.device:
        raise ValueError(f"expected {name} on the device of the features, {features.device}, got {values.device}")


def check_classifier(weight: Tensor, bias: Tensor | None, features: Tensor) -> tuple[Tensor, Tensor]:
    """The weight (N, d) and the bias (N,) of a linear classifier: no bias is zero, one number is every class'."""
    weight = check_matrix("weight", weight, "d")
    if weight.shape[1] != features.shape[1]:
        raise ValueError(f"expected a weight (N, {features.shape[1]}) for these features, got {tuple(weight.shape)}")
    check_device("weight", weight, features)
    if bias is None:
        return weight, weight.new_zeros(len(weight))
    if not isinstance(bias, Tensor) or bias.shape not in ((), (1,), (len(weight),)):
        came = tuple(bias.shape) if isinstance(bias, Tensor) else type(bias).__name__
        raise ValueError(f"expected the bias as None or a tensor of shape (1,) or ({len(weight)},), got {came}")
    check_device("bias", bias, features)
    return weight, at_least_float32(bias).to(weight.dtype).expand(len(weight))


def check_classes(labels: Tensor, features: Tensor) -> None:
    """Labels must be integers (M,), one per training feature."""
    if not isinstance(labels, Tensor) or labels.shape != features.shape[:1]:
        came = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"expected train_labels as a tensor of shape ({len(features)},), one per sample, got {came}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"expected integer train_labels, got {labels.dtype}")
    check_device("train_labels", labels, features)


def check_neighbours(neighbours: int, train: Tensor) -> None:
    if not isinstance(neighbours, int) or not 1 <= neighbours <= len(train):
        raise ValueError(f"expected neighbours within 1..{len(train)}, got {neighbours}")
