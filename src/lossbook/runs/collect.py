"""From run records to results, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lossbook.files import write_atomically
from lossbook.runs.records import Store
from lossbook.runs.results import in_order, results_path, runs_frame, small_frame
from lossbook.runs.suites.lookup import metrics_of
from lossbook.runs.tables import Table, small_tables, suites_of


def write_results(
    paper: str,
    tables: Sequence[Table],
    tier: str,
    runs_dir: Path,
    results_dir: Path,
    partial: bool = False,
    sample: str = "all",
    folder: str = "",
) -> list[Path]:
    """Collect the records of a paper's tables into ``<results_dir>/<tier>/<paper>.csv`` and its small tables.

    Args:
        sample: which runs of each table (:meth:`Table.sample`).
        folder: where in ``results_dir`` they go; the tier's name by default.
        partial: leave out the tables of which a run is missing.

    Raises:
        RuntimeError: if a run of a table is missing, naming it.
        ValueError: if no table has runs at the tier.
    """
    if not any(table.runs(tier) for table in tables):
        raise ValueError(f"no table of {paper} has runs at the tier {tier}")
    store, target = Store(runs_dir), results_dir / (folder or tier)
    metrics = metrics_of(suites_of(tables))
    runs: list[pd.DataFrame] = []
    small: dict[str, list[pd.DataFrame]] = {name: [] for name in small_tables(tables)}
    for table in tables:
        specs = table.sample(tier, sample)
        missing = store.missing(specs)
        if missing and not partial:
            raise RuntimeError(
                f"{len(missing)} run(s) of {paper} {table.name} are missing in {runs_dir}, first {missing[0].canonical_json()}"
            )
        if missing or not specs:
            continue
        records = [store.load(spec) for spec in specs]
        runs.append(runs_frame(records, table.name, metrics))
        first_seed = [record for spec, record in zip(specs, records, strict=True) if spec.seed == 0]
        for name in table.small_tables:
            small[name].append(small_frame(first_seed, table.name, name))
    # Tables have metrics that others lack, so their common columns are put in order once more.
    written = [_write(results_path(target, paper), [in_order(_concat(runs), metrics)])]
    # A tier may leave out the suite that makes a small table.
    measured = {name: parts for name, parts in small.items() if not all(part.empty for part in parts)}
    return written + [_write(results_path(target, paper, name), parts) for name, parts in measured.items()]


def _write(path: Path, parts: list[pd.DataFrame]) -> Path:
    write_atomically(path, _concat(parts).to_csv(index=False, float_format="%.6g"))
    return path


def _concat(parts: list[pd.DataFrame]) -> pd.DataFrame:
    # A metric that some runs do not have is a column of objects, whose digits would all be written.
    return pd.concat([part for part in parts if not part.empty], ignore_index=True).infer_objects()
