"""Read what was published and what was run, and put the two side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy

from lossbook.papers.paper import Evidence
from lossbook.paths import in_project, project_root
from lossbook.runs.results import read_results

ACCURACIES = ("A_SW", "A_CW", "A_Uni")


def published(evidence: Evidence, table: str) -> pd.DataFrame:
    """A table of a paper as printed: one row per number (``"fig-2"``: the numbers printed in a figure)."""
    name = table if table.startswith("fig-") else f"table-{table}"
    path = project_root() / "data" / "published" / evidence.name / f"{name}.csv"
    if not path.is_file():
        raise FileNotFoundError(f"no published table {table!r} of {evidence.name}: expected {path.relative_to(project_root())}")
    return pd.read_csv(path)


def printed(evidence: Evidence, table: str, key: str, **columns: Any) -> pd.DataFrame:
    """Some rows of a table as printed: one row per value of ``key``, one column per metric."""
    frame = published(evidence, table)
    for column, value in columns.items():
        frame = frame[frame[column] == value]
    return frame.pivot(index=key, columns="metric", values="value").reindex(pd.unique(frame[key]))


def load_results(results_dir: str | Path, tier: str, evidence: Evidence, small_table: str = "") -> pd.DataFrame:
    """A paper's results at a tier, one row per run, or the rows of one of their small tables.

    The columns are the same at every tier (results/README.md): ``table`` and ``run_id``, the spec's fields and arguments
    (lists are tuples), the metrics, and where it ran.

    Raises:
        FileNotFoundError: if the tier was not run.
    """
    return read_results(in_project(results_dir) / tier, evidence.name, evidence.spec_columns, small_table)


@dataclass(frozen=True)
class Results:
    """The committed reference and this build; ``build`` is None where the reference itself is what is read."""

    evidence: Evidence
    reference: pd.DataFrame
    build: pd.DataFrame | None

    @property
    def newest(self) -> pd.DataFrame:
        """This build where there is one, else the reference."""
        return self.reference if self.build is None else self.build

    @property
    def named(self) -> dict[str, pd.DataFrame | None]:
        """Both under the headings of a table."""
        return {"reference": self.reference, "this build": self.build}

    def apply(self, function: Callable[[pd.DataFrame], pd.DataFrame]) -> Results:
        """The same function of both."""
        return Results(self.evidence, function(self.reference), None if self.build is None else function(self.build))

    def where(self, **columns: Any) -> Results:
        """The rows where each column has the value given, or one of the values of a list."""

        def rows(frame: pd.DataFrame) -> pd.DataFrame:
            for column, value in columns.items():
                frame = frame[frame[column].isin(value if isinstance(value, list) else [value])]
            if frame.empty:
                raise ValueError(f"no results where {', '.join(f'{name} = {value!r}' for name, value in columns.items())}")
            return frame

        return self.apply(rows)


def load_pair(results_dir: str | Path, tier: str, evidence: Evidence, small_table: str = "") -> Results:
    """The reference, and this build when ``results_dir`` is another folder that has the tier (a build makes one tier)."""
    reference, folder = load_results("results", tier, evidence, small_table), in_project(results_dir)
    not_built = folder.is_dir() and not (folder / tier).is_dir()
    same = folder == in_project("results")
    return Results(evidence, reference, None if same or not_built else load_results(folder, tier, evidence, small_table))


def mean_std(frame: pd.DataFrame, keys: list[str], metrics: Sequence[str], evidence: Evidence) -> pd.DataFrame:
    """Means and standard deviations over the seeds; shares in per cent. Columns (metric, "mean" | "std")."""
    scaled = frame[[*keys, *metrics]].copy()
    shares = [metric for metric in metrics if evidence.is_share(metric)]
    scaled[shares] = scaled[shares] * 100
    return scaled.groupby(keys, sort=False).agg({metric: ["mean", "std"] for metric in metrics})


def beyond_spread(results: Results, keys: list[str], metrics: Sequence[str], tolerance: float = 0.1) -> pd.DataFrame:
    """Where this build's mean differs from the reference's beyond the spread of the seeds: one row per deviation.

    A deviation is significant by Welch's t test at 5 % for all cells together (Bonferroni), and above ``tolerance`` points.
    """
    if results.build is None:
        return pd.DataFrame(columns=[*keys, "metric", "reference", "this build"])
    old, new = (mean_std(frame, keys, metrics, results.evidence) for frame in (results.reference, results.build))
    seeds = results.reference.groupby(keys, sort=False).size()
    critical = scipy.stats.t.ppf(1 - 0.025 / (len(old) * len(metrics)), 2 * seeds - 2)
    found = []
    for metric in metrics:
        error = np.sqrt((old[metric]["std"] ** 2 + new[metric]["std"] ** 2) / seeds)
        apart = (new[metric]["mean"] - old[metric]["mean"]).abs()
        for key in apart.index[(apart > critical * error) & (apart > tolerance)]:
            row = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
            found.append(row | {"metric": metric, "reference": old[metric]["mean"][key], "this build": new[metric]["mean"][key]})
    return pd.DataFrame(found, columns=[*keys, "metric", "reference", "this build"])
