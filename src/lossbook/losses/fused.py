r"""Head and loss in one pass, for many classes: the logits (B, N) of a batch never exist.

A head of :math:`N` class vectors and the loss of its logits take three matrix products, :math:`6 B N d` flops; what lies
between them (logits, targets, terms, their gradients) is (B, N) each time.  Here the loss *and* its gradients are formed
in the forward, and the backward hands them over.

- The terms of a binary cross entropy see one class each, so blocks of classes suffice.
- A softmax needs the sums over all classes first: groups of samples, each with one (N, group) buffer of at most a quarter
  of the weight's size, worked through in blocks of classes that fit a cache.

All losses take the mean over the batch, are those of the functions they are named after up to the order of the sums (a
relative 1e-5 in float32, 1e-12 in float64) and compute half precision in float32; under autocast the operands of the
products are rounded to its type.  A gradient that nobody needs is not formed, none at all under ``torch.no_grad``.
``create_graph=True`` is refused, and ``torch.compile`` breaks the graph here.

All raise ``ValueError`` / ``TypeError`` for a wrong shape, dtype or label, see :func:`check_logits_labels`.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.heads.linear import CosineHead, Head, unit
from lossbook.losses.checks import check_logits_labels

# From this many classes on the objectives take these functions.  At this number one pass saves memory and costs some time,
# below it mostly costs time, at 100,000 it saves both (benchmarks/fused.py).
LARGE = 10_000


def many(head: nn.Module) -> bool:
    """Whether the head has enough classes for these functions to pay."""
    return len(head.weight) >= LARGE


def inputs(head: Head) -> dict[str, Tensor | float | None]:
    """A linear or cosine head as arguments of the functions here."""
    return {
        "weight": head.weight,
        "bias": None if head.bias is None else head.bias_sign * head.bias,
        "scale": head.scale if isinstance(head, CosineHead) else None,
    }


Gradients = list[Tensor | None]
# (which inputs need a gradient, the inputs) to the values, the loss first, and the gradients
Form = Callable[..., tuple[tuple[Tensor, ...], Gradients]]


# One pass --------------------------------------------------------------------------------------------------------


class _OnePass(torch.autograd.Function):
    """The loss and its gradients from one call of ``form``; the first backward takes the gradients with it, so that they
    exist once.  Another one, through a retained graph, forms them anew."""

    @staticmethod
    def forward(ctx: Any, form: Form, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        values, ctx.gradients = form(ctx.needs_input_grad[1:], *inputs)
        ctx.form = form
        ctx.save_for_backward(*inputs)
        ctx.mark_non_differentiable(*values[1:])
        return values

    @staticmethod
    def backward(ctx: Any, pull: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fused losses have no second derivatives (create_graph=True): take the plain loss of head(features)"
            )
        inputs = ctx.saved_tensors
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            with torch.autocast(pull.device.type, enabled=False):
                _, gradients = ctx.form(ctx.needs_input_grad[1:], *inputs)
        # On CUDA the comparison would wait for the device.
        if pull.device.type != "cpu" or pull != 1:
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(pull)
        return None, *gradients


def one_pass(form: Form, *inputs: Tensor | None) -> tuple[Tensor, ...]:
    """The values, the loss first."""
    with torch.autocast(inputs[0].device.type, enabled=False):
        if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in inputs):
            return _OnePass.apply(form, *inputs)
        with torch.no_grad():
            return form((False,) * len(inputs), *inputs)[0]


@dataclass(frozen=True)
class Precision:
    """``wide``: of sums, terms and gradients; ``operands``: what the matrix products' operands are rounded to."""

    wide: torch.dtype
    operands: torch.dtype

    @classmethod
    def of(cls, features: Tensor, weight: Tensor) -> Precision:
        both, device = torch.promote_types(features.dtype, weight.dtype), features.device.type
        autocast = torch.is_autocast_enabled(device) and both != torch.float64
        operands = torch.get_autocast_dtype(device) if autocast else both
        return cls(torch.promote_types(both, torch.float32), operands)

    def operand(self, values: Tensor) -> Tensor:
        """Rounded; on the CPU then widened, as its half precision products would accumulate and return half precision."""
        rounded = values.to(self.operands)
        return rounded if rounded.is_cuda else rounded.to(self.wide)


def product_into(a: Tensor, b: Tensor, out: Tensor, add: bool = False, factor: float = 1.0) -> None:
    """``out = factor * a @ b``, or ``out +=`` that, accumulated in float32 or wider whatever the operands."""
    if a.dtype in (torch.float16, torch.bfloat16):
        product = torch.mm(a, b, out_dtype=torch.float32).mul_(factor)
        out.add_(product) if add else out.copy_(product)
    elif out.dtype == a.dtype:
        torch.addmm(out, a, b, beta=int(add), alpha=factor, out=out)
    else:
        out.copy_((a @ b).mul_(factor))


def _blocks(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def block_size(device: torch.device, samples: int) -> int:
    """Classes a block: on the CPU its logits, half a MiB in float32, fit the cache; on a GPU they keep it busy."""
    return 16_384 if device.type == "cuda" else min(1_024, max(128, 2**17 // samples))


def sample_groups(samples: int, features: int) -> list[slice]:
    """Groups of about d/4 samples, at least 32 and all of nearly one size: a group of one sample would stream the whole
    weight and its gradient through memory for a matrix-vector product."""
    count = -(-samples // max(32, features // 4))
    return list(_blocks(samples, -(-samples // count)))


def _positions(labels: Tensor, block: slice) -> tuple[Tensor, Tensor]:
    """Which samples' labels are in the block, (B,), and their row there, (1, B); any row for the other samples."""
    inside = (labels >= block.start) & (labels < block.stop)
    return inside, (labels - block.start).clamp(0, block.stop - block.start - 1).unsqueeze(0)


def as_input(gradient: Tensor | None, like: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.to(like.dtype)


# What the logits are -----------------------------------------------------------------------------------------------


class Products:
    """Inner products with the class vectors, or scaled cosines; a block of logits is ``gain * products + bias``.

    ``features`` are unit vectors already where ``scale`` is given; the class vectors are normalised here, by the gain.
    """

    def __init__(
        self,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        scale: float | None,
        precision: Precision,
        needs: Sequence[bool],
        groups: int = 1,
    ) -> None:
        self.precision, self.wide, self.weight, self.scale, self.bias = precision, precision.wide, weight, scale, bias
        self.features = precision.operand(features)
        self.share = 1 / len(features)
        self.size = block_size(features.device, -(-len(features) // groups))
        self.length = len(weight)
        wide = {"dtype": precision.wide, "device": features.device}
        needs_features, needs_weight, needs_bias = needs
        self.features_gradient = torch.zeros(features.shape, **wide) if needs_features else None
        # Groups of samples add up to it, in float32 or wider.
        dtype = weight.dtype if groups == 1 else precision.wide
        self.weight_gradient = torch.empty(weight.shape, dtype=dtype, device=weight.device) if needs_weight else None
        self.bias_gradient = torch.zeros(len(weight), **wide) if needs_bias else None

    def restart(self) -> None:
        """Called before every pass over the blocks."""

    def rows(self, block: slice) -> Tensor:
        return self.precision.operand(self.weight[block])

    def _inverse_lengths(self, rows: Tensor) -> Tensor:
        """(n, 1); 0 for a row of zeros, which has cosine 0 with everything and gets no gradient."""
        lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=self.wide)
        return torch.where(lengths > 0, 1 / lengths.clamp_min(1e-12), 0.0)

    def products(self, block: slice, group: slice, out: Tensor) -> Tensor | None:
        """Writes the block's inner products, (n, b), and returns the gain, (n, 1), if there is one."""
        rows = self.rows(block)
        product_into(rows, self.features[group].T, out)
        return None if self.scale is None else self.scale * self._inverse_lengths(rows)

    def logits(self, block: slice, group: slice, out: Tensor) -> None:
        gain = self.products(block, group, out)
        if gain is not None:
            out.mul_(gain)
        if self.bias is not None:
            out.add_(self.bias[block].unsqueeze(1))

    def pull(self, block: slice, group: slice, gradient: Tensor, logits: Tensor) -> None:
        """Takes the gradient of the block's logits, (n, b), and spoils it."""
        if self.bias_gradient is not None:
            self.bias_gradient[block] += gradient.sum(1)
        if self.scale is not None:
            gradient.mul_(self.scale * self._inverse_lengths(self.rows(block)))
        self.pull_products(block, group, gradient)

    def pull_products(self, block: slice, group: slice, gradient: Tensor) -> None:
        """Takes the gradient of the block's inner products, (n, b)."""
        rows, gradient = self.rows(block), gradient.to(self.features.dtype)
        if self.features_gradient is not None:
            product_into(gradient.T, rows, self.features_gradient[group], add=True, factor=self.share)
        if self.weight_gradient is not None:
            target, features, add = self.weight_gradient[block], self.features[group], group.start > 0
            if self.scale is None:
                product_into(gradient, features, target, add, self.share)
            else:
                pulled = torch.empty(target.shape, dtype=self.wide, device=target.device)
                product_into(gradient, features, pulled, factor=self.share)
                rows = rows.to(self.wide)
                # A pull along the vector changes its length only, and the cosine not at all.
                along = (pulled * rows).sum(1, keepdim=True) * self._inverse_lengths(rows).square()
                pulled.addcmul_(rows, along, value=-1)
                target.add_(pulled) if add else target.copy_(pulled)

    def gradients(self, features: Tensor) -> Gradients:
        """For features, weight and bias, of the mean over the batch."""
        if self.bias_gradient is not None:
            self.bias_gradient *= self.share
        return [
            as_input(self.features_gradient, features),
            as_input(self.weight_gradient, self.weight),
            as_input(self.bias_gradient, self.bias),
        ]


# Binary cross entropy ----------------------------------------------------------------------------------------------


def binary_terms_(
    products: Tensor,
    rows: Tensor,
    inside: Tensor,
    gain: Tensor | None,
    bias: Tensor | None,
    sample_bias: Tensor | None,
    margin: float,
    gradients: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    r"""The sum of a block's binary terms; ``products`` (n, B) become their gradient if ``gradients``, else scratch.

    .. math:: z = \text{gain} \cdot \text{products} + \text{bias} + \text{sample bias}, \qquad
              \sum \operatorname{softplus}(z), \text{ with } \text{margin} - z \text{ where the class is the sample's own}

    Args:
        products: (n, B), float32 or float64.
        rows: (1, B), the row of a sample's own class.
        inside: (B,) bool, whether the sample's own class is in the block.
        gain, bias: one a class, (n, 1) and (n,), or None.
        sample_bias: (B,) or None.
        margin: of the own class, in the logits' unit.

    Returns:
        The sum and, if ``gradients``, the logits' gradient summed over the samples, (n,), and over the classes, (B,).
    """
    logits = products
    if gain is not None:
        logits.mul_(gain)
    if bias is not None:
        logits.add_(bias.unsqueeze(1))
    if sample_bias is not None:
        logits.add_(sample_bias)
    own = logits.gather(0, rows)
    logits.scatter_(0, rows, torch.where(inside, margin - own, own))
    total = F.softplus(logits, threshold=60.0).sum()  # see losses/uniform.py
    if not gradients:
        return total, None, None
    slopes = logits.sigmoid_()
    own = slopes.gather(0, rows)
    slopes.scatter_(0, rows, torch.where(inside, -own, own))
    class_sums = slopes.sum(1) if bias is not None else None
    sample_sums = slopes.sum(0) if sample_bias is not None else None
    if gain is not None:
        slopes.mul_(gain)
    return total, class_sums, sample_sums


@functools.cache
def _block_terms(device_type: str, dtype: torch.dtype) -> Callable[..., tuple[Tensor, Tensor | None, Tensor | None]]:
    """:func:`binary_terms_`, for float32 on CUDA as one Triton kernel where triton is installed."""
    if device_type == "cuda" and dtype == torch.float32 and importlib.util.find_spec("triton"):
        from lossbook.losses import fused_triton

        return fused_triton.binary_terms_
    return binary_terms_


def _binary_form(
    needs: Sequence[bool],
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sample_bias: Tensor | None,
    *,
    labels: Tensor,
    scale: float | None,
    margin: float,
    precision: Precision,
) -> tuple[tuple[Tensor, ...], Gradients]:
    classes = Products(features, weight, bias, scale, precision, needs[:3])
    everyone = slice(0, len(labels))
    buffer = torch.empty((min(classes.size, len(weight)), len(labels)), dtype=precision.wide, device=features.device)
    total = buffer.new_zeros((), dtype=torch.float64)
    shift = None if sample_bias is None else sample_bias.to(precision.wide)
    shift_gradient = None if sample_bias is None else torch.zeros_like(shift)
    terms = _block_terms(features.device.type, precision.wide)
    for block in _blocks(len(weight), classes.size):
        logits = buffer[: block.stop - block.start]
        gain = classes.products(block, everyone, logits)
        inside, rows = _positions(labels, block)
        own_bias = None if bias is None else bias[block]
        loss, class_sums, sample_sums = terms(logits, rows, inside, gain, own_bias, shift, margin, any(needs))
        total += loss
        if any(needs):
            if needs[2]:
                classes.bias_gradient[block] = class_sums
            if needs[3]:
                shift_gradient += sample_sums
            classes.pull_products(block, everyone, logits)
    gradients = classes.gradients(features)
    gradients.append(as_input(shift_gradient / len(labels), sample_bias) if needs[3] else None)
    return ((total / len(labels)).to(precision.wide),), gradients


# Softmax -----------------------------------------------------------------------------------------------------------


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
        for block in _blocks(source.length, source.size):
            z = logits[block] if len(logits) == source.length else logits[: block.stop - block.start]
            source.logits(block, group, z)
            for i, column in enumerate(self.own):
                inside, rows = _positions(column[group], block)
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
        for block in _blocks(source.length, source.size):
            z = logits[block]
            gradient = (z - sums.log_sum).exp_().mul_(self.cross_entropy) if self.cross_entropy else torch.zeros_like(z)
            if self.one_cold:
                gradient.sub_((-z - sums.log_anti).exp_(), alpha=self.one_cold)
            if even:
                gradient.add_(even)
            for i, column in enumerate(self.own):
                inside, rows = _positions(column[group], block)
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
    # A part that is not asked for is not finite.
    loss = sum(weight * part for weight, part in ((goal.cross_entropy, cross_entropy), (goal.one_cold, one_cold)) if weight)
    return (loss, cross_entropy, one_cold, torch.cat(own)), source.gradients(inputs[0])


# Losses ------------------------------------------------------------------------------------------------------------


def check(features: Tensor, weight: Tensor, labels: Tensor) -> None:
    """What every function here asks of its input."""
    if features.ndim != 2 or weight.ndim != 2 or features.shape[1] != weight.shape[1]:
        raise ValueError(f"expected features (B, d) and a weight (N, d), got {tuple(features.shape)} and {tuple(weight.shape)}")
    if not features.is_floating_point() or not weight.is_floating_point():
        raise TypeError(f"expected floating-point features and weight, got {features.dtype} and {weight.dtype}")
    if features.device != weight.device:
        raise ValueError(f"expected features and weight on one device, got {features.device} and {weight.device}")
    check_logits_labels(features.new_empty((1, 1)).expand(len(features), len(weight)), labels)
    if labels.is_cuda:  # nothing is gathered by the labels here that would notice
        torch._assert_async(((labels >= 0) & (labels < len(weight))).all())


def _prepared(
    features: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None, scale: float | None
) -> tuple[Tensor, Tensor | None]:
    """Checked: the features, unit vectors for cosines, and the bias, one a class."""
    check(features, weight, labels)
    if bias is not None and bias.shape not in ((1,), weight.shape[:1]):
        raise ValueError(f"expected a bias of shape (1,) or ({len(weight)},), got {tuple(bias.shape)}")
    if scale is not None and not scale > 0:
        raise ValueError(f"expected scale > 0, got {scale}")
    return features if scale is None else unit(features), None if bias is None else bias.expand(len(weight))


@torch.compiler.disable
def binary_cross_entropy(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = None,
    scale: float | None = None,
    sample_bias: Tensor | None = None,
    margin: float = 0.0,
) -> Tensor:
    r"""A linear or cosine head and :func:`~lossbook.losses.uniform.bce`, of memory (N, d) for the weight's gradient.

    .. math:: L = \log(1 + e^{m - z_y}) + \sum_{j \neq y} \log(1 + e^{z_j}), \qquad
              z_j = W_j^\top x + b_j + a \ \text{ or } \ \gamma \cos(W_j, x) + b_j + a

    Args:
        features: :math:`x`, (B, d).
        weight: :math:`W`, (N, d).
        labels: :math:`y`, (B,), int64.
        bias: :math:`b`, which is added: (N,), or (1,) for all classes.
        scale: :math:`\gamma > 0` for scaled cosines, None for inner products.
        sample_bias: :math:`a`, one a sample, (B,).
        margin: :math:`m`, in the logits' unit.

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> binary_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # 4 log 2
        tensor(2.7726)
    """
    features, bias = _prepared(features, weight, labels, bias, scale)
    if sample_bias is not None and sample_bias.shape != labels.shape:
        raise ValueError(f"expected a sample_bias of shape ({len(labels)},), got {tuple(sample_bias.shape)}")
    precision = Precision.of(features, weight)
    form = functools.partial(_binary_form, labels=labels, scale=scale, margin=margin, precision=precision)
    return one_pass(form, features, weight, bias, sample_bias)[0]


def _softmax(features: Tensor, weight: Tensor, bias: Tensor | None, scale: float | None, goal: Softmax) -> tuple[Tensor, ...]:
    """The loss, its cross entropy, its one-cold cross entropy."""
    features, bias = _prepared(features, weight, goal.own[0], bias, scale)
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
    r"""A linear or cosine head and :func:`~lossbook.losses.uniform.softmax`, of memory (N, 5/4 d).

    .. math:: L = -\log \frac{e^{z_y}}{\sum_j e^{z_j}}

    Args:
        features, weight, labels, bias, scale: see :func:`binary_cross_entropy`.

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
        features, weight, labels, bias, scale: see :func:`binary_cross_entropy`.

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
        features, weight, labels, bias, scale: see :func:`binary_cross_entropy`.
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
