"""Objectives of the `onecold` paper: the one-cold cross entropy alone, added to cross entropy, with soft targets, dual."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from lossbook.heads.dual import DualHead, Prediction
from lossbook.heads.linear import LinearHead
from lossbook.losses import fused
from lossbook.losses.fused import softmax as fused_softmax
from lossbook.losses.onecold import (
    anti_class_probabilities,
    class_targets,
    class_weights,
    instance_targets,
    one_cold_cross_entropy,
)
from lossbook.losses.uniform import softmax
from lossbook.objectives.objective import Loss, Objective


class OneColdObjective(Objective):
    r"""Any loss plus the uniform one-cold cross entropy of the same logits, Eq. 8: :math:`L + \gamma L_{OCCE}`.

    A weight of 0 is the loss alone.  Otherwise both parts are measured (``loss_base``, ``loss_occe``).
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        loss: Loss,
        occe_weight: float = 1.0,
        fused_loss: Callable[..., tuple[Tensor, Tensor, Tensor]] | None = None,
    ) -> None:
        if occe_weight < 0:
            raise ValueError(f"expected occe_weight >= 0, got {occe_weight}")
        super().__init__(LinearHead(in_features, num_classes), loss, fused_loss)
        self.occe_weight = occe_weight

    def base(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss without the one-cold term."""
        return self.loss(logits, labels)

    def one_cold(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The one-cold term without its weight."""
        return one_cold_cross_entropy(logits, labels)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        if self.fused_loss is not None:
            loss, base, one_cold = self.fused_loss(
                features, labels=labels, one_cold_weight=self.occe_weight, **fused.inputs(self.head)
            )
            self.measured = {"loss_base": base, "loss_occe": one_cold}
            return loss
        logits = self.head(features)
        base = self.base(logits, labels)
        if not self.occe_weight:
            return base
        one_cold = self.one_cold(logits, labels)
        self.measured = {"loss_base": base.detach(), "loss_occe": one_cold.detach()}
        return base + self.occe_weight * one_cold


class DistilledObjective(OneColdObjective):
    """Cross entropy plus the one-cold cross entropy with soft targets, Eqs. 9 and 10.

    ``"instance"``: the sample's own prediction, taken before the step.  The gradient is then (1 - alpha) times that of
    the uniform target (see :func:`instance_targets`).
    ``"class"``: the class' average prediction over the epoch before; the first epoch has the uniform target.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        source: Literal["instance", "class"],
        occe_weight: float = 1.0,
        alpha: float = 0.5,
    ) -> None:
        super().__init__(in_features, num_classes, softmax, occe_weight)
        if not 0 <= alpha <= 1:
            raise ValueError(f"expected alpha within [0, 1], got {alpha}")
        self.source, self.alpha = source, alpha
        if source == "class":
            self.register_buffer("sums", torch.zeros(num_classes, num_classes))
            self.register_buffer("weights", class_weights(self.sums))

    def start_epoch(self, epoch: int, epochs: int) -> None:
        if self.source == "class":
            if epoch:  # a second phase of training starts with the weights of the first
                self.weights.copy_(class_weights(self.sums))
            self.sums.zero_()

    def one_cold(self, logits: Tensor, labels: Tensor) -> Tensor:
        predictions = anti_class_probabilities(logits.detach())
        if self.source == "instance":
            return one_cold_cross_entropy(logits, labels, instance_targets(predictions, labels, self.alpha))
        if self.training:
            self.sums.index_add_(0, labels, predictions.to(self.sums.dtype))
        return one_cold_cross_entropy(logits, labels, class_targets(self.weights, labels, self.alpha))


class DualObjective(Objective):
    """Cross entropy on one head plus the one-cold cross entropy on another (Sec. 3.3); ``prediction`` names the head that
    predicts, and all three can be read from ``head`` afterwards."""

    def __init__(self, in_features: int, num_classes: int, occe_weight: float = 1.0, prediction: Prediction = "combined") -> None:
        if occe_weight < 0:
            raise ValueError(f"expected occe_weight >= 0, got {occe_weight}")
        super().__init__(DualHead(in_features, num_classes, prediction), softmax)
        self.occe_weight = occe_weight

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        base = self.loss(self.head.ce(features), labels)
        one_cold = one_cold_cross_entropy(self.head.occe(features), labels)
        self.measured = {"loss_base": base.detach(), "loss_occe": one_cold.detach()}
        return base + self.occe_weight * one_cold


def _occe(in_features: int, num_classes: int) -> Objective:
    """The reverse cross entropy (RCE) of Table 1."""
    return Objective(LinearHead(in_features, num_classes), one_cold_cross_entropy, fused_softmax.one_cold_cross_entropy)


def _ce(in_features: int, num_classes: int, occe_weight: float = 1.0) -> Objective:
    fused_loss = fused_softmax.cross_entropy_with_one_cold if occe_weight > 0 else None
    return OneColdObjective(in_features, num_classes, softmax, occe_weight, fused_loss)


def _instance(in_features: int, num_classes: int, occe_weight: float = 1.0, alpha: float = 0.1) -> Objective:
    return DistilledObjective(in_features, num_classes, "instance", occe_weight, alpha)


def _class(in_features: int, num_classes: int, occe_weight: float = 1.0, alpha: float = 0.5) -> Objective:
    return DistilledObjective(in_features, num_classes, "class", occe_weight, alpha)


OBJECTIVES = {
    "occe": _occe,
    "ce+occe": _ce,
    "ce+occe-instance": _instance,
    "ce+occe-class": _class,
    "ce+occe-dual": DualObjective,
}
