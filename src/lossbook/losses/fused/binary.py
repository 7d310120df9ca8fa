r"""Binary cross entropy of a linear or cosine head in one pass: each term depends on one class, so blocks of classes suffice."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.losses.checks import Reduction, is_soft
from lossbook.losses.fused.autograd import Gradients, Values, as_input, one_pass
from lossbook.losses.fused.blocks import Precision, blocks, positions
from lossbook.losses.fused.products import Products, prepared
from lossbook.losses.fused.samples import Details, Largest, Weighting
from lossbook.precision import widest, without_vanishing_

_SOFTPLUS_THRESHOLD = 60.0  # that of losses/uniform.py


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
        gain, bias: one per class, (n, 1) and (n,), or None.
        sample_bias: (B,) or None.
        margin: of the own class, in the logits' unit.

    Returns:
        The sum and, if ``gradients``, the logits' gradient summed over the samples, (n,), and over the classes, (B,).
    """
    logits = _logits_(products, gain, bias, sample_bias)
    total = _own_terms_(logits, rows, inside, margin).sum()
    if not gradients:
        return total, None, None
    slopes = _own_slopes_(logits, rows, inside)
    return total, *_pulled_(slopes, gain, bias, sample_bias)


def _logits_(products: Tensor, gain: Tensor | None, bias: Tensor | None, sample_bias: Tensor | None) -> Tensor:
    """The logits of :func:`binary_terms_` in place of the products."""
    if gain is not None:
        products.mul_(gain)
    if bias is not None:
        products.add_(bias.unsqueeze(1))
    if sample_bias is not None:
        products.add_(sample_bias)
    return products


def _own_terms_(logits: Tensor, rows: Tensor, inside: Tensor, margin: float) -> Tensor:
    """The terms, (n, B), with the sign of each own logit turned, in the logits too."""
    own = logits.gather(0, rows)
    logits.scatter_(0, rows, torch.where(inside, margin - own, own))
    return F.softplus(without_vanishing_(logits), threshold=_SOFTPLUS_THRESHOLD)


def _own_slopes_(logits: Tensor, rows: Tensor, inside: Tensor) -> Tensor:
    """The logits' gradient in place of the logits that :func:`_own_terms_` left."""
    slopes = logits.sigmoid_()
    own = slopes.gather(0, rows)
    return slopes.scatter_(0, rows, torch.where(inside, -own, own))


def _mixed_terms_(logits: Tensor, shares: Tensor, margin: float, gradients: bool) -> Tensor:
    r"""The terms with soft targets :math:`t`, (n, B); the logits become their gradient if ``gradients``.

    .. math:: t \operatorname{softplus}(m - z) + (1 - t) \operatorname{softplus}(z)
    """
    positives, negatives = without_vanishing_(margin - logits), without_vanishing_(logits)
    terms = shares * F.softplus(positives, threshold=_SOFTPLUS_THRESHOLD)
    terms += (1 - shares) * F.softplus(negatives, threshold=_SOFTPLUS_THRESHOLD)
    if gradients:
        negatives.sigmoid_().mul_(1 - shares).sub_(positives.sigmoid_().mul_(shares))
    return terms


def _pulled_(
    slopes: Tensor, gain: Tensor | None, bias: Tensor | None, sample_bias: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """The logits' gradient summed over the samples and over the classes; it becomes the products' gradient."""
    class_sums = slopes.sum(1) if bias is not None else None
    sample_sums = slopes.sum(0) if sample_bias is not None else None
    if gain is not None:
        slopes.mul_(gain)
    return class_sums, sample_sums


@functools.cache
def _block_terms(device_type: str, dtype: torch.dtype) -> Callable[..., tuple[Tensor, Tensor | None, Tensor | None]]:
    """:func:`binary_terms_`, for float32 on CUDA as one Triton kernel where triton is installed."""
    if device_type == "cuda" and dtype == torch.float32 and importlib.util.find_spec("triton"):
        from lossbook.losses.fused import binary_triton

        return binary_triton.binary_terms_
    return binary_terms_


def _binary_form(
    needs: Sequence[bool],
    factors: Tensor | None,
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sample_bias: Tensor | None,
    *,
    labels: Tensor,
    scale: float | None,
    margin: float,
    precision: Precision,
    largest: bool,
) -> tuple[Values, Gradients]:
    samples, everyone = len(labels), slice(0, len(labels))
    divisor = samples if factors is None else 1
    classes = Products(features, weight, bias, scale, precision, needs[:3], divisor=divisor)
    buffer = torch.empty((min(classes.size, len(weight)), samples), dtype=precision.wide, device=features.device)
    shift = None if sample_bias is None else sample_bias.to(precision.wide)
    shift_gradient: Any = None if shift is None else torch.zeros_like(shift)
    soft = is_soft(labels)
    each = soft or largest or factors is not None
    zeros: dict[str, Any] = {"dtype": widest(features.device), "device": features.device}
    total = torch.zeros((), **zeros)
    losses: Any = torch.zeros(samples, **zeros) if each else None
    seen = Largest(samples, precision.wide, features.device) if largest else None
    terms_ = _block_terms(features.device.type, precision.wide)
    inside: Any
    rows: Any
    class_sums: Tensor | None = None
    sample_sums: Tensor | None = None
    for block in blocks(len(weight), classes.size):
        logits = buffer[: block.stop - block.start]
        gain = classes.products(block, everyone, logits)
        own_bias = None if bias is None else bias[block]
        inside, rows = (None, None) if soft else positions(labels, block)
        if each:
            _logits_(logits, gain, own_bias, shift)
            if seen is not None:
                seen.see(logits, block.start)
            if soft:
                terms = _mixed_terms_(logits, labels[:, block].T.to(logits.dtype), margin, any(needs))
            else:
                terms = _own_terms_(logits, rows, inside, margin)
            total += terms.sum()
            losses += terms.sum(0)
            if any(needs):
                slopes = logits if soft else _own_slopes_(logits, rows, inside)
                if factors is not None:
                    slopes.mul_(factors)
                class_sums, sample_sums = _pulled_(slopes, gain, own_bias, shift)
        else:
            loss, class_sums, sample_sums = terms_(logits, rows, inside, gain, own_bias, shift, margin, any(needs))
            total += loss
        if any(needs):
            if needs[2]:
                classes.bias_gradient[block] = class_sums
            if needs[3]:
                shift_gradient += sample_sums
            classes.pull_products(block, everyone, logits)
    gradients = classes.gradients(features)
    gradients.append(as_input(shift_gradient / divisor, sample_bias) if needs[3] else None)
    loss = total / divisor if factors is None else (factors * losses).sum()
    each_loss = None if losses is None else losses.to(precision.wide)
    return Values(loss.to(precision.wide), each_loss, () if seen is None else (seen.classes,)), gradients


@torch.compiler.disable
def binary_cross_entropy(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = None,
    scale: float | None = None,
    sample_bias: Tensor | None = None,
    margin: float = 0.0,
    *,
    reduction: Reduction = "mean",
    sample_weight: Tensor | None = None,
    details: Details | None = None,
) -> Tensor:
    r"""A linear or cosine head and :func:`~lossbook.losses.uniform.binary_cross_entropy`, in the memory of the weight's
    gradient, (N, d).

    .. math:: L = \log(1 + e^{m - z_y}) + \sum_{j \neq y} \log(1 + e^{z_j}), \qquad
              z_j = W_j^\top x + b_j + a \ \text{ or } \ \gamma \cos(W_j, x) + b_j + a

    Args:
        features: :math:`x`, (B, d).
        weight: :math:`W`, (N, d).
        labels: :math:`y`, (B,), int64, or soft targets (B, N): the loss is then the mixture of the classes' losses.
        bias: :math:`b`, which is added: (N,), or (1,) for all classes.
        scale: :math:`\gamma > 0` for scaled cosines, None for inner products.
        sample_bias: :math:`a`, one per sample, (B,).
        margin: :math:`m`, in the logits' unit.
        reduction, sample_weight: see :func:`~lossbook.losses.checks.reduce`.  ``"none"`` forms the logits once more in the
            backward, as the gradient depends on what comes back for every sample.
        details: to be filled with every sample's loss and prediction.

    Returns:
        Scalar in [0, inf), in nats; (B,) for ``reduction="none"``.

    Example:
        >>> binary_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # 4 log 2
        tensor(2.7726)
    """
    features, bias = prepared(features, weight, labels, bias, scale)
    if sample_bias is not None and sample_bias.shape != labels.shape[:1]:
        raise ValueError(f"expected a sample_bias of shape ({len(labels)},), got {tuple(sample_bias.shape)}")
    weighting = Weighting(reduction, sample_weight)
    weighting.check(labels)
    precision = Precision.of(features, weight)
    factors, largest = weighting.factors(labels, precision.wide), details is not None
    form = functools.partial(_binary_form, labels=labels, scale=scale, margin=margin, precision=precision, largest=largest)
    values = one_pass(form, factors, weighting.per_sample, features, weight, bias, sample_bias)
    if details is not None:
        details.fill(values.losses, values.others[0], labels)
    return values.loss
