"""What ``make benchmarks`` wrote, for the page of the book: one CSV per suite, one row per comparison, with its goals."""

from __future__ import annotations

import html
import math
from pathlib import Path

import pandas as pd

from lossbook.book.show import Html
from lossbook.paths import in_project

# Suites in the order of the page; others follow by name.
TITLES = {
    "uniform_accuracy": "Uniform accuracies",
    "retrieval": "Retrieval",
    "ood": "Out-of-distribution scores",
    "geometry": "Geometry",
    "fused": "Head and loss in one pass",
    "proxies": "Proxy losses",
    "losses": "Losses",
    "training": "Training",
}
# What can have a goal -> the column that must not exceed it, and how both are written.
MEASURES = {"time": ("time_ratio", "{:.2g}"), "memory": ("memory_ratio", "{:.2g}"), "error": ("value_error", "{:.0e}")}


def load_suites(folder: str | Path) -> dict[str, pd.DataFrame]:
    """All suites that were measured: name -> rows, with a column ``<measure>_goal`` for every measure (NaN = no goal)."""
    found = {path.stem: pd.read_csv(path) for path in sorted(in_project(folder).glob("*.csv"))}
    names = [*(name for name in TITLES if name in found), *(name for name in found if name not in TITLES)]
    frames = {name: found[name] for name in names if "time_ratio" in found[name]}
    if not frames:
        raise FileNotFoundError(f"no measured suite in {in_project(folder)}: run `make benchmarks` first")
    goals = [f"{measure}_goal" for measure in MEASURES]
    return {name: frame.reindex(columns=frame.columns.union(goals, sort=False)) for name, frame in frames.items()}


def judge(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per goal: case, peer, measure, value, goal, and the word ``met`` or ``missed``."""
    rows = []
    for row in frame.to_dict("records"):
        for measure, (column, _) in MEASURES.items():
            goal = row[f"{measure}_goal"]
            if not math.isnan(goal):
                word = "met" if row[column] <= goal else "missed"
                rows.append((row["case"], row["peer"], measure, row[column], goal, word))
    return pd.DataFrame(rows, columns=["case", "peer", "measure", "value", "goal", "word"])


def goals_met(suites: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How many goals each suite met and missed; suites without goals are left out."""
    words = {TITLES.get(name, name): judge(frame)["word"].value_counts() for name, frame in suites.items()}
    counts = pd.DataFrame(words).T.reindex(columns=["met", "missed"]).fillna(0).astype(int)
    return counts[counts.sum(1) > 0].rename_axis(index="suite", columns=None).reset_index()


def suite_table(frame: pd.DataFrame, caption: str) -> Html:
    """A suite as a table: each ratio above our own time or memory, the distance of the values, each goal with its word."""
    rows = []
    for row in frame.to_dict("records"):
        goals = judge(pd.DataFrame([row]))
        signs = [
            f'<span class="verdict-{g.word}">{g.word}: {g.measure} ≤ {MEASURES[g.measure][1].format(g.goal)}</span>'
            for g in goals.itertuples()
        ]
        rows.append(
            {
                "case, beside its peer": f"<b>{html.escape(row['case'])}</b><br>{html.escape(row['peer'])}",
                "time": f"{row['time_ratio']:.4g}<br>{_milliseconds(row['ours_ms'])}",
                "memory": f"{row['memory_ratio']:.4g}<br>{row['ours_mib']:.3g}&nbsp;MiB",
                "values": _distance(row["value_error"]),
                "goals": "<br>".join(signs) or "–",
            }
        )
    text = pd.DataFrame(rows).to_html(index=False, escape=False, border=0, classes="lossbook")
    text = text.replace("<table ", '<table style="font-size: 0.85em" ', 1)
    return Html(text.replace("<thead>", f"<caption>{html.escape(caption)}</caption><thead>", 1))


def _milliseconds(number: float) -> str:
    return f"{number / 1000:.1f}&nbsp;s" if number >= 1000 else f"{number:.3g}&nbsp;ms"


def _distance(error: float) -> str:
    return "–" if math.isnan(error) else f"{error:.0e}" if error else "equal"


def machines(suites: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Where which suites were measured: processor, device, threads, torch, repeats."""
    columns = ["machine", "device", "threads", "torch", "repeats"]
    parts = [frame[columns].assign(suites=TITLES.get(name, name)) for name, frame in suites.items()]
    every = pd.concat(parts, ignore_index=True)
    grouped = every.groupby(columns[:-1], sort=False)
    return grouped.agg(repeats=("repeats", _span), suites=("suites", lambda names: ", ".join(names.unique()))).reset_index()


def seconds_to_accuracy(folder: str | Path, records: str | Path) -> pd.DataFrame:
    """Published trainings, and ours below them once ``python -m benchmarks.accuracy`` has run on a GPU: the mean accuracy
    and the median seconds of its runs."""
    table = pd.read_csv(in_project(records))
    measured = in_project(folder) / "accuracy.csv"
    if measured.is_file():
        grouped = pd.read_csv(measured).groupby(["what", "dataset", "target", "device"], sort=False, as_index=False)
        ours = grouped.agg(accuracy=("accuracy", "mean"), seconds=("seconds", "median"), runs=("seed", "size"))
        aim = [f"this project, {row.runs} runs; to reach {row.target:.2f} %" for row in ours.itertuples()]
        table = pd.concat([table, ours.assign(source=aim)[list(table)]], ignore_index=True)
    seconds = [f"{value:.4g}" for value in table["seconds"]]
    accuracy = [f"{value:.2f}" for value in table["accuracy"]]
    return table.assign(accuracy=accuracy, seconds=seconds).rename(columns={"accuracy": "accuracy, %", "dataset": "data set"})


def _span(numbers: pd.Series) -> str:
    return str(numbers.min()) if numbers.nunique() == 1 else f"{numbers.min()} to {numbers.max()}"
