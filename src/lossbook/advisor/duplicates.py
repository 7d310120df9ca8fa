"""Near-duplicates: samples so alike that one in training and one in a test would make the test easy."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lossbook.advisor.features import Rows, Standard

ALIKE = 0.995  # cosine of standardised features
MOST = 50_000  # samples; of more, all pairs would take hours
_PIECE = 2048


def near_duplicates(features: np.ndarray) -> np.ndarray:
    """Pairs of samples whose standardised features have a cosine above :data:`ALIKE`, (pairs, 2), the smaller index first.

    None are looked for among more than :data:`MOST` samples.
    """
    if len(features) > MOST:
        return np.empty((0, 2), dtype=np.int64)
    every = np.arange(len(features))
    rows = Rows(features, every, Standard.of(features, every))
    unit = torch.cat([torch.nn.functional.normalize(rows(places), dim=1) for places in rows.pieces()])
    found = []
    for start in range(0, len(unit), _PIECE):
        near = (unit[start : start + _PIECE] @ unit[start:].T > ALIKE).nonzero()
        found.append(near[near[:, 0] < near[:, 1]] + start)
    return torch.cat(found).numpy()


def merged(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Groups in which the samples of every pair, and all that their groups hold, are together.

    Example:
        >>> merged(np.array([0, 1, 2, 3]), np.array([[0, 2]])).tolist()
        [0, 1, 0, 2]
    """
    number, place = np.unique(groups, return_inverse=True)
    links = coo_matrix((np.ones(len(pairs)), (place[pairs[:, 0]], place[pairs[:, 1]])), shape=(len(number), len(number)))
    return connected_components(links, directed=False)[1].astype(np.int64)[place]
