"""Detectors by the distance to the training features."""

from __future__ import annotations

from torch import Tensor

from lossbook.metrics import detection
from lossbook.metrics.detection_checks import check_neighbours
from lossbook.ood.detector import Classifier, Detector


class RMDS(Detector):
    """The relative Mahalanobis distance: :func:`lossbook.metrics.ood.rmds`.  It needs labels, any integers.

    It holds two (d, d) matrices and the class means, in float64 (float32 on a device that has no float64).

    Example:
        >>> import torch
        >>> features, labels = torch.tensor([[0.0], [1.0], [4.0], [5.0]]), torch.tensor([0, 0, 7, 7])
        >>> scores = RMDS().fit(features, labels=labels)(torch.tensor([[0.5], [9.0]]))
        >>> bool(scores[0] > scores[1])
        True
    """

    needs_head = False
    needs_labels = True
    buffers_learned = detection.Whitened._fields
    mean: Tensor
    outer: Tensor
    inner: Tensor
    centres: Tensor

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        return detection.learn_rmds(features, labels)

    def _score(self, features: Tensor) -> Tensor:
        return detection.rmds_scores(features, detection.Whitened(self.mean, self.outer, self.inner, self.centres))


class KNN(Detector):
    """Minus the distance to the k-th nearest training feature: :func:`lossbook.metrics.ood.knn`.

    It holds a copy of the training features.

    Args:
        neighbours: k, at most the number of training features.

    Example:
        >>> import torch
        >>> KNN(neighbours=1).fit(torch.eye(2))(torch.tensor([[3.0, 4.0], [5.0, 0.0]]))
        tensor([-0.6325, -0.0000])
    """

    needs_head = False
    buffers_learned = detection.Directions._fields
    train_features: Tensor
    lengths: Tensor

    def __init__(self, neighbours: int = 50) -> None:
        super().__init__()
        self.neighbours = neighbours

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        check_neighbours(self.neighbours, features)
        return detection.learn_knn(features)

    def _score(self, features: Tensor) -> Tensor:
        return detection.knn_scores(features, detection.Directions(self.train_features, self.lengths), self.neighbours)
