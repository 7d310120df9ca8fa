r"""Heads: features (B, d) to class metrics (B, N).

Two sign conventions, as printed in Table I of the `uniform` paper: a linear head *adds* its bias, a cosine head
*subtracts* it.  ``head.metrics(features)`` is free of the bias, ``head(features)`` has it (the logits), and
``head.threshold()`` translates the bias into the threshold that it puts on the bias-free metrics.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Bias = Literal["zero", "diverse", "unified"]


def diverse_bias(num_classes: int, mode: int = 0, in_features: int = 1) -> Tensor:
    r"""Start values of a diverse bias, Table X of the `uniform` paper (modes 1-7); mode 0 is random around zero.

    Classes are counted :math:`i = 1 \dots N` as in the paper.  Mode 0 is uniform in :math:`\pm 1/\sqrt d`, the
    initialisation of ``nn.Linear``; the others are deterministic.

    Returns:
        Tensor (N,) of float32.

    Raises:
        ValueError: if ``mode`` is not one of 0..7.
    """
    i = torch.arange(1, num_classes + 1, dtype=torch.float32)
    high = math.log(96 * num_classes)
    first_and_third_quarter = (i <= num_classes / 4) | ((i >= num_classes / 2) & (i <= 3 * num_classes / 4))
    if mode == 0:
        bound = 1 / math.sqrt(in_features)
        return torch.empty(num_classes).uniform_(-bound, bound)
    if mode == 1:
        return i
    if mode == 2:
        return 64 * i / num_classes
    if mode == 3:
        return 64 * (num_classes - i) / num_classes
    if mode == 4:
        return torch.log(96 * i)
    if mode == 5:
        return torch.log(96 * (num_classes + 1 - i))
    if mode == 6:
        return torch.where(first_and_third_quarter, high, 0.0)
    if mode == 7:
        return torch.where(first_and_third_quarter, 0.0, high)
    raise ValueError(f"bias_mode must be one of 0..7 (Table X), got {mode}")


class _Head(nn.Module):
    """What linear and cosine heads share: a weight (N, d) and a bias that is absent, (1,) or (N,)."""

    bias_sign: int

    def __init__(
        self, in_features: int, num_classes: int, bias: Bias = "diverse", bias_mode: int = 0, bias_start: float = 0.0
    ) -> None:
        super().__init__()
        if in_features < 1 or num_classes < 2:
            raise ValueError(f"expected in_features >= 1 and num_classes >= 2, got {in_features} and {num_classes}")
        self.weight = nn.Parameter(torch.empty(num_classes, in_features))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if bias == "zero":
            self.register_parameter("bias", None)
        elif bias == "diverse":
            self.bias = nn.Parameter(diverse_bias(num_classes, bias_mode, in_features))
        elif bias == "unified":
            self.bias = nn.Parameter(torch.full((1,), float(bias_start)))
        else:
            raise ValueError(f"bias must be 'zero', 'diverse' or 'unified', got {bias!r}")

    def metrics(self, features: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        """Class metrics with the bias, (B, d) -> (B, N)."""
        metrics = self.metrics(features)
        return metrics if self.bias is None else metrics + self.bias_sign * self.bias

    def threshold(self) -> Tensor:
        """The threshold on the bias-free metrics that the bias stands for: a scalar, or (N,) for a diverse bias."""
        if self.bias is None:
            return self.weight.new_zeros(())
        return (-self.bias_sign * self.bias.detach()).squeeze()

    def extra_repr(self) -> str:
        classes, features = self.weight.shape
        bias = "zero" if self.bias is None else "unified" if self.bias.numel() == 1 else "diverse"
        return f"in_features={features}, num_classes={classes}, bias={bias}"


class LinearHead(_Head):
    r"""Inner products, Eq. 61 of `uniform`:

    .. math:: c_j(x) = W_j^\top x + b_j

    Example:
        >>> head = LinearHead(in_features=4, num_classes=3, bias="unified")
        >>> head(torch.zeros(2, 4)).shape
        torch.Size([2, 3])
    """

    bias_sign = +1

    def metrics(self, features: Tensor) -> Tensor:
        """Bias-free class metrics, (B, d) -> (B, N)."""
        return F.linear(features, self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Class metrics with the bias; a diverse bias joins the matrix product."""
        if self.bias is not None and self.bias.numel() == self.weight.shape[0]:
            return F.linear(features, self.weight, self.bias)
        return super().forward(features)


def _unit(vectors: Tensor) -> Tensor:
    """Rows of length 1; a zero row stays zero and gets no gradient.  Lengths are taken in float32 or wider."""
    wide = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
    length = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
    inverse = torch.where(length > 0, 1 / length.clamp_min(1e-12), 0.0)
    return (wide * inverse).to(vectors.dtype)


class CosineHead(_Head):
    r"""Scaled cosines, Eq. 62 of `uniform`, within :math:`[-\gamma, \gamma]`:

    .. math:: c_j(x) = \gamma \cos(W_j, x) - b_j = \gamma \frac{W_j^\top x}{\|W_j\| \|x\|} - b_j

    A zero feature has cosine 0 with every class.

    Example:
        >>> head = CosineHead(in_features=4, num_classes=3, scale=8.0, bias="zero")
        >>> bool(head(torch.randn(2, 4)).abs().max() <= 8.0)
        True
    """

    bias_sign = -1

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        bias: Bias = "diverse",
        scale: float = 96.0,
        bias_mode: int = 0,
        bias_start: float = 0.0,
    ) -> None:
        super().__init__(in_features, num_classes, bias, bias_mode, bias_start)
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.scale = float(scale)

    def metrics(self, features: Tensor) -> Tensor:
        """Bias-free class metrics, (B, d) -> (B, N), within [-scale, scale]."""
        return self.scale * F.linear(_unit(features), _unit(self.weight))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale:g}"


class _Distances(torch.autograd.Function):
    """Euclidean distances (B, N) between the rows of (B, d) and (N, d), in (B, N) memory forward and backward.

    Forward takes the differences themselves: squares and products would lose a distance that is small against the
    vectors' lengths.  ``torch.cdist`` does that too, but its CUDA backward keeps a (B, N, d) tensor; here the gradient is
    two matrix products, in float64 for the same reason.  At distance 0 it is 0, the subgradient of least norm.
    """

    @staticmethod
    def forward(rows: Tensor, columns: Tensor) -> Tensor:
        return torch.cdist(rows, columns, compute_mode="donot_use_mm_for_euclid_dist")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        rows, columns, distances = ctx.saved_tensors
        pull = gradient.double() / distances.masked_fill(distances == 0, torch.inf)
        wide_rows, wide_columns = rows.double(), columns.double()
        of_rows = pull.sum(1, keepdim=True) * wide_rows - pull @ wide_columns
        of_columns = pull.sum(0).unsqueeze(1) * wide_columns - pull.T @ wide_rows
        return of_rows.to(rows.dtype), of_columns.to(columns.dtype)


class EuclideanHead(_Head):
    r"""Minus the Euclidean distances to one proxy a class, Sec. III of `warped`; nothing is squared or normalised:

    .. math:: c_j(x) = -d_j(x) = -\|x - p_j\|

    The proxies are ``weight``, normally distributed at the start (``kaiming_normal_``).  There is no bias.  Half
    precision is computed in float32, and float32 is what comes back.  Distances take (B, N) memory, as do their
    gradients, and keep their relative precision when an embedding nearly meets its proxy.

    Example:
        >>> head = EuclideanHead(in_features=2, num_classes=3)
        >>> _ = head.weight.data.copy_(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
        >>> head.distances(torch.zeros(1, 2)).tolist()
        [[0.0, 5.0, 1.0]]
    """

    bias_sign = +1

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__(in_features, num_classes, bias="zero")
        nn.init.kaiming_normal_(self.weight)

    def distances(self, features: Tensor) -> Tensor:
        """Distances to all proxies, (B, d) -> (B, N), each >= 0."""
        wide = torch.promote_types(torch.promote_types(features.dtype, self.weight.dtype), torch.float32)
        return _Distances.apply(features.to(wide), self.weight.to(wide))

    def metrics(self, features: Tensor) -> Tensor:
        """Minus the distances, (B, d) -> (B, N), each <= 0."""
        return -self.distances(features)
