"""`multicenter`: Sub-centres drawn from a Gaussian."""

from lossbook.papers.multicenter.claims import CLAIMS
from lossbook.papers.multicenter.read import EVIDENCE
from lossbook.papers.paper import Paper

PAPER = Paper("Sub-centres drawn from a Gaussian", EVIDENCE, CLAIMS)
