"""Metrics, one file a question; the names below are the public ones."""

from lossbook.metrics.geometry import classifier_separability, compactness, feature_separability, separability_matrix
from lossbook.metrics.longtail import class_groups, group_accuracy
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
    "class_groups",
    "class_ranges",
    "classifier_separability",
    "classwise_uniform_accuracy",
    "compactness",
    "draw_metric_matrix",
    "feature_separability",
    "group_accuracy",
    "metric_matrix_dominance",
    "overlap",
    "samplewise_accuracy",
    "separability_matrix",
    "split_metrics",
    "threshold_accuracy",
    "uniform_accuracy",
    "verification_accuracy",
]
