"""Objectives of the `multicenter` paper: the multi-centre classifier, alone and with the margins of Table 6, and two
classifiers with learned (not sampled) sub-centres from pytorch-metric-learning.

With ``num_subcenters=0`` the first three are their uni-centre baselines: the linear softmax, L-Softmax and ArcFace.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lossbook.heads.multicenter import MultiCenterCosineHead, MultiCenterHead
from lossbook.losses.checks import Reduction, reduce
from lossbook.losses.fused import subcenters
from lossbook.losses.multicenter import (
    additive_angular_margin,
    gaussian_kl,
    large_margin,
    multicenter_cross_entropy,
    with_margin,
)
from lossbook.objectives.metric_learning import BorrowedObjective, PerSample, library_losses, repaired
from lossbook.objectives.objective import Objective, Targets, mixture
from lossbook.objectives.schedule import Schedule


class MultiCenterObjective(Objective[MultiCenterHead | MultiCenterCosineHead]):
    """Eq. 11: cross entropy over all centres plus the standard deviation loss.

    In evaluation the cross entropy is that of the class centres alone, which predict: no sub-centre is drawn.

    ``measured`` holds the divergence (``kl``) and the mean standard deviation of the sub-centres (``sigma``).

    Args:
        kl_weight: of the standard deviation loss, at least 0.
        center_weight: share of the label that the class centre has, within [0, 1]; the sub-centres have equal parts of the rest.
        label_smoothing: share of the label that is spread over all classes, within [0, 1].
        fused_loss: see :class:`Objective`.
    """

    def __init__(
        self,
        head: MultiCenterHead | MultiCenterCosineHead,
        kl_weight: float = 1.0,
        center_weight: float = 0.5,
        label_smoothing: float = 0.0,
        fused_loss: Callable[..., Any] | None = None,
    ) -> None:
        label: dict[str, Any] = {"center_weight": center_weight, "label_smoothing": label_smoothing}
        super().__init__(
            head,
            functools.partial(multicenter_cross_entropy, **label),
            None if fused_loss is None else functools.partial(fused_loss, **label),
        )
        if not kl_weight >= 0:
            raise ValueError(f"expected kl_weight >= 0, got {kl_weight}")
        self.kl_weight = float(kl_weight)

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        return self._total(features, ((1.0, labels),), reduction)

    def _fused(self, features: Tensor, labels: Tensor, reduction: Reduction, sample_weight: Tensor | None) -> Tensor:
        if not self.training:
            losses = self._plain(features, labels, "none" if sample_weight is not None else reduction)
            return losses if sample_weight is None else reduce(losses, reduction, sample_weight)
        head = self.head
        drawn = (head.num_subcenters, head.sigma_scale, head.generator)
        weighted = {"reduction": reduction, "sample_weight": sample_weight}
        return self._with_divergence(self._fused_call()(features, head.weight, head.log_var, labels, *drawn, **weighted))

    def mixed(self, features: Tensor, labels: Tensor, partners: Tensor, share: float | Tensor) -> Tensor:
        """Both labels see the same sub-centres: the cross entropy with a soft label spread over the centres of both."""
        self._check_mixed(features, labels, partners, share)
        reduction: Reduction = "none" if isinstance(share, Tensor) else "mean"
        return self._total(features, ((share, labels), (1 - share, partners)), reduction).mean()

    def _logits(self, features: Tensor) -> Tensor:
        """Similarities to the class centres, in training too: (B, d) -> (B, C)."""
        return self.head.similarities(features)

    def _total(self, features: Tensor, targets: Targets, reduction: Reduction) -> Tensor:
        centers = self.head.centers() if self.training else self.head.weight.unsqueeze(1)
        logits = self.head.center_logits(features, centers)

        def loss_of(y: Tensor) -> Tensor:
            return self.loss(self._margined(logits, y, features, centers), y, reduction=reduction)

        loss = mixture(targets, loss_of)
        return self._with_divergence(loss)

    def _with_divergence(self, loss: Tensor) -> Tensor:
        if self.head.num_subcenters == 0:
            return loss
        divergence = gaussian_kl(self.head.log_var)
        self.measured = {"kl": divergence.detach(), "sigma": self.head.sigma().mean()}
        return loss + self.kl_weight * divergence if self.kl_weight else loss

    def _margined(self, logits: Tensor, labels: Tensor, features: Tensor, centers: Tensor) -> Tensor:
        return logits


def _margin_share(epoch: int, epochs: int) -> float:
    return min(1.0, 2 * epoch / epochs)


class LargeMarginObjective(MultiCenterObjective):
    """With L-Softmax's margin on the own class' logits.

    L-Softmax does not train with its full margin from the start, so the margin grows from nothing to its full size over the
    first half of the training.
    """

    def __init__(self, *args: Any, margin: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        large_margin(torch.zeros(1), margin)  # raises for a wrong margin
        self.margin = margin
        self.schedule = Schedule("start_epoch", share=_margin_share)

    def _margined(self, logits: Tensor, labels: Tensor, features: Tensor, centers: Tensor) -> Tensor:
        share = self._scheduled().share
        lengths = features.norm(dim=1, keepdim=True) * centers.norm(dim=2)[labels]
        return with_margin(logits, labels, lengths, lambda c: torch.lerp(c, large_margin(c, self.margin), share))


class AngularMarginObjective(MultiCenterObjective):
    """With ArcFace's margin on the own class' scaled cosines."""

    def __init__(self, *args: Any, margin: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.margin = functools.partial(additive_angular_margin, margin=margin)

    def _margined(self, logits: Tensor, labels: Tensor, features: Tensor, centers: Tensor) -> Tensor:
        return with_margin(logits, labels, logits.new_tensor(self.head.scale), self.margin)


def multicenter(
    in_features: int, num_classes: int, num_subcenters: int = 2, sigma_scale: float = 1.0, **weights: float
) -> Objective:
    """The multi-centre classifier.

    Args:
        num_subcenters: sampled sub-centres per class, K; 0: the class centre alone.
        sigma_scale: factor of the sub-centres' standard deviation, at least 0; 1 in the paper, 0.1 in the authors' code.
        weights: see :class:`MultiCenterObjective`.
    """
    head = MultiCenterHead(in_features, num_classes, num_subcenters, sigma_scale)
    fused_loss = subcenters.multicenter_cross_entropy if head.num_subcenters else None
    return MultiCenterObjective(head, **weights, fused_loss=fused_loss)


def multicenter_lsoftmax(
    in_features: int,
    num_classes: int,
    num_subcenters: int = 2,
    sigma_scale: float = 1.0,
    margin: int = 2,
    **weights: float,
) -> Objective:
    """With L-Softmax's margin.

    Args:
        num_subcenters: sampled sub-centres per class, K; 0: the class centre alone.
        sigma_scale: factor of the sub-centres' standard deviation, at least 0; 1 in the paper, 0.1 in the authors' code.
        margin: what the angle to the own class is multiplied by, a whole number; 1 is no margin.
        weights: see :class:`MultiCenterObjective`.
    """
    head = MultiCenterHead(in_features, num_classes, num_subcenters, sigma_scale)
    return LargeMarginObjective(head, margin=margin, **weights)


def multicenter_arc(
    in_features: int,
    num_classes: int,
    num_subcenters: int = 2,
    sigma_scale: float = 1.0,
    scale: float = 16.0,
    margin: float = 0.2,
    **weights: float,
) -> Objective:
    """With ArcFace's margin.

    Args:
        num_subcenters: sampled sub-centres per class, K; 0: the class centre alone.
        sigma_scale: factor of the sub-centres' standard deviation, at least 0; 1 in the paper, 0.1 in the authors' code.
        scale: of the cosines, above 0.
        margin: what is added to the angle to the own class, in radians.
        weights: see :class:`MultiCenterObjective`.
    """
    head = MultiCenterCosineHead(in_features, num_classes, num_subcenters, sigma_scale, scale)
    return AngularMarginObjective(head, margin=margin, **weights)


class _LibraryHead(nn.Module):
    """A classifier of pytorch-metric-learning as a head: it holds C x K learned sub-centres as columns, (d, C K)."""

    bias: None

    def __init__(self, classifier: nn.Module, parameter: str, num_classes: int) -> None:
        super().__init__()
        self.classifier = repaired(classifier)
        self.parameter = parameter
        self.num_classes = num_classes
        self.register_parameter("bias", None)

    @property
    def weight(self) -> Tensor:
        """Class centres, the mean of each class' sub-centres, (C, d)."""
        return getattr(self.classifier, self.parameter).detach().T.unflatten(0, (self.num_classes, -1)).mean(1)

    def similarities(self, features: Tensor) -> Tensor:
        """The classifier's own class similarities, (B, d) -> (B, C)."""
        get_logits: Any = self.classifier.get_logits
        return get_logits(features)

    def forward(self, features: Tensor) -> Tensor:
        return self.similarities(features)

    def threshold(self) -> Tensor:
        return self.weight.new_zeros(())


class LibraryObjective(BorrowedObjective[_LibraryHead]):
    """A classifier of pytorch-metric-learning with its own loss."""

    def __init__(self, head: _LibraryHead) -> None:
        super().__init__(head, head.classifier)

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        return self.loss(features, labels) if reduction == "mean" else PerSample(self.head.classifier)(features, labels)


def softtriple(
    in_features: int,
    num_classes: int,
    num_subcenters: int = 2,
    scale: float = 20.0,
    gamma: float = 0.1,
    margin: float = 0.01,
) -> Objective:
    """SoftTriple.

    Args:
        num_subcenters: learned sub-centres per class.
        scale: of the similarities, above 0.
        gamma: temperature of the softmax over a class's sub-centres, above 0.
        margin: what the similarity to the own class is lowered by.
    """
    classifier = library_losses().SoftTripleLoss(
        num_classes, in_features, centers_per_class=int(num_subcenters), la=scale, gamma=gamma, margin=margin
    )
    return LibraryObjective(_LibraryHead(classifier, "fc", num_classes))


def subcenter_arcface(
    in_features: int, num_classes: int, num_subcenters: int = 2, scale: float = 16.0, margin: float = 0.2
) -> Objective:
    """Sub-centre ArcFace.

    Args:
        num_subcenters: learned sub-centres per class.
        scale: of the cosines, above 0.
        margin: what is added to the angle to the own class, in radians.
    """
    classifier = library_losses().SubCenterArcFaceLoss(
        num_classes=num_classes,
        embedding_size=in_features,
        sub_centers=int(num_subcenters),
        scale=scale,
        margin=math.degrees(margin),
    )
    return LibraryObjective(_LibraryHead(classifier, "W", num_classes))
