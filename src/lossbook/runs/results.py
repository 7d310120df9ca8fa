"""Results: run records as tidy CSV files, one row per run, and back.  No torch here.

``<folder>/<paper>.csv`` has the columns ``table`` and ``run_id``, ``spec`` (its canonical JSON), the metrics, and where the run
was made.  A small table ``<folder>/<paper>-<name>.csv`` has ``table`` and ``run_id``, and its own columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lossbook.runs.spec import RunSpec, spec_columns

KEYS = ("table", "run_id")
# Every run has these metrics, whatever its suites measure.
TRAINING_METRICS = ("diverged", "exploded", "train_loss", "train_accuracy")
PROVENANCE = ("seconds", "device", "threads", "machine", "python", "torch", "lossbook", "commit", "code")
CURVES = "curves"  # the small table of what was measured while training


def results_path(folder: Path, paper: str, small_table: str = "") -> Path:
    """Where a paper's results, or one of their small tables, lie in the folder of a tier."""
    return folder / (f"{paper}-{small_table}.csv" if small_table else f"{paper}.csv")


def runs_frame(records: Iterable[dict[str, Any]], table: str, metrics: Sequence[str]) -> pd.DataFrame:
    """One row per run, with the columns of the file; a metric that was not measured is missing.

    Args:
        records: run records.
        table: name of the table that the runs belong to.
        metrics: columns that are always there and come first; others follow in alphabetical order.
    """
    rows = []
    for record in records:
        ran = {"seconds": record["seconds"], "device": record["device"], "code": record["code"]} | record["provenance"]
        names = {
            "table": table,
            "run_id": record["run_id"],
            "spec": json.dumps(record["spec"], sort_keys=True, separators=(",", ":")),
        }
        rows.append(names | record["metrics"] | ran)
    return in_order(pd.DataFrame(rows), metrics)


def in_order(frame: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The columns of results in their order: keys, spec, training metrics, ``metrics``, others by name, provenance."""
    fixed = (*KEYS, "spec", *TRAINING_METRICS, *metrics)
    others = sorted(set(frame) - set(fixed) - set(PROVENANCE))
    return frame.reindex(columns=[*fixed, *others, *PROVENANCE])


def small_frame(records: Iterable[dict[str, Any]], table: str, name: str) -> pd.DataFrame:
    """The rows of one small table of many runs."""
    rows = [
        {"table": table, "run_id": record["run_id"]} | row
        for record in records
        for row in (_epochs(record["curves"]) if name == CURVES else record["small_tables"].get(name, []))
    ]
    return pd.DataFrame(rows)


def _epochs(curves: dict[str, list[float]]) -> list[dict[str, float]]:
    """One row per epoch."""
    return [
        {"epoch": epoch} | dict(zip(curves, values, strict=True))
        for epoch, values in enumerate(zip(*curves.values(), strict=True), 1)
    ]


def read_results(folder: Path, paper: str, columns: Sequence[str], small_table: str = "") -> pd.DataFrame:
    """Read a paper's results, with the specs' fields and arguments as columns; lists are tuples.

    Args:
        folder: the folder of a tier.
        paper: the paper's name.
        columns: the spec columns, the same for all results of the paper; an argument that a run does not have is missing.
        small_table: name of the small table to read instead; its own columns follow those of the spec.

    Raises:
        FileNotFoundError: if there are none.
    """
    path = results_path(folder, paper)
    wanted = results_path(folder, paper, small_table)
    for needed in (path, wanted):
        if not needed.is_file():
            raise FileNotFoundError(f"no {needed.name} in {folder}: run `make book`, or `lossbook run {paper}`")
    runs = _read(path)
    specs = {text: spec_columns(RunSpec.from_json(text)) for text in runs["spec"].unique()}
    described = pd.DataFrame([specs[text] for text in runs["spec"]], index=runs.index).reindex(columns=list(columns))
    described = described.where(described.notna(), float("nan"))
    if not small_table:
        return pd.concat([runs[list(KEYS)], described, runs.drop(columns=[*KEYS, "spec"])], axis=1)
    by_run = described.set_index(runs["run_id"])
    rows = _read(wanted)
    own = by_run[~by_run.index.duplicated()].reindex(rows["run_id"]).reset_index(drop=True)
    return pd.concat([rows[list(KEYS)], own.drop(columns=[c for c in own if c in rows]), rows.drop(columns=list(KEYS))], axis=1)


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, float_precision="round_trip", dtype={"table": str})
