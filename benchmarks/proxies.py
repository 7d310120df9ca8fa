"""Proxy losses of many classes beside pytorch-metric-learning and what one would write with torch alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measure import DEVICE, compare, whole
from lossbook.heads import EuclideanHead, MultiCenterHead
from lossbook.losses import multicenter, warped
from lossbook.objectives import create_objective

BATCH, FEATURES, CLASSES, FEWER_CLASSES, FEW_CLASSES = 256, 512, 100_000, 20_000, 2_000
NORMALISED_GOAL = {"time_goal": 0.65, "memory_goal": 0.50}
TEMPERATURE = 0.05
WARP = {"alpha": 28.4, "k1": 0.93, "k2": 1.15, "margin": 1.3}  # of warped-softmax, as its temperature
WARPED_TEMPERATURE = 4.525

Loss = Callable[[Tensor, Tensor], Tensor]


def _row(
    name: str, num_classes: int, peer_name: str, build_peer: Callable[[nn.Module], tuple[Loss, list[Tensor]]], **arguments: Any
) -> dict[str, Any]:
    """Loss and gradients of an objective; ``build_peer`` takes its head and returns the peer and the peer's parameters.

    Noise is drawn from the same seed on both sides.
    """
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, num_classes, **arguments).to(DEVICE)
    features = torch.randn(BATCH, FEATURES, device=DEVICE, requires_grad=True)
    labels = torch.randint(num_classes, (BATCH,), device=DEVICE)
    peer, parameters = build_peer(objective.head)

    def gradients(loss: Loss, parameters: list[Tensor]) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        value = loss(features, labels)
        found = torch.autograd.grad(value, (features, *parameters))
        return value.detach(), *(g if g.shape[0] in (BATCH, num_classes) else g.T for g in found)

    return compare(
        f"{name}, B={BATCH}, N={num_classes:,}, d={FEATURES}",
        peer_name,
        whole(lambda: gradients(objective, list(objective.parameters()))),
        whole(lambda: gradients(peer, parameters)),
        items=BATCH,
    )


def _library(head: nn.Module) -> tuple[Loss, list[Tensor]]:
    from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

    loss = NormalizedSoftmaxLoss(len(head.weight), FEATURES, temperature=TEMPERATURE).to(DEVICE)
    loss.W.data.copy_(head.weight.detach().T)
    return loss, [loss.W]


def _by_differences(features: Tensor, head: EuclideanHead) -> Tensor:
    """What one would write first: a (B, N, d) tensor, of 1 GB for 2,000 classes."""
    return (features.unsqueeze(1) - head.weight).norm(dim=2)


def _as_printed(distances: Tensor, labels: Tensor) -> Tensor:
    """Eq. 8 of `warped`: a softmax with the warped distance in the place of the true class's."""
    own = warped.warp(distances.gather(1, labels.unsqueeze(1)), **WARP)
    return F.cross_entropy(-WARPED_TEMPERATURE * distances.scatter(1, labels.unsqueeze(1), own), labels)


def _differences(head: EuclideanHead) -> tuple[Loss, list[Tensor]]:
    return lambda features, labels: F.cross_entropy(-_by_differences(features, head), labels), [head.weight]


def _warped_differences(head: EuclideanHead) -> tuple[Loss, list[Tensor]]:
    return lambda features, labels: _as_printed(_by_differences(features, head), labels), [head.weight]


def _cdist(head: EuclideanHead) -> tuple[Loss, list[Tensor]]:
    return lambda features, labels: F.cross_entropy(-torch.cdist(features, head.weight), labels), [head.weight]


def _warped_cdist(head: EuclideanHead) -> tuple[Loss, list[Tensor]]:
    return lambda features, labels: _as_printed(torch.cdist(features, head.weight), labels), [head.weight]


def _plain_euclidean(head: EuclideanHead) -> tuple[Loss, list[Tensor]]:
    return lambda features, labels: warped.euclidean_softmax(head.distances(features), labels), [head.weight]


def _plain_warped(head: EuclideanHead) -> tuple[Loss, list[Tensor]]:
    def loss(features: Tensor, labels: Tensor) -> Tensor:
        return warped.warped_softmax(head.distances(features), labels, temperature=WARPED_TEMPERATURE, **WARP)

    return loss, [head.weight]


def _plain_multicenter(head: MultiCenterHead) -> tuple[Loss, list[Tensor]]:
    def loss(features: Tensor, labels: Tensor) -> Tensor:
        cross_entropy = multicenter.multicenter_cross_entropy(head(features), labels)
        return cross_entropy + multicenter.gaussian_kl(head.log_var)

    return loss, [head.weight, head.log_var]


def run(quick: bool = False) -> list[dict[str, Any]]:
    """A tensor of differences at N = 2,000; unless ``quick``, the goal and torch's distances at 100,000, others at 20,000."""
    rows = [
        _row("euclidean-softmax", FEW_CLASSES, "(B, N, d) differences + F.cross_entropy", _differences),
        _row("warped-softmax", FEW_CLASSES, "(B, N, d) differences + F.cross_entropy", _warped_differences),
    ]
    if quick:
        return rows
    library = "pytorch-metric-learning NormalizedSoftmaxLoss"
    normalised = _row("normalized-softmax", CLASSES, library, _library, temperature=TEMPERATURE)
    return [
        normalised | NORMALISED_GOAL,
        _row("euclidean-softmax", CLASSES, "torch.cdist + F.cross_entropy", _cdist),
        _row("warped-softmax", CLASSES, "torch.cdist + F.cross_entropy", _warped_cdist),
        _row("euclidean-softmax", FEWER_CLASSES, "EuclideanHead + euclidean_softmax", _plain_euclidean),
        _row("warped-softmax", FEWER_CLASSES, "EuclideanHead + warped_softmax", _plain_warped),
        _row("multicenter", FEWER_CLASSES, "MultiCenterHead + multicenter_cross_entropy", _plain_multicenter),
        *rows,
    ]
