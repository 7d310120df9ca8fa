"""How the samples of a query's class stand in its ranking, in expectation over the order of equally near samples.

Equal points of the gallery are one *place*, which is ranked once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from lossbook.metrics.neighbours import all_distances, neighbours_in_chunks
from lossbook.precision import widest

# Entries of a group's numbers held at a time; what is computed of them adds up to about 100 bytes per entry.
_ELEMENTS = 1 << 21
# Spreads the bits of a point's numbers over 64 bits: 2^64 over the golden ratio, as a signed number.
_MIXER = 0x9E3779B97F4A7C15 - (1 << 64)


class Expected(NamedTuple):
    """Of ranks 0, 1, ..., each (rows, depth), the expectation over random orders of equally near samples.

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

    @classmethod
    def of(cls, expected: Expected) -> Self:
        """Of rows that may all have equally near samples."""
        rows = torch.arange(len(expected.hit), device=expected.hit.device)
        return cls(torch.zeros_like(expected.hit, dtype=torch.bool), rows, expected)

    @cached_property
    def hit(self) -> Tensor:
        return self._match.to(self._expected.hit.dtype).index_copy_(0, self._tied, self._expected.hit)

    @cached_property
    def gain(self) -> Tensor:
        rank = torch.arange(self._match.shape[1], device=self._match.device)
        precision = self._match.cumsum(1) / (rank + 1).to(self._expected.gain.dtype)
        return precision.mul_(self._match).index_copy_(0, self._tied, self._expected.gain)

    @cached_property
    def missed(self) -> Tensor:
        missed = (self._match.cumsum(1) == 0).to(self._expected.missed.dtype)
        return missed.index_copy_(0, self._tied, self._expected.missed)


def _expected(sizes: Tensor, relevant: Tensor, depth: int, dtype: torch.dtype) -> Expected:
    """Of groups of equally near samples, nearest first: how many they are, and how many of them of the class, (rows, groups).

    Of a group of n samples, r of the class, with p of the class before it: the one at place i of the group is a hit with
    probability r / n, and then i (r - 1) / (n - 1) hits of the group are expected before it.  No hit is among its first i + 1
    with probability (n - r) / n (n - r - 1) / (n - 1) ... (n - r - i) / (n - i).
    """
    ends, hits = sizes.cumsum(1), relevant.cumsum(1)
    rank = torch.arange(depth, device=sizes.device).expand(len(sizes), -1).contiguous()
    group = torch.searchsorted(ends, rank, right=True)
    n, r = sizes.gather(1, group), relevant.gather(1, group)
    i, before = rank - (ends.gather(1, group) - n), hits.gather(1, group) - r
    hit = r.to(dtype) / n
    gain = hit * (before + 1 + i * (r - 1) / (n - 1).clamp_min(1).to(dtype)) / (rank + 1)
    return Expected(hit, gain, ((n - r - i).clamp_min(0).to(dtype) / (n - i)).cumprod(1))


def _places(points: Tensor) -> tuple[Tensor, Tensor]:
    """The different points (U, d), and which of them every point is, (M,).  Points that all differ stay as they are."""
    bits = (points + 0.0).view({2: torch.int16, 4: torch.int32, 8: torch.int64}[points.element_size()])  # -0.0 becomes 0.0
    mixer = torch.arange(1, bits.shape[1] + 1, device=bits.device) * _MIXER | 1  # odd numbers; products and sums wrap around
    hashes = torch.cat([(part * mixer).sum(1) for part in bits.split(max(1, _ELEMENTS // bits.shape[1]))]).sort().values
    if not bool((hashes[1:] == hashes[:-1]).any()):
        return points, torch.arange(len(points), device=points.device)
    places, place = points.unique(dim=0, return_inverse=True)
    return places, place


class Gallery:
    """The points that queries are ranked against.

    Args:
        points: (G, d), whose Euclidean distances rank.
        classes: (G,), within 0..num_classes-1.
        num_classes: of points and queries.
        queries: (Q, d); None = the points themselves, and none finds itself.
        query_classes: (Q,).
    """

    def __init__(self, points: Tensor, classes: Tensor, num_classes: int, queries: Tensor | None, query_classes: Tensor) -> None:
        self.points, self.classes, self.num_classes = points, classes, num_classes
        self.own, self.queries, self.query_classes = queries is None, points if queries is None else queries, query_classes
        self.places, self.place = _places(points)

    def rankings(self, depth: int) -> Iterator[tuple[Tensor, Ranking]]:
        """Indices of queries (rows,), and their rankings up to the depth."""
        if depth >= len(self.places) - int(self.own):
            return self._of_all(depth)
        return self._of_places(depth) if len(self.places) < len(self.points) else self._of_points(depth)

    def _of_all(self, depth: int) -> Iterator[tuple[Tensor, Ranking]]:
        """Where the whole gallery is ranked: from all distances, which sorting would not gain from avoiding."""
        for query in torch.arange(len(self.queries), device=self.place.device).split(self._rows(depth)):
            yield query, Ranking.of(self._by_all_distances(query, depth))

    def _of_points(self, depth: int) -> Iterator[tuple[Tensor, Ranking]]:
        """Where all points differ, and few distances are equal."""
        start = 0
        for columns, tied in neighbours_in_chunks(self.points, depth, None if self.own else self.queries):
            query = torch.arange(start, start + len(columns), device=columns.device)
            match = self.classes[columns] == self.query_classes[query].unsqueeze(1)
            tied = tied.nonzero().squeeze(1)
            yield query, Ranking(match, tied, self._by_all_distances(query[tied], depth))
            start += len(columns)

    def _of_places(self, depth: int) -> Iterator[tuple[Tensor, Ranking]]:
        """Where points are equal: the places are ranked, for all queries of a place at once where the queries are the points."""
        found = neighbours_in_chunks(self.places, depth, None if self.own else self.queries)
        if self.own:
            asking = self.place.sort(stable=True)
            row_of, members = asking.values, asking.indices
        else:
            row_of = members = torch.arange(len(self.queries), device=self.place.device)
        start = 0
        for columns, tied in found:
            first, last = torch.searchsorted(row_of, row_of.new_tensor([start, start + len(columns)])).tolist()
            for part in torch.arange(first, last, device=row_of.device).split(self._rows(depth)):
                query, row = members[part], row_of[part] - start
                near = torch.cat([self.place[query].unsqueeze(1), columns[row]], 1) if self.own else columns[row]
                exact = _expected(*self._counts(query, near), depth, self._dtype)
                which = tied[row].nonzero().squeeze(1)
                for values, better in zip(exact, self._by_all_distances(query[which], depth), strict=True):
                    values.index_copy_(0, which, better)
                yield query, Ranking.of(exact)
            start += len(columns)

    def _by_all_distances(self, query: Tensor, depth: int) -> Expected:
        """Of the queries ``query`` (n,), from their distances to all places."""
        parts = [Expected(*(self.points.new_zeros(0, depth, dtype=self._dtype) for _ in Expected._fields))]
        for part in query.split(self._rows(depth)) if len(query) else ():
            distances, order = all_distances(self.queries[part], self.places).sort(dim=1)
            new = torch.ones_like(order)
            new[:, 1:] = distances[:, 1:] != distances[:, :-1]
            group = new.cumsum(1) - 1
            sizes, relevant = (torch.zeros_like(order).scatter_add_(1, group, x) for x in self._counts(part, order))
            parts.append(_expected(sizes, relevant, depth, self._dtype))
        return Expected(*(torch.cat(values) for values in zip(*parts, strict=True)))

    def _rows(self, depth: int) -> int:
        """Queries at a time."""
        return max(1, _ELEMENTS // max(len(self.places), depth))

    @cached_property
    def _dtype(self) -> torch.dtype:
        return widest(self.points.device)

    @cached_property
    def _classes_of_places(self) -> tuple[Tensor, Tensor, Tensor]:
        """The points of each place (U,); the place and class of points as one number, in order, and how many have it."""
        keys, counts = (self.place * self.num_classes + self.classes).unique(return_counts=True)
        return torch.bincount(self.place, minlength=len(self.places)), keys, counts

    def _counts(self, query: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """How many points there are at places (rows, n), without the query itself, and how many of the query's class."""
        totals, keys, counts = self._classes_of_places
        wanted = places * self.num_classes + self.query_classes[query].unsqueeze(1)
        found = torch.searchsorted(keys, wanted).clamp_max_(len(keys) - 1)
        sizes, relevant = totals[places], torch.where(keys[found] == wanted, counts[found], 0)
        if self.own:
            itself = (places == self.place[query].unsqueeze(1)).long()
            sizes, relevant = sizes - itself, relevant - itself
        return sizes, relevant
