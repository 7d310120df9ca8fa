"""Tune a paper's methods: run every search, write what was tried and chosen to ``data/<paper>/tuned.csv``."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lossbook.files import write_atomically
from lossbook.papers.tuning import COLUMNS, Cell, Search, best_cell, climb, read_tuned, tuned_file
from lossbook.paths import in_project
from lossbook.runs.processes import in_processes
from lossbook.runs.tables import TIERS


def tune(paper: str, searches: Sequence[Search], tier: str, runs_dir: Path, processes: int = 1) -> None:
    """Run the searches of a tier and write their rows; the rows of other tiers stay, as do those of searches that are not
    done yet.

    The runs are kept in ``runs_dir``, so that what was interrupted goes on where it was.

    Raises:
        ValueError: if two searches have the same family, as only one of them could be chosen.
    """
    families = [search.family for search in searches]
    if len(set(families)) < len(families):
        twice = next(family for family in families if families.count(family) > 1)
        raise ValueError(f"two searches of {paper} at the tier {tier} are of the same spec: {twice}")
    others = [row for row in read_tuned(paper) if row["tier"] != tier]
    kept = {f: [row for row in read_tuned(paper) if row["tier"] == tier and row["spec"] == f] for f in families}
    calls = [(search, tier, runs_dir) for search in searches]
    done = in_processes(search_rows, calls, processes, f"searches of {paper}")
    for family, family_rows in zip(families, done, strict=True):
        kept[family] = family_rows
        rows = others + [row for rows_of_one in kept.values() for row in rows_of_one]
        _write(paper, sorted(rows, key=lambda row: TIERS.index(row["tier"])))


def search_rows(search: Search, tier: str, runs_dir: Path) -> list[dict[str, Any]]:
    """Run a search: one row per setting that was tried, the best one marked as chosen unless all failed."""
    from lossbook.runs.missing import train_into
    from lossbook.runs.records import Store

    store, found = Store(runs_dir), {}

    def score(cell: Cell) -> float:
        runs = search.runs(cell)
        for spec in store.missing(runs):
            train_into(store, spec)
        metrics = [record["metrics"] for spec in runs if (record := store.load(spec)) is not None]
        # A run that did not fail lacks the score where one of the further runs that its suite needs failed.
        values = [m[search.metric] for m in metrics if not (m["diverged"] or m["exploded"]) and search.metric in m]
        failed = len(metrics) - len(values)
        mean = statistics.fmean(values) if values else math.nan
        std = statistics.stdev(values) if len(values) > 1 else math.nan
        found[cell] = {"mean": f"{mean:.6g}", "std": f"{std:.3g}", "failed": failed}
        # Rounded, so that scores that differ by rounding only are equal.
        return math.nan if failed else round(mean, 6)

    sizes = [len(ladder) for ladder in search.ladders.values()]
    scores = climb(sizes, search.start, score)
    best = best_cell(scores)
    return [
        {"tier": tier, "spec": search.family, "setting": json.dumps(search.setting(cell)), "metric": search.metric}
        | found[cell]
        | {"chosen": int(cell == best and not math.isnan(scores[best]))}
        for cell in sorted(scores)
    ]


def _write(paper: str, rows: list[dict[str, Any]]) -> None:
    path = in_project(tuned_file(paper))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue())
