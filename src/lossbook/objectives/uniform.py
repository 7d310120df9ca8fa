"""Objectives of the `uniform` paper: the twelve of Table I, ``bce-di`` (Eq. 63) and ``uce`` (UniFace, Zhou et al., 2023)."""

from __future__ import annotations

import functools
import math
from typing import Any

from torch import Tensor

from lossbook.heads.linear import Bias, CosineHead, Head, LinearHead
from lossbook.losses import uniform
from lossbook.losses.checks import Reduction
from lossbook.losses.fused.binary import binary_cross_entropy
from lossbook.losses.fused.softmax import cross_entropy
from lossbook.objectives.objective import Loss, Objective

_FUSED = {uniform.cross_entropy: cross_entropy, uniform.binary_cross_entropy: binary_cross_entropy}
_START_ARGUMENTS: dict[Bias, tuple[str, ...]] = {
    "zero": (),
    "diverse": ("bias_mode", "bias_start"),
    "unified": ("bias_start",),
}


def first_threshold(num_classes: int) -> float:
    r"""Where the threshold of a BCE starts, as in the code of UniFace and in the tables of the `uniform` paper:
    :math:`\log(10 N)`, at which a similarity of 0 has the probability :math:`1 / (1 + 10 N)`.

    From a threshold of 0 a BCE of many classes begins with all :math:`N - 1` negatives half wrong, and may never recover.

    Example:
        >>> round(first_threshold(100), 4)
        6.9078
    """
    return math.log(10 * num_classes)


def _start(loss: Loss, kind: type[Head], bias: Bias, num_classes: int, given: dict[str, Any], *others: str) -> dict[str, Any]:
    """The arguments of a head that say where its bias starts: by default a BCE's threshold at :func:`first_threshold`, and the
    bias of a softmax, which is no threshold, at 0."""
    known = _START_ARGUMENTS[bias]
    for argument in given:
        if argument not in known:
            raise TypeError(f"expected {' or '.join((*others, *known)) or 'none'}, got {argument}")
    given = {argument: value for argument, value in given.items() if value is not None}
    if loss is uniform.cross_entropy or bias == "zero" or given.get("bias_mode", 0):
        return given
    return {"bias_start": -kind.bias_sign * first_threshold(num_classes)} | given


def _of(head: Head, loss: Loss) -> Objective[Head]:
    binary = loss is uniform.binary_cross_entropy
    return Objective(head, loss, _FUSED[loss], learns_threshold=binary, soft_targets=True)


def _linear(loss: Loss, bias: Bias, in_features: int, num_classes: int, **start: Any) -> Objective[Head]:
    r"""A linear head.

    Args:
        bias_mode: start values of the diverse bias, 0..7: 0 is random within :math:`\pm 1 / \sqrt d`, the others are those of
            Table X; see :func:`~lossbook.heads.linear.diverse_bias`.
        bias_start: what the bias starts at, or what is added to the start values of its mode.  None: the threshold of a BCE
            starts at :math:`\log(10 N)` unless a mode says otherwise, the bias of a softmax at 0.
    """
    start = _start(loss, LinearHead, bias, num_classes, start)
    return _of(LinearHead(in_features, num_classes, bias, **start), loss)


def _cosine(loss: Loss, bias: Bias, in_features: int, num_classes: int, scale: float = 96.0, **start: Any) -> Objective[Head]:
    r"""A cosine head.

    Args:
        scale: of the cosines, :math:`\gamma > 0`.
        bias_mode: start values of the diverse bias, 0..7: 0 is random within :math:`\pm 1 / \sqrt d`, the others are those of
            Table X; see :func:`~lossbook.heads.linear.diverse_bias`.
        bias_start: what the bias starts at, or what is added to the start values of its mode.  None: the threshold of a BCE
            starts at :math:`\log(10 N)` unless a mode says otherwise, the bias of a softmax at 0.
    """
    start = _start(loss, CosineHead, bias, num_classes, start, "scale")
    return _of(CosineHead(in_features, num_classes, bias, scale, **start), loss)


def uce(
    in_features: int,
    num_classes: int,
    scale: float = 64.0,
    margin: float = 0.4,
    bias_start: float | None = None,
) -> Objective:
    r"""UniFace.

    Args:
        scale: of the cosines, :math:`s > 0`.
        margin: what the cosine of the own class is lowered by, :math:`m \ge 0`.
        bias_start: what the unified bias starts at; None: at :math:`\log(10 N)`.
    """
    start = first_threshold(num_classes) if bias_start is None else bias_start
    head = CosineHead(in_features, num_classes, "unified", scale, bias_start=start)
    fused_loss = functools.partial(binary_cross_entropy, margin=scale * margin)
    loss = functools.partial(uniform.uce, margin=margin, scale=scale)
    return Objective(head, loss, fused_loss, learns_threshold=True)


class OwnBiasObjective(Objective[LinearHead]):
    """``bce-di``: all similarities of a sample are compared with the bias of the sample's own class.

    A new sample has no label that could pick the bias.  As one bias shifts all similarities of a sample alike, prediction
    uses the similarities themselves.
    """

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        return self.loss(self.head.similarities(features), self.head.bias, labels, reduction=reduction)

    def _fused(self, features: Tensor, labels: Tensor, reduction: Reduction, sample_weight: Tensor | None) -> Tensor:
        thresholds = -self.head.bias[labels]
        weighted = {"reduction": reduction, "sample_weight": sample_weight}
        return self._fused_call()(features, self.head.weight, labels, sample_bias=thresholds, **weighted)

    def _logits(self, features: Tensor) -> Tensor:
        return self.head.similarities(features)

    def threshold(self) -> Tensor:
        """(N,): Eq. 63 subtracts the bias, whatever the head."""
        return self.head.bias.detach()


def bce_di(in_features: int, num_classes: int) -> Objective:
    head = LinearHead(in_features, num_classes, "diverse", bias_start=first_threshold(num_classes))
    return OwnBiasObjective(head, uniform.bce_di, binary_cross_entropy, learns_threshold=True)


soft_0 = functools.partial(_linear, uniform.cross_entropy, "zero")
soft_d = functools.partial(_linear, uniform.cross_entropy, "diverse")
soft_u = functools.partial(_linear, uniform.cross_entropy, "unified")
soft_n0 = functools.partial(_cosine, uniform.cross_entropy, "zero")
soft_nd = functools.partial(_cosine, uniform.cross_entropy, "diverse")
soft_nu = functools.partial(_cosine, uniform.cross_entropy, "unified")
bce_0 = functools.partial(_linear, uniform.binary_cross_entropy, "zero")
bce_d = functools.partial(_linear, uniform.binary_cross_entropy, "diverse")
bce_u = functools.partial(_linear, uniform.binary_cross_entropy, "unified")
bce_n0 = functools.partial(_cosine, uniform.binary_cross_entropy, "zero")
bce_nd = functools.partial(_cosine, uniform.binary_cross_entropy, "diverse")
bce_nu = functools.partial(_cosine, uniform.binary_cross_entropy, "unified")
