"""Classification losses beyond softmax: five papers, derived, implemented and re-run.

The names below are the public ones; each is imported when it is first used, so ``import lossbook.runs.spec``, which the
Snakefile needs, does not load torch.  A module imports only from those before it:
``data -> models -> heads -> losses -> objectives -> metrics -> ood -> integrations -> runs -> papers -> advisor -> book ->
cli``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import lossbook.heads as heads
    import lossbook.integrations as integrations
    import lossbook.losses as losses
    import lossbook.metrics as metrics
    import lossbook.ood as ood
    from lossbook.data.register import register_dataset
    from lossbook.metrics.thresholds import calibrate
    from lossbook.objectives.create import create_objective, list_objectives
    from lossbook.objectives.register import register_objective

__version__ = "0.2.0"

__all__ = [
    "__version__",
    "calibrate",
    "create_objective",
    "heads",
    "integrations",
    "list_objectives",
    "losses",
    "metrics",
    "ood",
    "register_dataset",
    "register_objective",
]

# Name -> the module that it is, or that defines it.
_MODULES = {
    "calibrate": "lossbook.metrics.thresholds",
    "create_objective": "lossbook.objectives.create",
    "heads": "lossbook.heads",
    "integrations": "lossbook.integrations",
    "list_objectives": "lossbook.objectives.create",
    "losses": "lossbook.losses",
    "metrics": "lossbook.metrics",
    "ood": "lossbook.ood",
    "register_dataset": "lossbook.data.register",
    "register_objective": "lossbook.objectives.register",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_MODULES[name])
    value = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
