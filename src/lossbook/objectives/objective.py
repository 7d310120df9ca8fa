"""What an objective is: a head and a loss in one module."""

from __future__ import annotations

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
        fused_loss: head and loss together, a function of :mod:`lossbook.losses.fused`; what ``forward`` takes where the
            classes are many.  None: there is none.

    Attributes:
        steps_per_batch: optimizer steps a batch (an objective that alternates between losses has two).
        measured: scalars of the last ``forward`` that training averages over the epoch, one curve each.
    """

    steps_per_batch = 1

    def __init__(self, head: nn.Module, loss: Loss, fused_loss: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.head = head
        self.loss = loss
        self.fused_loss = fused_loss if fused_loss is not None and fused.many(head) else None
        self.measured: dict[str, Tensor] = {}

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """The loss, a scalar: the mean over the batch."""
        if self.fused_loss is not None:
            return self.fused_loss(features, labels=labels, **fused.inputs(self.head))
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
        """The learned threshold on the bias-free metrics ``head.similarities(features)``: a scalar for a unified bias (0
        for none), (N,) for a diverse one."""
        return self.head.threshold()
