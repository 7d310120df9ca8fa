"""Run records on disk: one JSON file a run, written whole or not at all.

A record holds the spec, the metrics, the curves, the small tables, the fingerprint of the code that made it and where
it ran.  A record whose code has changed since counts as missing; a damaged one too, which its checksum tells.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from lossbook.fingerprint import PACKAGE_DIR, fingerprint
from lossbook.objectives import list_objectives
from lossbook.progress import track
from lossbook.specs import RunSpec

if TYPE_CHECKING:
    from lossbook.training import RunResult


def write_atomically(path: Path, text: str) -> None:
    """Write a text file under its final name only when it is complete (same folder, then rename)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@functools.cache
def _modules_fingerprint(modules: tuple[str, ...]) -> str:
    return fingerprint(modules)


def code_of(spec: RunSpec) -> str:
    """The fingerprint of the code that a run of this spec goes through: engine, objective's paper, evaluations."""
    objectives = list_objectives()
    names = {phase.objective for phase in spec.phases()}
    if unknown := sorted(names - set(objectives)):
        raise ValueError(f"unknown objective {unknown[0]!r}; expected one of {', '.join(objectives)}")
    papers = (f"lossbook.objectives.{paper}" for paper in sorted({objectives[name] for name in names}))
    evaluations = (f"lossbook.evaluations.{name}" for name in spec.evaluations)
    return _modules_fingerprint(("lossbook.training", *papers, *evaluations))


@functools.cache
def provenance() -> dict[str, Any]:
    """Where a run is made: commit, versions, threads, processor."""
    command = ["git", "-C", str(PACKAGE_DIR), "rev-parse", "--short=12", "HEAD"]
    git = subprocess.run(command, capture_output=True, text=True, check=False)
    return {
        "commit": git.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "torch": version("torch"),
        "lossbook": version("lossbook"),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: it is stored as null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _checksum(record: dict[str, Any]) -> str:
    """A hash over all of a record but itself."""
    others = {key: value for key, value in record.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()[:12]


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, indent=1) + "\n"


class Store:
    """A folder of run records.

    Args:
        root: the folder; made when the first record is written.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, spec: RunSpec) -> Path:
        return self.root / f"{spec.run_id}.json"

    def save(self, result: RunResult) -> Path:
        """Write a record; returns its path."""
        record = {
            "run_id": result.spec.run_id,
            "spec": result.spec.to_dict(),
            "metrics": result.metrics,
            "curves": result.curves,
            "frames": result.frames,
            "code": code_of(result.spec),
            "seconds": round(result.seconds, 3),
            "device": result.device,
            "provenance": provenance(),
        }
        record = json.loads(json.dumps(_without_nan(record)))
        record["checksum"] = _checksum(record)
        path = self.path(result.spec)
        write_atomically(path, _text(record))
        return path

    def load(self, spec: RunSpec) -> dict[str, Any] | None:
        """The record of a spec made by the present code, or None."""
        try:
            text = self.path(spec).read_text()
            record = json.loads(text)
        except (FileNotFoundError, ValueError):  # no JSON, or not even text
            return None
        # The text as well: a number's last digits can change without another value.
        whole = isinstance(record, dict) and record.get("checksum") == _checksum(record) and text == _text(record)
        return record if whole and record.get("code") == code_of(spec) else None

    def missing(self, specs: Iterable[RunSpec]) -> list[RunSpec]:
        """The specs without a valid record."""
        return [spec for spec in specs if self.load(spec) is None]

    def run(self, specs: Iterable[RunSpec], devices: int = 1) -> list[dict[str, Any]]:
        """Train what is missing, one record after another, and return all records in the order of the specs."""
        from lossbook.training import train  # takes a second to import, and records are read without it

        specs = list(specs)
        missing = self.missing(specs)
        for spec in track(missing, "runs") if missing else ():
            self.save(train(spec, devices))
        return [record for spec in specs if (record := self.load(spec)) is not None]


def runs_frame(records: Iterable[dict[str, Any]], table: str) -> pd.DataFrame:
    """One row a run: the table it belongs to, the spec's fields, the metrics, and where it ran.

    Arguments become columns of their own (``arg_scale``), fields of a second phase too (``then_lr``).
    """
    rows = []
    for record in records:
        ran = {"seconds": record["seconds"], "device": record["device"]} | record["provenance"]
        names = {"table": table, "run_id": record["run_id"], "code": record["code"]}
        rows.append(names | _spec_columns(record["spec"]) | record["metrics"] | ran)
    return pd.DataFrame(rows)


def _spec_columns(spec: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for key, value in spec.items():
        if key == "objective_args":
            columns |= {f"{prefix}arg_{name}": argument for name, argument in value.items()}
        elif key == "then":
            columns |= _spec_columns(value, "then_")
        elif key == "optimizer_args":
            columns |= {f"{prefix}optimizer_{name}": argument for name, argument in value.items()}
        else:
            columns[prefix + key] = _flat(value)
    return columns


def without_defaults(frame: pd.DataFrame) -> pd.DataFrame:
    """Results without the columns of spec fields that no run of them has changed."""
    default = _spec_columns(RunSpec().to_dict())
    kept = ("objective", "dataset", "model", "seed")
    return frame.drop(columns=[c for c, value in default.items() if c not in kept and (frame[c] == value).all()])


def _flat(value: Any) -> Any:
    """Lists as text: ``1 3 5``; many numbers in a row: ``0..963``; lists of lists: ``0+5 1+6``."""
    if not isinstance(value, list | tuple):
        return value
    if len(value) > 20 and list(value) == list(range(value[0], value[0] + len(value))):
        return f"{value[0]}..{value[-1]}"
    return " ".join("+".join(map(str, v)) if isinstance(v, list | tuple) else str(v) for v in value)


def _epochs(curves: dict[str, list[float]]) -> list[dict[str, float]]:
    return [
        {"epoch": epoch} | dict(zip(curves, values, strict=True))
        for epoch, values in enumerate(zip(*curves.values(), strict=True), 1)
    ]


def frames_frame(records: Iterable[dict[str, Any]], table: str, name: str) -> pd.DataFrame:
    """The rows of one small table (``name``) of many runs, with the run's objective, arguments and seed.

    ``"curves"`` is what was measured while training, one row an epoch.
    """
    rows = [
        {"table": table, "run_id": record["run_id"], "objective": record["spec"]["objective"], "seed": record["spec"]["seed"]}
        | {f"arg_{key}": value for key, value in record["spec"]["objective_args"].items()}
        | row
        for record in records
        for row in (_epochs(record["curves"]) if name == "curves" else record["frames"].get(name, []))
    ]
    return pd.DataFrame(rows)
