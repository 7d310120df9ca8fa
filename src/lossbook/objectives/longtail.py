"""Long-tailed baselines that `bce3s` compares itself with; all of them need the number of training images per class."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from lossbook.heads.linear import CosineHead, Head, LinearHead
from lossbook.losses import longtail as losses
from lossbook.losses.bce3s import check_class_counts, class_balanced_weights, joint_ce
from lossbook.losses.checks import Reduction
from lossbook.objectives.objective import Loss, Objective
from lossbook.objectives.schedule import Schedule


class CountingObjective(Objective[Head]):
    """A loss that takes the number of training images per class as its third argument."""

    def __init__(self, head: Head, loss: Loss, class_counts: Tensor) -> None:
        super().__init__(head, loss)
        check_class_counts(class_counts)
        self.register_buffer("class_counts", class_counts, persistent=False)

    def _of_logits(self, logits: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        return self.loss(logits, labels, self.class_counts, reduction=reduction)


class PostHocObjective(Objective[LinearHead]):
    """Logit adjustment after training (Menon et al. 2021): it trains with the softmax cross entropy and predicts
    with its logits less the logarithms of the class shares."""

    def __init__(self, head: LinearHead, class_counts: Tensor, strength: float) -> None:
        super().__init__(head, joint_ce)
        check_class_counts(class_counts)
        self.register_buffer("shift", strength * (class_counts / class_counts.sum()).log())

    def _logits(self, features: Tensor) -> Tensor:
        return self.head(features) - self.shift


class WeightBalancingObjective(Objective[LinearHead]):
    """Weight balancing (Alshammari et al. 2022): the softmax cross entropy with strong weight decay (set by the
    run), then a second phase with class-balanced weights (``beta``) and classifier vectors no longer than ``max_norm``."""

    def __init__(self, head: LinearHead, class_counts: Tensor, beta: float | None, max_norm: float | None) -> None:
        super().__init__(head, joint_ce)
        weights = None if beta is None else class_balanced_weights(class_counts, beta, normalise=True)
        self.register_buffer("class_weights", weights, persistent=False)
        self.max_norm = max_norm
        if max_norm is not None:
            self.schedule = Schedule("after_step")

    def _of_logits(self, logits: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        return self.loss(logits, labels, self.class_weights, reduction=reduction)

    def after_step(self) -> None:
        super().after_step()
        if self.max_norm is not None:
            with torch.no_grad():
                self.head.weight.copy_(losses.max_norm(self.head.weight, self.max_norm))


def cb_focal(in_features: int, num_classes: int, class_counts: Tensor, beta: float = 0.9999, gamma: float = 1.0) -> Objective:
    r"""The class-balanced focal loss.

    Args:
        beta: of the effective number of samples of a class with n images, :math:`(1 - \beta^n) / (1 - \beta)`; within [0, 1),
            where 0 weights all classes alike.
        gamma: exponent of the focal factor, at least 0; 0 is the class-balanced BCE.
    """
    loss = functools.partial(losses.class_balanced_focal, beta=beta, gamma=gamma)
    return CountingObjective(LinearHead(in_features, num_classes), loss, class_counts)


def ldam(in_features: int, num_classes: int, class_counts: Tensor, scale: float = 30.0, max_margin: float = 0.5) -> Objective:
    r"""The label-distribution-aware margin loss.

    Args:
        scale: of the cosines, :math:`s > 0`.
        max_margin: the margin of the rarest class, in units of the cosine, at least 0.
    """
    loss = functools.partial(losses.ldam, max_margin=max_margin, scale=scale)
    return CountingObjective(CosineHead(in_features, num_classes, "zero", scale), loss, class_counts)


def balanced_softmax(in_features: int, num_classes: int, class_counts: Tensor) -> Objective:
    return CountingObjective(LinearHead(in_features, num_classes), losses.balanced_softmax, class_counts)


def logit_adjustment(in_features: int, num_classes: int, class_counts: Tensor, strength: float = 1.0) -> Objective:
    """Logit adjustment after training.

    Args:
        strength: factor of the logarithms of the class shares that prediction subtracts; 0 predicts with the logits alone.
    """
    return PostHocObjective(LinearHead(in_features, num_classes), class_counts, strength)


def weight_balancing(
    in_features: int, num_classes: int, class_counts: Tensor, beta: float | None = None, max_norm: float | None = None
) -> Objective:
    """Weight balancing: the first phase with the defaults, the second one with both arguments.

    Args:
        beta: weight the classes by effective numbers of samples, within [0, 1); None = no weights.
        max_norm: no classifier vector is longer than this after a step; None = no limit.
    """
    return WeightBalancingObjective(LinearHead(in_features, num_classes), class_counts, beta, max_norm)
