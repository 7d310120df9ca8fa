r"""The nearest other samples of every sample, or the nearest samples of a gallery, exactly.

A matrix product, in bfloat16 where the machine is fast at it, leaves few candidates, and float32 ranks them.  Distances that
its rounding could confuse are taken from the differences in float64, and neighbours at equal distance keep the order of the
samples.  (For more than 60 dimensions the bound on sums in float32 is a probable one, see ``_rounding``.)

Everything runs on the tensor's own device, a chunk of queries at a time: besides a few copies of the features (24 bytes per
number) it takes at most about 300 MB (450 MB where many distances are equal), or 72 bytes per sample beyond four million
samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.metrics.ordering import lexsort
from lossbook.precision import wide, widest

Distance = Literal["euclidean", "cosine"]

# Queries per chunk: at most these, and fewer where their products or their candidates would exceed the two other numbers.
_CHUNK_ROWS, _CHUNK_ELEMENTS, _CANDIDATES = 1024, 3 << 23, 1 << 22
# Entries of float64 distances held at a time; sorted copies, indices and masks add up to 24 to 72 bytes per entry.
_EXACT_ELEMENTS = 1 << 22
# Group width trades candidates to re-rank against maxima to compute.  It is given in roots of samples / k; the second number
# says how many groups make a larger one.
_WIDTH, _JOINED = 0.35, 8
# Pairs whose float64 differences are held at a time.
_PAIRS = 512


def check_embeddings(features: Tensor, labels: Tensor, least: int = 2) -> None:
    """Features must be floating (M, d), finite, with M >= ``least``; labels integers (M,) on the same device.

    Raises:
        ValueError: saying what was expected and what came.
        TypeError: likewise, for a wrong type.
    """
    check_tensors(features=features, labels=labels)
    if features.ndim != 2 or len(features) < least or features.shape[1] < 1:
        raise ValueError(f"expected features of shape (M, d) with M >= {least} samples and d >= 1, got {tuple(features.shape)}")
    if not features.is_floating_point():
        raise TypeError(f"expected floating-point features, got {features.dtype}")
    if labels.shape != features.shape[:1]:
        raise ValueError(f"expected labels of shape ({len(features)},) to match the features, got {tuple(labels.shape)}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"expected integer labels, got {labels.dtype}")
    if not bool(torch.stack(features.aminmax()).isfinite().all()):
        raise ValueError("expected finite features; did the training diverge?")


def points_of(features: Tensor, distance: Distance) -> Tensor:
    """Points whose Euclidean distances rank as ``distance`` does."""
    if distance == "euclidean":
        return features.detach()
    if distance != "cosine":
        raise ValueError(f"distance must be 'euclidean' or 'cosine', got {distance!r}")
    points = wide(features.detach())
    length = torch.linalg.vector_norm(points, dim=1, keepdim=True)
    unit = points / length.masked_fill(length == 0, 1)
    # A zero feature has cosine 0 with every direction, so it gets a dimension of its own.
    return torch.cat([unit, (length == 0).to(unit)], 1)


def _distances(queries: Tensor, points: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Of the queries i (n,) to the points j (n,), from differences in float64: (n,)."""
    x, y = wide(queries.index_select(0, i)), wide(points.index_select(0, j))
    return torch.linalg.vector_norm(x - y, dim=1)


def _rounding(dimensions: int, dtype: torch.dtype) -> float:
    """More than the error of a product :math:`x^T y - |y|^2/2 - c` in the unit ball, c at most 0.6, summed up in ``dtype``.

    Of dimensions + 3 terms, whose sizes add up to 2.1 at most, and of the points' own rounding: in the worst case one unit
    per term; 8 times the root of that many is exceeded once in 10^13 products (Higham and Mary, 2019).
    """
    terms = dimensions + 5
    return 2.1 * min(terms, 8 * terms**0.5) * torch.finfo(dtype).eps / 2


def _farness(products: Tensor) -> Tensor:
    """The bits of negative floats as integers: they grow as the float falls, and a CPU compares them faster."""
    return products.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[products.element_size()])


class _Screen:
    """Finds candidates through a matrix product in ``dtype``: the larger :math:`x^T y - |y|^2/2`, the nearer is y to x.
    A little more than :math:`|x|^2/2` is subtracted, which makes it negative: about minus half the squared distance.

    Args:
        unit: points in the unit ball.
        half: their :math:`|y|^2/2`.
        k: neighbours wanted.
        dtype: of the product; a coarser one than that of ``unit`` leaves more candidates.
        rows: the most queries per call.
        queries: unit and half of the queries, likewise; None = the points themselves, and none finds itself.

    The table's columns stand in groups (column c in group c mod ``groups``), and these in a few larger ones: a query has
    k points no farther than the k nearest minima of the larger groups.
    """

    def __init__(
        self,
        unit: Tensor,
        half: Tensor,
        k: int,
        dtype: torch.dtype,
        rows: int,
        queries: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        samples, dimensions = unit.shape
        self.unit, self.half, self.k = unit, half, k
        self.own_columns = queries is None
        rounded = unit.to(dtype)
        lost = wide(torch.linalg.vector_norm(unit - rounded, dim=1))
        most = samples // (k + 1)  # with larger groups fewer than k might hold a point besides the query
        width = max(1, min(round(_WIDTH * (samples / k) ** 0.5), most))
        joined = max(1, min(_JOINED, most // width))
        self.larger = -(-samples // (width * joined))
        self.groups = self.larger * joined
        self.table = rounded.new_zeros(-(-samples // self.groups) * self.groups, dimensions + 3)
        self.table[:samples, :-3], self.table[:samples, -3], self.table[:, -1] = rounded, -half, 1
        rest = -half - self.table[:samples, -3]
        self.table[:samples, -2] = rest
        missing = (rest - self.table[:samples, -2]).abs().amax()
        self.table[samples:, -3] = -torch.inf
        # x'y' - xy = x'(y' - y) + (x' - x)y for the rounded x', y'; |y| is at most 1, and |x'| at most 1 + |x' - x|.
        summed = _rounding(dimensions, torch.promote_types(dtype, torch.float32))  # products of bfloat16 are summed in float32
        most_lost = lost.amax()
        if queries is None:
            self.query_unit, self.query_rows = unit, self.table
        else:
            self.query_unit, half = queries
            rounded = self.query_unit.to(dtype)
            lost = wide(torch.linalg.vector_norm(self.query_unit - rounded, dim=1))
            self.query_rows = F.pad(rounded, (0, 3))
        self.error = lost + (1 + lost) * most_lost + missing + summed
        self.own = (1 + 2 * torch.finfo(dtype).eps) * (half + self.error)  # more than |x|^2/2 even after rounding to dtype
        self.buffer = self.table.new_empty(rows, len(self.table))

    def products(self, query: Tensor) -> Tensor:
        """Minus half the squared distances of the queries ``query`` (rows,) to all, up to a constant per row: all negative."""
        queries = self.query_rows[query]
        queries[:, -3:-1], queries[:, -1] = 1, -self.own[query]
        return torch.mm(queries, self.table.T, out=self.buffer[: len(query)])

    def candidates(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All that may be among the k nearest of the queries ``query`` (rows,), unless they are too many.

        Returns:
            Rows of ``query``, in order; columns; products, up to a constant per row; and which rows have few enough, (rows,).
        """
        rows = len(query)
        products = self.products(query)
        if self.own_columns:
            products[torch.arange(rows, device=query.device), query] = -torch.inf
        farness = _farness(products)
        minima = farness.view(rows, -1, self.groups).amin(1)
        nearest = minima.view(rows, -1, self.larger).amin(1).topk(self.k, dim=1, largest=False, sorted=False).values
        least = wide(nearest.amax(1).view(products.dtype))
        # Rounding a product to dtype keeps the order, so its error counts once, in the k-th largest.
        least = least - least.abs() * (torch.finfo(products.dtype).eps / 2) - 2 * self.error[query]
        farthest = _farness(least.to(products.dtype)).unsqueeze(1)
        place = (minima <= farthest).flatten().nonzero().squeeze(1)
        row = place // self.groups
        decided = torch.bincount(row, minlength=rows) <= max(4 * self.k, self.groups // 16)
        if not bool(decided.all()):
            kept = decided[row]
            row, place = row[kept], place[kept]
        columns = len(self.table)
        group = torch.arange(0, columns, self.groups, device=row.device)
        member = ((row * (columns - self.groups) + place).unsqueeze(1) + group).flatten()
        # index_select takes a quarter of the time of farness[member].
        near = farness.view(-1).index_select(0, member).view(-1, len(group)) <= farthest[row]
        member = member[near.flatten().nonzero().squeeze(1)]
        row = member // columns
        column = member - row * columns
        if products.dtype == self.unit.dtype:
            return row, column, products.view(-1)[member], decided
        return row, column, _products(self.query_unit[query], self.unit, row, column) - self.half[column], decided


def _products(x: Tensor, y: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """x[row] y[column] of pairs in the order of the rows, without copies of the rows: (n,)."""
    ends = torch.searchsorted(row, torch.arange(len(x) + 1, device=row.device))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        pairs = torch.sparse_csr_tensor(ends, column, x.new_zeros(len(row)), (len(x), len(y)), check_invariants=False)
    return torch.sparse.sampled_addmm(pairs, x, y.T).values()


class _Search:
    """The k nearest other points, exactly: by a coarse product, then a precise one for the queries that it leaves undecided,
    then all distances for the rest."""

    def __init__(self, points: Tensor, k: int, queries: Tensor | None = None) -> None:
        samples, dimensions = points.shape
        self.points, self.queries, self.k, self.own = points, points if queries is None else queries, k, queries is None
        candidates = samples // 16 + round(2 * (samples * k) ** 0.5)
        self.rows = max(1, min(_CHUNK_ELEMENTS // samples, _CANDIDATES // candidates, _CHUNK_ROWS, len(self.queries)))
        # Other settings than "highest" make float32 products faster and less precise than the bound on the error assumes.
        precise = torch.get_float32_matmul_precision() == "highest"
        dtype = torch.float32 if precise else widest(points.device)
        # Without AVX-512 a CPU multiplies bfloat16 more slowly than float32.
        coarse = points.device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512"
        self.dtypes = [torch.bfloat16, dtype] if coarse else [dtype]
        self.screens: dict[torch.dtype, _Screen] = {}
        unit = points if queries is None else torch.cat([points, queries])
        unit = unit - unit.mean(0, dtype=widest(unit.device))
        length = torch.linalg.vector_norm(unit, dim=1)
        scale = length.amax().masked_fill(length.amax() == 0, 1)
        unit, half = unit.div_(scale).to(dtype), ((length / scale).square() / 2).to(dtype)
        self.unit, self.half = unit[:samples], half[:samples]
        self.asked = None if queries is None else (unit[samples:], half[samples:])
        self.error = _rounding(dimensions, dtype)

    def neighbours(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """The k nearest points of the queries ``query`` (rows,), and whether any of them is as near as another point.

        Returns:
            Columns, (rows, k), in order, equal distances by column; and which rows have ties, (rows,).
        """
        found = query.new_empty(len(query), self.k)
        tied = torch.zeros(len(query), dtype=torch.bool, device=query.device)
        left = torch.arange(len(query), device=query.device)
        for dtype in self.dtypes:
            if dtype not in self.screens:
                self.screens[dtype] = _Screen(self.unit, self.half, self.k, dtype, self.rows, self.asked)
            row, column, value, decided = self.screens[dtype].candidates(query[left])
            row, done, left = (decided.cumsum(0) - 1)[row], left[decided], left[~decided]
            found[done], tied[done] = self._ranked(query[done], row, column, value)
            if not len(left):
                return found, tied
        found[left], tied[left] = self._by_all_distances(query[left])
        return found, tied

    def _ranked(self, query: Tensor, row: Tensor, column: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The k nearest in order, (rows, k), of candidates with products ``value``; and which rows have ties, (rows,)."""
        order = lexsort(-value, row)
        row, value, column = (x.index_select(0, order) for x in (row, value, column))
        first = torch.searchsorted(row, torch.arange(len(query), device=row.device)).unsqueeze(1)
        nearest = first + torch.arange(self.k, device=row.device)
        possible = value >= (value[nearest[:, -1]] - 2 * self.error)[row]
        # Where two products differ by less than their error, the exact distances decide the order.
        close = (row[1:] == row[:-1]) & (value[:-1] - value[1:] <= 2 * self.error) & possible[1:]
        before, after = F.pad(close, (1, 0)), F.pad(close, (0, 1))
        doubt = (before | after).nonzero().squeeze(1)
        run, rows, candidate = (~before).cumsum(0)[doubt], row[doubt], column[doubt]
        pairs = zip(query[rows].split(_PAIRS), candidate.split(_PAIRS), strict=True)
        distance = torch.cat([_distances(self.queries, self.points, i, j) for i, j in pairs])
        order = lexsort(candidate, distance, run)
        column[doubt], distance = candidate[order], distance[order]
        equal = (distance[1:] == distance[:-1]) & (run[1:] == run[:-1]) & (doubt[:-1] <= nearest[rows[:-1], -1])
        tied = torch.zeros(len(query), dtype=torch.bool, device=row.device)
        tied[rows[:-1][equal]] = True
        return column[nearest], tied

    def _by_all_distances(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`neighbours`, from the distances to all points."""
        found = []
        for part in query.split(max(1, _EXACT_ELEMENTS // len(self.points))):
            distances = all_distances(self.queries[part], self.points)
            if self.own:
                distances.scatter_(1, part.unsqueeze(1), torch.inf)
            found.append(_smallest(distances, self.k))
        columns, tied = zip(*found, strict=True)
        return torch.cat(columns), torch.cat(tied)


def neighbours_in_chunks(points: Tensor, k: int, queries: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """The k nearest points of every query, a chunk (rows, k) at a time, and which rows have ties, (rows,).

    Without ``queries`` the points ask for the other points.
    """
    search = _Search(points, k, queries)
    for query in torch.arange(len(search.queries), device=points.device).split(search.rows):
        yield search.neighbours(query)


def all_distances(queries: Tensor, points: Tensor) -> Tensor:
    """In :func:`~lossbook.precision.widest`, (Q, M), without a matrix product: equal points then have equal distances in every
    chunk, and small distances stay exact."""
    return torch.cdist(wide(queries), wide(points), compute_mode="donot_use_mm_for_euclid_dist")


def _smallest(distances: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Columns of the k <= M smallest entries of every row, in order; equal entries come by column: (rows, k).  And the rows in
    which one of them equals another entry, (rows,)."""
    one_more = min(k + 1, distances.shape[1])
    values, columns = distances.topk(one_more, largest=False)  # three times as fast as sorting, but with ties in any order
    columns = columns[:, :k]
    tied = (values[:, 1:] == values[:, :-1]).any(1)
    columns[tied] = distances[tied].sort(dim=1, stable=True).indices[:, :k]
    return columns, tied


def nearest_neighbours(features: Tensor, k: int, distance: Distance = "euclidean") -> Tensor:
    """The k nearest other samples of every sample, nearest first.

    Args:
        features: (M, d).
        k: 1..M-1.
        distance: ``"euclidean"`` of the raw features, or ``"cosine"``.

    Returns:
        Indices, (M, k).

    Example:
        >>> nearest_neighbours(torch.tensor([[0.0], [1.0], [3.0]]), k=2).tolist()
        [[1, 2], [0, 2], [1, 0]]
    """
    check_embeddings(features, torch.zeros(len(features), dtype=torch.int64))
    if not 1 <= k < len(features):
        raise ValueError(f"expected k within 1..{len(features) - 1}, got {k}")
    return torch.cat([columns for columns, _ in neighbours_in_chunks(points_of(features, distance), k)])
