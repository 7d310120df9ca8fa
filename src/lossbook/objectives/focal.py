"""The focal loss on softmax probabilities (Lin et al., 2017)."""

from __future__ import annotations

import functools

from lossbook.heads.linear import LinearHead
from lossbook.losses import baselines
from lossbook.objectives.objective import Objective


def focal(in_features: int, num_classes: int, gamma: float = 2.0) -> Objective:
    """The focal loss.

    Args:
        gamma: exponent of the focal factor, at least 0; 0 is the cross entropy.
    """
    return Objective(LinearHead(in_features, num_classes), functools.partial(baselines.focal, gamma=gamma))
