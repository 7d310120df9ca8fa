"""`warped`: Realigned softmax warping."""

from lossbook.papers.paper import Paper
from lossbook.papers.warped.claims import CLAIMS
from lossbook.papers.warped.read import EVIDENCE

PAPER = Paper("Realigned softmax warping", EVIDENCE, CLAIMS)
