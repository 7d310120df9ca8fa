"""The asymmetric loss for one label per sample (Ridnik et al., 2021)."""

from __future__ import annotations

import functools
from typing import Any

from lossbook.heads.linear import LinearHead
from lossbook.losses import baselines
from lossbook.objectives.objective import Objective


def asymmetric(
    in_features: int, num_classes: int, gamma_positive: float = 0.0, gamma_negative: float = 4.0, smoothing: float = 0.1
) -> Objective:
    """The asymmetric loss.

    Args:
        gamma_positive: focusing exponent of the own class's term, at least 0.
        gamma_negative: focusing exponent of the other classes' terms, at least 0.
        smoothing: share of the label that is spread over all classes, within [0, 1].
    """
    arguments: dict[str, Any] = {"gamma_positive": gamma_positive, "gamma_negative": gamma_negative, "smoothing": smoothing}
    return Objective(LinearHead(in_features, num_classes), functools.partial(baselines.asymmetric, **arguments))
