r"""How alike are two representations, and how much of its input does a layer keep?  Appendices A.5 and A.8 of `onecold`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.precision import wide


def _squared_gram_norm(x: Tensor) -> Tensor:
    """The squared Frobenius norm of x x^T, which is that of x^T x: the smaller of the two is formed."""
    gram = x.T @ x if x.shape[1] <= x.shape[0] else x @ x.T
    return gram.square().sum()


def linear_cka(first: Tensor, second: Tensor) -> float:
    r"""Centred kernel alignment with a linear kernel, Appendix A.8.

    .. math:: \mathrm{CKA} = \frac{\mathrm{HSIC}(K, L)}{\sqrt{\mathrm{HSIC}(K, K)\, \mathrm{HSIC}(L, L)}}
              = \frac{\|X^\top Y\|_F^2}{\|X^\top X\|_F \|Y^\top Y\|_F}

    for centred features X (n, p) and Y (n, q) with :math:`K = X X^\top` and :math:`L = Y Y^\top`.  An n x n matrix is
    formed only for features wider than n.

    Args:
        first: (n, p), any floating dtype; computed in float64.
        second: (n, q), the same n samples.

    Returns:
        Within [0, 1]; 1 for features equal up to rotation, shift and scale, NaN when one of them is constant.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
        >>> round(linear_cka(x, 5 - 3 * x.flip(1)), 6)
        1.0
    """
    check_tensors(first=first, second=second)
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second) or len(first) < 2:
        raise ValueError(
            f"expected features (n, p) and (n, q) of the same n >= 2 samples, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    x, y = ((wide(features.detach()) - wide(features.detach()).mean(0)) for features in (first, second))
    narrow = min(x.shape[1], y.shape[1]) <= len(x)
    shared = (x.T @ y).square().sum() if narrow else ((x @ x.T) * (y @ y.T)).sum()
    return float(shared / (_squared_gram_norm(x) * _squared_gram_norm(y)).sqrt())


def jacobian_ranks(
    function: Callable[[Tensor], Tensor], inputs: Tensor, threshold: float = 1.19e-7, relative: bool = True
) -> Tensor:
    r"""The numerical rank of a layer's Jacobian at every sample, Appendix A.5.

    .. math:: \operatorname{rank}_\varepsilon(J) = \#\{i : \sigma_i > \varepsilon\, \sigma_1\}, \qquad
              J = \frac{\partial f(x)}{\partial x}

    Args:
        function: a batch of inputs (1, ...) to outputs (1, ...), built of differentiable torch operations (a part of a
            model in evaluation mode).  Give it float64 parameters and inputs: in float32 the rounding of the small
            singular values is of the size of the threshold.
        inputs: (B, ...).
        threshold: :math:`\varepsilon`.
        relative: to the largest singular value, so that the layer's scale does not matter; False takes the
            threshold as it is, as the paper writes it.

    Returns:
        (B,) int64.

    Example:
        >>> weight = torch.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], dtype=torch.float64)
        >>> jacobian_ranks(lambda x: x @ weight.T, torch.ones(2, 3, dtype=torch.float64))
        tensor([1, 1])
    """
    check_tensors(inputs=inputs)
    if inputs.ndim < 2 or not inputs.is_floating_point():
        raise ValueError(f"expected floating-point inputs (B, ...), got {tuple(inputs.shape)} of {inputs.dtype}")
    if threshold <= 0:
        raise ValueError(f"expected threshold > 0, got {threshold}")

    def flat(sample: Tensor) -> Tensor:
        return function(sample.unsqueeze(0)).flatten()

    outputs = flat(inputs[0].detach()).numel()
    wide = outputs < inputs[0].numel()
    jacobian = torch.func.jacrev(flat) if wide else torch.func.jacfwd(flat)
    ranks = []
    for sample in inputs.detach():  # one by one, as the Jacobians of a batch would not fit
        matrix = jacobian(sample).detach().reshape(outputs, -1)
        singular = torch.linalg.svdvals(matrix)
        ranks.append((singular > threshold * (singular.max() if relative else 1)).sum())
    return torch.stack(ranks)
