"""Metrics, one file a question; the names below are the public ones."""

from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share
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
    "class_ranges",
    "classwise_uniform_accuracy",
    "draw_metric_matrix",
    "effective_rank",
    "intra_class_diversity",
    "metric_matrix_dominance",
    "overlap",
    "samplewise_accuracy",
    "split_metrics",
    "subcluster_purity",
    "threshold_accuracy",
    "uniform_accuracy",
    "verification_accuracy",
    "within_class_share",
]
