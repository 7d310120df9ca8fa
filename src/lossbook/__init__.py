"""Classification losses beyond softmax: five papers, derived, implemented and re-run.

A module imports only from those before it:
``data -> models -> heads -> losses -> objectives -> metrics -> runs -> papers -> book -> cli``.
This file stays free of imports so that ``import lossbook.runs.spec``, which the Snakefile needs, does not load torch.
"""

__version__ = "0.1.0"
