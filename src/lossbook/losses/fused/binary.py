r"""Binary cross entropy of a linear or cosine head in one pass: each term depends on one class, so blocks of classes suffice."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.losses.fused.autograd import Gradients, as_input, one_pass
from lossbook.losses.fused.blocks import Precision, blocks, positions
from lossbook.losses.fused.products import Products, prepared


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
    logits = products
    if gain is not None:
        logits.mul_(gain)
    if bias is not None:
        logits.add_(bias.unsqueeze(1))
    if sample_bias is not None:
        logits.add_(sample_bias)
    own = logits.gather(0, rows)
    logits.scatter_(0, rows, torch.where(inside, margin - own, own))
    total = F.softplus(logits, threshold=60.0).sum()  # the threshold of losses/uniform.py
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
        from lossbook.losses.fused import binary_triton

        return binary_triton.binary_terms_
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
    for block in blocks(len(weight), classes.size):
        logits = buffer[: block.stop - block.start]
        gain = classes.products(block, everyone, logits)
        inside, rows = positions(labels, block)
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
    r"""A linear or cosine head and :func:`~lossbook.losses.uniform.binary_cross_entropy`, in the memory of the weight's
    gradient, (N, d).

    .. math:: L = \log(1 + e^{m - z_y}) + \sum_{j \neq y} \log(1 + e^{z_j}), \qquad
              z_j = W_j^\top x + b_j + a \ \text{ or } \ \gamma \cos(W_j, x) + b_j + a

    Args:
        features: :math:`x`, (B, d).
        weight: :math:`W`, (N, d).
        labels: :math:`y`, (B,), int64.
        bias: :math:`b`, which is added: (N,), or (1,) for all classes.
        scale: :math:`\gamma > 0` for scaled cosines, None for inner products.
        sample_bias: :math:`a`, one per sample, (B,).
        margin: :math:`m`, in the logits' unit.

    Returns:
        Scalar in [0, inf), in nats.

    Example:
        >>> binary_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 3]))  # 4 log 2
        tensor(2.7726)
    """
    features, bias = prepared(features, weight, labels, bias, scale)
    if sample_bias is not None and sample_bias.shape != labels.shape:
        raise ValueError(f"expected a sample_bias of shape ({len(labels)},), got {tuple(sample_bias.shape)}")
    precision = Precision.of(features, weight)
    form = functools.partial(_binary_form, labels=labels, scale=scale, margin=margin, precision=precision)
    return one_pass(form, features, weight, bias, sample_bias)[0]
