"""Read what was published and what was run, and put the two side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from lossbook.experiments import get_paper, papers
from lossbook.paths import in_project, project_root

ACCURACIES = ("A_SW", "A_CW", "A_Uni")
# Metrics shown in per cent: these names, and those that begin with them and an underscore.
SHARES = tuple(dict.fromkeys(name for paper in papers().values() for name in paper.shares))


def published(paper: str, table: str) -> pd.DataFrame:
    """A table as printed: one row a number (``"fig-2"``: the numbers printed in a figure)."""
    name = table if table.startswith("fig-") else f"table-{table}"
    path = project_root() / "data" / "published" / paper / f"{name}.csv"
    if not path.is_file():
        raise FileNotFoundError(f"no published table {table!r} of {paper}: expected {path.relative_to(project_root())}")
    return pd.read_csv(path)


def printed(paper: str, table: str, key: str, **columns: Any) -> pd.DataFrame:
    """Some rows of a table as printed: one row a value of ``key``, one column a metric."""
    frame = published(paper, table)
    for column, value in columns.items():
        frame = frame[frame[column] == value]
    return frame.pivot(index=key, columns="metric", values="value").reindex(pd.unique(frame[key]))


def load_results(results_dir: str | Path, tier: str, paper: str, part: str = "") -> pd.DataFrame:
    """Results of a tier, one row a run (``part``: ``"classes"`` or ``"histogram"``, the small tables)."""
    get_paper(paper)
    name = f"{paper}-{part}.csv" if part else f"{paper}.csv"
    path = in_project(results_dir) / tier / name
    if not path.is_file():
        raise FileNotFoundError(f"no {tier} results of {paper} in {path.parent}: run `make book`, or `lossbook run {paper}`")
    return pd.read_csv(path, float_precision="round_trip", dtype={"table": str, "classes": "string"})


@dataclass(frozen=True)
class Results:
    """The committed reference and this build; ``build`` is None where the reference itself is what is read."""

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
        return Results(function(self.reference), None if self.build is None else function(self.build))

    def where(self, **columns: Any) -> Results:
        """The rows where each column has the value given, or one of the values of a list or tuple."""

        def rows(frame: pd.DataFrame) -> pd.DataFrame:
            for column, value in columns.items():
                frame = frame[frame[column].isin(value if isinstance(value, list | tuple) else [value])]
            if frame.empty:
                raise ValueError(f"no results where {', '.join(f'{name} = {value!r}' for name, value in columns.items())}")
            return frame

        return self.apply(rows)


def load_pair(results_dir: str | Path, tier: str, paper: str, part: str = "") -> Results:
    """The reference, and this build when ``results_dir`` is another folder."""
    reference = load_results("results", tier, paper, part)
    same = in_project(results_dir) == in_project("results")
    return Results(reference, None if same else load_results(results_dir, tier, paper, part))


def mean_std(frame: pd.DataFrame, keys: list[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Means and standard deviations over the seeds; shares in per cent. Columns (metric, "mean" | "std")."""
    scaled = frame[[*keys, *metrics]].copy()
    shares = [m for m in metrics if m in SHARES or m.startswith(tuple(f"{share}_" for share in SHARES))]
    scaled[shares] = scaled[shares] * 100
    return scaled.groupby(keys, sort=False).agg({metric: ["mean", "std"] for metric in metrics})


def beyond_spread(results: Results, keys: list[str], metrics: Sequence[str], tolerance: float = 0.1) -> pd.DataFrame:
    """Where this build's mean differs from the reference's beyond the spread of the seeds: one row a deviation.

    Welch's t between the two, at 5 % for all cells together (Bonferroni), and by more than ``tolerance`` points.
    """
    if results.build is None:
        return pd.DataFrame(columns=[*keys, "metric", "reference", "this build"])
    old, new = (mean_std(frame, keys, metrics) for frame in (results.reference, results.build))
    seeds = results.reference.groupby(keys, sort=False).size()
    critical = stats.t.ppf(1 - 0.025 / (len(old) * len(metrics)), 2 * seeds - 2)
    found = []
    for metric in metrics:
        error = np.sqrt((old[metric]["std"] ** 2 + new[metric]["std"] ** 2) / seeds)
        apart = (new[metric]["mean"] - old[metric]["mean"]).abs()
        for key in apart.index[(apart > critical * error) & (apart > tolerance)]:
            row = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
            found.append(row | {"metric": metric, "reference": old[metric]["mean"][key], "this build": new[metric]["mean"][key]})
    return pd.DataFrame(found, columns=[*keys, "metric", "reference", "this build"])
