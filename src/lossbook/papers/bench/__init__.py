"""`bench`: Five papers on one bench."""

from lossbook.papers.bench.experiment import PAPER

__all__ = ["PAPER"]
