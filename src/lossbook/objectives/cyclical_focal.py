"""The cyclical focal loss (Smith, 2022): its two terms trade places in the course of the epochs."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from lossbook.heads.linear import LinearHead
from lossbook.losses import baselines
from lossbook.losses.baselines import cyclical_share
from lossbook.losses.checks import Reduction
from lossbook.objectives.objective import Objective, ScheduledLoss


class CyclicalFocalLoss(ScheduledLoss):
    """See :func:`lossbook.losses.baselines.cyclical_focal`, whose ``share`` follows the epochs."""

    def __init__(self, gamma_confident: float, gamma_hard: float, factor: float) -> None:
        super().__init__()
        self.loss = functools.partial(baselines.cyclical_focal, gamma_confident=gamma_confident, gamma_hard=gamma_hard)
        self.factor = factor
        self.share = cyclical_share(0, 1, factor)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        self.share = cyclical_share(epoch, epochs, self.factor)

    def get_extra_state(self) -> Tensor:
        """The share, so that a training resumed in mid-epoch goes on with it."""
        return torch.tensor(self.share, dtype=torch.float64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        self.share = state.item()

    def forward(self, logits: Tensor, labels: Tensor, reduction: Reduction = "mean") -> Tensor:
        return self.loss(logits, labels, share=self.share, reduction=reduction)


def cyclical_focal(
    in_features: int, num_classes: int, gamma_confident: float = 3.0, gamma_hard: float = 2.0, factor: float = 4.0
) -> Objective:
    """The cyclical focal loss.

    Args:
        gamma_confident: exponent of the term that weights confident samples up, at least 0.
        gamma_hard: exponent of the focal term, which weights hard samples up, at least 0.
        factor: the first term's share falls from 1 to 0 in the first 1 / factor of the training and then rises again; above 1.
    """
    return Objective(LinearHead(in_features, num_classes), CyclicalFocalLoss(gamma_confident, gamma_hard, factor))
