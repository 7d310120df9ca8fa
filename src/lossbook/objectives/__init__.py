"""Objectives: head and loss in one module, by name."""

from lossbook.objectives.classifier import to_classifier
from lossbook.objectives.create import create_objective, list_objectives
from lossbook.objectives.objective import Objective
from lossbook.objectives.register import register_objective

__all__ = ["Objective", "create_objective", "list_objectives", "register_objective", "to_classifier"]
