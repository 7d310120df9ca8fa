"""Which of its settings every method takes: the rule, and the file that the choice is written to."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd

from lossbook.files import write_atomically
from lossbook.papers.bench.read import EVIDENCE
from lossbook.papers.bench.tables import CHOSEN_FILE, METHODS, setting_columns
from lossbook.papers.claims import rows_of, values_of
from lossbook.papers.results import load_results
from lossbook.paths import in_project
from lossbook.runs.tables import TIERS

_TUNING = EVIDENCE.table("tuning")
_COLUMNS = ("tier", "method", "setting", "lr", "argument", "value")


def choose(results: pd.DataFrame, tier: str) -> dict[str, int]:
    """Method -> index of its setting with the highest accuracy on the known classes, mean over the draws.

    Of equal settings the first is taken; one with a run that failed is taken only if all have such a run.

    Raises:
        ValueError: if the results lack a run of the tuning.
    """
    runs = _TUNING.runs(tier)
    accuracy = values_of(rows_of(results, _TUNING.name).set_index("run_id"), "A_SW").fillna(-math.inf)
    if missing := sum(run.run_id not in accuracy.index for run in runs):
        raise ValueError(
            f"expected the results of all {len(runs)} tuning runs of the tier {tier}, {missing} are missing: "
            f"run `lossbook run {EVIDENCE.name} --table {_TUNING.name} --tier {tier}` first"
        )
    ids = iter(run.run_id for run in runs)  # in the order of the methods, settings and draws
    chosen = {}
    for name, method in METHODS.items():
        means = [accuracy[[next(ids) for _ in range(_TUNING.seeds[tier])]].mean() for _ in method.settings]
        chosen[name] = int(np.argmax(np.round(means, 3)))  # means that differ by rounding only are equal
    return chosen


def write_choice(tier: str, results_dir: str | Path) -> Path:
    """Choose a setting for every method at a tier and write them to the file, where the other tiers' rows stay.

    Raises:
        ValueError: if the tier has no tuning, or the results lack a run of it.
        FileNotFoundError: if the folder has no results of the tier.
    """
    if not _TUNING.runs(tier):
        tuned = ", ".join(name for name in TIERS if _TUNING.runs(name))
        raise ValueError(f"the bench is not tuned at the tier {tier!r}; expected one of {tuned}")
    chosen = choose(load_results(results_dir, tier, EVIDENCE), tier)
    path = in_project(CHOSEN_FILE)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []
    rows = [row for row in rows if row["tier"] != tier]
    for name, index in chosen.items():
        rows.append({"tier": tier, "method": name, "setting": str(index)} | setting_columns(METHODS[name].settings[index]))
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: TIERS.index(row["tier"])))
    write_atomically(path, text.getvalue())
    return path
