"""Detectors by a changed classifier or changed features."""

from __future__ import annotations

from torch import Tensor

from lossbook.metrics import detection
from lossbook.ood.detector import Classifier, Detector
from lossbook.ood.logits import LogitDetector


class ViM(Detector):
    """Virtual-logit matching: :func:`lossbook.metrics.ood.vim`.  It needs a head.

    Args:
        dimensions: of the principal subspace, below d; by default d/2 (512 for d >= 768, 1000 for d >= 2048).

    Example:
        >>> import torch
        >>> detector = ViM(dimensions=1).fit(torch.tensor([[1.0, 0.1], [2.0, -0.1]]), (torch.eye(2), None))
        >>> scores = detector(torch.tensor([[1.5, 0.0], [1.5, 3.0]]))
        >>> bool(scores[0] > scores[1])
        True
    """

    needs_head = True
    buffers_learned = detection.Residual._fields
    weight: Tensor
    bias: Tensor
    directions: Tensor
    shift: Tensor
    origin: Tensor
    rest: Tensor
    alpha: Tensor

    def __init__(self, dimensions: int | None = None) -> None:
        super().__init__()
        self.dimensions = dimensions

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        return detection.learn_vim(features, *classifier, self.dimensions)

    def _score(self, features: Tensor) -> Tensor:
        learned = (self.weight, self.bias, self.directions, self.shift, self.origin, self.rest, self.alpha)
        return detection.vim_scores(features, detection.Residual(*learned))


class DICE(LogitDetector):
    """The energy of a sparsified classifier: :func:`lossbook.metrics.ood.dice`.  It needs a head.

    Args:
        sparsity: share of the weights that are cut, within [0, 1).

    Example:
        >>> import torch
        >>> DICE(sparsity=0.5).fit(torch.ones(1, 2), (torch.eye(2), None))(torch.zeros(1, 2))  # log 2
        tensor([0.6931])
    """

    def __init__(self, sparsity: float = 0.9) -> None:
        super().__init__()
        self.sparsity = sparsity

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        return detection.learn_dice(features, classifier.weight, self.sparsity), classifier.bias

    def _score(self, features: Tensor) -> Tensor:
        return detection.free_energy(self._logits(features))


class SCALE(LogitDetector):
    """The energy of scaled features: :func:`lossbook.metrics.ood.scale`.  It needs a head.

    Args:
        percentile: share of a sample's entries that are not among the top ones, within [0, 1).

    Example:
        >>> import torch
        >>> SCALE().fit(torch.ones(1, 2), (torch.eye(2), None))(torch.zeros(1, 2))  # log 2
        tensor([0.6931])
    """

    def __init__(self, percentile: float = 0.65) -> None:
        super().__init__()
        self.percentile = percentile

    def _score(self, features: Tensor) -> Tensor:
        return detection.free_energy(self._logits(detection.scaled(features, self.percentile)))
