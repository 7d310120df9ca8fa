r"""The multi-centre cross entropy in one pass: no tensor of sampled sub-centres."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lossbook.heads.multicenter import sample_subcenters
from lossbook.losses.checks import Reduction, is_soft
from lossbook.losses.fused.autograd import Gradients
from lossbook.losses.fused.blocks import Precision, check, product_into
from lossbook.losses.fused.products import Products
from lossbook.losses.fused.samples import Details, Weighting
from lossbook.losses.fused.softmax import Softmax, run


class _Sampled(Products):
    """Inner products with a class centre and K sub-centres per class, one after the other, drawn block by block.

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
        divisor: int,
    ) -> None:
        super().__init__(features, weight, None, None, precision, (*needs[:2], False), divisor=divisor)
        self.log_var, self.sigma_scale, self.state = log_var, sigma_scale, state
        self.log_var_gradient = torch.empty_like(log_var) if needs[2] else None
        self.centers = num_subcenters + 1
        # The CPU's generator makes normal numbers 16 at a time, so blocks of 16 classes give the numbers of one draw of all.
        self.size = self.centers * max(16, self.size // self.centers // 16 * 16)
        self.length = self.centers * len(weight)
        self.generator = torch.Generator(weight.device)

    def restart(self) -> None:
        super().restart()
        self.generator.set_state(self.state)

    def _operands(self, block: slice) -> Tensor:
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
        self._pull_rows(gradient, group, pulled)
        pulled, classes = pulled.unflatten(0, (-1, self.centers)), self._classes(block)
        if self.weight_gradient is not None:
            self.weight_gradient[classes] = pulled.sum(1).to(self.weight.dtype)
        if self.log_var_gradient is not None:
            slope = 0.5 * self.sigma_scale * (0.5 * self.log_var[classes]).exp()
            self.log_var_gradient[classes] = ((pulled[:, 1:] * self.noise).sum(1) * slope).to(self.log_var.dtype)

    def gradients(self, features: Tensor) -> Gradients:
        return [*super().gradients(features)[:2], self.log_var_gradient]


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
    *,
    reduction: Reduction = "mean",
    sample_weight: Tensor | None = None,
    details: Details | None = None,
) -> Tensor:
    r"""A :class:`~lossbook.heads.MultiCenterHead` in training and
    :func:`~lossbook.losses.multicenter.multicenter_cross_entropy`, without a tensor of sub-centres.

    .. math:: L = \log \sum_{c,k} e^{z_{c,k}} - \alpha z_{y,0} - \frac{1-\alpha}{K} \sum_{k=1}^{K} z_{y,k}, \qquad
              z_{c,k} = (w_c + s\, \sigma_c \odot \varepsilon_{c,k})^\top x, \quad \varepsilon_{c,0} = 0

    Each logit of a sampled sub-centre is a normal number, but those of a batch are not independent: they share
    :math:`\varepsilon_{c,k}`.  So the noise is drawn here too, a block of classes at a time and twice (for the sums, and
    for the gradients) from the same state of the generator.  On the CPU it is the noise that the head would draw
    (for d of at least 16).

    Args:
        features: (B, d).
        weight, log_var: (C, d) each.
        labels: (B,), int64, or soft targets (B, C).
        num_subcenters, sigma_scale, generator: see :class:`~lossbook.heads.MultiCenterHead`; K at least 1.
        center_weight, label_smoothing: see :func:`~lossbook.losses.multicenter.multicenter_cross_entropy`.
        reduction, sample_weight, details: see :func:`~lossbook.losses.fused.binary.binary_cross_entropy`; the prediction is by
            the class centres.

    Returns:
        Scalar in nats; (B,) for ``reduction="none"``.

    Example:
        >>> multicenter_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # log 12
        tensor(2.4849)
    """
    check(features, weight, labels, soft=True)
    weighting = Weighting(reduction, sample_weight)
    weighting.check(labels)
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
        own=[] if is_soft(labels) else [labels * centers + k for k in range(centers)],
        weights=[(1 - label_smoothing) * share for share in shares],
        soft=labels if is_soft(labels) else None,
        smoothing=label_smoothing,
    )

    def build(needs: Sequence[bool], divisor: int, features: Tensor, weight: Tensor, log_var: Tensor) -> _Sampled:
        source = _Sampled(features, weight, log_var, num_subcenters, sigma_scale, state, precision, needs, divisor)
        sources.append(source)
        return source

    sources: list[_Sampled] = []
    # One group, as each further group would draw the noise twice more.
    groups = [slice(0, len(features))]
    loss = run(build, goal, groups, labels, weighting, details, features, weight, log_var)[0]
    generator.set_state(sources[0].generator.get_state())
    return loss
