"""Made-up results of a paper, in the columns in which they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from lossbook.papers.paper import Evidence
from lossbook.runs.spec import RunSpec, spec_columns


def made_up(evidence: Evidence, value: Callable[[RunSpec, str], float], metrics: Sequence[str]) -> pd.DataFrame:
    """Results of the quick tier: every run has ``value(spec, metric)``, which hardly varies with the seed."""
    rows = [
        {"table": table.name, "run_id": spec.run_id}
        | spec_columns(spec)
        | {metric: value(spec, metric) + 1e-4 * spec.seed for metric in metrics}
        for table in evidence.tables
        for spec in table.runs("quick")
    ]
    frame = pd.DataFrame(rows, columns=["table", "run_id", *evidence.spec_columns, *metrics])
    return frame.where(frame.notna(), float("nan"))
