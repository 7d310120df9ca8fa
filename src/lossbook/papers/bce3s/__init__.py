"""`bce3s`: Long-tailed recognition by three BCE terms."""

from lossbook.papers.bce3s.experiment import PAPER

__all__ = ["PAPER"]
