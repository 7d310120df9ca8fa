"""Run records on disk: one JSON file per run, written whole or not at all.

A record holds the spec, the metrics, the curves, the small tables, the fingerprint of the code that made it and where
it ran.  A record counts as missing if its code has changed since, or if its checksum shows damage.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import platform
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lossbook.files import write_atomically
from lossbook.runs.checkpoint import Checkpoints
from lossbook.runs.fingerprint import PACKAGE_DIR, code_of
from lossbook.runs.spec import RunSpec

if TYPE_CHECKING:
    from lossbook.runs.train import RunResult


def commit() -> str:
    """The commit of the project's repository; "unknown" without git, without a repository, or inside that of something else."""
    root = PACKAGE_DIR.resolve().parents[1]
    try:
        command = ["git", "-C", str(root), "rev-parse", "--show-toplevel", "--short=12", "HEAD"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
    return lines[1] if Path(lines[0]).resolve() == root else "unknown"


@functools.cache
def provenance() -> dict[str, Any]:
    """Where a run was made: commit, versions, threads, processor."""
    return {
        "commit": commit(),
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
    """A hash over a record without its checksum."""
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

    def checkpoints(self, spec: RunSpec) -> Checkpoints:
        """Where a run that was killed goes on from."""
        return Checkpoints(self.root / "unfinished" / spec.run_id, code_of(spec))

    def save(self, result: RunResult) -> Path:
        """Write a record, and delete the run's checkpoints; returns the record's path."""
        record = {
            "run_id": result.spec.run_id,
            "spec": json.loads(result.spec.canonical_json()),
            "metrics": result.metrics,
            "curves": result.curves,
            "small_tables": result.small_tables,
            "code": code_of(result.spec),
            "seconds": round(result.seconds, 3),
            "device": result.device,
            "provenance": provenance(),
        }
        record = json.loads(json.dumps(_without_nan(record)))
        record["checksum"] = _checksum(record)
        path = self.path(result.spec)
        write_atomically(path, _text(record))
        shutil.rmtree(self.checkpoints(result.spec).folder, ignore_errors=True)
        return path

    def load(self, spec: RunSpec) -> dict[str, Any] | None:
        """The record of a spec made by the present code, or None."""
        try:
            text = self.path(spec).read_text(encoding="utf-8")
            record = json.loads(text)
        except (FileNotFoundError, ValueError):  # not JSON, or not even text
            return None
        # Compare the text too: a corrupt 17th digit can parse to the same float.
        whole = isinstance(record, dict) and record.get("checksum") == _checksum(record) and text == _text(record)
        return record if whole and record.get("code") == code_of(spec) else None

    def missing(self, specs: Iterable[RunSpec]) -> list[RunSpec]:
        """The specs without a valid record."""
        return [spec for spec in specs if self.load(spec) is None]
