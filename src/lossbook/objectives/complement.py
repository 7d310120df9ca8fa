"""Losses with the entropy of the complementary classes: complement objective training (Chen et al., 2019) in two steps per
batch, complement cross entropy (Kim et al., 2021) in one."""

from __future__ import annotations

import functools
from typing import Any

from torch import Tensor

from lossbook.heads.linear import LinearHead
from lossbook.losses.baselines import complement_cross_entropy, complement_entropy
from lossbook.losses.checks import Reduction
from lossbook.losses.uniform import cross_entropy
from lossbook.objectives.objective import Objective
from lossbook.objectives.onecold import OneColdObjective
from lossbook.objectives.schedule import Schedule


class ComplementTraining(Objective):
    """Every batch has one step on the loss and one on the normalised complement entropy, which is maximised and measured
    (``complement_entropy``).

    In a loop with one step per batch the two losses take turns from batch to batch: both are trained, each image by each of
    them in every other epoch, on average.  The paper's training is one with ``steps_per_batch`` steps on every batch.
    """

    steps_per_batch = 2

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.schedule = Schedule("after_step", turns=self.steps_per_batch)

    def _of_logits(self, logits: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        if self._scheduled().turn == 0 or not self.training:
            return super()._of_logits(logits, labels, reduction)
        entropy = complement_entropy(logits, labels, reduction=reduction)
        self.measured["complement_entropy"] = entropy.detach().mean()
        return -entropy / (logits.shape[1] - 1)


class ComplementTrainingWithOneCold(ComplementTraining, OneColdObjective):
    """The first step of a batch has the one-cold term, the second has not."""


def cot(in_features: int, num_classes: int) -> Objective:
    return ComplementTraining(LinearHead(in_features, num_classes), cross_entropy)


def cot_occe(in_features: int, num_classes: int, occe_weight: float = 1.0) -> Objective:
    """Complement objective training with the one-cold term.

    Args:
        occe_weight: of the one-cold term in the first step of a batch, at least 0.
    """
    return ComplementTrainingWithOneCold(Objective(LinearHead(in_features, num_classes), cross_entropy), occe_weight)


def cce(in_features: int, num_classes: int, balance: float = 1.0) -> Objective:
    """Complement cross entropy.

    Args:
        balance: weight of the complement entropy, at least 0; the original writes it with the other sign.
    """
    return Objective(LinearHead(in_features, num_classes), functools.partial(complement_cross_entropy, balance=balance))
