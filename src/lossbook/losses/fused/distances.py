r"""Softmax losses of Euclidean distances in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lossbook.losses.checks import Reduction
from lossbook.losses.fused.autograd import Gradients, as_input
from lossbook.losses.fused.blocks import block_size, check, sample_groups
from lossbook.losses.fused.samples import Details, Weighting
from lossbook.losses.fused.softmax import Softmax, own_columns, run
from lossbook.precision import widest


class _Distances:
    """Minus the temperature times the Euclidean distances.

    Squares come from matrix products, :math:`|x|^2 - 2 x p + |p|^2` of vectors less the batch's mean, which loses a
    distance that is small against the lengths: pairs closer than ``NEAR`` of :math:`|x|^2 + |p|^2` (squared) take the
    differences themselves, forward and backward.  A block with many such pairs, and every block on a GPU, which would
    have to wait for their number, goes the way of :class:`~lossbook.heads.EuclideanHead`.
    """

    NEAR = 0.05

    def __init__(
        self, features: Tensor, weight: Tensor, temperature: float, needs: Sequence[bool], groups: int, divisor: int
    ) -> None:
        wide = torch.promote_types(torch.promote_types(features.dtype, weight.dtype), torch.float32)
        self.wide = self.stored = wide
        self.temperature, self.weight, self.divisor = temperature, weight, divisor
        self.raw = features.to(wide)
        self.middle = self.raw.mean(0)
        self.features = self.raw - self.middle
        self.squares = self.features.square().sum(1)
        self.size, self.length = block_size(features.device, -(-len(features) // groups)), len(weight)
        self.features_gradient = torch.zeros_like(self.raw) if needs[0] else None
        dtype = weight.dtype if groups == 1 else wide
        self.weight_gradient = torch.empty(weight.shape, dtype=dtype, device=weight.device) if needs[1] else None

    def restart(self) -> None:
        """Nothing to go back to."""

    def _near(self, squares: Tensor, rows: Tensor, group: slice) -> Tensor | None:
        """Row and sample of the near pairs, (pairs, 2); None if there are too many, or they are not to be counted."""
        if squares.is_cuda:
            return None
        pairs = (squares < self.NEAR * self._lengths(rows, group)).nonzero()
        return pairs if len(pairs) <= 4 * len(rows) else None

    def _lengths(self, rows: Tensor, group: slice) -> Tensor:
        return rows.square().sum(1, keepdim=True) + self.squares[group]

    def logits(self, block: slice, group: slice, out: Tensor) -> Tensor:
        raw = self.weight[block].to(self.wide)
        rows, near = raw - self.middle, None
        if not out.is_cuda:
            torch.addmm(self._lengths(rows, group), rows, self.features[group].T, alpha=-2, out=out)
            near = self._near(out, rows, group)
        if near is None:
            out.copy_(torch.cdist(raw, self.raw[group], compute_mode="donot_use_mm_for_euclid_dist"))
        else:
            row, sample = near.unbind(1)
            out[row, sample] = (raw[row] - self.raw[group][sample]).square().sum(1)
            out.sqrt_()
        return out.mul_(-self.temperature)

    def place(self, block: slice, samples: int) -> None:
        """No memory of its own for the logits."""

    def logits_again(self, block: slice, out: Tensor) -> Tensor:
        """The same logits from what :meth:`logits` left in ``out``."""
        return out

    def pull(self, block: slice, group: slice, gradient: Tensor, logits: Tensor) -> None:
        distances = logits / -self.temperature
        pull = gradient * -self.temperature / distances.masked_fill(distances == 0, torch.inf)
        raw, samples = self.weight[block].to(self.wide), self.raw[group]
        near = self._near(distances.square(), raw - self.middle, group)
        row: Any = None
        sample: Any = None
        apart: Any = None
        if near is None:
            wide = widest(pull.device)
            pull, rows, columns = pull.to(wide), raw.to(wide), samples.to(wide)
        else:
            rows, columns = raw - self.middle, self.features[group]
            row, sample = near.unbind(1)
            apart = (raw[row] - samples[sample]) * pull[row, sample].unsqueeze(1)
            pull[row, sample] = 0
        if self.features_gradient is not None:
            gradient = pull.sum(0).unsqueeze(1) * columns - pull.T @ rows
            if near is not None:
                gradient.index_add_(0, sample, apart, alpha=-1)
            self.features_gradient[group] += gradient.to(self.wide)
        if self.weight_gradient is not None:
            gradient = pull.sum(1, keepdim=True) * rows - pull @ columns
            if near is not None:
                gradient.index_add_(0, row, apart)
            gradient /= self.divisor
            target = self.weight_gradient[block]
            target.add_(gradient) if group.start else target.copy_(gradient)

    def gradients(self, features: Tensor) -> Gradients:
        if self.features_gradient is not None:
            self.features_gradient /= self.divisor
        return [as_input(self.features_gradient, features), as_input(self.weight_gradient, self.weight)]


@torch.compiler.disable
def euclidean_softmax(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    temperature: float = 1.0,
    own: Callable[[Tensor], Tensor] | None = None,
    *,
    reduction: Reduction = "mean",
    sample_weight: Tensor | None = None,
    details: Details | None = None,
) -> tuple[Tensor, Tensor]:
    r"""A Euclidean head and :func:`~lossbook.losses.warped.generalized_softmax` with :math:`f_2(d) = d`: Eqs. 4 and 8 of
    `warped`, of memory (N, 5/4 d).

    .. math:: L = \log\Big(1 + \sum_{j \neq y} e^{T [f_1(d_y) - d_j]}\Big)

    In float32 a distance has a relative error of at most about 1e-5, near its proxy too; the loss sees T times that.

    Args:
        features: (B, d).
        weight: the proxies, (N, d).
        labels: :math:`y`, (B,), int64; without ``own`` also soft targets (B, N).
        temperature: :math:`T > 0`, in 1 / distance.
        own: :math:`f_1`, of the distances to the own proxies, each entry on its own; None for itself.
        reduction, sample_weight, details: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`.

    Returns:
        The loss, a scalar in [0, inf) in nats ((B,) for ``reduction="none"``), and the mean distance to the own proxy (of soft
        targets, to all proxies by their shares), without a gradient.

    Example:
        >>> proxies = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
        >>> euclidean_softmax(torch.zeros(1, 2), proxies, torch.tensor([0]))  # halfway between two: log 2
        (tensor(0.6931), tensor(1.))
    """
    check(features, weight, labels, soft=own is None)
    weighting = Weighting(reduction, sample_weight)
    weighting.check(labels)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    groups = sample_groups(len(features), features.shape[1])
    warp = None if own is None else lambda logits: -temperature * own(logits / -temperature)

    def build(needs: Sequence[bool], divisor: int, features: Tensor, weight: Tensor) -> _Distances:
        return _Distances(features, weight, temperature, needs, len(groups), divisor)

    goal = Softmax(**own_columns(labels), warp=warp)
    loss, _, _, logits = run(build, goal, groups, labels, weighting, details, features, weight)
    return loss, logits.mean() / -temperature
