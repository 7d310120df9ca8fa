"""`onecold`: Anti-classes and the one-cold cross entropy."""

from lossbook.papers.onecold.experiment import PAPER

__all__ = ["PAPER"]
