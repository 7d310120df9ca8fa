"""The registry: a name to head + loss.  One file a paper beside this one; each holds a dict ``OBJECTIVES``.

An :class:`Objective` is what a training loop needs: ``objective(features, labels)`` is the loss, and
``objective.logits(features)`` the class metrics for prediction.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from lossbook.losses import fused

Loss = Callable[[Tensor, Tensor], Tensor]


class Objective(nn.Module):
    """Head and loss.

    Args:
        head: features (B, d) to logits (B, N); has ``weight``, ``bias``, ``metrics`` and ``threshold``.
        loss: (logits, labels) to a scalar.
        in_one_pass: head and loss together, a function of :mod:`lossbook.losses.fused`; what ``forward`` takes where the
            classes are many.  None: there is none.

    Attributes:
        turns: optimizer steps a batch (an objective that alternates between losses has two).
        measured: scalars of the last ``forward`` that training averages over the epoch, one curve each.
    """

    turns = 1

    def __init__(self, head: nn.Module, loss: Loss, in_one_pass: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.head = head
        self.loss = loss
        self.in_one_pass = in_one_pass if in_one_pass is not None and fused.many(head) else None
        self.measured: dict[str, Tensor] = {}

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """The loss, a scalar: the mean over the batch."""
        if self.in_one_pass is not None:
            return self.in_one_pass(features, labels=labels, **fused.inputs(self.head))
        return self.loss(self.head(features), labels)

    def mixed(self, features: Tensor, labels: Tensor, partners: Tensor, share: float) -> Tensor:
        """The loss of images mixed from two: ``share`` of the one with ``labels``, the rest of the one with ``partners``."""
        return share * self(features, labels) + (1 - share) * self(features, partners)

    def logits(self, features: Tensor) -> Tensor:
        """Class metrics with the bias, (B, d) -> (B, N): predict with ``argmax(1)``."""
        return self.head(features)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch 0, 1, ... of ``epochs``, for losses that follow the training's progress."""

    def after_step(self) -> None:
        """Called after every optimizer step, for constraints on the parameters."""

    def threshold(self) -> Tensor:
        """The learned threshold on the bias-free metrics ``head.metrics(features)``: a scalar for a unified bias (0
        for none), (N,) for a diverse one."""
        return self.head.threshold()


@functools.cache
def _registry() -> dict[str, tuple[str, Callable[..., Objective]]]:
    """name -> (paper, builder)"""
    entries: dict[str, tuple[str, Callable[..., Objective]]] = {}
    for info in pkgutil.iter_modules(__path__):
        for name, build in importlib.import_module(f"{__name__}.{info.name}").OBJECTIVES.items():
            if name in entries:
                raise ValueError(f"objective {name!r} is registered by {entries[name][0]} and by {info.name}")
            entries[name] = (info.name, build)
    return entries


def list_objectives() -> dict[str, str]:
    """Every objective's name and the paper (the file) that it comes from."""
    return {name: paper for name, (paper, _) in _registry().items()}


def create_objective(
    name: str, in_features: int, num_classes: int, class_counts: Tensor | None = None, **arguments: Any
) -> Objective:
    """Build an objective by name.

    Args:
        name: see ``lossbook list``.
        in_features: size of a feature vector.
        num_classes: N.
        class_counts: training images a class, (N,); used by the objectives that re-balance, ignored by the others.
        arguments: the objective's own.

    Example:
        >>> import torch
        >>> objective = create_objective("bce-nu", in_features=512, num_classes=100, scale=96.0)
        >>> loss = objective(torch.randn(8, 512), torch.arange(8))
        >>> loss.backward()

    Raises:
        ValueError: for an unknown name, listing the known ones.
        TypeError: for an argument that this objective does not take or lacks, naming it.
    """
    if name not in _registry():
        raise ValueError(f"unknown objective {name!r}; expected one of {', '.join(_registry())}")
    build = _registry()[name][1]
    if class_counts is not None and "class_counts" in inspect.signature(build).parameters:
        arguments["class_counts"] = class_counts
    try:
        return build(in_features, num_classes, **arguments)
    except TypeError as error:
        raise TypeError(f"objective {name!r} does not take these arguments: {error}") from None
