"""Retrieval scores beside pytorch-metric-learning's, and beside the matrix product of all similarities alone.

Two shapes of Musgrave et al., *A Metric Learning Reality Check*: about 60 samples per class as in CUB200 (6,000 embeddings),
about 5 as in Stanford Online Products (60,000), of 128 numbers; the smaller one also of 512.  The library gives P@1,
R-precision and MAP@R of the neighbours that ``k="max_bin_count"`` asks for; ours gives recall@1, 2, 4 and 8 besides.
"""

from __future__ import annotations

from typing import Any

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from torch import Tensor

from benchmarks.measure import DEVICE, Values, compare, incomparable, whole
from lossbook.metrics import retrieval_scores

QUERIES_AT_A_TIME = 1_000
# samples, classes, dimensions -> ours / pytorch-metric-learning at most; beside the product the goal is the same for all.
LIBRARY_GOALS = {(6_000, 100, 128): 0.45, (6_000, 100, 512): 0.45, (60_000, 11_316, 128): 0.35}
PRODUCT_GOAL, DIGITS = 1.6, 1e-5
LIBRARY_NAMES = ("precision_at_1", "r_precision", "mean_average_precision_at_r")


def _draw(samples: int, classes: int, dimensions: int) -> tuple[Tensor, Tensor]:
    """Overlapping clusters: some neighbours are of the own class, some are not."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % classes
    features = 0.5 * torch.randn(classes, dimensions, generator=generator)[labels]
    return (features + torch.randn(samples, dimensions, generator=generator)).to(DEVICE), labels.to(DEVICE)


def _values(scores: dict[str, float], names: tuple[str, ...]) -> Values:
    return (torch.tensor([scores[name] for name in names], dtype=torch.float64),)


def _largest_difference(ours: Values, theirs: Values) -> float:
    return float((ours[0] - theirs[0]).abs().max())


def _products(features: Tensor) -> Values:
    """All similarities, without keeping them."""
    buffer = features.new_empty(QUERIES_AT_A_TIME, len(features))
    for queries in features.split(QUERIES_AT_A_TIME):
        torch.mm(queries, features.T, out=buffer[: len(queries)])
    return (buffer[0, 0],)


def _rows(samples: int, classes: int, dimensions: int) -> list[dict[str, Any]]:
    features, labels = _draw(samples, classes, dimensions)
    # All 60,000 x 60,000 distances at once would take 14 GB, and topk as much again.
    neighbours = CustomKNN(LpDistance(normalize_embeddings=False), batch_size=None if samples < 10_000 else QUERIES_AT_A_TIME)
    library = AccuracyCalculator(LIBRARY_NAMES, k="max_bin_count", knn_func=neighbours, device=DEVICE)
    ours = whole(lambda: _values(retrieval_scores(features, labels), ("P@1", "R-precision", "MAP@R")))
    case = f"retrieval_scores, M={samples:,}, N={classes:,}, d={dimensions}"
    return [
        compare(
            case,
            'pytorch-metric-learning AccuracyCalculator, k="max_bin_count"',
            ours,
            whole(lambda: _values(library.get_accuracy(features, labels), LIBRARY_NAMES)),
            items=samples,
            error=_largest_difference,
            goals={"time": LIBRARY_GOALS[samples, classes, dimensions], "error": DIGITS},
        ),
        compare(
            case,
            f"features @ features.T alone, {QUERIES_AT_A_TIME:,} rows at a time",
            ours,
            whole(lambda: _products(features)),
            items=samples,
            error=incomparable,
            goals={"time": PRODUCT_GOAL},
        ),
    ]


def run(quick: bool = False) -> list[dict[str, Any]]:
    """6,000 embeddings of two widths, and 60,000 unless ``quick``."""
    return [row for shape in list(LIBRARY_GOALS)[: 2 if quick else None] for row in _rows(*shape)]
