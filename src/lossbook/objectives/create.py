"""Objectives by name."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor

from lossbook.objectives.objective import Objective
from lossbook.objectives.registry import OBJECTIVES


def list_objectives() -> dict[str, str]:
    """Every objective's name and its source: one of the five papers' short names, another paper, or "combination"."""
    return {name: entry.source for name, entry in OBJECTIVES.items()}


def create_objective(
    name: str, in_features: int, num_classes: int, class_counts: Tensor | None = None, **arguments: Any
) -> Objective:
    """Build an objective by name.

    Args:
        name: see ``lossbook list``.
        in_features: size of a feature vector.
        num_classes: N.
        class_counts: training images per class, (N,); used by the objectives that re-balance, ignored by the others.
        arguments: the objective's own.

    Example:
        >>> import torch
        >>> objective = create_objective("bce-nu", in_features=512, num_classes=100, scale=96.0)
        >>> loss = objective(torch.randn(8, 512), torch.arange(8))
        >>> loss.backward()

    Raises:
        ValueError: for an unknown name, listing the known ones, or a wrong size.
        TypeError: for an argument that this objective does not take or lacks, naming it.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"unknown objective {name!r}; expected one of {', '.join(OBJECTIVES)}")
    if in_features < 1 or num_classes < 2:
        raise ValueError(f"expected in_features >= 1 and num_classes >= 2, got {in_features} and {num_classes}")
    build = OBJECTIVES[name].build
    if class_counts is not None and "class_counts" in inspect.signature(build).parameters:
        arguments["class_counts"] = class_counts
    try:
        return build(in_features, num_classes, **arguments)
    except TypeError as error:
        raise TypeError(f"objective {name!r} does not take these arguments: {error}") from None
