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
    """
    return f"{points(mean)} ({points(low)} to {points(high)})"


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per set: sizes, the recommendation, what it promised, what was found on the held-back samples, the verdict."""
    rows = []
    for row in frame.itertuples():
        kept = row.recommended == CONTROL
        promised = interval(row.promised, row.promised_low, row.promised_high)
        found = interval(row.found, row.found_low, row.found_high)
        rows.append(
            {
                "set": row.set,
                "classes": row.classes,
                "compared": row.compared,
                "held back": row.held_back,
                "recommended": "cross entropy" if kept else row.recommended,
                "promised": f"none gains over {points(row.promised_high)}" if kept else promised,
                "on held-back samples": f"{row.method} {found}" if kept else found,
                "verdict": row.verdict,
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
    """Three sentences: accuracy, all goals, and recommendations to keep cross entropy."""
    accuracy = frame[frame["goal"] == "accuracy"]
    better = accuracy[accuracy["recommended"] != CONTROL]
    others, kept = frame[frame["recommended"] != CONTROL], frame[frame["recommended"] == CONTROL]
    first = (
        f"For accuracy, a loss was recommended over cross entropy on {len(better)} of {len(accuracy)} sets"
        + (f" (on samples never seen: {_counted(better)})" if len(better) else "")
        + f"; on the other {len(accuracy) - len(better)} it said to keep cross entropy "
        f"({_counted(accuracy[accuracy['recommended'] == CONTROL])})."
    )
    return [
        first,
        f"Over all goals, {len(others)} of {len(frame)} recommendations were another loss: {_counted(others)}.",
        f"The other {len(kept)} were to keep cross entropy: {_counted(kept)}.",
    ]


def paragraph(frame: pd.DataFrame) -> str:
    """The sizes of one set, and what was said and found on it, goal by goal."""
    rows = frame.to_dict("records")
    first = rows[0]
    sizes = (
        f"{first['classes']} classes, {first['features']:,} features, {first['compared']:,} samples compared, "
        f"{first['held_back']:,} held back."
    )
    return " ".join([sizes, *(_sentence(row) for row in rows)])


def _sentence(row: dict[str, Any]) -> str:
    title = GOALS[row["goal"]].title
    found = interval(row["found"], row["found_low"], row["found_high"])
    start = f"{title[0].upper()}{title[1:]}"
    if row["recommended"] != CONTROL:
        promised = interval(row["promised"], row["promised_low"], row["promised_high"])
        return f"{start}: {row['recommended']} promised {promised} points and gained {found}; {row['verdict']}."
    if row["verdict"] == HELD:
        return f"{start}: cross entropy was kept, and no loss is better; closest came {row['method']} with {found}."
    return f"{start}: cross entropy was kept, but {row['method']} gained {found}; {row['verdict']}."
