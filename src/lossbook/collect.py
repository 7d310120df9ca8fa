"""From run records to results: tidy CSV files, one row a run, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lossbook.experiments import get_paper
from lossbook.store import Store, frames_frame, runs_frame, without_defaults, write_atomically


def write_results(paper: str, tier: str, runs_dir: Path, results_dir: Path, partial: bool = False) -> list[Path]:
    """Collect all records of a paper's tables into ``<results_dir>/<tier>/<paper>.csv`` and its small tables.

    Args:
        partial: leave out the tables of which a run is missing.

    Raises:
        RuntimeError: if a run of a table is missing, naming it.
    """
    chapter, store = get_paper(paper), Store(runs_dir)
    runs, frames = [], {}
    for table in chapter.tables:
        specs = table.runs(tier)
        missing = store.missing(specs)
        if missing and partial:
            continue
        if missing:
            raise RuntimeError(
                f"{len(missing)} run(s) of {paper} {table.name} are missing in {runs_dir}, first {missing[0].canonical_json()}"
            )
        records = [store.load(spec) for spec in specs]
        runs.append(runs_frame(records, table.name))
        for name in table.frames:
            first_seed = [record for record in records if record["spec"]["seed"] == 0]
            frames.setdefault(name, []).append(frames_frame(first_seed, table.name, name))
    written = [_write(results_dir / tier / f"{paper}.csv", [without_defaults(pd.concat(runs, ignore_index=True))])]
    # A tier may leave out the suite that makes a small table.
    measured = {name: parts for name, parts in frames.items() if not all(part.empty for part in parts)}
    written += [_write(results_dir / tier / f"{paper}-{name}.csv", parts) for name, parts in measured.items()]
    return written


def _write(path: Path, parts: list[pd.DataFrame]) -> Path:
    frame = pd.concat([part for part in parts if not part.empty], ignore_index=True)
    write_atomically(path, frame.to_csv(index=False, float_format="%.6g"))
    return path
