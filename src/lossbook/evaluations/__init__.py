"""What is measured on a trained model: one file a suite, each with ``evaluate(outputs) -> Evaluation``.

A run spec names the suites that it wants (``RunSpec.evaluations``).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from lossbook.data import ImageData
from lossbook.objectives import Objective
from lossbook.specs import RunSpec


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
        unknown_features: of the test images of the classes that ``spec.classes`` leaves out, None if there are none.
        train_another: trains one more run, for a suite that needs several models; None if it diverged.
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
    train_another: Callable[[RunSpec], Outputs | None] | None = None


@dataclass(frozen=True)
class Evaluation:
    """Numbers a run (``metrics``) and small tables a run (``frames``: name -> rows)."""

    metrics: dict[str, float]
    frames: dict[str, list[dict[str, float]]] = field(default_factory=dict)


def suites() -> list[str]:
    """The names of all suites."""
    return [info.name for info in pkgutil.iter_modules(__path__)]


def evaluate(name: str, outputs: Outputs) -> Evaluation:
    """Run one suite by name."""
    if name not in suites():
        raise ValueError(f"unknown evaluation {name!r}; expected one of {', '.join(suites())}")
    return importlib.import_module(f"{__name__}.{name}").evaluate(outputs)
