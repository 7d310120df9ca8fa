"""Detectors by the logits and features of the training images together."""

from __future__ import annotations

from torch import Tensor

from lossbook.metrics import detection
from lossbook.ood.detector import Classifier, Detector


class SHE(Detector):
    """Simplified Hopfield energy: :func:`lossbook.metrics.ood.she`.  It needs a head and labels.

    Example:
        >>> import torch
        >>> features, labels = torch.tensor([[3.0, 0.0], [0.0, 5.0]]), torch.tensor([0, 1])
        >>> SHE().fit(features, (torch.eye(2), None), labels)(torch.tensor([[1.0, 0.0]]))
        tensor([3.])
    """

    needs_head = True
    needs_labels = True
    buffers_learned = ("weight", "bias", "patterns")
    weight: Tensor
    bias: Tensor
    patterns: Tensor

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        return *classifier, detection.learn_she(features, detection.linear(features, *classifier), labels)

    def _score(self, features: Tensor) -> Tensor:
        return detection.she_scores(features, detection.linear(features, self.weight, self.bias), self.patterns)


class Relation(Detector):
    r"""The neural relation graph: :func:`lossbook.metrics.ood.relation`.  It needs a head.

    It holds a copy of the training features and their softmax probabilities, (M, d + N) numbers.

    Args:
        power: :math:`\kappa > 0`.
        threshold: :math:`\tau \ge 0`.

    Example:
        >>> import torch
        >>> detector = Relation().fit(torch.eye(2), (100 * torch.eye(2), None))
        >>> detector(torch.tensor([[1.0, 0.0]]))
        tensor([1.])
    """

    needs_head = True
    buffers_learned = ("weight", "bias", *detection.Graph._fields)
    weight: Tensor
    bias: Tensor
    directions: Tensor
    probabilities: Tensor

    def __init__(self, power: float = 8.0, threshold: float = 0.03) -> None:
        super().__init__()
        self.power, self.threshold = power, threshold

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        return *classifier, *detection.learn_relation(features, detection.linear(features, *classifier))

    def _score(self, features: Tensor) -> Tensor:
        learned = detection.Graph(self.directions, self.probabilities)
        features = features.to(self.directions.dtype)
        logits = detection.linear(features, self.weight, self.bias)
        return detection.relation_scores(features, logits, learned, self.power, self.threshold)
