"""`onecold`: anti-classes and the one-cold cross entropy."""

from lossbook.papers.onecold.claims import CLAIMS
from lossbook.papers.onecold.read import EVIDENCE
from lossbook.papers.paper import Paper

PAPER = Paper("Anti-classes and the one-cold cross entropy", EVIDENCE, CLAIMS)

__all__ = ["PAPER"]
