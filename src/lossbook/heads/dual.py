"""Two heads on the same features (`onecold`)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lossbook.heads.linear import LinearHead

Prediction = Literal["ce", "occe", "combined"]


class DualHead(nn.Module):
    r"""Two linear heads on the same features, Fig. 8 of `onecold`: one for the cross entropy, one for the one-cold one.

    Both give class logits, :math:`z` and :math:`z'` (the second one's anti-class logits are :math:`-z'`), and there are
    three predictions: ``"ce"`` (:math:`z`), ``"occe"`` (:math:`z'`) and ``"combined"``, with the anti-class
    distribution :math:`\hat{\bar y} = \operatorname{softmax}(-z')`:

    .. math:: y_{\text{comb}, i} = \operatorname{softmax}(z)_i - \frac{\hat{\bar y}_i}{\max_j \hat{\bar y}_j} \in [-1, 1]

    ``weight``, ``bias``, ``similarities`` and ``threshold`` are those of the head that predicts.  A combined prediction has
    no bias of its own: ``weight`` and ``bias`` are the first head's then, and the threshold is 0.

    Example:
        >>> head = DualHead(in_features=4, num_classes=3)
        >>> bool(head(torch.randn(2, 4)).abs().max() <= 1)
        True
    """

    predictions: tuple[Prediction, ...] = ("ce", "occe", "combined")

    def __init__(self, in_features: int, num_classes: int, prediction: Prediction = "combined") -> None:
        super().__init__()
        if prediction not in self.predictions:
            raise ValueError(f"prediction must be one of {', '.join(self.predictions)}, got {prediction!r}")
        self.prediction = prediction
        self.ce = LinearHead(in_features, num_classes)
        self.occe = LinearHead(in_features, num_classes)

    @property
    def _predicting(self) -> LinearHead:
        return self.occe if self.prediction == "occe" else self.ce

    @property
    def weight(self) -> nn.Parameter:
        return self._predicting.weight

    @property
    def bias(self) -> nn.Parameter:
        return self._predicting.bias

    @staticmethod
    def combine(logits: Tensor, other: Tensor) -> Tensor:
        """The combined prediction of both heads' class logits, each (B, N), in float32 or wider."""
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits, other = logits.float(), other.float()
        return logits.softmax(1) - (other.amin(1, keepdim=True) - other).exp()

    def similarities(self, features: Tensor) -> Tensor:
        """Bias-free similarities, (B, d) -> (B, N); for a combined prediction the prediction itself."""
        return self(features) if self.prediction == "combined" else self._predicting.similarities(features)

    def forward(self, features: Tensor) -> Tensor:
        """What the prediction takes its ``argmax`` of, (B, d) -> (B, N)."""
        if self.prediction == "combined":
            return self.combine(self.ce(features), self.occe(features))
        return self._predicting(features)

    def threshold(self) -> Tensor:
        """The threshold that the bias of the predicting head stands for, (N,); 0 for a combined prediction."""
        return self.weight.new_zeros(()) if self.prediction == "combined" else self._predicting.threshold()

    def extra_repr(self) -> str:
        return f"prediction={self.prediction}"
