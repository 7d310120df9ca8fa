r"""Halves of the out-of-distribution scores: what each learns from training features, and how it then scores.

``learn_*`` takes training features (M, d) and returns a tuple of tensors; ``*_scores`` takes features (B, d) and that tuple
and returns (B,), larger = more likely known.  :mod:`lossbook.metrics.ood` puts the two together, :mod:`lossbook.ood` keeps the
tensors as buffers of a module.  Half precision is computed and returned in float32, and autocast has no effect in here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, ParamSpec

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.losses.checks import check_labels
from lossbook.metrics.detection_checks import check_classes, check_neighbours
from lossbook.precision import vanishing, wide, widest

# Elements of a similarity matrix held at a time: buffers of 4 Mi floats, which the allocator uses again.
_CHUNK_ELEMENTS = 1 << 22
# Rows whose float64 copies exist at a time.
_CHUNK_ROWS = 4096
# A part outside the principal subspace that is a smaller share of a feature's length than this is computed in float64.
_SMALL_OUTSIDE = 1 / 64
# Pairs whose float64 differences are held at a time.
_PAIRS = 4096

Parameters = ParamSpec("Parameters")


def no_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Inside it autocast, which would compute products in half precision, is off on the device."""
    return torch.autocast(device.type, enabled=False) if torch.is_autocast_enabled(device.type) else nullcontext()


def without_autocast(function: Callable[Parameters, Tensor]) -> Callable[Parameters, Tensor]:
    """The function outside autocast on its tensors' device."""

    @functools.wraps(function)
    def scores(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Tensor:
        tensors = (value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        with no_autocast(next((tensor.device for tensor in tensors), torch.device("cpu"))):
            return function(*args, **kwargs)

    return scores


def linear(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Logits in the wider dtype of features and weight, (B, N)."""
    if features.dtype == weight.dtype == bias.dtype:
        return F.linear(features, weight, bias)
    dtype = torch.promote_types(features.dtype, weight.dtype)
    return F.linear(features.to(dtype), weight.to(dtype), bias.to(dtype))


def _chunks(features: Tensor, columns: int) -> tuple[Tensor, ...]:
    return features.split(max(1, _CHUNK_ELEMENTS // columns))


# Logits ----------------------------------------------------------------------------------------------------------


def free_energy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """T log sum exp(z / T), (B, N) -> (B,)."""
    if not temperature > 0:
        raise ValueError(f"expected temperature > 0, got {temperature}")
    return temperature * (logits / temperature).logsumexp(1)


def log_odds(logits: Tensor) -> Tensor:
    """log p / (1 - p) of the largest softmax probability p, (B, N) -> (B,), from the others' logits: it never saturates.

    Relative to the largest, each term of the softmax is below 1 but for those of the largest logits, which are 1.  The others'
    sum is that of the terms' parts behind the decimal point, and of the ones but one.
    """
    terms = (logits - logits.amax(1, keepdim=True)).exp_()
    ones = terms.floor()
    others = terms.sub_(ones).sum(1) + (ones.sum(1) - 1)
    least = math.exp(vanishing(logits.dtype))
    if float(others.detach().amin()) > least:
        return -others.log()
    best, place = logits.max(1, keepdim=True)  # where the others' terms vanish, and where a logit is infinite
    return torch.where(others > least, -others.log(), best.squeeze(1) - logits.scatter(1, place, -torch.inf).logsumexp(1))


def above_chance(logits: Tensor) -> Tensor:
    """:func:`log_odds` + log(N - 1), which is 0 for equal logits, (B, N) -> (B,), as precise there as elsewhere."""
    others = logits.shape[1] - 1
    excess = (logits - logits.amax(1, keepdim=True)).expm1_().sum(1) / others
    if float(excess.detach().amin()) > -0.5:  # as at a high temperature
        return -torch.log1p(excess)
    return torch.where(excess > -0.5, -torch.log1p(excess), log_odds(logits) + math.log(others))


# Distances -------------------------------------------------------------------------------------------------------


def _whitener(covariance: Tensor) -> Tensor:
    """A (d, r) with A A^T the pseudo-inverse: directions without variance (dead units) are left out.

    Their eigenvalues are rounding, and inverting them would make every distance noise.  A direction counts when its
    standard deviation exceeds ``d * eps`` (of float32, in which features come) times the largest.
    """
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values.max() * (len(values) * torch.finfo(torch.float32).eps) ** 2
    return vectors[:, kept] / values[kept].sqrt()


class Whitened(NamedTuple):
    """Mean (d,), maps (d, r) to the space where the distance to all (``outer``) and to a class (``inner``) is Euclidean, and
    the classes' centres (N, r) there."""

    mean: Tensor
    outer: Tensor
    inner: Tensor
    centres: Tensor


def learn_rmds(train: Tensor, labels: Tensor) -> Whitened:
    """In :func:`~lossbook.precision.widest`; (d, d) matrices, the means (N, d) and copies of 4,096 features are held."""
    check_classes(labels, train)
    present, member, counts = labels.unique(return_inverse=True, return_counts=True)
    width, chunks = train.shape[1], list(zip(train.split(_CHUNK_ROWS), member.split(_CHUNK_ROWS), strict=True))
    means = train.new_zeros(len(present), width, dtype=widest(train.device))
    for rows, own in chunks:
        means.index_add_(0, own, wide(rows))
    means /= counts.unsqueeze(1)
    scatter = means.new_zeros(width, width)
    for rows, own in chunks:
        centred = wide(rows) - means[own]
        scatter.addmm_(centred.T, centred)
    share = counts.to(means.dtype).unsqueeze(1) / len(train)
    mean, covariance = (share * means).sum(0), scatter / len(train)
    inner, outer = _whitener(covariance), _whitener(covariance + (share * (means - mean)).T @ (means - mean))
    return Whitened(mean, outer, inner, (means - mean) @ inner)


def rmds_scores(features: Tensor, learned: Whitened) -> Tensor:
    exact = features.to(learned.mean.dtype) - learned.mean
    background = (exact @ learned.outer).square().sum(1)
    distance = torch.cdist(exact @ learned.inner, learned.centres, compute_mode="use_mm_for_euclid_dist")
    return (background - distance.amin(1).square()).to(features.dtype)


class Directions(NamedTuple):
    """Training features (M, d) and their lengths (M,), which is what their directions need."""

    train_features: Tensor
    lengths: Tensor


def _lengths(features: Tensor) -> Tensor:
    return torch.cat([torch.linalg.vector_norm(wide(rows), dim=1) for rows in features.split(_CHUNK_ROWS)])


def learn_knn(train: Tensor) -> Directions:
    return Directions(train, _lengths(train))


def knn_scores(features: Tensor, learned: Directions, neighbours: int) -> Tensor:
    """Minus the distances to the k-th nearest directions.

    A product finds the candidates: the few training features whose cosines it cannot tell from the k-th.  Their distances come
    from differences, since 2 - 2 cos would be rounding where features have collapsed.  A zero feature has cosine 0 with all.
    """
    train, length = learned
    check_neighbours(neighbours, train)
    inverse = (1 / length.masked_fill(length == 0, torch.inf)).to(train.dtype)
    dtype = torch.promote_types(features.dtype, train.dtype)
    # Twice the error of a cosine: of d rounded products, their sum and the lengths.
    margin = 2 * (features.shape[1] + 8) ** 0.5 * 4 * torch.finfo(dtype).eps
    found = []
    for part in _chunks(features, len(train)):
        own = _lengths(part)
        unit = part / own.masked_fill(own == 0, 1).unsqueeze(1)
        cosines = (unit.to(dtype) @ train.T.to(dtype)).mul_(inverse)
        nearest = cosines.topk(neighbours, dim=1).values
        last = nearest[:, -1:]
        nearer = (nearest > last + margin).sum(1)
        # Negated, so that a row with NaN keeps its candidates and its score is NaN.
        row, column = (cosines < last - margin).logical_not_().nonzero().unbind(1)
        doubtful = (cosines[row, column] > (last + margin)[row, 0]).logical_not_()
        row, column = row[doubtful], column[doubtful]
        distances = _distances(unit, train, length, row, column)
        order = distances.sort(stable=True).indices
        order = order[row[order].sort(stable=True).indices]
        first = torch.searchsorted(row, torch.arange(len(part), device=row.device))
        found.append(-distances[order[first + neighbours - 1 - nearer]])
    return torch.cat(found).to(features.dtype)


def _distances(unit: Tensor, train: Tensor, length: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Of the directions ``unit[row]`` to the directions ``train[column]``, each (n,), from their differences: (n,)."""
    found = []
    for i, j in zip(row.split(_PAIRS), column.split(_PAIRS), strict=True):
        x, size = unit[i], length[j].unsqueeze(1)
        y = train[j].to(x.dtype) / size.masked_fill(size == 0, 1)
        zeros = (x == 0).all(1).to(x.dtype) + (size.squeeze(1) == 0)
        found.append(((x - y).square().sum(1) + zeros).sqrt())
    return torch.cat(found)


# Linear classifiers ----------------------------------------------------------------------------------------------


class Residual(NamedTuple):
    """What ViM learned.

    Attributes:
        weight, bias: the classifier, (N, d) and (N,).
        directions: those outside the principal subspace, (d, r), in the classifier's dtype.
        shift: minus the origin's place along them, (r,).
        origin: (d,), in :func:`~lossbook.precision.widest`, as what follows.
        rest: the directions again, (d, r).
        alpha: the factor of the length outside, a scalar.
    """

    weight: Tensor
    bias: Tensor
    directions: Tensor
    shift: Tensor
    origin: Tensor
    rest: Tensor
    alpha: Tensor


def learn_vim(train: Tensor, weight: Tensor, bias: Tensor, dimensions: int | None) -> Residual:
    """Copies of 4,096 features are held at a time."""
    width = train.shape[1]
    if dimensions is None:
        dimensions = 1000 if width >= 2048 else 512 if width >= 768 else width // 2
    if not 0 < dimensions < width:
        raise ValueError(f"expected 0 < dimensions < {width}, got {dimensions}")
    origin = -torch.linalg.pinv(wide(weight)) @ wide(bias).contiguous()
    scatter, chunks = origin.new_zeros(width, width), train.split(_CHUNK_ROWS)
    for rows in chunks:
        centred = wide(rows) - origin
        scatter.addmm_(centred.T, centred)
    rest = torch.linalg.eigh(scatter).eigenvectors[:, : width - dimensions].contiguous()  # the smallest eigenvalues come first
    total = outside = length = scatter.new_zeros(())
    for rows in chunks:
        exact = wide(rows)
        centred = exact - origin
        total = total + linear(exact, weight, bias).amax(1).sum()
        outside = outside + (centred @ rest).norm(dim=1).sum()
        length = length + centred.norm(dim=1).sum()
    # Less than this is rounding: the features have no length outside, and dividing by it would make the factor infinite.
    least = (width * torch.finfo(torch.float32).eps * length).clamp_min(torch.finfo(length.dtype).tiny)
    alpha = torch.where(length > 0, total / torch.maximum(outside, least), 0.0)
    return Residual(weight, bias, rest.to(weight.dtype), (-origin @ rest).to(weight.dtype), origin, rest, alpha)


def vim_scores(features: Tensor, learned: Residual) -> Tensor:
    energies = linear(features, learned.weight, learned.bias).logsumexp(1)
    return (energies - learned.alpha * _outside(features, learned)).to(features.dtype)


def _outside(features: Tensor, learned: Residual) -> Tensor:
    """The length outside the principal subspace, (B, d) -> (B,).

    A product's rounding is a share of the feature's length.  Where the part outside is a small share of that, the product is
    taken again in :func:`~lossbook.precision.widest`, so that features that have collapsed onto the subspace rank right.
    """
    if features.dtype != learned.directions.dtype:
        return _exactly_outside(features, learned)
    length = torch.linalg.vector_norm(torch.addmm(learned.shift, features, learned.directions), dim=1)
    share = length / torch.linalg.vector_norm(features, dim=1)
    if not float(share.detach().amin()) > _SMALL_OUTSIDE:
        rounded = (share > _SMALL_OUTSIDE).logical_not_()
        length[rounded] = _exactly_outside(features[rounded], learned)
    return length


def _exactly_outside(features: Tensor, learned: Residual) -> Tensor:
    exact = (features.to(learned.rest.dtype) - learned.origin) @ learned.rest
    return torch.linalg.vector_norm(exact, dim=1).to(features.dtype)


def learn_dice(train: Tensor, weight: Tensor, sparsity: float) -> Tensor:
    """The weight (N, d) without its small contributions."""
    if not 0 <= sparsity < 1:
        raise ValueError(f"expected sparsity within [0, 1), got {sparsity}")
    contribution = weight * train.mean(0)
    position = sparsity * (contribution.numel() - 1)
    low, high = (contribution.flatten().kthvalue(1 + rank).values for rank in (math.floor(position), math.ceil(position)))
    threshold = torch.lerp(low, high, position % 1)  # torch.quantile refuses more than 16 Mi elements
    return weight * (contribution > threshold)


def scaled(features: Tensor, percentile: float) -> Tensor:
    """Features (B, d) enlarged by how much their largest entries stand out."""
    if not 0 <= percentile < 1:
        raise ValueError(f"expected percentile within [0, 1), got {percentile}")
    positive = features.clamp_min(0)
    kept = max(1, features.shape[1] - round(features.shape[1] * percentile))
    top = positive.topk(kept, dim=1, sorted=False).values.sum(1)
    ratio = torch.where(top > 0, positive.sum(1) / top.clamp_min(torch.finfo(top.dtype).tiny), 1.0)
    return features * ratio.exp().unsqueeze(1)


# Training images -------------------------------------------------------------------------------------------------


def learn_she(train: Tensor, train_logits: Tensor, labels: Tensor) -> Tensor:
    """The classes' patterns, (N, d)."""
    classes = train_logits.shape[1]
    check_labels(labels, len(train), classes, train.device)
    right = (train_logits.argmax(1) == labels).to(train.dtype)
    some = torch.zeros(classes, dtype=right.dtype, device=right.device).index_add_(0, labels, right)
    used = torch.where(some[labels] > 0, right, 1.0)
    total = torch.zeros_like(some).index_add_(0, labels, used)
    sums = train.new_zeros(classes, train.shape[1]).index_add_(0, labels, used.unsqueeze(1) * train)
    return sums / total.clamp_min(1).unsqueeze(1)


def she_scores(features: Tensor, logits: Tensor, patterns: Tensor) -> Tensor:
    predicted = logits.max(1).indices  # in half the time of argmax
    return (features * patterns.index_select(0, predicted)).sum(1)


class Graph(NamedTuple):
    """Training features of length 1, (M, d), and their softmax probabilities (M, N)."""

    directions: Tensor
    probabilities: Tensor


def learn_relation(train: Tensor, train_logits: Tensor) -> Graph:
    return Graph(F.normalize(train, dim=1), train_logits.softmax(1))


def relation_scores(features: Tensor, logits: Tensor, learned: Graph, power: float, threshold: float) -> Tensor:
    """The edges are computed chunk by chunk."""
    if power <= 0 or threshold < 0:
        raise ValueError(f"expected power > 0 and threshold >= 0, got {power} and {threshold}")
    train, train_p = learned
    parts = zip(_chunks(F.normalize(features, dim=1), len(train)), _chunks(logits.softmax(1), len(train)), strict=True)
    edges = ((part @ train.T).clamp_min(0) * (p @ train_p.T) for part, p in parts)
    return torch.cat([torch.where(edge > threshold, edge, 0.0).pow(power).sum(1) for edge in edges])
