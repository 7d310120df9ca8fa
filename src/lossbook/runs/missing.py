"""Train the runs that a store lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lossbook.progress import track
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec


def train_missing(specs: Iterable[RunSpec], store: Store, devices: int = 1) -> list[dict[str, Any]]:
    """Train the missing runs, save each record at once, and return all records in the order of the specs."""
    from lossbook.runs.train import train  # takes a second to import, and records are read without it

    specs = list(specs)
    missing = store.missing(specs)
    for spec in track(missing, "runs") if missing else ():
        store.save(train(spec, devices))
    return [record for spec in specs if (record := store.load(spec)) is not None]
