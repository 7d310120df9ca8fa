"""Combinations that none of the five papers has, for the cross-paper comparison.

Two more need no code: the one-cold term on a BCE is ``bce+occe`` of :mod:`lossbook.objectives.onecold`, the uniform
term of `bce3s` with a softmax is ``bce3s`` with ``joint="ce", contrastive=None, uniform="bce"``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lossbook.heads.euclidean import EuclideanHead
from lossbook.heads.multicenter import MultiCenterHead
from lossbook.losses.checks import Reduction
from lossbook.losses.multicenter import gaussian_kl
from lossbook.losses.uniform import binary_cross_entropy
from lossbook.losses.warped import warp
from lossbook.objectives.objective import Objective


class MultiCenterBinaryObjective(Objective[MultiCenterHead]):
    r"""The sampled centres of `multicenter` with the binary cross entropy of `uniform`.

    .. math:: L = \tfrac12 \operatorname{BCE}(z_{\cdot,0}) + \tfrac{1}{2K} \sum_{k=1}^{K} \operatorname{BCE}(z_{\cdot,k})
                  + \beta L_{\sigma^2}

    Each centre has a BCE of its own, weighted by the share that the multi-centre label gives to the centre (Eq. 8 of
    `multicenter`).

    Args:
        num_subcenters: sampled sub-centres per class, :math:`K \ge 1`.
        sigma_scale: factor of the sub-centres' standard deviation, at least 0.
        kl_weight: of the divergence, :math:`\beta \ge 0`.
    """

    def __init__(
        self, in_features: int, num_classes: int, num_subcenters: int = 2, sigma_scale: float = 1.0, kl_weight: float = 1.0
    ) -> None:
        if num_subcenters < 1:
            raise ValueError(f"expected num_subcenters >= 1, got {num_subcenters}")
        head = MultiCenterHead(in_features, num_classes, num_subcenters, sigma_scale)
        super().__init__(head, binary_cross_entropy, learns_threshold=True)
        self.kl_weight = kl_weight

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        if self.training:
            centers = self.head.center_logits(features, self.head.centers())
            center, *subcenters = (self.loss(logits, labels, reduction=reduction) for logits in centers.unbind(2))
        else:
            center = self.loss(self.head.similarities(features), labels, reduction=reduction)
            subcenters = [center]
        divergence = gaussian_kl(self.head.log_var)
        self.measured = {"kl": divergence.detach(), "sigma": self.head.sigma().mean()}
        return (center + sum(subcenters) / len(subcenters)) / 2 + self.kl_weight * divergence

    def _logits(self, features: Tensor) -> Tensor:
        """Similarities to the class centres, in training too: (B, d) -> (B, C)."""
        return self.head.similarities(features)


class BallHead(EuclideanHead):
    r"""A class is a ball around its proxy, all balls have one learned radius: :math:`c_j(x) = r - \|x - p_j\|`.

    The radius is a unified bias, so ``threshold()`` is :math:`-r` on minus the distances.
    """

    def __init__(self, in_features: int, num_classes: int, radius: float) -> None:
        super().__init__(in_features, num_classes)
        self.bias = nn.Parameter(torch.full((1,), float(radius)))


class EuclideanBinaryObjective(Objective[BallHead]):
    r"""The binary cross entropy of (warped) distances to proxies, with a learned radius.

    .. math:: L = \log\big(1 + e^{T (f_1(d_y) - r)}\big) + \sum_{j \neq y} \log\big(1 + e^{T (r - d_j)}\big)

    :math:`f_1` is Eq. 7 of `warped` where ``alpha`` is given, else the identity.

    Args:
        temperature: factor of the distances, :math:`T > 0`, in 1 / distance.
        radius: what the learned radius of the balls starts at, a length.
        alpha: the point of attraction of the warp, a length; None: no warp.
        k1: slope of the own distance within alpha, above 0 and at most 1.
        k2: slope of the own distance beyond alpha, at least 1.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        temperature: float = 1.0,
        radius: float = 8.0,
        alpha: float | None = None,
        k1: float = 1.0,
        k2: float = 1.0,
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        super().__init__(BallHead(in_features, num_classes, radius), binary_cross_entropy, learns_threshold=True)
        self.temperature, self.alpha, self.k1, self.k2 = temperature, alpha, k1, k2

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        distances = self.head.distances(features)
        if self.alpha is not None:
            own = labels.unsqueeze(1)
            distances = distances.scatter(1, own, warp(distances.gather(1, own), self.alpha, self.k1, self.k2))
        return self.loss(self.temperature * (self.head.bias - distances), labels, reduction=reduction)

    def _logits(self, features: Tensor) -> Tensor:
        """The loss's logits for an image without a label: T (r - d), (B, d) -> (B, N)."""
        return self.temperature * self.head(features)


def warped_bce(
    in_features: int, num_classes: int, alpha: float = 8.0, k1: float = 0.8, k2: float = 1.3, **arguments: float
) -> Objective:
    return EuclideanBinaryObjective(in_features, num_classes, alpha=alpha, k1=k1, k2=k2, **arguments)
