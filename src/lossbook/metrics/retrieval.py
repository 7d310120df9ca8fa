r"""How good is an embedding for retrieval?  Every sample queries all the others for samples of its class.

``features`` (M, d) are the embeddings, ``labels`` (M,) the classes, any integers.  Nearest neighbours are exact, see
:mod:`lossbook.metrics.neighbours`.  The query itself is left out.  :math:`R_i` is the number of other samples of query i's
class; a query whose class has no other sample (:math:`R_i = 0`) has nothing to find and is left out of every mean, but others
may find it.  All results are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lossbook.metrics.neighbours import Distance, check_embeddings, neighbours_in_chunks, points_of


class _Queries(NamedTuple):
    """Per query, each (M,): rank of the first sample of its class (from 0), R-precision, average precision at R, R > 0."""

    first: Tensor
    r_precision: Tensor
    average_precision: Tensor
    counted: Tensor


def _relevant(features: Tensor, labels: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    """After all checks: the classes as 0, 1, ..., and how many other samples of its class a sample has, each (M,)."""
    check_embeddings(features, labels)
    if not 1 <= depth < len(labels):
        raise ValueError(f"expected k within 1..{len(labels) - 1}, one less than the samples, got {depth}")
    _, group, sizes = torch.unique(labels, return_inverse=True, return_counts=True)
    relevant = (sizes - 1)[group]
    if not bool((relevant > 0).any()):
        raise ValueError("expected a class with at least two samples: no query has anything to find")
    return group, relevant


def _matches(features: Tensor, group: Tensor, distance: Distance, depth: int) -> Iterator[tuple[slice, Tensor]]:
    """Which of a query's nearest neighbours have its class: chunks of queries, and (rows, depth) each."""
    start = 0
    for neighbours in neighbours_in_chunks(points_of(features, distance), depth):
        rows = slice(start, start + len(neighbours))
        yield rows, group[neighbours] == group[rows].unsqueeze(1)
        start = rows.stop


def _first(match: Tensor) -> Tensor:
    """The rank of the first match, from 0; the depth where there is none."""
    return torch.where(match.any(1), match.int().argmax(1), match.shape[1])


def _queries(features: Tensor, labels: Tensor, distance: Distance, depth: int = 1) -> _Queries:
    """One pass over all queries; ranks of ``depth`` or more that lie beyond the largest R are not searched."""
    group, relevant = _relevant(features, labels, depth)
    depth = max(depth, int(relevant.max()))
    rank = torch.arange(depth, device=labels.device)
    columns: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows, match in _matches(features, group, distance, depth):
        wanted = relevant[rows].unsqueeze(1)
        hit = match & (rank < wanted)
        precision = hit.cumsum(1) / (rank + 1).double()
        share = 1 / wanted.clamp_min(1).double()
        columns.append((_first(match), hit.double().mul_(share).sum(1), precision.mul_(hit).mul_(share).sum(1)))
    return _Queries(*(torch.cat(column) for column in zip(*columns, strict=True)), counted=relevant > 0)


def _mean(values: Tensor, counted: Tensor) -> float:
    return values[counted].double().mean().item()


def recall_at_k(
    features: Tensor, labels: Tensor, ks: Sequence[int] = (1, 2, 4, 8), distance: Distance = "euclidean"
) -> dict[int, float]:
    r"""The share of queries with a sample of their class among the k nearest, for all k in one pass.

    .. math:: \mathrm{Recall@}k = \frac1M \sum_i \left[\exists\, j \in \mathrm{NN}_k(i): y_j = y_i\right]

    Example:
        >>> recall_at_k(torch.tensor([[0.0], [1.0], [1.5], [9.0]]), torch.tensor([0, 0, 1, 1]), ks=(1, 2))
        {1: 0.5, 2: 0.75}
    """
    if not ks or min(ks) < 1:
        raise ValueError(f"expected one or more k >= 1, got {tuple(ks)}")
    group, relevant = _relevant(features, labels, max(ks))
    first = torch.cat([_first(match) for _, match in _matches(features, group, distance, max(ks))])
    return {k: _mean(first < k, relevant > 0) for k in ks}


def precision_at_1(features: Tensor, labels: Tensor, distance: Distance = "euclidean") -> float:
    """P@1: the share of queries whose nearest neighbour has their class; the same as recall@1."""
    return recall_at_k(features, labels, (1,), distance)[1]


def r_precision(features: Tensor, labels: Tensor, distance: Distance = "euclidean") -> float:
    r"""The mean share of a query's :math:`R_i` nearest neighbours that have its class.

    .. math:: \mathrm{RP} = \frac1M \sum_i \frac{1}{R_i} \sum_{k=1}^{R_i} \left[y_{(k)} = y_i\right]
    """
    queries = _queries(features, labels, distance)
    return _mean(queries.r_precision, queries.counted)


def map_at_r(features: Tensor, labels: Tensor, distance: Distance = "euclidean") -> float:
    r"""MAP@R (Musgrave et al., *A Metric Learning Reality Check*): R-precision that rewards the order.

    .. math:: \mathrm{MAP@R} = \frac1M \sum_i \frac{1}{R_i} \sum_{k=1}^{R_i} \left[y_{(k)} = y_i\right] P_i(k)

    :math:`P_i(k)` is the share of query i's k nearest neighbours that have its class.
    """
    queries = _queries(features, labels, distance)
    return _mean(queries.average_precision, queries.counted)


def retrieval_scores(
    features: Tensor, labels: Tensor, ks: Sequence[int] = (1, 2, 4, 8), distance: Distance = "euclidean"
) -> dict[str, float]:
    """:func:`recall_at_k`, :func:`precision_at_1`, :func:`r_precision` and :func:`map_at_r` in one pass.

    Example:
        >>> retrieval_scores(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([0, 0, 1, 1]), ks=(1,))
        {'recall@1': 1.0, 'P@1': 1.0, 'R-precision': 1.0, 'MAP@R': 1.0}
    """
    if not ks or min(ks) < 1:
        raise ValueError(f"expected one or more k >= 1, got {tuple(ks)}")
    queries = _queries(features, labels, distance, max(ks))
    values = {f"recall@{k}": queries.first < k for k in ks}
    values |= {"P@1": queries.first < 1, "R-precision": queries.r_precision, "MAP@R": queries.average_precision}
    return {name: _mean(value, queries.counted) for name, value in values.items()}
