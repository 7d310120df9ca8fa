"""How the samples of a query's class stand in its ranking, in expectation over the order of equally near samples."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from lossbook.metrics.neighbours import all_distances

# Entries of float64 distances, and of what is computed of them, held at a time: about 100 bytes per entry.
_ELEMENTS = 1 << 21


class Expected(NamedTuple):
    """Of ranks 0, 1, ..., each (rows, depth) of float64, the expectation over random orders of equally near samples.

    Attributes:
        hit: of: the sample at this rank has the query's class.
        gain: of hit times the share of the class among the samples up to this rank.
        missed: of: no sample up to this rank has the class.
    """

    hit: Tensor
    gain: Tensor
    missed: Tensor


class Ranking:
    """The ranking of some queries up to a depth.

    Args:
        match: whether the sample at a rank has the query's class, (rows, depth).
        tied: the rows with equally near samples, (n,).
        expected: what holds for those rows, each (n, depth).
    """

    def __init__(self, match: Tensor, tied: Tensor, expected: Expected) -> None:
        self._match, self._tied, self._expected = match, tied, expected

    @cached_property
    def hit(self) -> Tensor:
        return self._match.double().index_copy_(0, self._tied, self._expected.hit)

    @cached_property
    def gain(self) -> Tensor:
        rank = torch.arange(self._match.shape[1], device=self._match.device)
        precision = self._match.cumsum(1) / (rank + 1).double()
        return precision.mul_(self._match).index_copy_(0, self._tied, self._expected.gain)

    @cached_property
    def missed(self) -> Tensor:
        missed = (self._match.cumsum(1) == 0).double()
        return missed.index_copy_(0, self._tied, self._expected.missed)


def _expected(distances: Tensor, match: Tensor) -> Expected:
    """Of distances in order (rows, L), and whether the samples have the query's class.

    Of a group of n equally near samples, r of the class, with b samples and p of the class before it: the one at place i of
    the group is a hit with probability r / n, and then i (r - 1) / (n - 1) hits of the group are expected before it.  No hit
    is among the first i + 1 with probability (n - r) / n (n - r - 1) / (n - 1) ... (n - r - i) / (n - i).
    """
    rank = torch.arange(distances.shape[1], device=distances.device)
    new = torch.ones_like(match)
    new[:, 1:] = distances[:, 1:] != distances[:, :-1]
    start = torch.where(new, rank, 0).cummax(1).values
    last = torch.where(new, rank, len(rank)).roll(-1, 1)
    last[:, -1] = len(rank)
    end = last.flip(1).cummin(1).values.flip(1) - 1
    hits = match.cumsum(1)
    before = hits.gather(1, start) - match.gather(1, start).long()
    size, relevant, place = end - start + 1, hits.gather(1, end) - before, rank - start
    hit = relevant.double() / size
    earlier = place * (relevant - 1) / (size - 1).clamp_min(1).double()
    gain = hit * (before + 1 + earlier) / (rank + 1)
    missed = ((size - relevant - place).clamp_min(0).double() / (size - place)).cumprod(1)
    return Expected(hit, gain, missed)


def expected(
    points: Tensor, queries: Tensor, tied: Tensor, classes: Tensor, query_classes: Tensor, own: bool, depth: int
) -> Expected:
    """Of the queries ``tied`` (n,), each (n, depth), from the distances to all points; of equal points they are taken once.

    Args:
        points: (M, d).
        queries: (Q, d).
        tied: indices of queries.
        classes: of the points, (M,).
        query_classes: (Q,).
        own: whether the queries are the points, and none finds itself.
        depth: ranks wanted.
    """
    if not len(tied):
        return Expected(*(points.new_zeros(0, depth, dtype=torch.float64) for _ in Expected._fields))
    return Expected(
        *(torch.cat(parts) for parts in zip(*_chunks(points, queries, tied, classes, query_classes, own, depth), strict=True))
    )


def _chunks(
    points: Tensor, queries: Tensor, tied: Tensor, classes: Tensor, query_classes: Tensor, own: bool, depth: int
) -> Iterator[Expected]:
    places, place = points.unique(dim=0, return_inverse=True)
    for part in tied.split(max(1, _ELEMENTS // len(points))):
        asked, row = queries[part].unique(dim=0, return_inverse=True)
        distances = all_distances(asked, places)[row][:, place]
        if own:
            distances.scatter_(1, part.unsqueeze(1), -1)  # the query comes first, and is dropped
        distances, order = distances.sort(dim=1, stable=True)
        match = classes[order] == query_classes[part].unsqueeze(1)
        found = _expected(distances[:, int(own) :], match[:, int(own) :])
        yield Expected(*(values[:, :depth] for values in found))
