"""Objectives by name."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lossbook.objectives.checks import checked_counts, checked_weight
from lossbook.objectives.objective import Fused, Objective
from lossbook.objectives.registry import OBJECTIVES


def list_objectives() -> dict[str, str]:
    """Every objective's name and its source: one of the five papers' short names, another paper, or "combination"."""
    return {name: entry.source for name, entry in OBJECTIVES.items()}


def create_objective(
    name: str,
    in_features: int,
    num_classes: int,
    class_counts: Tensor | Sequence[int] | None = None,
    *,
    weight: Tensor | Sequence[float] | None = None,
    ignore_index: int | None = None,
    fused: Fused = "auto",
    **arguments: Any,
) -> Objective:
    """Build an objective by name.

    Args:
        name: see ``lossbook list``.
        in_features: size of a feature vector.
        num_classes: number of classes, N.
        class_counts: training images per class, (N,); used by the objectives that re-balance, ignored by the others.
        weight: weight per class, (N,), >= 0: the loss is the weighted mean over the samples, as in
            ``torch.nn.functional.cross_entropy``.  Where a paper weights classes in another way, that is an argument of
            its objective (``beta``).
        ignore_index: samples with this label are left out, as if they were not in the batch.  None: there is no such
            label, and every label must lie within 0..N-1.
        fused: whether head and loss are computed in one pass, without the logits (B, N): ``"auto"`` from 10,000 classes
            on, where the loss has such a form.  The values are the same up to rounding.
        arguments: the objective's own.

    Example:
        >>> import torch
        >>> objective = create_objective("bce-nu", in_features=512, num_classes=100, scale=96.0)
        >>> loss = objective(torch.randn(8, 512), torch.arange(8))
        >>> loss.backward()

    Raises:
        ValueError: for an unknown name, listing the known ones, or a wrong size, count or weight.
        TypeError: for an argument that this objective does not take or lacks, naming it.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"unknown objective {name!r}; expected one of {', '.join(OBJECTIVES)}")
    if in_features < 1 or num_classes < 2:
        raise ValueError(f"expected in_features >= 1 and num_classes >= 2, got {in_features} and {num_classes}")
    if ignore_index is not None and 0 <= ignore_index < num_classes:
        raise ValueError(f"expected an ignore_index outside 0..{num_classes - 1}, which are classes, got {ignore_index}")
    build = OBJECTIVES[name].build
    counting = inspect.signature(build).parameters.get("class_counts")
    if class_counts is not None:
        class_counts = checked_counts(class_counts, num_classes)
        if counting is not None:
            arguments["class_counts"] = class_counts
    elif counting is not None and counting.default is counting.empty:
        raise TypeError(f"objective {name!r} needs class_counts, the number of training images per class, ({num_classes},)")
    try:
        objective = build(in_features, num_classes, **arguments)
    except TypeError as error:
        raise TypeError(f"objective {name!r} does not take these arguments: {error}") from None
    objective.name = name
    if weight is not None:
        objective.weight = checked_weight(weight, num_classes)
        objective.check_per_sample()
    objective.ignore_index = ignore_index
    objective.use_fused(fused)
    return objective
