"""Objectives of the `onecold` paper: the one-cold cross entropy alone, added to another loss, with soft targets, dual."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from lossbook.heads.dual import DualHead, Prediction
from lossbook.heads.linear import LinearHead
from lossbook.losses import fused
from lossbook.losses.checks import Reduction
from lossbook.losses.fused import softmax as fused_softmax
from lossbook.losses.onecold import (
    anti_class_probabilities,
    class_targets,
    class_weights,
    instance_targets,
    one_cold_cross_entropy,
)
from lossbook.losses.uniform import cross_entropy
from lossbook.objectives.objective import Objective
from lossbook.objectives.schedule import Schedule
from lossbook.objectives.uniform import bce_d


def _check_weight(occe_weight: float) -> None:
    if occe_weight < 0:
        raise ValueError(f"expected occe_weight >= 0, got {occe_weight}")


class OneColdObjective(Objective):
    r"""An objective plus the uniform one-cold cross entropy of the same logits, Eq. 8: :math:`L + \gamma L_{OCCE}`.

    The parts are measured (``loss_base``, ``loss_occe``).  With a weight of 0 the objective is computed alone.

    Args:
        base: an objective whose loss is one of its head's logits.  Its head and its loss become those of this objective, so
            that their parameters keep their names.
        occe_weight: of the one-cold term, :math:`\gamma \ge 0`.
        fused_loss: both terms in one function of :mod:`lossbook.losses.fused`.
    """

    def __init__(
        self,
        base: Objective,
        occe_weight: float = 1.0,
        fused_loss: Callable[..., Any] | None = None,
    ) -> None:
        _check_weight(occe_weight)
        if type(base) is not Objective:
            raise TypeError(f"expected an objective that is a head and a loss of its logits, got {type(base).__name__}")
        super().__init__(base.head, base.loss, fused_loss, learns_threshold=base.learns_threshold, soft_targets=base.soft_targets)
        self.occe_weight = occe_weight

    def _one_cold(self, logits: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        """The one-cold term without its weight."""
        return one_cold_cross_entropy(logits, labels, reduction=reduction)

    def _of_logits(self, logits: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        base = super()._of_logits(logits, labels, reduction)
        if not self.occe_weight:
            return base
        one_cold = self._one_cold(logits, labels, reduction)
        self.measured = {"loss_base": base.detach().mean(), "loss_occe": one_cold.detach().mean()}
        return base + self.occe_weight * one_cold

    def _fused(self, features: Tensor, labels: Tensor, reduction: Reduction, sample_weight: Tensor | None) -> Tensor:
        loss, base, one_cold = self._fused_call()(
            features,
            labels=labels,
            one_cold_weight=self.occe_weight,
            reduction=reduction,
            sample_weight=sample_weight,
            **fused.inputs(self.head),
        )
        self.measured = {"loss_base": base.mean(), "loss_occe": one_cold.mean()}
        return loss


def with_one_cold(build: Callable[..., Objective]) -> Callable[..., Objective]:
    """The builder of an objective with the one-cold term added; it takes ``occe_weight`` besides the arguments of ``build``."""

    @functools.wraps(build)  # shows whether ``build`` takes class_counts
    def build_with_one_cold(in_features: int, num_classes: int, occe_weight: float = 1.0, **arguments: Any) -> Objective:
        return OneColdObjective(build(in_features, num_classes, **arguments), occe_weight)

    return build_with_one_cold


class DistilledObjective(OneColdObjective):
    """Cross entropy plus the one-cold cross entropy with soft targets, Eqs. 9 and 10.

    ``"instance"``: the sample's own prediction, taken before the step.  The gradient is then (1 - alpha) times that of
    the uniform target (see :func:`instance_targets`).
    ``"class"``: the class' average prediction over the epoch before; the first epoch has the uniform target.
    """

    sums: Tensor
    weights: Tensor

    def __init__(self, base: Objective, source: Literal["instance", "class"], occe_weight: float, alpha: float) -> None:
        super().__init__(base, occe_weight)
        self.soft_targets = False
        if not 0 <= alpha <= 1:
            raise ValueError(f"expected alpha within [0, 1], got {alpha}")
        self.source, self.alpha = source, alpha
        if source == "class":
            classes = len(base.head.weight)
            self.register_buffer("sums", torch.zeros(classes, classes))
            self.register_buffer("weights", class_weights(self.sums))
            self.schedule = Schedule("start_epoch")

    def _new_epoch(self, epoch: int, epochs: int) -> None:
        super()._new_epoch(epoch, epochs)
        if self.source == "class":
            if epoch:  # a second phase of training starts with the weights of the first
                self.weights.copy_(class_weights(self.sums))
            self.sums.zero_()

    def _one_cold(self, logits: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        predictions = anti_class_probabilities(logits.detach())
        if self.source == "instance":
            return one_cold_cross_entropy(logits, labels, instance_targets(predictions, labels, self.alpha), reduction=reduction)
        if self.training:
            self.sums.index_add_(0, *self._of_all_processes(labels, predictions.to(self.sums.dtype)))
        return one_cold_cross_entropy(logits, labels, class_targets(self.weights, labels, self.alpha), reduction=reduction)


class DualObjective(Objective[DualHead]):
    """Cross entropy on one head plus the one-cold cross entropy on another (Sec. 3.3).

    Args:
        occe_weight: of the one-cold term, at least 0.
        prediction: the head that predicts, ``"ce"`` or ``"occe"``, or ``"combined"`` for both; all three can be read from
            ``head`` afterwards.
    """

    def __init__(self, in_features: int, num_classes: int, occe_weight: float = 1.0, prediction: Prediction = "combined") -> None:
        _check_weight(occe_weight)
        super().__init__(DualHead(in_features, num_classes, prediction), cross_entropy, soft_targets=True)
        self.occe_weight = occe_weight

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        base = self.loss(self.head.ce(features), labels, reduction=reduction)
        one_cold = one_cold_cross_entropy(self.head.occe(features), labels, reduction=reduction)
        self.measured = {"loss_base": base.detach().mean(), "loss_occe": one_cold.detach().mean()}
        return base + self.occe_weight * one_cold


def _cross_entropy(in_features: int, num_classes: int) -> Objective:
    return Objective(LinearHead(in_features, num_classes), cross_entropy, soft_targets=True)


def occe(in_features: int, num_classes: int) -> Objective:
    """The one-cold cross entropy alone, which is the reverse cross entropy (RCE) of Table 1."""
    head = LinearHead(in_features, num_classes)
    return Objective(head, one_cold_cross_entropy, fused_softmax.one_cold_cross_entropy, soft_targets=True)


def ce_occe(in_features: int, num_classes: int, occe_weight: float = 1.0) -> Objective:
    """Eq. 8."""
    fused_loss = fused_softmax.cross_entropy_with_one_cold if occe_weight > 0 else None
    return OneColdObjective(_cross_entropy(in_features, num_classes), occe_weight, fused_loss)


def ce_occe_instance(in_features: int, num_classes: int, occe_weight: float = 1.0, alpha: float = 0.1) -> Objective:
    """Eq. 9.

    Args:
        occe_weight: of the one-cold term, at least 0.
        alpha: share of the sample's own prediction in the target, within [0, 1]; the rest is uniform.
    """
    return DistilledObjective(_cross_entropy(in_features, num_classes), "instance", occe_weight, alpha)


def ce_occe_class(in_features: int, num_classes: int, occe_weight: float = 1.0, alpha: float = 0.5) -> Objective:
    """Eq. 10.

    Args:
        occe_weight: of the one-cold term, at least 0.
        alpha: share of the class's average prediction in the target, within [0, 1]; the rest is uniform.
    """
    return DistilledObjective(_cross_entropy(in_features, num_classes), "class", occe_weight, alpha)


bce_occe = with_one_cold(bce_d)
