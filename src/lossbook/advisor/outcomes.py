"""What became of the recommendations, in tables and sentences: of rows that :mod:`lossbook.advisor.six_sets` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from lossbook.advisor.advise import points
from lossbook.advisor.goals import GOALS
from lossbook.advisor.held_back import HELD, NOT_HELD, UNDECIDED
from lossbook.advisor.methods import CONTROL

VERDICTS = (HELD, UNDECIDED, NOT_HELD)


def read_outcomes(path: Path) -> pd.DataFrame:
    """The rows of the file, one per set and goal."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"source": str}).fillna({"source": ""})


def interval(mean: float, low: float, high: float) -> str:
    """A gain with its limits, in points of per cent.

    Example:
        >>> interval(0.012, -0.003, 0.027)
        '1.2 (-0.3 to 2.7)'
        >>> interval(-1e-9, -0.01, 0.01)
        '0.0 (-1.0 to 1.0)'
    """
    return f"{100 * mean:z.1f} ({100 * low:z.1f} to {100 * high:z.1f})"


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per set: the recommendation, the verdict, what was promised, what was found on the held-back samples, sizes."""
    rows = []
    for row in frame.itertuples():
        kept = row.recommended == CONTROL
        promised = interval(row.promised, row.promised_low, row.promised_high)
        found = interval(row.found, row.found_low, row.found_high)
        rows.append(
            {
                "set": row.set,
                "recommended": "cross entropy" if kept else row.recommended,
                "verdict": row.verdict,
                "promised": f"none gains over {points(row.promised_high)}" if kept else promised,
                "on held-back samples": f"{row.method} {found}" if kept else found,
                "classes": row.classes,
                "compared": row.compared,
                "held back": row.held_back,
            }
        )
    return pd.DataFrame(rows)


def by_goal(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per set, one column per goal: the recommendation and whether it held."""
    texts = frame.assign(text=frame["recommended"].replace(CONTROL, "cross entropy") + ": " + frame["verdict"])
    wide = texts.pivot(index="set", columns="goal", values="text")
    order = [goal for goal in GOALS if goal in wide]
    wide = wide.reindex(index=list(dict.fromkeys(frame["set"])), columns=order).fillna("–")
    return wide.rename(columns={goal: GOALS[goal].title for goal in order}).rename_axis(index=None, columns=None)


def _counted(frame: pd.DataFrame) -> str:
    """How often each verdict, those that occur."""
    counts = [(word, int((frame["verdict"] == word).sum())) for word in VERDICTS]
    return ", ".join(f"{count} {word}" for word, count in counts if count) or "none"


def answer(frame: pd.DataFrame) -> list[str]:
    """Sentences: where another loss was recommended, the same for accuracy, where none was, and whether gains shrank."""
    others, kept = frame[frame["recommended"] != CONTROL], frame[frame["recommended"] == CONTROL]
    accuracy = frame[frame["goal"] == "accuracy"]
    better, same = accuracy[accuracy["recommended"] != CONTROL], accuracy[accuracy["recommended"] == CONTROL]
    shrunk = int((others["found"] < others["promised"]).sum())
    sets = f"{others['set'].nunique()} of {frame['set'].nunique()} sets"
    return [
        f"On {sets} another loss than cross entropy was recommended at some goal. "
        f"Recommendations: {len(others)}; on samples never seen: {_counted(others)}.",
        f"For accuracy, one was recommended on {len(better)} of {len(accuracy)} sets: {_counted(better)}. "
        f"Cross entropy was kept on {len(same)}: {_counted(same)}.",
        f"Over all goals, cross entropy was kept in {len(kept)} of {len(frame)} cases: {_counted(kept)}.",
        f"Of the {len(others)} promised gains, {shrunk} were smaller on samples never seen.",
    ]


def paragraph(frame: pd.DataFrame) -> str:
    """The sizes of one set, and what was said and found on it."""
    rows = frame.to_dict("records")
    first = rows[0]
    parts = [
        f"{first['classes']} classes, {first['features']:,} features, {first['compared']:,} samples compared, "
        f"{first['held_back']:,} held back."
    ]
    quiet = [row for row in rows if row["recommended"] == CONTROL and row["verdict"] == HELD]
    if quiet:
        titles = ", ".join(GOALS[row["goal"]].title for row in quiet)
        parts.append(f"Cross entropy was kept, and no loss is shown to be better, for {titles}.")
    return " ".join([*parts, *(_sentence(row) for row in rows if row not in quiet)])


def _sentence(row: dict[str, Any]) -> str:
    """One goal at which a loss was recommended, or gained where none was."""
    title = GOALS[row["goal"]].title
    found = interval(row["found"], row["found_low"], row["found_high"])
    if row["recommended"] != CONTROL:
        promised = interval(row["promised"], row["promised_low"], row["promised_high"])
        return f"For {title}, {row['recommended']} promised {promised} points and gained {found}: {row['verdict']}."
    known = "had not ruled out" if row["found"] <= row["promised_high"] else "had ruled out"
    return (
        f"For {title}, cross entropy was kept, but {row['method']} gained {found} points: {row['verdict']}. "
        f"The comparison {known} as much; its upper limit was {points(row['promised_high'])}."
    )
