"""`uniform`: BCE and a unified threshold."""

from lossbook.papers.uniform.experiment import PAPER

__all__ = ["PAPER"]
