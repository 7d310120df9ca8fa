"""`multicenter`: Sub-centres drawn from a Gaussian."""

from lossbook.papers.multicenter.experiment import PAPER

__all__ = ["PAPER"]
