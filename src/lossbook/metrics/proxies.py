r"""How far is an embedding from the proxy of its class?"""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.metrics.checks import check_range, check_tensors
from lossbook.precision import wide


def avg_dtp(features: Tensor, labels: Tensor, proxies: Tensor) -> float:
    r"""AvgDTP, Eq. 9 of `warped`: the mean distance of an embedding to its class's proxy.

    .. math:: \mathrm{AvgDTP} = \frac1M \sum_i \|e_i - p_{y_i}\|

    Args:
        features: (M, d).
        labels: (M,), int64, within 0..N-1.
        proxies: (N, d).

    Returns:
        In the features' unit, [0, inf).

    Raises:
        ValueError: for shapes that do not fit, no sample, or a label out of range.
        TypeError: for labels that are not int64.

    Example:
        >>> avg_dtp(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([0, 1]), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
        3.0
    """
    check_tensors(features=features, labels=labels, proxies=proxies)
    fit = features.ndim == proxies.ndim == 2 and features.shape[1] == proxies.shape[1] and labels.shape == features.shape[:1]
    if not fit or not len(features):
        shapes = ", ".join(str(tuple(x.shape)) for x in (features, labels, proxies))
        raise ValueError(f"expected features (M, d), labels (M,) with M >= 1 and proxies (N, d), got {shapes}")
    if labels.dtype != torch.int64:
        raise TypeError(f"expected labels of dtype torch.int64, got {labels.dtype}")
    check_range(labels, len(proxies))
    apart = wide(features.detach()) - wide(proxies.detach())[labels]
    return torch.linalg.vector_norm(apart, dim=1).mean().item()
