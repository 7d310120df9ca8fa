r"""How far is an embedding from the proxy of its class?"""

from __future__ import annotations

import torch
from torch import Tensor


def avg_dtp(features: Tensor, labels: Tensor, proxies: Tensor) -> float:
    r"""AvgDTP, Eq. 9 of `warped`: the mean distance of an embedding to its class's proxy.

    .. math:: \mathrm{AvgDTP} = \frac1M \sum_i \|e_i - p_{y_i}\|

    Args:
        features: (M, d).
        labels: (M,), int64, within 0..N-1.
        proxies: (N, d).

    Returns:
        In the features' unit, [0, inf).

    Example:
        >>> avg_dtp(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([0, 1]), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
        3.0
    """
    fit = features.ndim == proxies.ndim == 2 and features.shape[1] == proxies.shape[1] and labels.shape == features.shape[:1]
    if not fit or not len(features):
        shapes = ", ".join(str(tuple(x.shape)) for x in (features, labels, proxies))
        raise ValueError(f"expected features (M, d), labels (M,) with M >= 1 and proxies (N, d), got {shapes}")
    apart = features.detach().double() - proxies.detach().double()[labels]
    return torch.linalg.vector_norm(apart, dim=1).mean().item()
