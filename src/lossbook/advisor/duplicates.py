"""Near-duplicates: samples so alike that one in training and one in a test would make the test easy."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lossbook.advisor.features import Rows, Standard

NEAR = 0.2  # of the median distance to the nearest other sample
MOST = 50_000  # samples; of more, all pairs would take hours
_PIECE, _QUERIES = 2048, 2000
_ROUNDING = 1e-3  # squared distances of products, of vectors of length 10, in float32


def near_duplicates(features: np.ndarray) -> np.ndarray:
    """Pairs of samples that are far nearer to each other than samples are to their nearest others, (pairs, 2), the smaller index
    first: by less than :data:`NEAR` of the median of that distance, of standardised features.

    None are looked for among more than :data:`MOST` samples.
    """
    if len(features) > MOST:
        return np.empty((0, 2), dtype=np.int64)
    every = np.arange(len(features))
    rows = Rows(features, every, Standard.of(features, every))
    points = torch.cat([rows(places) for places in rows.pieces()])
    some = torch.arange(0, len(points), max(1, len(points) // _QUERIES))
    nearest = _squares(points[some], points)
    nearest[torch.arange(len(some)), some] = torch.inf
    nearest = nearest.amin(1)
    apart = nearest[nearest > _ROUNDING]
    limit = max(_ROUNDING, NEAR**2 * float(apart.median())) if len(apart) else _ROUNDING
    found = []
    for start in range(0, len(points), _PIECE):
        near = (_squares(points[start : start + _PIECE], points[start:]) <= limit).nonzero()
        found.append(near[near[:, 0] < near[:, 1]] + start)
    return torch.cat(found).numpy()


def _squares(first: Tensor, second: Tensor) -> Tensor:
    """Squared distances of all pairs, by products."""
    return first.square().sum(1, keepdim=True) + second.square().sum(1) - 2 * first @ second.T


def merged(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Groups in which the samples of every pair, and all that their groups hold, are together.

    Example:
        >>> merged(np.array([0, 1, 2, 3]), np.array([[0, 2]])).tolist()
        [0, 1, 0, 2]
    """
    number, place = np.unique(groups, return_inverse=True)
    links = coo_matrix((np.ones(len(pairs)), (place[pairs[:, 0]], place[pairs[:, 1]])), shape=(len(number), len(number)))
    return connected_components(links, directed=False)[1].astype(np.int64)[place]
