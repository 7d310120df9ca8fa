"""Heads with a class centre and sampled sub-centres, of the `multicenter` paper."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.heads.linear import Head, unit_vectors


def sample_subcenters(weight: Tensor, log_var: Tensor, noise: Tensor, sigma_scale: float = 1.0) -> Tensor:
    r"""Sub-centres by reparameterisation, Eqs. 5 and 6 of `multicenter`:

    .. math:: w_c^{(k)} = w_c + s \, \sigma_c \odot \varepsilon_{c,k}, \qquad
              \sigma_c = \exp(\tfrac12 \log \sigma_c^2)

    For standard normal noise they have mean :math:`w_c` and covariance :math:`s^2 \operatorname{diag}(\sigma_c^2)`.

    Args:
        weight: class centres :math:`w_c`, (C, d).
        log_var: :math:`\log \sigma_c^2`, (C, d).
        noise: :math:`\varepsilon`, (C, K, d).
        sigma_scale: :math:`s \ge 0`; 1 in the paper, 0.1 in the authors' code.

    Returns:
        Sub-centres (C, K, d).

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> sample_subcenters(torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([[[1.0, -2.0]]]), sigma_scale=0.1)
        tensor([[[1.1000, 0.8000]]])
    """
    if weight.ndim != 2 or log_var.shape != weight.shape:
        raise ValueError(f"expected weight and log_var of one shape (C, d), got {tuple(weight.shape)} and {tuple(log_var.shape)}")
    classes, features = weight.shape
    if noise.ndim != 3 or (noise.shape[0], noise.shape[2]) != (classes, features):
        raise ValueError(f"expected noise of shape ({classes}, K, {features}), got {tuple(noise.shape)}")
    return weight.unsqueeze(1) + (sigma_scale * (0.5 * log_var).exp()).unsqueeze(1) * noise


class _SampledCenters(Head):
    """A class centre and K sub-centres per class, drawn anew for every training batch; the class centre alone otherwise.

    The generator, if given, lives on the weight's device; without one the noise comes from torch's default generator.
    """

    bias_sign = +1

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        num_subcenters: int = 2,
        sigma_scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(in_features, num_classes, "zero")
        if num_subcenters < 0 or num_subcenters != int(num_subcenters) or not sigma_scale >= 0:
            raise ValueError(f"expected a whole num_subcenters >= 0 and sigma_scale >= 0, got {num_subcenters} and {sigma_scale}")
        self.num_subcenters = int(num_subcenters)
        self.sigma_scale = float(sigma_scale)
        self.generator = generator
        self.log_var = nn.Parameter(torch.empty(num_classes, in_features))
        nn.init.kaiming_uniform_(self.log_var, a=math.sqrt(5))

    def centers(self) -> Tensor:
        """(C, K+1, d): the class centre at index 0, then K sub-centres from new noise (Eq. 7 of `multicenter`)."""
        classes, features = self.weight.shape
        # Compiled, randn may refuse generator=None.
        source: dict[str, Any] = {} if self.generator is None else {"generator": self.generator}
        noise = torch.randn(
            (classes, self.num_subcenters, features), dtype=self.weight.dtype, device=self.weight.device, **source
        )
        subcenters = sample_subcenters(self.weight, self.log_var, noise, self.sigma_scale)
        return torch.cat([self.weight.unsqueeze(1), subcenters], 1)

    def sigma(self) -> Tensor:
        """Standard deviation of the sub-centres in every direction, (C, d)."""
        return self.sigma_scale * (0.5 * self.log_var.detach()).exp()

    def center_logits(self, features: Tensor, centers: Tensor) -> Tensor:
        """Similarities to every centre, (B, d) and (C, K+1, d) -> (B, C, K+1)."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        """In training (B, C, K+1), similarities to all centres; in evaluation (B, C), those to the class centres."""
        return self.center_logits(features, self.centers()) if self.training else self.similarities(features)

    def extra_repr(self) -> str:
        classes, features = self.weight.shape
        return (
            f"in_features={features}, num_classes={classes}, num_subcenters={self.num_subcenters}, "
            f"sigma_scale={self.sigma_scale:g}"
        )


class MultiCenterHead(_SampledCenters):
    r"""Inner products with a class centre and K sampled sub-centres, Eqs. 5-7 of `multicenter`:

    .. math:: f_{c,0}(x) = w_c^\top x, \qquad f_{c,k}(x) = (w_c + s \, \sigma_c \odot \varepsilon_{c,k})^\top x,
              \quad \varepsilon_{c,k} \sim \mathcal N(0, I)

    Learned are ``weight`` and ``log_var`` :math:`= \log \sigma_c^2`, both (C, d).  The noise is drawn at every forward
    of the training and shared by the batch.  In evaluation only :math:`f_{c,0}` is left: a linear layer.

    Args:
        in_features: size of a feature vector, d.
        num_classes: number of classes, C.
        num_subcenters: K; with 0 it is a linear head in training, too.
        sigma_scale: :math:`s`; 1 in the paper, 0.1 in the authors' code.
        generator: source of the noise, on the weight's device.

    Example:
        >>> head = MultiCenterHead(in_features=4, num_classes=3, num_subcenters=2)
        >>> head(torch.zeros(5, 4)).shape
        torch.Size([5, 3, 3])
        >>> head.eval()(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    def similarities(self, features: Tensor) -> Tensor:
        """Similarities to the class centres, (B, d) -> (B, C)."""
        return F.linear(features, self.weight)

    def center_logits(self, features: Tensor, centers: Tensor) -> Tensor:
        """Inner products with every centre, (B, d) and (C, K+1, d) -> (B, C, K+1)."""
        return F.linear(features, centers.flatten(0, 1)).unflatten(1, centers.shape[:2])

    def to_linear(self) -> nn.Linear:
        """The head at test time as a plain layer: same outputs, no parameter besides the weight (a copy)."""
        classes, features = self.weight.shape
        linear = nn.Linear(features, classes, bias=False, device=self.weight.device, dtype=self.weight.dtype)
        with torch.no_grad():
            linear.weight.copy_(self.weight)
        return linear


class MultiCenterCosineHead(_SampledCenters):
    r"""Scaled cosines with the centres of :class:`MultiCenterHead`, each normalised after it was drawn; within
    :math:`[-\gamma, \gamma]`.

    Args:
        scale: :math:`\gamma`.

    The others are those of :class:`MultiCenterHead`.

    Example:
        >>> head = MultiCenterCosineHead(in_features=4, num_classes=3, scale=8.0)
        >>> bool(head(torch.randn(2, 4)).abs().max() <= 8.0)
        True
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        num_subcenters: int = 2,
        sigma_scale: float = 1.0,
        scale: float = 16.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(in_features, num_classes, num_subcenters, sigma_scale, generator)
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.scale = float(scale)

    def similarities(self, features: Tensor) -> Tensor:
        """Scaled cosines with the class centres, (B, d) -> (B, C)."""
        return self.scale * F.linear(unit_vectors(features), unit_vectors(self.weight))

    def center_logits(self, features: Tensor, centers: Tensor) -> Tensor:
        """Scaled cosines with every centre, (B, d) and (C, K+1, d) -> (B, C, K+1)."""
        cosines = F.linear(unit_vectors(features), unit_vectors(centers.flatten(0, 1)))
        return self.scale * cosines.unflatten(1, centers.shape[:2])

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale:g}"
