"""Objectives of `warped`: the Euclidean softmax (Eq. 4), the warped one (Eqs. 7 and 8), any two functions (Eq. 6).

The losses that the paper compares with are in :mod:`lossbook.objectives.metric_learning`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossbook.heads.euclidean import EuclideanHead
from lossbook.losses import warped
from lossbook.losses.checks import Reduction
from lossbook.losses.fused import distances
from lossbook.objectives.objective import Loss, Objective


def _power(x: Tensor) -> Tensor:
    return x**1.5


# Monotone functions with a finite slope at 0, for Table III.
FUNCTIONS: dict[str, warped.Warp] = {
    "identity": warped.identity,
    "log1p": torch.log1p,  # concave
    "power-1.5": _power,  # convex
    "square": torch.square,  # convex
}


class EuclideanObjective(Objective[EuclideanHead]):
    """A loss of the distances to the proxies; prediction takes the nearest proxy.

    Measures ``avg_dtp``, Eq. 9 over the training batches: the mean distance to the true class's proxy.
    """

    def __init__(self, in_features: int, num_classes: int, loss: Loss, fused_loss: Callable[..., Any] | None = None) -> None:
        super().__init__(EuclideanHead(in_features, num_classes), loss, fused_loss)

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        distances = self.head.distances(features)
        loss = self.loss(distances, labels, reduction=reduction)
        self.measured["avg_dtp"] = distances.detach().gather(1, labels.unsqueeze(1)).mean()
        return loss

    def _fused(self, features: Tensor, labels: Tensor, reduction: Reduction, sample_weight: Tensor | None) -> Tensor:
        weighted = {"reduction": reduction, "sample_weight": sample_weight}
        loss, self.measured["avg_dtp"] = self._fused_call()(features, self.head.weight, labels, **weighted)
        return loss


def euclidean_softmax(in_features: int, num_classes: int, temperature: float = 1.0) -> Objective:
    """The Euclidean softmax.

    Args:
        temperature: factor of the distances, above 0, in 1 / distance.
    """
    loss = functools.partial(warped.euclidean_softmax, temperature=temperature)
    fused_loss = functools.partial(distances.euclidean_softmax, temperature=temperature)
    return EuclideanObjective(in_features, num_classes, loss, fused_loss)


def warped_softmax(
    in_features: int,
    num_classes: int,
    alpha: float = 28.40,
    k1: float = 0.93,
    k2: float = 1.15,
    temperature: float = 4.525,
    margin: float = 1.30,
) -> Objective:
    """The warped softmax; the defaults are the authors' first phase on CUB with 512 features.

    Args:
        alpha: the point of attraction, the distance to the own proxy below which a sample is pushed out and beyond which it is
            pulled in; at least 0, a length, so that it scales with the features.
        k1: slope of the own distance within alpha, above 0 and at most 1: less pulls less than the other classes push.
        k2: slope of the own distance beyond alpha, at least 1: more pulls more than the other classes push.
        temperature: factor of the distances, above 0, in 1 / distance.
        margin: the factor of Delta in Eq. 7, at least 0.
    """
    shape: dict[str, Any] = {"alpha": alpha, "k1": k1, "k2": k2, "margin": margin}
    loss = functools.partial(warped.warped_softmax, temperature=temperature, **shape)
    own = functools.partial(warped.warp, **shape)
    fused_loss = functools.partial(distances.euclidean_softmax, temperature=temperature, own=own)
    return EuclideanObjective(in_features, num_classes, loss, fused_loss)


def generalized_softmax(
    in_features: int, num_classes: int, f1: str = "identity", f2: str = "identity", temperature: float = 1.0
) -> Objective:
    """The softmax of two functions of the distances.

    Args:
        f1: of the distance to the own proxy: ``"identity"``, ``"log1p"``, ``"power-1.5"`` or ``"square"``.
        f2: likewise, of the distances to the others.
        temperature: factor of the functions' values, above 0, in 1 / distance.
    """
    for name in (f1, f2):
        if name not in FUNCTIONS:
            raise ValueError(f"unknown function {name!r}; expected one of {', '.join(FUNCTIONS)}")
    arguments: dict[str, Any] = {"f1": FUNCTIONS[f1], "f2": FUNCTIONS[f2], "temperature": temperature}
    return EuclideanObjective(in_features, num_classes, functools.partial(warped.generalized_softmax, **arguments))
