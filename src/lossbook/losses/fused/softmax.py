r"""Losses with a softmax in one pass: cross entropy, one-cold cross entropy, both, of whatever logits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from lossbook.losses.checks import Reduction, is_soft
from lossbook.losses.fused.autograd import Gradients, Values, one_pass
from lossbook.losses.fused.blocks import Precision, blocks, positions, sample_groups
from lossbook.losses.fused.products import Products, prepared
from lossbook.losses.fused.samples import Details, Largest, Weighting
from lossbook.precision import widest, without_vanishing_

# A block of classes to where its logits of a group of samples wait for the second pass, (n, b).
Store = Callable[[slice], Tensor]


class _Sums(NamedTuple):
    """What a group's logits (M, b) are summed to, (b,) each; ``own`` (columns, b) are the own logits, not warped, or with soft
    targets their mean, (1, b)."""

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
        weights: :math:`w`, one per column.
        soft: targets :math:`t` (B, N) in place of the own columns; each class has as many columns as there are weights, side by
            side, so that :math:`t_c w_i` takes the place of :math:`w_i`.
        smoothing: :math:`\varepsilon`; it adds up to 1 with the weights.
        cross_entropy, one_cold: :math:`a` and :math:`b`.
        warp: what takes the place of the first own logit, (B,) to (B,); None for itself.
    """

    own: Sequence[Tensor] = ()
    weights: Sequence[float] = (1.0,)
    soft: Tensor | None = None
    smoothing: float = 0.0
    cross_entropy: float = 1.0
    one_cold: float = 0.0
    warp: Callable[[Tensor], Tensor] | None = None

    def _slopes(self, own: Tensor) -> Tensor:
        """The warp's slopes."""
        assert self.warp is not None
        with torch.enable_grad():
            own = own.detach().requires_grad_()
            return torch.autograd.grad(self.warp(own).sum(), own)[0]

    def _shares(self, block: slice, group: slice, dtype: torch.dtype) -> Tensor:
        """What a block's logits count in the target of a group's samples with soft targets, (n, b)."""
        assert self.soft is not None
        count = len(self.weights)
        of_classes = self.soft[group, block.start // count : block.stop // count].T.to(dtype)
        if count == 1:
            return of_classes
        weights = torch.tensor(self.weights, dtype=dtype, device=of_classes.device)
        return (of_classes.unsqueeze(1) * weights.unsqueeze(1)).flatten(0, 1)

    def sums(self, source: Any, group: slice, store: Store, seen: Largest | None = None) -> _Sums:
        """The first pass over the blocks.  Fills the store; ``seen`` sees the first logit of every class."""
        samples, count = group.stop - group.start, len(self.weights)
        log_sum, log_anti = torch.full((2, samples), -torch.inf, dtype=source.wide, device=source.features.device)
        total, own = torch.zeros_like(log_sum), log_sum.new_zeros(max(1, len(self.own)), samples)
        source.restart()
        for block in blocks(source.length, source.size):
            z = source.logits(block, group, store(block))
            if seen is not None:
                seen.see(z[::count], block.start // count)
            if self.soft is not None:
                own[0] += (self._shares(block, group, z.dtype) * z).sum(0)
            for i, column in enumerate(self.own):
                inside, rows = positions(column[group], block)
                found = z.gather(0, rows)
                own[i] = torch.where(inside, found[0], own[i])
                if i == 0 and self.warp is not None:
                    z.scatter_(0, rows, torch.where(inside, self.warp(found), found))
            if self.cross_entropy:
                log_sum = torch.logaddexp(log_sum, _logsumexp(z))
            if self.one_cold:
                log_anti = torch.logaddexp(log_anti, _logsumexp(-z))
            if self.one_cold or self.smoothing:
                total += z.sum(0)
        return _Sums(log_sum, log_anti, total, own)

    def parts(self, sums: _Sums, length: int) -> tuple[Tensor, Tensor]:
        """Both brackets of every sample of the group."""
        own = sums.own if self.warp is None else [self.warp(sums.own[0]), *sums.own[1:]]
        shares = self.weights if self.soft is None else (1.0,)
        target = sum(share * logit for share, logit in zip(shares, own, strict=True))
        cross_entropy = sums.log_sum - target - self.smoothing / length * sums.total
        one_cold = sums.log_anti + (sums.total - own[0]) / (length - 1)
        return cross_entropy, one_cold

    def loss(self, cross_entropy: Tensor, one_cold: Tensor) -> Tensor:
        """Both brackets together.  A part with weight 0 was not computed and is infinite."""
        parts = ((self.cross_entropy, cross_entropy), (self.one_cold, one_cold))
        return cast(Tensor, sum(weight * part for weight, part in parts if weight))

    def pull(self, source: Any, group: slice, store: Store, sums: _Sums, factors: Tensor | None) -> None:
        """The second pass: from the logits of all classes to the source's gradients."""
        even = self.one_cold / (source.length - 1) - self.cross_entropy * self.smoothing / source.length
        at_own = [-self.cross_entropy * weight for weight in self.weights]
        at_own[0] -= self.one_cold / (source.length - 1)
        source.restart()
        gradient: Any
        for block in blocks(source.length, source.size):
            z, gradient = source.logits_again(block, store(block)), None  # frees the last block's gradient
            if self.cross_entropy:
                gradient = without_vanishing_(z - sums.log_sum).exp_().mul_(self.cross_entropy)
            if self.one_cold:
                anti = without_vanishing_(-sums.log_anti - z).exp_().mul_(-self.one_cold)
                gradient = anti if gradient is None else gradient.add_(anti)
                del anti
            if even:
                gradient.add_(even)
            if self.soft is not None:
                at_targets = -self.cross_entropy - self.one_cold / (source.length - 1)
                gradient.add_(self._shares(block, group, z.dtype), alpha=at_targets)
            for i, column in enumerate(self.own):
                inside, rows = positions(column[group], block)
                gradient.scatter_add_(0, rows, (at_own[i] * inside.to(z.dtype)).unsqueeze(0))
                if i == 0 and self.warp is not None:
                    there = gradient.gather(0, rows)
                    gradient.scatter_(0, rows, torch.where(inside, there * self._slopes(sums.own[0]), there))
                    z.scatter_(0, rows, torch.where(inside, sums.own[0], z.gather(0, rows)))
            if factors is not None:
                gradient.mul_(factors[group])
            source.pull(block, group, gradient, z)


def _logsumexp(z: Tensor) -> Tensor:
    """``z.logsumexp(0)``, without denormal terms on the way."""
    largest = z.amax(0)
    largest.masked_fill_(largest.abs() == torch.inf, 0)
    return without_vanishing_(z - largest).exp_().sum(0).log_().add_(largest)


def _buffer(source: Any, samples: int, keeps: bool) -> Tensor | None:
    """Memory for the logits of all classes if the pass ``keeps`` them for the gradients, else of a block; None where the source
    has a place for them."""
    if not keeps:
        return torch.empty(min(source.size, source.length) * samples, dtype=source.wide, device=source.features.device)
    if source.place(slice(0, source.length), samples) is not None:
        return None
    return torch.empty(source.length * samples, dtype=source.stored, device=source.features.device)


def _stored(source: Any, buffer: Tensor | None, samples: int, block: slice) -> Tensor:
    """Where the block's logits wait, (n, samples)."""
    if buffer is None:
        return source.place(block, samples)
    start = block.start if len(buffer) >= source.length * samples else 0
    return buffer[start * samples : (start + block.stop - block.start) * samples].view(-1, samples)


def softmax_form(
    needs: Sequence[bool],
    factors: Tensor | None,
    *inputs: Tensor | None,
    build: Callable[..., Any],
    goal: Softmax,
    groups: list[slice],
    largest: bool,
) -> tuple[Values, Gradients]:
    """The loss of the logits that ``build(needs, divisor, *inputs)`` makes.

    The other values are the loss's two parts, then (B,) each every sample's two parts, first own logit and, if ``largest``,
    prediction.
    """
    assert inputs[0] is not None
    samples, device = len(inputs[0]), inputs[0].device
    divisor = samples if factors is None else 1
    source = build(needs, divisor, *inputs)
    buffer = _buffer(source, groups[0].stop - groups[0].start, any(needs))
    total, parts, own, classes = torch.zeros(2, dtype=widest(device), device=device), [], [], []
    for group in groups:
        size = group.stop - group.start
        store = functools.partial(_stored, source, buffer, size)
        seen = Largest(size, source.wide, device) if largest else None
        sums = goal.sums(source, group, store, seen)
        parts.append(torch.stack(goal.parts(sums, source.length)))
        counted = parts[-1] if factors is None else factors[group] * parts[-1]
        total += torch.stack([part.sum() for part in counted])
        own.append(sums.own[0])
        if seen is not None:
            classes.append(seen.classes)
        if any(needs):
            goal.pull(source, group, store, sums, factors)
    cross_entropy, one_cold = (total / divisor).to(source.wide)
    of_samples = torch.cat(parts, 1)
    others = (cross_entropy, one_cold, *of_samples, torch.cat(own), *([torch.cat(classes)] if largest else []))
    return Values(goal.loss(cross_entropy, one_cold), goal.loss(*of_samples), others), source.gradients(inputs[0])


def run(
    build: Callable[..., Any],
    goal: Softmax,
    groups: list[slice],
    labels: Tensor,
    weighting: Weighting,
    details: Details | None,
    *inputs: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The loss and its two parts, reduced, and every sample's first own logit.  Fills ``details``."""
    assert inputs[0] is not None and inputs[1] is not None
    wide = torch.promote_types(torch.promote_types(inputs[0].dtype, inputs[1].dtype), torch.float32)
    factors = weighting.factors(labels, wide)
    form = functools.partial(softmax_form, build=build, goal=goal, groups=groups, largest=details is not None)
    values = one_pass(form, factors, weighting.per_sample, *inputs)
    cross_entropy, one_cold, *each, own = values.others[:5]
    if weighting.per_sample:
        assert factors is not None
        cross_entropy, one_cold = (factors * part for part in each)
    if details is not None:
        details.fill(values.losses, values.others[5], labels)
    return values.loss, cross_entropy, one_cold, own


def own_columns(labels: Tensor) -> dict[str, Any]:
    """Labels, or soft targets, as arguments of a :class:`Softmax` with one column per class."""
    return {"soft": labels} if is_soft(labels) else {"own": [labels]}


def _softmax(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None,
    scale: float | None,
    weighting: Weighting,
    details: Details | None,
    **shape: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, its cross entropy, its one-cold cross entropy."""
    features, bias = prepared(features, weight, labels, bias, scale)
    weighting.check(labels)
    precision = Precision.of(features, weight)
    groups = sample_groups(len(features), features.shape[1], half=precision.stored(features.device) != precision.wide)

    def build(needs: Sequence[bool], divisor: int, features: Tensor, weight: Tensor, bias: Tensor | None) -> Products:
        return Products(features, weight, bias, scale, precision, needs, len(groups), divisor)

    goal = Softmax(**own_columns(labels), **shape)
    return run(build, goal, groups, labels, weighting, details, features, weight, bias)[:3]


@torch.compiler.disable
def cross_entropy(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = None,
    scale: float | None = None,
    *,
    reduction: Reduction = "mean",
    sample_weight: Tensor | None = None,
    details: Details | None = None,
) -> Tensor:
    r"""A linear or cosine head and :func:`~lossbook.losses.uniform.cross_entropy`, of memory (N, 5/4 d).

    .. math:: L = -\log \frac{e^{z_y}}{\sum_j e^{z_j}}

    Args:
        features, weight, labels, bias, scale: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`.
        reduction, sample_weight, details: likewise.

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # log 4
        tensor(1.3863)
    """
    return _softmax(features, weight, labels, bias, scale, Weighting(reduction, sample_weight), details)[0]


@torch.compiler.disable
def one_cold_cross_entropy(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = None,
    scale: float | None = None,
    *,
    reduction: Reduction = "mean",
    sample_weight: Tensor | None = None,
    details: Details | None = None,
) -> Tensor:
    r"""A linear or cosine head and :func:`~lossbook.losses.onecold.one_cold_cross_entropy` with the uniform target.

    .. math:: L = \log \sum_j e^{-z_j} + \frac{1}{N-1} \sum_{j \neq y} z_j

    Args:
        features, weight, labels, bias, scale: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`.
        reduction, sample_weight, details: likewise.

    Returns:
        Scalar, at least log(N - 1), in nats.

    Example:
        >>> one_cold_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # log 4
        tensor(1.3863)
    """
    weighting = Weighting(reduction, sample_weight)
    return _softmax(features, weight, labels, bias, scale, weighting, details, cross_entropy=0.0, one_cold=1.0)[0]


@torch.compiler.disable
def cross_entropy_with_one_cold(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = None,
    scale: float | None = None,
    one_cold_weight: float = 1.0,
    *,
    reduction: Reduction = "mean",
    sample_weight: Tensor | None = None,
    details: Details | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Both in one pass, Eq. 8 of `onecold`: :math:`L + \gamma L_{OCCE}`.

    Args:
        features, weight, labels, bias, scale: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`.
        one_cold_weight: :math:`\gamma > 0`.
        reduction, sample_weight, details: likewise.

    Returns:
        The loss, and its two parts without a gradient and without the weight.

    Example:
        >>> cross_entropy_with_one_cold(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]), one_cold_weight=2.0)
        (tensor(4.1589), tensor(1.3863), tensor(1.3863))
    """
    if not one_cold_weight > 0:
        raise ValueError(f"expected one_cold_weight > 0, got {one_cold_weight}")
    weighting = Weighting(reduction, sample_weight)
    return _softmax(features, weight, labels, bias, scale, weighting, details, one_cold=one_cold_weight)
