"""AdaFocal (Ghosh et al., 2022): a focal loss whose exponents follow the calibration of the predictions."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from lossbook.heads.linear import LinearHead
from lossbook.losses.baselines import adafocal_gammas, calibration_bins, focal
from lossbook.losses.checks import Reduction
from lossbook.objectives.objective import Objective, ScheduledLoss


class AdaFocalLoss(ScheduledLoss):
    """A sample has the exponent of the confidence bin that it falls into, which follows the bin's calibration in the epoch
    before.

    The original measures calibration on validation images.  A loss sees the training images only, so it takes their
    predictions before each step of the epoch.
    """

    edges: Tensor
    gammas: Tensor

    def __init__(self, bins: float, rate: float, switch: float, lowest: float, highest: float) -> None:
        super().__init__()
        if not bins >= 1 or rate <= 0 or switch <= 0 or not lowest <= -switch or not highest >= switch:
            raise ValueError(
                "expected bins >= 1, rate > 0, switch > 0, lowest <= -switch and highest >= switch, "
                f"got {bins}, {rate}, {switch}, {lowest} and {highest}"
            )
        bins = int(bins)  # run specs spell every number as a float
        self._update = functools.partial(adafocal_gammas, rate=rate, switch=switch, lowest=lowest, highest=highest)
        self.register_buffer("edges", torch.arange(1, bins) / bins)
        self.register_buffer("gammas", torch.ones(bins))
        self._seen: list[Tensor] = []

    def start_epoch(self, epoch: int, epochs: int) -> None:
        confidence, correct = self._predictions()
        if epoch and len(confidence) >= len(self.gammas):
            edges, gaps = calibration_bins(confidence, correct.bool(), len(self.gammas))
            self.edges.copy_(edges)
            self.gammas.copy_(self._update(self.gammas, gaps))
        self._seen = []

    def _predictions(self) -> Tensor:
        """Confidence and correctness (0 or 1) of this epoch's predictions, (2, M)."""
        none = torch.empty(2, 0, device=self.gammas.device)
        return torch.cat([none, *(part.to(none.device) for part in self._seen)], 1)

    def get_extra_state(self) -> Tensor:
        """This epoch's predictions, so that a state stored in mid-epoch is whole."""
        return self._predictions()

    def set_extra_state(self, state: Tensor) -> None:
        self._seen = [state]

    def forward(self, logits: Tensor, labels: Tensor, reduction: Reduction = "mean") -> Tensor:
        with torch.no_grad():
            probabilities = logits.float().softmax(1)
            confidence, predicted = probabilities.max(1)
            if self.training:
                confidence, correct = self._of_all_processes(confidence, (predicted == labels).float())
                self._seen.append(torch.stack([confidence, correct]))
            own = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)
            gamma = self.gammas[torch.bucketize(own, self.edges, right=True)]
        return focal(logits, labels, gamma=gamma, reduction=reduction)


def adafocal(
    in_features: int,
    num_classes: int,
    bins: float = 15,
    rate: float = 1.0,
    switch: float = 0.2,
    lowest: float = -2.0,
    highest: float = 20.0,
) -> Objective:
    r"""AdaFocal.

    Args:
        bins: number of confidence bins, each with an exponent of its own.
        rate: :math:`\lambda > 0`, how fast the exponents follow the gap between confidence and accuracy.
        switch: an exponent whose size falls below this changes its sign, and with it the form, focal or inverse focal.
        lowest, highest: bounds of the exponents.
    """
    head = LinearHead(in_features, num_classes)
    return Objective(head, AdaFocalLoss(bins, rate, switch, lowest, highest))
