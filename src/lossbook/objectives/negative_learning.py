"""Cross entropy plus the negative-learning term (Kim et al., 2019)."""

from __future__ import annotations

from torch import Tensor

from lossbook.heads.linear import LinearHead
from lossbook.losses.baselines import negative_log
from lossbook.losses.checks import Reduction
from lossbook.losses.uniform import cross_entropy
from lossbook.objectives.objective import Objective


def _both(logits: Tensor, labels: Tensor, reduction: Reduction = "mean") -> Tensor:
    return cross_entropy(logits, labels, reduction=reduction) + negative_log(logits, labels, reduction=reduction)


def ce_nl(in_features: int, num_classes: int) -> Objective:
    return Objective(LinearHead(in_features, num_classes), _both)
