"""Train the runs that a store lacks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lossbook.progress import track
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec


def train_into(store: Store, spec: RunSpec, devices: int = 1, weights: Path | None = None) -> None:
    """Train a run, or go on with one that was killed, and save its record.

    Args:
        weights: file for the trained weights.
    """
    from lossbook.runs.train import train  # takes a second to import, and records are read without it

    store.save(train(spec, devices, store.checkpoints(spec), weights))


def train_missing(specs: Iterable[RunSpec], store: Store, devices: int = 1, weights: Path | None = None) -> list[dict[str, Any]]:
    """Train the missing runs, save each record at once, and return all records in the order of the specs.

    Args:
        weights: folder for the trained weights of these runs, one safetensors file each.
    """
    specs = list(specs)
    missing = store.missing(specs)
    for spec in track(missing, "runs") if missing else ():
        train_into(store, spec, devices, weights and weights / f"{spec.run_id}.safetensors")
    return [record for spec in specs if (record := store.load(spec)) is not None]
