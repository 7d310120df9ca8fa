r"""Losses with a softmax in one pass: cross entropy, one-cold cross entropy, both, of whatever logits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lossbook.losses.fused.autograd import Gradients, one_pass
from lossbook.losses.fused.blocks import Precision, blocks, positions, sample_groups
from lossbook.losses.fused.products import Products, prepared


class _Sums(NamedTuple):
    """What a group's logits (M, b) are summed to, (b,) each; ``own`` (columns, b) are the own logits, not warped."""

    log_sum: Tensor
    log_anti: Tensor
    total: Tensor
    own: Tensor


@dataclass(frozen=True)
class Softmax:
    r"""What a softmax loss takes from a sample's logits :math:`z` (M,), with :math:`t` the first of its own columns:

    .. math:: L = a \Big[\log \sum_j e^{z_j} - \sum_i w_i z_{\text{own}_i} - \varepsilon \bar z\Big]
                  + b \Big[\log \sum_j e^{-z_j} + \frac{1}{M-1} \sum_{j \neq t} z_j\Big]

    Attributes:
        own: columns, (B,) each.
        weights: :math:`w`, one a column.
        smoothing: :math:`\varepsilon`; it adds up to 1 with the weights.
        cross_entropy, one_cold: :math:`a` and :math:`b`.
        warp: what takes the place of the first own logit, (B,) to (B,); None for itself.
    """

    own: Sequence[Tensor]
    weights: Sequence[float] = (1.0,)
    smoothing: float = 0.0
    cross_entropy: float = 1.0
    one_cold: float = 0.0
    warp: Callable[[Tensor], Tensor] | None = None

    def _warped(self, own: Tensor) -> tuple[Tensor, Tensor]:
        """The warped logits and the warp's slopes there."""
        with torch.enable_grad():
            own = own.detach().requires_grad_()
            warped = self.warp(own)
            (slopes,) = torch.autograd.grad(warped.sum(), own)
        return warped.detach(), slopes

    def sums(self, source: Any, group: slice, logits: Tensor) -> _Sums:
        """The first pass over the blocks.  Fills ``logits`` (M, b), or goes over it block after block if it is shorter."""
        log_sum, log_anti = torch.full_like(logits[:2], -torch.inf)
        total, own = torch.zeros_like(log_sum), logits.new_zeros(len(self.own), len(log_sum))
        source.restart()
        for block in blocks(source.length, source.size):
            z = logits[block] if len(logits) == source.length else logits[: block.stop - block.start]
            source.logits(block, group, z)
            for i, column in enumerate(self.own):
                inside, rows = positions(column[group], block)
                found = z.gather(0, rows)
                own[i] = torch.where(inside, found[0], own[i])
                if i == 0 and self.warp is not None:
                    z.scatter_(0, rows, torch.where(inside, self._warped(found)[0], found))
            if self.cross_entropy:
                log_sum = torch.logaddexp(log_sum, z.logsumexp(0))
            if self.one_cold:
                log_anti = torch.logaddexp(log_anti, (-z).logsumexp(0))
            if self.one_cold or self.smoothing:
                total += z.sum(0)
        return _Sums(log_sum, log_anti, total, own)

    def parts(self, sums: _Sums, length: int) -> tuple[Tensor, Tensor]:
        """Both brackets, summed over the group."""
        own = sums.own if self.warp is None else [self._warped(sums.own[0])[0], *sums.own[1:]]
        target = sum(weight * logit for weight, logit in zip(self.weights, own, strict=True))
        cross_entropy = sums.log_sum - target - self.smoothing / length * sums.total
        one_cold = sums.log_anti + (sums.total - own[0]) / (length - 1)
        return cross_entropy.sum(), one_cold.sum()

    def pull(self, source: Any, group: slice, logits: Tensor, sums: _Sums) -> None:
        """The second pass: from the logits of all classes to the source's gradients."""
        even = self.one_cold / (source.length - 1) - self.cross_entropy * self.smoothing / source.length
        at_own = [-self.cross_entropy * weight for weight in self.weights]
        at_own[0] -= self.one_cold / (source.length - 1)
        source.restart()
        for block in blocks(source.length, source.size):
            z, gradient = logits[block], None  # frees the last block's gradient
            if self.cross_entropy:
                gradient = (z - sums.log_sum).exp_().mul_(self.cross_entropy)
            if self.one_cold:
                anti = (-sums.log_anti - z).exp_().mul_(-self.one_cold)
                gradient = anti if gradient is None else gradient.add_(anti)
                del anti
            if even:
                gradient.add_(even)
            for i, column in enumerate(self.own):
                inside, rows = positions(column[group], block)
                gradient.scatter_add_(0, rows, (at_own[i] * inside.to(z.dtype)).unsqueeze(0))
                if i == 0 and self.warp is not None:
                    there = gradient.gather(0, rows)
                    gradient.scatter_(0, rows, torch.where(inside, there * self._warped(sums.own[0])[1], there))
                    z.scatter_(0, rows, torch.where(inside, sums.own[0], z.gather(0, rows)))
            source.pull(block, group, gradient, z)


def softmax_form(
    needs: Sequence[bool], *inputs: Tensor | None, build: Callable[..., Any], goal: Softmax, groups: list[slice]
) -> tuple[tuple[Tensor, ...], Gradients]:
    """The loss of the logits that ``build(needs, *inputs)`` makes, its two parts, and every sample's first own logit, (B,)."""
    source = build(needs, *inputs)
    rows = source.length if any(needs) else min(source.size, source.length)
    buffer = torch.empty(rows * (groups[0].stop - groups[0].start), dtype=source.wide, device=source.features.device)
    parts, own = buffer.new_zeros(2, dtype=torch.float64), []
    for group in groups:
        samples = group.stop - group.start
        logits = buffer[: rows * samples].view(rows, samples)
        sums = goal.sums(source, group, logits)
        parts += torch.stack(goal.parts(sums, source.length))
        own.append(sums.own[0])
        if any(needs):
            goal.pull(source, group, logits, sums)
    cross_entropy, one_cold = (parts / len(inputs[0])).to(source.wide)
    # A part with weight 0 was not computed and is infinite.
    loss = sum(weight * part for weight, part in ((goal.cross_entropy, cross_entropy), (goal.one_cold, one_cold)) if weight)
    return (loss, cross_entropy, one_cold, torch.cat(own)), source.gradients(inputs[0])


def _softmax(features: Tensor, weight: Tensor, bias: Tensor | None, scale: float | None, goal: Softmax) -> tuple[Tensor, ...]:
    """The loss, its cross entropy, its one-cold cross entropy."""
    features, bias = prepared(features, weight, goal.own[0], bias, scale)
    groups = sample_groups(len(features), features.shape[1])
    precision = Precision.of(features, weight)

    def build(needs: Sequence[bool], features: Tensor, weight: Tensor, bias: Tensor | None) -> Products:
        return Products(features, weight, bias, scale, precision, needs, len(groups))

    form = functools.partial(softmax_form, build=build, goal=goal, groups=groups)
    return one_pass(form, features, weight, bias)[:3]


@torch.compiler.disable
def cross_entropy(
    features: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    r"""A linear or cosine head and :func:`~lossbook.losses.uniform.cross_entropy`, of memory (N, 5/4 d).

    .. math:: L = -\log \frac{e^{z_y}}{\sum_j e^{z_j}}

    Args:
        features, weight, labels, bias, scale: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`.

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # log 4
        tensor(1.3863)
    """
    return _softmax(features, weight, bias, scale, Softmax([labels]))[0]


@torch.compiler.disable
def one_cold_cross_entropy(
    features: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    r"""A linear or cosine head and :func:`~lossbook.losses.onecold.one_cold_cross_entropy` with the uniform target.

    .. math:: L = \log \sum_j e^{-z_j} + \frac{1}{N-1} \sum_{j \neq y} z_j

    Args:
        features, weight, labels, bias, scale: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`.

    Returns:
        Scalar, at least log(N - 1), in nats.

    Example:
        >>> one_cold_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # log 4
        tensor(1.3863)
    """
    return _softmax(features, weight, bias, scale, Softmax([labels], cross_entropy=0.0, one_cold=1.0))[0]


@torch.compiler.disable
def cross_entropy_with_one_cold(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = None,
    scale: float | None = None,
    one_cold_weight: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Both in one pass, Eq. 8 of `onecold`: :math:`L + \gamma L_{OCCE}`.

    Args:
        features, weight, labels, bias, scale: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`.
        one_cold_weight: :math:`\gamma > 0`.

    Returns:
        The loss, and its two parts without a gradient and without the weight.

    Example:
        >>> cross_entropy_with_one_cold(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]), one_cold_weight=2.0)
        (tensor(4.1589), tensor(1.3863), tensor(1.3863))
    """
    if not one_cold_weight > 0:
        raise ValueError(f"expected one_cold_weight > 0, got {one_cold_weight}")
    return _softmax(features, weight, bias, scale, Softmax([labels], one_cold=one_cold_weight))
