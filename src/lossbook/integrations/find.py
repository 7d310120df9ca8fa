"""Objectives inside a user's model."""

from __future__ import annotations

from torch import nn

from lossbook.objectives.objective import Objective


def objectives_with_hooks(model: nn.Module) -> list[Objective]:
    """The objectives among the modules of ``model`` that need a hook."""
    return [module for module in model.modules() if isinstance(module, Objective) and module.hooks]
