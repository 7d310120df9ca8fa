"""Detectors that look at logits only, or at how they change with the input."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lossbook.heads.linear import unit_vectors
from lossbook.metrics import detection, ood
from lossbook.ood.detector import Classifier, Detector


class LogitDetector(Detector):
    """A detector that scores by logits: it keeps the classifier, as it is where ``_learn`` says nothing else."""

    needs_head = True
    buffers_learned = ("weight", "bias")
    weight: Tensor
    bias: Tensor

    def _learn(self, features: Tensor, classifier: Classifier, labels: Tensor) -> tuple[Tensor, ...]:
        return classifier

    def _logits(self, features: Tensor) -> Tensor:
        return detection.linear(features, self.weight, self.bias)


class MSP(LogitDetector):
    """The maximum softmax probability, as log-odds: :func:`lossbook.metrics.ood.msp`.  It needs a head.

    Example:
        >>> import torch
        >>> detector = MSP().fit(torch.zeros(1, 2), (torch.eye(2), None))
        >>> detector(torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
        tensor([1., 2.])
    """

    def _score(self, features: Tensor) -> Tensor:
        return detection.log_odds(self._logits(features))


class Energy(LogitDetector):
    """The negative free energy: :func:`lossbook.metrics.ood.energy`.  It needs a head.

    Example:
        >>> import torch
        >>> detector = Energy().fit(torch.zeros(1, 2), (torch.zeros(4, 2), None))
        >>> detector(torch.zeros(1, 2))  # log 4
        tensor([1.3863])
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def _score(self, features: Tensor) -> Tensor:
        return detection.free_energy(self._logits(features), self.temperature)


class ODIN(LogitDetector):
    """The tempered maximum softmax probability of moved inputs: :func:`lossbook.metrics.ood.odin`.  It needs a head.

    Args:
        backbone: inputs (B, ...) to features (B, d); by default the inputs are features.  An ``nn.Module`` among them is part
            of the detector, and of its ``state_dict``.
        temperature: T > 0.
        noise: length of the step per input number, >= 0, in the inputs' unit.

    Example:
        >>> import torch
        >>> detector = ODIN(noise=0.0).fit(torch.zeros(1, 2), (torch.eye(2), None))
        >>> detector(torch.tensor([[2.0, 1.0], [3.0, 1.0]]))
        tensor([1.0000, 2.0000])
    """

    def __init__(
        self, backbone: Callable[[Tensor], Tensor] | None = None, temperature: float = 1000.0, noise: float = 0.0014
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.temperature, self.noise = temperature, noise

    def forward(self, features: Tensor) -> Tensor:
        """Scores (B,), larger = more likely known, of features (B, d), or of the backbone's inputs (B, ...), which then run in
        the precision of the caller."""
        backbone = self.backbone
        if backbone is None:
            return super().forward(features)
        self._check_fitted()
        return ood.odin(lambda inputs: self._classify(backbone(inputs)), features, self.temperature, self.noise)

    def _score(self, features: Tensor) -> Tensor:
        return ood.odin(self._logits, features, self.temperature, self.noise)

    def _classify(self, features: Tensor) -> Tensor:
        with detection.no_autocast(features.device):
            return self._logits(unit_vectors(features) if self.unit_features else features)
