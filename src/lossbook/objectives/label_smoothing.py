"""Cross entropy with smoothed labels (Szegedy et al., 2016)."""

from __future__ import annotations

import functools

from lossbook.heads.linear import LinearHead
from lossbook.losses import baselines
from lossbook.objectives.objective import Objective


def label_smoothing(in_features: int, num_classes: int, smoothing: float = 0.1) -> Objective:
    """Cross entropy with smoothed labels.

    Args:
        smoothing: share of the label that is spread over all classes, within [0, 1].
    """
    loss = functools.partial(baselines.label_smoothing, smoothing=smoothing)
    return Objective(LinearHead(in_features, num_classes), loss, soft_targets=True)
