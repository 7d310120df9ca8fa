"""What a suite is: metrics and small tables that are measured on a trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from lossbook.data.dataset import ImageData
from lossbook.objectives.objective import Objective
from lossbook.runs.spec import RunSpec


@dataclass(frozen=True)
class Outputs:
    """What a trained model makes of the images, in float32 on the CPU.

    Attributes:
        spec: the run.
        data: what it trained and tested on (``data.train.fine``: labels before classes were merged).
        backbone: in evaluation mode, on its device.
        extract: uint8 images (n, C, H, W) of any size to features (n, d).
        objective: in evaluation mode, on the CPU.
        initial_bias: the head's bias before training, None if it has none.
        unknown_features: features of the test images of the classes that ``spec.classes`` leaves out, None if there are none.
    """

    spec: RunSpec
    data: ImageData
    backbone: nn.Module
    extract: Callable[[Tensor], Tensor]
    objective: Objective
    initial_bias: Tensor | None
    train_features: Tensor
    train_labels: Tensor
    test_features: Tensor
    test_labels: Tensor
    unknown_features: Tensor | None
    unknown_labels: Tensor | None


@dataclass(frozen=True)
class Measured:
    """What a suite found on one run: numbers (``metrics``) and small tables (name -> rows)."""

    metrics: dict[str, float]
    small_tables: dict[str, list[dict[str, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """What is measured together on a trained model.

    Attributes:
        measure: function of the outputs of the run, and of each of ``further_runs`` (None if that diverged).
        metrics: every metric's name -> what it is, in one line.  Part of a name in angle brackets (``rank_<layer>``) stands
            for a word that depends on the run.
        small_tables: every small table's name -> what its rows are, in one line, the columns in backticks.
        further_runs: the runs that must be trained as well, for a suite that compares several models.
    """

    measure: Callable[..., Measured]
    metrics: dict[str, str] = field(default_factory=dict)
    small_tables: dict[str, str] = field(default_factory=dict)
    further_runs: Callable[[RunSpec], list[RunSpec]] | None = None
