"""Neural collapse, kernel alignment and compactness beside what the formulas say when they are typed in as printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import DEVICE, Values, compare, whole
from lossbook.metrics import compactness, feature_separability, linear_cka, nc1

CLASSES, DIMENSIONS, OTHER_DIMENSIONS = 100, 512, 256
COLLAPSE_SAMPLES, KERNEL_SAMPLES, LINEAR_SAMPLES, TIMES = 10_000, 5_000, 10_000, 4
NC1_GOAL = {"time": 0.35, "error": 1e-6}
CKA_GOAL = {"time": 0.02, "error": 1e-9}
LINEAR_GOAL = {"time": 1.1 * TIMES, "error": 1e-9}  # four times the samples in four times the time, and a tenth


def _draw(samples: int, dimensions: int = DIMENSIONS) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % CLASSES
    features = torch.randn(CLASSES, dimensions, generator=generator)[labels]
    return (features + torch.randn(samples, dimensions, generator=generator)).to(DEVICE), labels.to(DEVICE)


def _value(number: float | Tensor) -> Values:
    return (torch.as_tensor(number, dtype=torch.float64),)


def _nc1_by_loop(features: Tensor, labels: Tensor) -> Tensor:
    """Covariances in a loop over the classes, and a pseudo-inverse; float64, as float32 does not give six digits."""
    features = features.double()
    classes = [features[labels == k] for k in range(CLASSES)]
    means = torch.stack([own.mean(0) for own in classes])
    within = sum((own - mean).T @ (own - mean) / len(own) for own, mean in zip(classes, means, strict=True)) / CLASSES
    between = (means - means.mean(0)).T @ (means - means.mean(0)) / CLASSES
    return torch.trace(within @ torch.linalg.pinv(between, rtol=1e-10)) / CLASSES


def _cka_by_kernels(first: Tensor, second: Tensor) -> Tensor:
    """HSIC as printed, tr(K H L H), with the n x n centring matrix; every product made once."""
    first, second = first.double(), second.double()
    centring = torch.eye(len(first), dtype=torch.float64, device=first.device) - 1 / len(first)
    kh, lh = first @ first.T @ centring, second @ second.T @ centring
    shared, own, other = ((a * b.T).sum() for a, b in ((kh, lh), (kh, kh), (lh, lh)))
    return shared / (own * other).sqrt()


def _grows(name: str, measure: Callable[[Tensor, Tensor], Tensor], repeated: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """A measure with every sample repeated ``TIMES`` times, beside the same measure with every sample once."""
    features, labels = _draw(LINEAR_SAMPLES)
    more = features.repeat(TIMES, 1), labels.repeat(TIMES)
    return compare(
        f"{name}, n={TIMES * LINEAR_SAMPLES:,}, d={DIMENSIONS}",
        f"itself at n={LINEAR_SAMPLES:,}",
        whole(lambda: (measure(*more),)),
        whole(lambda: (measure(features, labels),)),
        items=TIMES * LINEAR_SAMPLES,
        error=lambda ours, theirs: float((ours[0] - repeated(theirs[0])).abs().max()),
        repeats=15,
        goals=LINEAR_GOAL,
    )


def _compactness_of_copies(once: Tensor) -> Tensor:
    """The compactness of the repeated samples: a class has n^2 - n pairs of other samples and n of a sample with itself (100)."""
    size = LINEAR_SAMPLES // CLASSES
    every = (once * (size**2 - size) + 100 * size) / size**2
    size_of_copies = TIMES * size
    return (every * size_of_copies**2 - 100 * size_of_copies) / (size_of_copies**2 - size_of_copies)


def run(quick: bool = False) -> list[dict[str, Any]]:
    """NC1, linear CKA (not when ``quick``), compactness and separability."""
    features, labels = _draw(COLLAPSE_SAMPLES)
    rows = [
        compare(
            f"nc1, n={COLLAPSE_SAMPLES:,}, K={CLASSES}, d={DIMENSIONS}",
            "loop over classes + pinv, float64",
            whole(lambda: _value(nc1(features, labels))),
            whole(lambda: _value(_nc1_by_loop(features, labels))),
            items=COLLAPSE_SAMPLES,
            repeats=15,
            goals=NC1_GOAL,
        ),
        _grows("compactness", compactness, _compactness_of_copies),
        _grows("feature_separability", feature_separability, lambda once: once),
    ]
    if quick:
        return rows
    first, second = _draw(KERNEL_SAMPLES)[0], _draw(KERNEL_SAMPLES, OTHER_DIMENSIONS)[0]
    kernels = compare(
        f"linear_cka, n={KERNEL_SAMPLES:,}, d={DIMENSIONS} and {OTHER_DIMENSIONS}",
        "tr(K H L H), float64",
        whole(lambda: _value(linear_cka(first, second))),
        whole(lambda: _value(_cka_by_kernels(first, second))),
        items=KERNEL_SAMPLES,
        goals=CKA_GOAL,
    )
    return [rows[0], kernels, *rows[1:]]
