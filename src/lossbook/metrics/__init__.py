"""Metrics, one file per question; the names below are the public ones."""

from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.clustering import nmi
from lossbook.metrics.collapse import dimensions_needed, fisher_ratio, nc1, nc2, nc3, nc4, principal_accuracies
from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share
from lossbook.metrics.geometry import classifier_separability, compactness, feature_separability, separability_matrix
from lossbook.metrics.longtail import class_groups, group_accuracy
from lossbook.metrics.neighbours import nearest_neighbours
from lossbook.metrics.openset import auroc, generalisation_gap, oscr
from lossbook.metrics.pairs import Pairs, cross_validated_accuracy, draw_pairs, similarities, tar_at_far
from lossbook.metrics.proxies import avg_dtp
from lossbook.metrics.retrieval import (
    map_at_r,
    mean_average_precision,
    mean_reciprocal_rank,
    precision_at_1,
    precision_at_k,
    r_precision,
    recall_at_k,
    retrieval_scores,
)
from lossbook.metrics.similarity import jacobian_ranks, linear_cka
from lossbook.metrics.uniformity import (
    class_ranges,
    classwise_uniform_accuracy,
    draw_metric_matrix,
    metric_matrix_dominance,
    overlap,
    samplewise_accuracy,
    split_similarities,
    uniform_accuracy,
)
from lossbook.metrics.verification import threshold_accuracy, verification_accuracy

__all__ = [
    "Pairs",
    "auroc",
    "avg_dtp",
    "class_groups",
    "class_ranges",
    "classifier_separability",
    "classwise_uniform_accuracy",
    "compactness",
    "cross_validated_accuracy",
    "dimensions_needed",
    "draw_metric_matrix",
    "draw_pairs",
    "effective_rank",
    "expected_calibration_error",
    "feature_separability",
    "fisher_ratio",
    "generalisation_gap",
    "group_accuracy",
    "intra_class_diversity",
    "jacobian_ranks",
    "linear_cka",
    "map_at_r",
    "mean_average_precision",
    "mean_reciprocal_rank",
    "metric_matrix_dominance",
    "nc1",
    "nc2",
    "nc3",
    "nc4",
    "nearest_neighbours",
    "nmi",
    "oscr",
    "overlap",
    "precision_at_1",
    "precision_at_k",
    "principal_accuracies",
    "r_precision",
    "recall_at_k",
    "retrieval_scores",
    "samplewise_accuracy",
    "separability_matrix",
    "similarities",
    "split_similarities",
    "subcluster_purity",
    "tar_at_far",
    "threshold_accuracy",
    "uniform_accuracy",
    "verification_accuracy",
    "within_class_share",
]
