"""Classification losses beyond softmax: five papers, derived, implemented and re-run.

The data flows one way: ``data -> models -> heads -> losses -> training -> store -> report -> page``,
and a module imports only from those before it.  This file stays free of imports so that
``import lossbook.runs.spec`` (what the Snakefile needs) does not load torch.
"""

__version__ = "0.1.0"
