"""Losses of pytorch-metric-learning behind the registry's interface: what `warped` compares with.

All compare directions: prediction takes the largest cosine.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.heads.linear import CosineHead
from lossbook.losses.checks import Reduction
from lossbook.losses.fused.softmax import cross_entropy
from lossbook.objectives.checks import check_no_vmap
from lossbook.objectives.objective import H, Objective
from lossbook.optional import extra
from lossbook.precision import at_least_float32


def library_losses() -> Any:
    with extra("metric-learning"):
        from pytorch_metric_learning import losses  # imported late, as it takes a second

    return losses


def _angles(cosines: Tensor) -> Tensor:
    """The angles of cosines; those of 1 and -1, where the arc cosine has no slope, are the nearest ones that have one."""
    limit = 1 - torch.finfo(cosines.dtype).eps / 2
    return cosines.clamp(-limit, limit).acos()


def _nca_computation(
    query: Tensor,
    proxies: Tensor,
    labels: Tensor,
    proxy_labels: Tensor,
    indices_tuple: None,
    *,
    distance: nn.Module,
    softmax_scale: float,
) -> dict[str, Any]:
    """The library's losses, and those of the hardest samples: the library leaves a sample out whose probability underflows, and
    divides by those that nearly do.  The logarithm of such a probability is taken from the logits."""
    logits = softmax_scale * -distance(query, proxies)
    own = labels.unsqueeze(1)
    probability = logits.softmax(1).gather(1, own).squeeze(1)
    normal = probability >= torch.finfo(probability.dtype).tiny
    losses = torch.where(normal, -probability.where(normal, 1.0).log(), -logits.log_softmax(1).gather(1, own).squeeze(1))
    return {"loss": {"losses": losses, "indices": torch.arange(len(query), device=query.device), "reduction_type": "element"}}


def _keep_types(dtype: torch.dtype, device: torch.device) -> None:
    """The library gives its parameters the features' type, in place; here the features have the parameters' type."""


def repaired(loss: Any) -> nn.Module:
    """A loss module of the library without its holes: the gradient of ArcFace at a cosine of 1 is finite (0), ProxyNCA++ counts
    every sample, and no call writes on the parameters.  All other values are the same, to the last bit."""
    if hasattr(loss, "get_angles"):
        loss.get_angles = _angles
    if hasattr(loss, "nca_computation"):
        loss.nca_computation = functools.partial(_nca_computation, distance=loss.distance, softmax_scale=loss.softmax_scale)
    loss.cast_types = _keep_types
    return loss


class PerSample(nn.Module):
    """A loss module of the library without its last step, the mean over the samples."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        from pytorch_metric_learning.reducers import DoNothingReducer

        reducer, self.module.reducer = self.module.reducer, DoNothingReducer()
        try:
            return self.module(features, labels)["loss"]["losses"]
        finally:
            self.module.reducer = reducer


class _Borrowed:
    """A loss module whose only parameter is replaced by the head's weight at every call.

    This class is no ``nn.Module``, so the loss module's own parameter is neither trained nor stored.
    """

    def __init__(self, module: nn.Module) -> None:
        ((self.name, _),) = module.named_parameters()
        self.module = module

    def start(self) -> Tensor:
        """The module's own start values, (N, d)."""
        return self._turned(self.module.get_parameter(self.name).detach())

    def _turned(self, weight: Tensor) -> Tensor:
        """From (N, d) to the module's own layout, or back: ``proxies`` are (N, d), ``W`` is (d, N)."""
        return weight.T if self.name == "W" else weight

    def move_to(self, device: torch.device) -> None:
        """Make the classes of the proxies on the device; the library would copy them there at every call."""
        classes = getattr(self.module, "proxy_labels", None)
        if classes is not None and classes.device != device:
            self.module.proxy_labels = torch.arange(len(classes), device=device)

    def __call__(self, weight: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        return torch.func.functional_call(self.module, {self.name: self._turned(weight)}, (features, labels))

    def per_sample(self, weight: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The losses whose mean a call gives, (B,)."""
        parameters = {f"module.{self.name}": self._turned(weight)}
        return torch.func.functional_call(PerSample(self.module), parameters, (features, labels))


class BorrowedObjective(Objective[H]):
    """A loss of the library: it takes features of the parameters' type, whatever autocast asks for.

    A direction changes with 1 / length, and so does the gradient.  At a zero feature, which has no direction, the library's
    normalisation makes it 1e12 times that at a feature of length 1, which is finite in float32.  Where features can be zero, as
    after a ReLU, clip the gradient.

    Most of them choose entries by value, which ``torch.func.vmap`` cannot; those that do not have ``vmaps``.
    """

    vmaps = False

    def _forward(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None, reduction: Reduction) -> Tensor:
        if not self.vmaps:
            check_no_vmap(features, labels)
        features = features.to(self.head.weight.dtype)
        kind = features.device.type
        with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else contextlib.nullcontext():
            return super()._forward(features, labels, sample_weight, reduction)


class ProxyObjective(BorrowedObjective[CosineHead]):
    """A loss with one proxy per class.

    Args:
        loss: a module of one parameter, (features, labels) to a scalar: ``proxies`` (N, d) or ``W`` (d, N).
        scale: of the cosines in ``logits``: with it they are the logits of the loss up to margins and constants.
        fused_loss: see :class:`Objective`.
        per_sample: the loss is the mean of one loss per sample.
        vmaps: see :class:`BorrowedObjective`.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        loss: nn.Module,
        scale: float,
        fused_loss: Callable[..., Any] | None = None,
        per_sample: bool = True,
        vmaps: bool = False,
    ) -> None:
        borrowed = _Borrowed(repaired(loss))
        super().__init__(CosineHead(in_features, num_classes, "zero", scale), borrowed, fused_loss)
        self._borrowed = borrowed
        self.head.weight.data.copy_(borrowed.start())
        self.per_sample, self.vmaps = per_sample, vmaps

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        self._borrowed.move_to(features.device)
        loss = self._borrowed if reduction == "mean" else self._borrowed.per_sample
        return loss(at_least_float32(self.head.weight), at_least_float32(features), labels)  # not all have half precision


class PairObjective(BorrowedObjective[CosineHead]):
    """A loss of pairs of samples, without proxies.

    ``head.weight`` is not trained: it holds a running mean of each class's directions, in which the mean of a new batch
    has a share of one tenth (the first one: the whole).  A class has the mean zero, and the cosine zero, until it is seen.

    Args:
        loss: (features, labels) to a scalar, no parameters.
    """

    per_sample = False

    def __init__(self, in_features: int, num_classes: int, loss: nn.Module) -> None:
        super().__init__(CosineHead(in_features, num_classes, "zero", scale=1.0), loss)
        self.head.weight.requires_grad_(False)
        nn.init.zeros_(self.head.weight)

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        if self.training:
            self._follow(*self._of_all_processes(features.detach(), labels))
        return self.loss(at_least_float32(features), labels)  # not all have half precision

    @torch.no_grad()
    def _follow(self, features: Tensor, labels: Tensor) -> None:
        means = self.head.weight
        sums = torch.zeros_like(means).index_add_(0, labels, F.normalize(features))
        counts = means.new_zeros(len(means)).index_add_(0, labels, means.new_ones(len(labels)))
        share = torch.where(means.any(1), 0.1, 1.0).to(means.dtype) * (counts > 0)
        means.lerp_(sums / counts.clamp_min(1).unsqueeze(1), share.unsqueeze(1))


def proxy_nca(in_features: int, num_classes: int, scale: float = 9.0) -> Objective:
    """ProxyNCA++: a softmax of squared distances on the sphere.

    Args:
        scale: factor of the squared distances, above 0; the paper's temperature of 1/9 is the scale of 9.
    """
    loss = library_losses().ProxyNCALoss(num_classes, in_features, softmax_scale=scale)
    return ProxyObjective(in_features, num_classes, loss, 2 * scale, vmaps=True)  # |x - p|^2 = 2 - 2 cos


def proxy_anchor(in_features: int, num_classes: int, margin: float = 0.1, alpha: float = 32.0) -> Objective:
    """Proxy Anchor.

    Args:
        margin: by which a cosine must exceed 0 to the own proxy, and stay below 0 to the others.
        alpha: factor of the cosines, above 0.
    """
    loss = library_losses().ProxyAnchorLoss(num_classes, in_features, margin=margin, alpha=alpha)
    return ProxyObjective(in_features, num_classes, loss, alpha, per_sample=False)


def normalized_softmax(in_features: int, num_classes: int, temperature: float = 0.05) -> Objective:
    """The normalised softmax.

    Args:
        temperature: what the cosines are divided by, above 0, as in the paper.
    """
    loss = library_losses().NormalizedSoftmaxLoss(num_classes, in_features, temperature=temperature)
    return ProxyObjective(in_features, num_classes, loss, 1 / temperature, cross_entropy, vmaps=True)


def arcface(in_features: int, num_classes: int, margin: float = math.radians(28.6), scale: float = 64.0) -> Objective:
    """ArcFace.

    Args:
        margin: what is added to the angle to the own class, in radians.
        scale: of the cosines, above 0.
    """
    loss = library_losses().ArcFaceLoss(num_classes, in_features, margin=math.degrees(margin), scale=scale)
    return ProxyObjective(in_features, num_classes, loss, scale)


def cosface(in_features: int, num_classes: int, margin: float = 0.35, scale: float = 64.0) -> Objective:
    """CosFace.

    Args:
        margin: what the cosine of the own class is lowered by.
        scale: of the cosines, above 0.
    """
    return ProxyObjective(
        in_features, num_classes, library_losses().CosFaceLoss(num_classes, in_features, margin=margin, scale=scale), scale
    )


def multi_similarity(in_features: int, num_classes: int, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5) -> Objective:
    """Multi-Similarity.

    Args:
        alpha: factor of the cosines of pairs of one class, above 0.
        beta: factor of the cosines of pairs of two classes, above 0.
        base: the cosine from which both kinds of pairs are counted.
    """
    return PairObjective(in_features, num_classes, library_losses().MultiSimilarityLoss(alpha=alpha, beta=beta, base=base))


def contrastive(in_features: int, num_classes: int, pos_margin: float = 0.0, neg_margin: float = 1.0) -> Objective:
    """The contrastive loss.

    Args:
        pos_margin: distance on the sphere beyond which a pair of one class costs.
        neg_margin: distance on the sphere below which a pair of two classes costs.
    """
    return PairObjective(in_features, num_classes, library_losses().ContrastiveLoss(pos_margin=pos_margin, neg_margin=neg_margin))
