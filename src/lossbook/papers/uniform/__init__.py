"""`uniform`: BCE and a unified threshold."""

from __future__ import annotations

from lossbook.papers.paper import Paper
from lossbook.papers.uniform.claims import CLAIMS
from lossbook.papers.uniform.read import EVIDENCE

PAPER = Paper("BCE and a unified threshold", EVIDENCE, CLAIMS)
