"""Metrics, one file per question; the names below are the public ones.  :mod:`lossbook.metrics.streaming` has them for a stream
of batches, and is imported by itself as it needs torchmetrics."""

from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.clustering import nmi
from lossbook.metrics.collapse import dimensions_needed, fisher_ratio, nc1, nc2, nc3, nc4, principal_accuracies
from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share
from lossbook.metrics.geometry import classifier_separability, compactness, feature_separability, separability_matrix
from lossbook.metrics.longtail import accuracy_of_groups, class_groups, count_right, group_accuracy
from lossbook.metrics.neighbours import nearest_neighbours
from lossbook.metrics.openset import auroc, generalisation_gap, oscr, oscr_from_scores
from lossbook.metrics.pairs import Pairs, cross_validated_accuracy, draw_pairs, similarities, tar_at_far
from lossbook.metrics.proxies import avg_dtp
from lossbook.metrics.retrieval import map_at_r, precision_at_1, r_precision, recall_at_k, retrieval_scores
from lossbook.metrics.similarity import jacobian_ranks, linear_cka
from lossbook.metrics.thresholds import aupr, calibrate, equal_error_rate, fpr_at_tpr, roc
from lossbook.metrics.uniformity import (
    class_ranges,
    classwise_uniform_accuracy,
    classwise_uniform_accuracy_from_split,
    draw_metric_matrix,
    metric_matrix_dominance,
    overlap,
    samplewise_accuracy,
    samplewise_accuracy_from_split,
    split_similarities,
    top1,
    uniform_accuracy,
    uniform_accuracy_from_split,
)
from lossbook.metrics.verification import threshold_accuracy, verification_accuracy

__all__ = [
    "Pairs",
    "accuracy_of_groups",
    "aupr",
    "auroc",
    "avg_dtp",
    "calibrate",
    "class_groups",
    "class_ranges",
    "classifier_separability",
    "classwise_uniform_accuracy",
    "classwise_uniform_accuracy_from_split",
    "compactness",
    "count_right",
    "cross_validated_accuracy",
    "dimensions_needed",
    "draw_metric_matrix",
    "draw_pairs",
    "effective_rank",
    "equal_error_rate",
    "expected_calibration_error",
    "feature_separability",
    "fisher_ratio",
    "fpr_at_tpr",
    "generalisation_gap",
    "group_accuracy",
    "intra_class_diversity",
    "jacobian_ranks",
    "linear_cka",
    "map_at_r",
    "metric_matrix_dominance",
    "nc1",
    "nc2",
    "nc3",
    "nc4",
    "nearest_neighbours",
    "nmi",
    "oscr",
    "oscr_from_scores",
    "overlap",
    "precision_at_1",
    "principal_accuracies",
    "r_precision",
    "recall_at_k",
    "retrieval_scores",
    "roc",
    "samplewise_accuracy",
    "samplewise_accuracy_from_split",
    "separability_matrix",
    "similarities",
    "split_similarities",
    "subcluster_purity",
    "tar_at_far",
    "threshold_accuracy",
    "top1",
    "uniform_accuracy",
    "uniform_accuracy_from_split",
    "verification_accuracy",
    "within_class_share",
]
