"""`warped`: Realigned softmax warping."""

from lossbook.papers.warped.experiment import PAPER

__all__ = ["PAPER"]
