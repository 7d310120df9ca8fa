r"""Proxy losses for many classes in one pass, see :mod:`lossbook.losses.fused`: sampled sub-centres and distances."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lossbook.heads.multicenter import sample_subcenters
from lossbook.losses.fused import (
    Gradients,
    Precision,
    Products,
    Softmax,
    as_input,
    block_size,
    check,
    one_pass,
    product_into,
    sample_groups,
    softmax_form,
)


class _Sampled(Products):
    """Inner products with a class centre and K sub-centres a class, one after the other, drawn a block at a time.

    Every pass draws the noise anew from the same state of the generator, and leaves the generator where one draw would
    have: the whole batch meets the same sub-centres, and no (C, K, d) tensor exists.
    """

    def __init__(
        self,
        features: Tensor,
        weight: Tensor,
        log_var: Tensor,
        num_subcenters: int,
        sigma_scale: float,
        state: Tensor,
        precision: Precision,
        needs: Sequence[bool],
    ) -> None:
        super().__init__(features, weight, None, None, precision, (*needs[:2], False))
        self.log_var, self.sigma_scale, self.state = log_var, sigma_scale, state
        self.log_var_gradient = torch.empty_like(log_var) if needs[2] else None
        self.centers = num_subcenters + 1
        # The CPU's generator makes normal numbers 16 at a time: blocks of 16 classes draw what one draw of all would.
        self.size = self.centers * max(16, self.size // self.centers // 16 * 16)
        self.length = self.centers * len(weight)
        self.generator = torch.Generator(weight.device)

    def restart(self) -> None:
        self.generator.set_state(self.state)

    def rows(self, block: slice) -> Tensor:
        classes = self._classes(block)
        weight, log_var = self.weight[classes], self.log_var[classes]
        shape = (len(weight), self.centers - 1, weight.shape[1])
        self.noise = torch.randn(shape, generator=self.generator, dtype=weight.dtype, device=weight.device)
        centers = torch.cat([weight.unsqueeze(1), sample_subcenters(weight, log_var, self.noise, self.sigma_scale)], 1)
        return self.precision.operand(centers.flatten(0, 1))

    def _classes(self, block: slice) -> slice:
        return slice(block.start // self.centers, block.stop // self.centers)

    def pull_products(self, block: slice, group: slice, gradient: Tensor) -> None:
        rows, gradient = self.rows(block), gradient.to(self.features.dtype)
        if self.features_gradient is not None:
            product_into(gradient.T, rows, self.features_gradient[group], add=True, factor=self.share)
        if self.weight_gradient is None and self.log_var_gradient is None:
            return
        pulled = torch.empty(rows.shape, dtype=self.wide, device=rows.device)
        product_into(gradient, self.features[group], pulled, factor=self.share)
        pulled, classes = pulled.unflatten(0, (-1, self.centers)), self._classes(block)
        if self.weight_gradient is not None:
            self.weight_gradient[classes] = pulled.sum(1).to(self.weight.dtype)
        if self.log_var_gradient is not None:
            slope = 0.5 * self.sigma_scale * (0.5 * self.log_var[classes]).exp()
            self.log_var_gradient[classes] = ((pulled[:, 1:] * self.noise).sum(1) * slope).to(self.log_var.dtype)

    def gradients(self, features: Tensor) -> Gradients:
        return [*super().gradients(features)[:2], self.log_var_gradient]


class _Distances:
    """Minus the temperature times the Euclidean distances.

    Squares come from matrix products, :math:`|x|^2 - 2 x p + |p|^2` of vectors less the batch's mean, which loses a
    distance that is small against the lengths: pairs closer than ``NEAR`` of :math:`|x|^2 + |p|^2` (squared) take the
    differences themselves, forward and backward.  A block with many such pairs, and every block on a GPU, which would
    have to wait for their number, goes the way of :class:`~lossbook.heads.EuclideanHead`.
    """

    NEAR = 0.05

    def __init__(self, features: Tensor, weight: Tensor, temperature: float, needs: Sequence[bool], groups: int) -> None:
        wide = torch.promote_types(torch.promote_types(features.dtype, weight.dtype), torch.float32)
        self.wide, self.temperature, self.weight = wide, temperature, weight
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

    def logits(self, block: slice, group: slice, out: Tensor) -> None:
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
        out.mul_(-self.temperature)

    def pull(self, block: slice, group: slice, gradient: Tensor, logits: Tensor) -> None:
        distances = logits / -self.temperature
        pull = gradient * -self.temperature / distances.masked_fill(distances == 0, torch.inf)
        raw, samples = self.weight[block].to(self.wide), self.raw[group]
        near = self._near(distances.square(), raw - self.middle, group)
        if near is None:
            pull, rows, columns = pull.double(), raw.double(), samples.double()
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
            gradient /= len(self.raw)
            target = self.weight_gradient[block]
            target.add_(gradient) if group.start else target.copy_(gradient)

    def gradients(self, features: Tensor) -> Gradients:
        if self.features_gradient is not None:
            self.features_gradient /= len(features)
        return [as_input(self.features_gradient, features), as_input(self.weight_gradient, self.weight)]


@torch.compiler.disable
def euclidean_softmax(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    temperature: float = 1.0,
    own: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    r"""A Euclidean head and :func:`~lossbook.losses.warped.generalized_softmax` with :math:`f_2(d) = d`: Eqs. 4 and 8 of
    `warped`, of memory (N, 5/4 d).

    .. math:: L = \log\Big(1 + \sum_{j \neq y} e^{T [f_1(d_y) - d_j]}\Big)

    In float32 a distance has a relative error of at most about 1e-5, near its proxy too; the loss sees T times that.

    Args:
        features: (B, d).
        weight: the proxies, (N, d).
        labels: :math:`y`, (B,), int64.
        temperature: :math:`T > 0`, in 1 / distance.
        own: :math:`f_1`, of the distances to the own proxies, each entry on its own; None for itself.

    Returns:
        The loss, a scalar in [0, inf) in nats, and the mean distance to the own proxy, without a gradient.

    Example:
        >>> proxies = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
        >>> euclidean_softmax(torch.zeros(1, 2), proxies, torch.tensor([0]))  # halfway between two: log 2
        (tensor(0.6931), tensor(1.))
    """
    check(features, weight, labels)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    groups = sample_groups(len(features), features.shape[1])
    warp = None if own is None else lambda logits: -temperature * own(logits / -temperature)

    def build(needs: Sequence[bool], features: Tensor, weight: Tensor) -> _Distances:
        return _Distances(features, weight, temperature, needs, len(groups))

    goal = Softmax([labels], warp=warp)
    form = functools.partial(softmax_form, build=build, goal=goal, groups=groups)
    loss, _, _, logits = one_pass(form, features, weight)
    return loss, logits.mean() / -temperature


@torch.compiler.disable
def multicenter_cross_entropy(
    features: Tensor,
    weight: Tensor,
    log_var: Tensor,
    labels: Tensor,
    num_subcenters: int = 2,
    sigma_scale: float = 1.0,
    generator: torch.Generator | None = None,
    center_weight: float = 0.5,
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""A :class:`~lossbook.heads.MultiCenterHead` in training and
    :func:`~lossbook.losses.multicenter.multicenter_cross_entropy`, without a tensor of sub-centres.

    Each logit of a sampled sub-centre is a normal number, but those of a batch are not independent: they share
    :math:`\varepsilon_{c,k}`.  So the noise is drawn here too, a block of classes at a time and twice (for the sums, and
    for the gradients) from the same state of the generator.  On the CPU it is the noise that the head would draw
    (for d of at least 16).

    Args:
        features: (B, d).
        weight, log_var: (C, d) each.
        labels: (B,), int64.
        num_subcenters, sigma_scale, generator: see :class:`~lossbook.heads.MultiCenterHead`; K at least 1.
        center_weight, label_smoothing: see :func:`~lossbook.losses.multicenter.multicenter_cross_entropy`.

    Returns:
        Scalar in nats.

    Example:
        >>> multicenter_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # log 12
        tensor(2.4849)
    """
    check(features, weight, labels)
    if log_var.shape != weight.shape:
        raise ValueError(f"expected log_var of the weight's shape {tuple(weight.shape)}, got {tuple(log_var.shape)}")
    if num_subcenters < 1 or not 0 <= center_weight <= 1 or not 0 <= label_smoothing <= 1:
        raise ValueError(
            "expected num_subcenters >= 1, center_weight and label_smoothing within [0, 1], "
            f"got {num_subcenters}, {center_weight} and {label_smoothing}"
        )
    if generator is None:
        on_gpu = weight.device.type == "cuda"
        generator = torch.cuda.default_generators[weight.device.index] if on_gpu else torch.default_generator
    precision, state = Precision.of(features, weight), generator.get_state()
    centers = num_subcenters + 1
    shares = [center_weight] + [(1 - center_weight) / num_subcenters] * num_subcenters
    goal = Softmax(
        own=[labels * centers + k for k in range(centers)],
        weights=[(1 - label_smoothing) * share for share in shares],
        smoothing=label_smoothing,
    )

    def build(needs: Sequence[bool], features: Tensor, weight: Tensor, log_var: Tensor) -> _Sampled:
        source = _Sampled(features, weight, log_var, num_subcenters, sigma_scale, state, precision, needs)
        sources.append(source)
        return source

    sources: list[_Sampled] = []
    # One group: every group would draw the noise twice more.
    groups = [slice(0, len(features))]
    form = functools.partial(softmax_form, build=build, goal=goal, groups=groups)
    loss = one_pass(form, features, weight, log_var)[0]
    generator.set_state(sources[0].generator.get_state())
    return loss
