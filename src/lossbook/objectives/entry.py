"""What the registry says about an objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lossbook.objectives.objective import Objective


@dataclass(frozen=True)
class Entry:
    """An objective's builder and its origin.

    Attributes:
        build: (in_features, num_classes, the objective's own arguments) to the objective.  A builder that needs the number
            of training images per class takes them as ``class_counts``.
        source: the short name of one of the five papers, authors and year of another paper, or ``"combination"`` for what
            nobody has published.
    """

    build: Callable[..., Objective]
    source: str
