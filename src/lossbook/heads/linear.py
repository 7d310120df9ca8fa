r"""Linear and cosine heads: features (B, d) to logits (B, N).

Two sign conventions, as printed in Table I of the `uniform` paper: a linear head *adds* its bias, a cosine head
*subtracts* it.  ``head.similarities(features)`` has no bias, ``head(features)`` has it (the logits), and
``head.threshold()`` is the threshold on the similarities at which a logit is 0.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.precision import at_least_float32

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


class Head(nn.Module):
    """What linear and cosine heads share: a weight (N, d) and a bias that is absent, (1,) or (N,).

    A unified bias starts at ``bias_start``, a diverse one at ``bias_start`` and the values of its ``bias_mode``.
    """

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
            self.bias = nn.Parameter(bias_start + diverse_bias(num_classes, bias_mode, in_features))
        elif bias == "unified":
            self.bias = nn.Parameter(torch.full((1,), float(bias_start)))
        else:
            raise ValueError(f"bias must be 'zero', 'diverse' or 'unified', got {bias!r}")

    def similarities(self, features: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        """Logits, the similarities with the bias: (B, d) -> (B, N)."""
        similarities = self.similarities(features)
        return similarities if self.bias is None else similarities + self.bias_sign * self.bias

    def threshold(self) -> Tensor:
        """The threshold on the similarities that the bias stands for: a scalar, or (N,) for a diverse bias."""
        if self.bias is None:
            return self.weight.new_zeros(())
        return (-self.bias_sign * self.bias.detach()).squeeze()

    def extra_repr(self) -> str:
        classes, features = self.weight.shape
        bias = "zero" if self.bias is None else "unified" if self.bias.numel() == 1 else "diverse"
        return f"in_features={features}, num_classes={classes}, bias={bias}"


class LinearHead(Head):
    r"""Inner products, Eq. 61 of `uniform`:

    .. math:: c_j(x) = W_j^\top x + b_j

    Example:
        >>> head = LinearHead(in_features=4, num_classes=3, bias="unified")
        >>> head(torch.zeros(2, 4)).shape
        torch.Size([2, 3])
    """

    bias_sign = +1

    def similarities(self, features: Tensor) -> Tensor:
        """Bias-free similarities, (B, d) -> (B, N)."""
        return F.linear(features, self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Logits; a diverse bias is added within the matrix product."""
        if self.bias is not None and self.bias.numel() == self.weight.shape[0]:
            return F.linear(features, self.weight, self.bias)
        return super().forward(features)


def unit_vectors(vectors: Tensor) -> Tensor:
    """Rows of length 1; a zero row stays zero and gets no gradient.  Lengths are taken in float32 or wider."""
    wide = at_least_float32(vectors)
    length = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
    inverse = torch.where(length > 0, 1 / length.clamp_min(1e-12), 0.0)
    return (wide * inverse).to(vectors.dtype)


class CosineHead(Head):
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

    def similarities(self, features: Tensor) -> Tensor:
        """Bias-free similarities, (B, d) -> (B, N), within [-scale, scale]."""
        return self.scale * F.linear(unit_vectors(features), unit_vectors(self.weight))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale:g}"
