r"""Post-hoc out-of-distribution scores (Sec. 3.4 of `onecold`): the ten methods of its Tables 7 and 8.

Every function returns one score per sample, (B,): **larger means more likely known**.  They need no training, only
features (B, d), the linear classifier ``weight`` (N, d) and ``bias`` (N,), and what the training images gave.
:math:`z` are logits, :math:`p` their softmax, :math:`h` features.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Elements of a similarity matrix held at a time: buffers of 4 Mi floats, which the allocator uses again.
_CHUNK_ELEMENTS = 1 << 22
# Rows whose float64 copies exist at a time.
_CHUNK_ROWS = 4096


def _check(features: Tensor, train_features: Tensor) -> None:
    if features.ndim != 2 or train_features.ndim != 2 or features.shape[1] != train_features.shape[1]:
        raise ValueError(
            f"expected features (B, d) and train_features (M, d), got {tuple(features.shape)} and {tuple(train_features.shape)}"
        )


def _chunks(features: Tensor, columns: int) -> tuple[Tensor, ...]:
    return features.split(max(1, _CHUNK_ELEMENTS // columns))


def msp(logits: Tensor) -> Tensor:
    r"""Maximum softmax probability (Hendrycks and Gimpel, 2017): :math:`\max_j p_j`.

    Example:
        >>> msp(torch.zeros(1, 4))
        tensor([0.2500])
    """
    return logits.softmax(1).amax(1)


def odin(function: Callable[[Tensor], Tensor], inputs: Tensor, temperature: float = 1000.0, noise: float = 0.0014) -> Tensor:
    r"""ODIN (Liang et al., 2018): the tempered maximum softmax probability after a step that raises it.

    .. math:: \max_j \operatorname{softmax}_j(f(\tilde x) / T), \qquad
              \tilde x = x + \varepsilon \operatorname{sign} \nabla_x \log \max_j \operatorname{softmax}_j(f(x) / T)

    Args:
        function: inputs (B, ...) to logits (B, N).
        inputs: (B, ...), e.g. images within [0, 1].
        temperature: :math:`T > 0`.
        noise: :math:`\varepsilon \ge 0`, in the inputs' unit.
    """
    if temperature <= 0 or noise < 0:
        raise ValueError(f"expected temperature > 0 and noise >= 0, got {temperature} and {noise}")
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        best = (function(inputs) / temperature).log_softmax(1).amax(1)
        (gradient,) = torch.autograd.grad(best.sum(), inputs)
    with torch.no_grad():
        return msp(function(inputs + noise * gradient.sign()) / temperature)


def energy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    r"""The negative free energy (Liu et al., 2020): :math:`T \log \sum_j e^{z_j / T}`.

    Example:
        >>> energy(torch.zeros(1, 4))  # log 4
        tensor([1.3863])
    """
    if temperature <= 0:
        raise ValueError(f"expected temperature > 0, got {temperature}")
    return temperature * (logits / temperature).logsumexp(1)


def _whitener(covariance: Tensor) -> Tensor:
    """A (d, r) with A A^T the pseudo-inverse: directions without variance (dead units) are left out.

    Their eigenvalues are rounding, and inverting them would make every distance noise.  A direction counts when its
    standard deviation exceeds ``d * eps`` (of float32, in which features come) times the largest.
    """
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values.max() * (len(values) * torch.finfo(torch.float32).eps) ** 2
    return vectors[:, kept] / values[kept].sqrt()


def rmds(features: Tensor, train_features: Tensor, train_labels: Tensor) -> Tensor:
    r"""The relative Mahalanobis distance (Ren et al., 2021), negative.

    .. math:: \max_k\; d_0(h) - d_k(h), \qquad d_k(h) = (h - \mu_k)^\top \Sigma^\dagger (h - \mu_k), \quad
              d_0(h) = (h - \mu)^\top \Sigma_0^\dagger (h - \mu)

    with the class means, their common covariance :math:`\Sigma`, and mean and covariance of all training features.  In
    float64, of which (d, d) matrices, the means (N, d), copies of ``features`` and (B, N) distances are held.
    """
    _check(features, train_features)
    present, member, counts = train_labels.unique(return_inverse=True, return_counts=True)
    width, chunks = features.shape[1], list(zip(train_features.split(_CHUNK_ROWS), member.split(_CHUNK_ROWS), strict=True))
    means = features.new_zeros(len(present), width, dtype=torch.float64)
    for rows, own in chunks:
        means.index_add_(0, own, rows.double())
    means /= counts.unsqueeze(1)
    scatter = means.new_zeros(width, width)
    for rows, own in chunks:
        centred = rows.double() - means[own]
        scatter.addmm_(centred.T, centred)
    share = counts.double().unsqueeze(1) / len(train_features)
    mean, covariance = (share * means).sum(0), scatter / len(train_features)
    inner, outer = _whitener(covariance), _whitener(covariance + (share * (means - mean)).T @ (means - mean))
    exact = features.double() - mean
    background = (exact @ outer).square().sum(1)
    distance = torch.cdist(exact @ inner, (means - mean) @ inner, compute_mode="use_mm_for_euclid_dist")
    nearest = distance.amin(1).square()
    return (background - nearest).to(features.dtype)


def vim(features: Tensor, train_features: Tensor, weight: Tensor, bias: Tensor, dimensions: int | None = None) -> Tensor:
    r"""Virtual-logit matching (Wang et al., 2022): the energy less the scaled length outside the principal subspace.

    .. math:: \log \sum_j e^{z_j} - \alpha \|P^\perp (h - o)\|, \qquad o = -W^\dagger b, \qquad
              \alpha = \frac{\sum_m \max_j z_j^{(m)}}{\sum_m \|P^\perp (h^{(m)} - o)\|}

    Args:
        features: (B, d).
        train_features: (M, d), which give the subspace (uncentred around o) and :math:`\alpha`.
        weight: (N, d).
        bias: (N,).
        dimensions: of the principal subspace, below d; by default d/2 (512 for d >= 768, 1000 for d >= 2048).
    """
    _check(features, train_features)
    width = features.shape[1]
    if dimensions is None:
        dimensions = 1000 if width >= 2048 else 512 if width >= 768 else width // 2
    if not 0 < dimensions < width:
        raise ValueError(f"expected 0 < dimensions < {width}, got {dimensions}")
    exact, train, weight, bias = (tensor.double() for tensor in (features, train_features, weight, bias))
    origin = -torch.linalg.pinv(weight) @ bias
    scatter = (train - origin).T @ (train - origin)
    rest = torch.linalg.eigh(scatter).eigenvectors[:, : width - dimensions]  # the smallest eigenvalues come first
    outside, train_outside = (((h - origin) @ rest).norm(dim=1) for h in (exact, train))
    alpha = F.linear(train, weight, bias).amax(1).sum() / train_outside.sum()
    return (energy(F.linear(exact, weight, bias)) - alpha * outside).to(features.dtype)


def knn(features: Tensor, train_features: Tensor, neighbours: int = 50) -> Tensor:
    r"""Minus the distance to the k-th nearest training feature, both of length 1 (Sun et al., 2022).

    The distances are computed chunk by chunk.
    """
    _check(features, train_features)
    if not 1 <= neighbours <= len(train_features):
        raise ValueError(f"expected neighbours within 1..{len(train_features)}, got {neighbours}")
    train = F.normalize(train_features, dim=1)
    cosines = torch.cat(
        [(part @ train.T).topk(neighbours, dim=1).values[:, -1] for part in _chunks(F.normalize(features, dim=1), len(train))]
    )
    return -(2 - 2 * cosines).clamp_min(0).sqrt()


def dice(features: Tensor, train_features: Tensor, weight: Tensor, bias: Tensor, sparsity: float = 0.9) -> Tensor:
    r"""DICE (Sun and Li, 2022): the energy of a classifier that keeps its largest average contributions only.

    .. math:: z = (W \circ M) h + b, \qquad M_{ji} = [W_{ji} \bar h_i > q]

    with the mean training feature :math:`\bar h` and the quantile q of all contributions at ``sparsity``.

    Args:
        features: (B, d).
        train_features: (M, d).
        weight: (N, d).
        bias: (N,).
        sparsity: share of the weights that are cut, within [0, 1).
    """
    _check(features, train_features)
    if not 0 <= sparsity < 1:
        raise ValueError(f"expected sparsity within [0, 1), got {sparsity}")
    contribution = weight * train_features.mean(0)
    position = sparsity * (contribution.numel() - 1)
    low, high = (contribution.flatten().kthvalue(1 + rank).values for rank in (math.floor(position), math.ceil(position)))
    threshold = torch.lerp(low, high, position % 1)  # torch.quantile refuses more than 16 Mi elements
    return energy(F.linear(features, weight * (contribution > threshold), bias))


def she(features: Tensor, logits: Tensor, train_features: Tensor, train_logits: Tensor, train_labels: Tensor) -> Tensor:
    r"""Simplified Hopfield energy (Zhang et al., 2023): the product with the predicted class' pattern.

    .. math:: \langle h, s_{\hat y(h)} \rangle, \qquad s_k = \text{mean of the class' correctly classified training features}

    A class of which nothing is classified right takes the mean of all its training features.
    """
    _check(features, train_features)
    classes = logits.shape[1]
    right = (train_logits.argmax(1) == train_labels).to(train_features.dtype)
    some = torch.zeros(classes, dtype=right.dtype, device=right.device).index_add_(0, train_labels, right)
    used = torch.where(some[train_labels] > 0, right, 1.0)
    total = torch.zeros_like(some).index_add_(0, train_labels, used)
    sums = train_features.new_zeros(classes, features.shape[1]).index_add_(0, train_labels, used.unsqueeze(1) * train_features)
    patterns = sums / total.clamp_min(1).unsqueeze(1)
    return (features * patterns[logits.argmax(1)]).sum(1)


def relation(
    features: Tensor,
    logits: Tensor,
    train_features: Tensor,
    train_logits: Tensor,
    power: float = 8.0,
    threshold: float = 0.03,
) -> Tensor:
    r"""The neural relation graph (Kim et al., 2023): the sum of the strong edges to the training images.

    .. math:: \sum_m \left[r_m > \tau\right] r_m^{\kappa}, \qquad
              r_m = \max(0, \cos(h, h^{(m)})) \; p^\top p^{(m)}

    The edges are computed chunk by chunk.

    Args:
        features: (B, d), with their logits (B, N).
        logits: (B, N).
        train_features: (M, d), with their logits (M, N).
        train_logits: (M, N).
        power: :math:`\kappa > 0`.
        threshold: :math:`\tau \ge 0`.
    """
    _check(features, train_features)
    if power <= 0 or threshold < 0:
        raise ValueError(f"expected power > 0 and threshold >= 0, got {power} and {threshold}")
    train, train_p = F.normalize(train_features, dim=1), train_logits.softmax(1)
    parts = zip(_chunks(F.normalize(features, dim=1), len(train)), _chunks(logits.softmax(1), len(train)), strict=True)
    edges = ((part @ train.T).clamp_min(0) * (p @ train_p.T) for part, p in parts)
    return torch.cat([torch.where(edge > threshold, edge, 0.0).pow(power).sum(1) for edge in edges])


def scale(features: Tensor, weight: Tensor, bias: Tensor, percentile: float = 0.65) -> Tensor:
    r"""SCALE (Xu et al., 2024): the energy after features are enlarged by how much their largest entries stand out.

    .. math:: h' = h \, e^{r}, \qquad r = \frac{\sum_i h_i}{\sum_{i \in \text{top}} h_i}

    where ``top`` are the sample's own entries above its ``percentile``.  Made for features after a ReLU; elsewhere
    negative entries count as 0 in r, since the sums could vanish.

    Args:
        features: (B, d).
        weight: (N, d).
        bias: (N,).
        percentile: share of the entries that are not among the top ones, within [0, 1).
    """
    if not 0 <= percentile < 1:
        raise ValueError(f"expected percentile within [0, 1), got {percentile}")
    positive = features.clamp_min(0)
    kept = max(1, features.shape[1] - round(features.shape[1] * percentile))
    top = positive.topk(kept, dim=1).values.sum(1)
    ratio = torch.where(top > 0, positive.sum(1) / top.clamp_min(torch.finfo(top.dtype).tiny), 1.0)
    return energy(F.linear(features * ratio.exp().unsqueeze(1), weight, bias))
