"""Metrics, one file a question; the names below are the public ones."""

from lossbook.metrics.retrieval import (
    avg_dtp,
    map_at_r,
    nearest_neighbours,
    nmi,
    precision_at_1,
    r_precision,
    recall_at_k,
    retrieval_scores,
)
from lossbook.metrics.uniformity import (
    class_ranges,
    classwise_uniform_accuracy,
    draw_metric_matrix,
    metric_matrix_dominance,
    overlap,
    samplewise_accuracy,
    split_metrics,
    uniform_accuracy,
)
from lossbook.metrics.verification import threshold_accuracy, verification_accuracy

__all__ = [
    "avg_dtp",
    "class_ranges",
    "classwise_uniform_accuracy",
    "draw_metric_matrix",
    "map_at_r",
    "metric_matrix_dominance",
    "nearest_neighbours",
    "nmi",
    "overlap",
    "precision_at_1",
    "r_precision",
    "recall_at_k",
    "retrieval_scores",
    "samplewise_accuracy",
    "split_metrics",
    "threshold_accuracy",
    "uniform_accuracy",
    "verification_accuracy",
]
