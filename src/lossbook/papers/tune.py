"""Tune a paper's methods: run every search, write what was tried and chosen to ``data/<paper>/tuned.csv``."""

from __future__ import annotations

import csv
import functools
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

    store, found, scores = Store(runs_dir), {}, {}

    def measured(cell: Cell) -> dict[str, float]:
        """The means of all metrics at a place; NaN if a run failed."""
        if cell in scores:
            return scores[cell]
        runs = search.runs(cell)
        for spec in store.missing(runs):
            train_into(store, spec)
        metrics = [record["metrics"] for spec in runs if (record := store.load(spec)) is not None]
        # A run that did not fail lacks the score where one of the further runs that its suite needs failed.
        good = [m for m in metrics if not (m["diverged"] or m["exploded"]) and search.signs.keys() <= m.keys()]
        failed = len(metrics) - len(good)
        means = {name: statistics.fmean(m[name] for m in good) if good else math.nan for name in search.signs}
        std = statistics.stdev(m[search.metric] for m in good) if len(good) > 1 else math.nan
        others = json.dumps({name: round(means[name], 6) for name in search.others}) if good and search.others else ""
        found[cell] = {"mean": f"{means[search.metric]:.6g}", "std": f"{std:.3g}", "failed": failed, "others": others}
        # Rounded, so that scores that differ by rounding only are equal.
        scores[cell] = {name: math.nan if failed else round(sign * means[name], 6) for name, sign in search.signs.items()}
        return scores[cell]

    def score(metric: str, cell: Cell) -> float:
        return measured(cell)[metric]

    sizes = [len(ladder) for ladder in search.ladders.values()]
    for metric in search.signs:
        climb(sizes, search.start, functools.partial(score, metric))
    best = best_cell({cell: score[search.metric] for cell, score in scores.items()})
    return [
        {"tier": tier, "spec": search.family, "setting": json.dumps(search.setting(cell)), "metric": search.metric}
        | found[cell]
        | {"chosen": int(cell == best and not math.isnan(scores[best][search.metric]))}
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
