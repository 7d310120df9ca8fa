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
    """The committed reference, which is the evidence, and the runs of it that this build has made again.

    ``build`` has the rows of the reference, in the same order.  Where a run was retrained, ``run_id`` and the metrics are those
    of the new run; elsewhere they are missing.  It is None where the reference alone is read.
    """

    evidence: Evidence
    reference: pd.DataFrame
    build: pd.DataFrame | None

    @property
    def named(self) -> dict[str, pd.DataFrame | None]:
        """Both under the headings of a table."""
        return {"reference": self.reference, "this build": self.build}

    def apply(self, function: Callable[[pd.DataFrame], pd.DataFrame]) -> Results:
        """The same function of both; it must make something of metrics that are missing."""
        return Results(self.evidence, function(self.reference), None if self.build is None else function(self.build))

    def where(self, **columns: Any) -> Results:
        """The rows where each column has the value given, or one of the values of a list."""

        def rows(frame: pd.DataFrame) -> pd.DataFrame:
            for column, value in columns.items():
                frame = frame[frame[column].isin(value if isinstance(value, list) else [value])]
            return frame

        found = self.apply(rows)
        if found.reference.empty:
            raise ValueError(f"no results where {', '.join(f'{name} = {value!r}' for name, value in columns.items())}")
        return found


def load_pair(results_dir: str | Path, tier: str, evidence: Evidence, small_table: str = "") -> Results:
    """The reference, and this build where ``results_dir`` is another folder that has results of the paper at the tier.

    Small tables are of the reference only.

    Raises:
        FileNotFoundError: if the reference was not run, or there is no such folder.
    """
    reference, folder = load_results("results", tier, evidence, small_table), in_project(results_dir)
    if small_table or folder == in_project("results"):
        return Results(evidence, reference, None)
    try:
        built = load_results(folder, tier, evidence)
    except FileNotFoundError:
        if not folder.is_dir():
            raise
        return Results(evidence, reference, None)
    return Results(evidence, reference, _in_rows_of(reference, built, evidence))


def _in_rows_of(reference: pd.DataFrame, built: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """What was built, in the rows of the reference; missing where a run was not retrained."""
    spec = reference[["table", *evidence.spec_columns]]
    new = built.drop_duplicates("run_id").drop(columns=["table", *evidence.spec_columns]).assign(retrained=built["run_id"])
    rows = reference[["run_id"]].merge(new, "left", "run_id").set_axis(reference.index)
    metrics = rows.drop(columns=["run_id", "retrained"]).reindex(columns=reference.columns.drop(["run_id", *spec]))
    return pd.concat([spec, metrics], axis=1).assign(run_id=rows["retrained"])[list(reference)]


def in_per_cent(frame: pd.DataFrame, metrics: Sequence[str], evidence: Evidence) -> pd.DataFrame:
    """Some metrics of a frame, shares in per cent."""
    return frame[list(metrics)] * [100.0 if evidence.is_share(metric) else 1.0 for metric in metrics]


def mean_std(frame: pd.DataFrame, keys: list[str], metrics: Sequence[str], evidence: Evidence) -> pd.DataFrame:
    """Means and standard deviations over the seeds; shares in per cent. Columns (metric, "mean" | "std")."""
    scaled = frame[[*keys, *metrics]].copy()
    scaled[list(metrics)] = in_per_cent(frame, metrics, evidence)
    return scaled.groupby(keys, sort=False).agg({metric: ["mean", "std"] for metric in metrics})


def _digits(numbers: pd.DataFrame) -> pd.DataFrame:
    """The digits of numbers that results keep, as text."""
    return numbers.map("{:.6g}".format)


@dataclass(frozen=True)
class Comparison:
    """How the runs of a build compare with the reference.

    Attributes:
        runs: how many runs of the reference were retrained.
        equal: so many of them have the metrics of the reference's run of the same id, to the six digits that results keep.
        within: so many differ, as runs on another processor do, but lie within the spread of the seeds.
        outside: the numbers outside the spread: the keys, ``metric``, ``mean`` and ``std`` of the reference, ``this build``.
    """

    runs: int
    equal: int
    within: int
    outside: pd.DataFrame

    @property
    def differ(self) -> int:
        """How many runs have a number outside the spread."""
        return self.runs - self.equal - self.within


def compare(results: Results, keys: list[str], metrics: Sequence[str], level: float = 0.05, tolerance: float = 0.1) -> Comparison:
    r"""Compare the retrained runs with the reference, number by number.

    A number lies outside where it is not equal to that of the reference's run and
    :math:`|x - m| > t_{1 - \alpha / 2c,\, n - 1}\, s \sqrt{1 + 1/n}`, with mean m and standard deviation s of the n runs of the
    reference with its keys: the prediction interval for one more run, at level :math:`\alpha` for all c numbers together
    (Bonferroni).  One that is closer than ``tolerance`` points (a share), or per cent of the mean (another metric), does
    not count.  A number that is missing (the run diverged) lies outside where no run of the reference misses it.  One run
    has no spread: nothing is outside of it.

    Args:
        results: one row per run, the same rows in reference and build.
        keys: columns whose values runs with other seeds share.
        metrics: columns to compare.
        level: chance that any number lies outside if all come from the distribution of the seeds.
        tolerance: in points, or per cent of the mean.
    """
    none = pd.DataFrame(columns=[*keys, "metric", "mean", "std", "this build"])
    if results.build is None or not results.build["run_id"].notna().any():
        return Comparison(0, 0, 0, none)
    reference, build = results.reference.reset_index(drop=True), results.build.reset_index(drop=True)
    done = build["run_id"].notna()
    old, new = (in_per_cent(frame, metrics, results.evidence) for frame in (reference, build))
    seeds = old.groupby([reference[key] for key in keys], sort=False, dropna=False)
    mean, std, count, size = (seeds.transform(name) for name in ("mean", "std", "count", "size"))
    quantile = scipy.stats.t.ppf(1 - level / (2 * done.sum() * len(metrics)), count - 1)
    shares = [results.evidence.is_share(metric) for metric in metrics]
    negligible = mean.abs() * (tolerance / 100)
    negligible.loc[:, shares] = tolerance
    apart = (new - mean).abs()
    lost = new.isna() & count.eq(size, axis=0)
    equal = _digits(new[done]).eq(_digits(old[done])).reindex(done.index, fill_value=False)
    outside = ~equal & (lost | (apart > quantile * std * np.sqrt(1 + 1 / count)) & (apart > negligible))
    runs = pd.DataFrame({"equal": equal.all(axis=1), "outside": outside.any(axis=1)})[done].groupby(build["run_id"][done])
    all_equal, any_outside = runs["equal"].all(), runs["outside"].any()
    found = [
        dict(reference.loc[row, keys]) | {"metric": m, "mean": mean[m][row], "std": std[m][row], "this build": new[m][row]}
        for row in done.index[done]
        for m in metrics
        if outside[m][row]
    ]
    return Comparison(
        len(all_equal),
        int(all_equal.sum()),
        int((~all_equal & ~any_outside).sum()),
        pd.DataFrame(found, columns=list(none)) if found else none,
    )
