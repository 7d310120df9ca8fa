"""`bce3s`: long-tailed recognition by three BCE terms."""

from __future__ import annotations

from lossbook.papers.bce3s.claims import CLAIMS
from lossbook.papers.bce3s.read import EVIDENCE
from lossbook.papers.paper import Paper

PAPER = Paper("Long-tailed recognition by three BCE terms", EVIDENCE, CLAIMS)
