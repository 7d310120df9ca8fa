"""The losses of the `onecold` paper's Table 1, each alone and with ``+occe`` (argument ``occe_weight``, 1 by default).

The cross entropy and the binary cross entropy alone are ``soft-d`` and ``bce-d`` of `uniform`, the reverse cross
entropy is ``occe``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossbook.losses.baselines import (
    adafocal_gammas,
    asymmetric,
    calibration_bins,
    complement_cross_entropy,
    complement_entropy,
    cyclical_focal,
    cyclical_share,
    focal,
    label_smoothing,
    negative_log,
)
from lossbook.losses.uniform import bce, softmax
from lossbook.objectives.objective import Objective
from lossbook.objectives.onecold import OneColdObjective


class ComplementTraining(OneColdObjective):
    """Complement objective training: every batch has a step on the loss (with its one-cold term) and one on the
    normalised complement entropy, which is maximised and measured (``complement_entropy``)."""

    steps_per_batch = 2

    def __init__(self, in_features: int, num_classes: int, occe_weight: float = 0.0) -> None:
        super().__init__(in_features, num_classes, softmax, occe_weight)
        self.turn = 0

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        if self.turn == 0:
            return super().forward(features, labels)
        logits = self.head(features)
        entropy = complement_entropy(logits, labels)
        self.measured["complement_entropy"] = entropy.detach()
        return -entropy / (logits.shape[1] - 1)

    def after_step(self) -> None:
        self.turn = (self.turn + 1) % self.steps_per_batch


class CyclicalFocal(OneColdObjective):
    """The cyclical focal loss: its two terms trade places in the course of the epochs."""

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        occe_weight: float = 0.0,
        gamma_confident: float = 3.0,
        gamma_hard: float = 2.0,
        factor: float = 4.0,
    ) -> None:
        loss = functools.partial(cyclical_focal, gamma_confident=gamma_confident, gamma_hard=gamma_hard)
        super().__init__(in_features, num_classes, loss, occe_weight)
        self.factor = factor
        self.share = cyclical_share(0, 1, factor)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        self.share = cyclical_share(epoch, epochs, self.factor)

    def base(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.loss(logits, labels, share=self.share)


class AdaFocal(OneColdObjective):
    """AdaFocal: the exponent of a sample is that of the confidence bin it falls into, and follows the bin's calibration
    in the epoch before.

    The original measures calibration on validation images.  An objective sees the training images only, so it is their
    predictions, taken before each step of the epoch.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        occe_weight: float = 0.0,
        bins: float = 15,
        rate: float = 1.0,
        switch: float = 0.2,
        lowest: float = -2.0,
        highest: float = 20.0,
    ) -> None:
        super().__init__(in_features, num_classes, focal, occe_weight)
        if not bins >= 1 or rate <= 0 or switch <= 0 or not lowest <= -switch or not highest >= switch:
            raise ValueError(
                "expected bins >= 1, rate > 0, switch > 0, lowest <= -switch and highest >= switch, "
                f"got {bins}, {rate}, {switch}, {lowest} and {highest}"
            )
        bins = int(bins)  # run specs spell every number as a float
        self._update = functools.partial(adafocal_gammas, rate=rate, switch=switch, lowest=lowest, highest=highest)
        self.register_buffer("edges", torch.arange(1, bins) / bins)
        self.register_buffer("gammas", torch.ones(bins))
        self._seen: list[tuple[Tensor, Tensor]] = []

    def start_epoch(self, epoch: int, epochs: int) -> None:
        if epoch and sum(len(confidence) for confidence, _ in self._seen) >= len(self.gammas):
            confidence, correct = (torch.cat(parts) for parts in zip(*self._seen, strict=True))
            edges, gaps = calibration_bins(confidence, correct, len(self.gammas))
            self.edges.copy_(edges)
            self.gammas.copy_(self._update(self.gammas, gaps))
        self._seen = []

    def base(self, logits: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            probabilities = logits.float().softmax(1)
            confidence, predicted = probabilities.max(1)
            if self.training:
                self._seen.append((confidence, predicted == labels))
            own = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)
            gamma = self.gammas[torch.bucketize(own, self.edges, right=True)]
        return self.loss(logits, labels, gamma=gamma)


def _label_smoothing(in_features: int, num_classes: int, occe_weight: float = 0.0, smoothing: float = 0.1) -> Objective:
    return OneColdObjective(in_features, num_classes, functools.partial(label_smoothing, smoothing=smoothing), occe_weight)


def _ce_nl(in_features: int, num_classes: int, occe_weight: float = 0.0) -> Objective:
    return OneColdObjective(in_features, num_classes, lambda *batch: softmax(*batch) + negative_log(*batch), occe_weight)


def _cce(in_features: int, num_classes: int, occe_weight: float = 0.0, balance: float = 1.0) -> Objective:
    loss = functools.partial(complement_cross_entropy, balance=balance)
    return OneColdObjective(in_features, num_classes, loss, occe_weight)


def _focal(in_features: int, num_classes: int, occe_weight: float = 0.0, gamma: float = 2.0) -> Objective:
    return OneColdObjective(in_features, num_classes, functools.partial(focal, gamma=gamma), occe_weight)


def _asymmetric(
    in_features: int,
    num_classes: int,
    occe_weight: float = 0.0,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    smoothing: float = 0.1,
) -> Objective:
    arguments = {"gamma_positive": gamma_positive, "gamma_negative": gamma_negative, "smoothing": smoothing}
    return OneColdObjective(in_features, num_classes, functools.partial(asymmetric, **arguments), occe_weight)


def _bce(in_features: int, num_classes: int, occe_weight: float = 1.0) -> Objective:
    return OneColdObjective(in_features, num_classes, bce, occe_weight)


def _with_occe(build: Callable[..., Objective]) -> Callable[..., Objective]:
    def with_occe(in_features: int, num_classes: int, occe_weight: float = 1.0, **arguments: Any) -> Objective:
        return build(in_features, num_classes, occe_weight=occe_weight, **arguments)

    return with_occe


def _alone(build: Callable[..., Objective]) -> Callable[..., Objective]:
    def alone(in_features: int, num_classes: int, **arguments: Any) -> Objective:
        if "occe_weight" in arguments:
            raise TypeError("occe_weight belongs to the objective with +occe")
        return build(in_features, num_classes, **arguments)

    return alone


_BASELINES = {
    "label-smoothing": _label_smoothing,
    "ce+nl": _ce_nl,
    "cot": ComplementTraining,
    "cce": _cce,
    "focal": _focal,
    "asymmetric": _asymmetric,
    "cyclical-focal": CyclicalFocal,
    "adafocal": AdaFocal,
}

OBJECTIVES = {name: _alone(build) for name, build in _BASELINES.items()}
OBJECTIVES |= {f"{name}+occe": _with_occe(build) for name, build in _BASELINES.items()}
OBJECTIVES |= {"bce+occe": _bce}
