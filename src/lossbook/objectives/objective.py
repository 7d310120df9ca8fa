"""What an objective is: a head and a loss in one module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from lossbook.losses import fused
from lossbook.losses.checks import check_labels

Loss = Callable[[Tensor, Tensor], Tensor]


class ScheduledLoss(nn.Module):
    """A loss of (logits, labels) that changes in the course of the training.  Its buffers are stored with the objective."""

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch 0, 1, ... of ``epochs``."""
        raise NotImplementedError


class Objective(nn.Module):
    """Head and loss.

    A subclass says how its loss is computed in ``_of_logits``, or in ``_plain`` where the loss takes more than the head's
    logits, and in ``_fused`` where it has a form for many classes.

    Args:
        head: features (B, d) to logits (B, N); has ``weight``, ``bias``, ``similarities`` and ``threshold``.
        loss: (logits, labels) to a scalar.
        fused_loss: head and loss in one function of :mod:`lossbook.losses.fused`, used where the classes are many.  None:
            the loss has no such form.

    Attributes:
        steps_per_batch: optimizer steps per batch (an objective that alternates between losses has two).
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
        """The loss, a scalar: the mean over the batch.

        Raises:
            ValueError, TypeError: for features or labels of a wrong shape or dtype, or a label out of range.
        """
        classes, width = self.head.weight.shape
        if features.ndim != 2 or not len(features) or features.shape[1] != width:
            raise ValueError(f"expected features of shape (B, {width}) with B >= 1, got {tuple(features.shape)}")
        check_labels(labels, len(features), classes, features.device)
        return self._plain(features, labels) if self.fused_loss is None else self._fused(features, labels)

    def _plain(self, features: Tensor, labels: Tensor) -> Tensor:
        """The loss through the logits (B, N)."""
        return self._of_logits(self.head(features), labels)

    def _of_logits(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.loss(logits, labels)

    def _fused(self, features: Tensor, labels: Tensor) -> Tensor:
        """The same loss without a (B, N) tensor."""
        return self.fused_loss(features, labels=labels, **fused.inputs(self.head))

    def mixed(self, features: Tensor, labels: Tensor, partners: Tensor, share: float) -> Tensor:
        """The loss of images mixed from two: ``share`` of the one with ``labels``, the rest of the one with ``partners``."""
        return share * self(features, labels) + (1 - share) * self(features, partners)

    def logits(self, features: Tensor) -> Tensor:
        """Logits, (B, d) -> (B, N): predict with ``argmax(1)``."""
        return self.head(features)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch 0, 1, ... of ``epochs``, for losses that follow the training's progress."""
        if isinstance(self.loss, ScheduledLoss):
            self.loss.start_epoch(epoch, epochs)

    def after_step(self) -> None:
        """Called after every optimizer step, for constraints on the parameters."""

    def threshold(self) -> Tensor:
        """The learned threshold on the similarities ``head.similarities(features)``: a scalar for a unified bias (0 for
        none), (N,) for a diverse one."""
        return self.head.threshold()
