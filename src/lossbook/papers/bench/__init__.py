"""`bench`: the five papers' losses, their baselines and some combinations under equal conditions.

It stands among the papers, so that its runs, results, claims and pages work as theirs do.
"""

from lossbook.papers.bench.claims import CLAIMS
from lossbook.papers.bench.read import EVIDENCE
from lossbook.papers.paper import Paper

PAPER = Paper("Five papers on one bench", EVIDENCE, CLAIMS)

__all__ = ["PAPER"]
