"""The settings that were searched for and chosen, as tables.  Importing this does not load torch."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from lossbook.book.show import spec_text
from lossbook.papers.paper import Evidence
from lossbook.papers.tuning import Search, read_tuned
from lossbook.runs.spec import RunSpec, is_spec_column, spec_columns


def _labels(specs: list[RunSpec]) -> list[str]:
    """What sets each of some specs apart: its objective, and the columns that are not the same wherever those before are."""
    columns = pd.DataFrame([spec_columns(spec) for spec in specs]).astype(object)
    text = columns.map(lambda value: "" if value is None or value != value else spec_text(value))
    kept = ["objective"]
    for column in text:
        if is_spec_column(column) and text.groupby(kept)[column].nunique().gt(1).any():
            kept.append(column)
    named = text[kept[1:]].apply(lambda values: values.where(values == "", f"{values.name.removeprefix('arg_')} " + values))
    return [", ".join(filter(None, row)) for row in pd.concat([text["objective"], named], axis=1).itertuples(index=False)]


def _words(setting: dict[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('arg_').replace('_', ' ')} {value:g}" for name, value in setting.items())


def _at_an_end(search: Search, setting: dict[str, float]) -> bool:
    """Does a chosen value stand at an end of its ladder, where nothing beyond it could be tried?"""
    return any(setting[name] in (ladder[0], ladder[-1]) for name, ladder in search.ladders.items())


def settings_table(evidence: Evidence, tier: str) -> pd.DataFrame:
    """One row per search of a tier: ``run``, the ``chosen`` setting, its ``score`` (%) with standard deviation over the
    seeds, how many settings were ``tried`` and how many of them ``failed``, and if the choice is ``at an end`` of a ladder."""
    searches = evidence.searches.get(tier, ())
    rows = {search.family: [row for row in read_tuned(evidence.name) if row["spec"] == search.family] for search in searches}
    found: list[dict[str, Any]] = []
    for search, label in zip(searches, _labels([search.spec for search in searches]), strict=True):
        tried = rows[search.family]
        best = next((row for row in tried if row["chosen"] == "1"), None)
        setting = json.loads(best["setting"]) if best else {}
        found.append(
            {
                "run": label,
                "chosen": _words(setting) if best else "always fails",
                "score": f"{100 * float(best['mean']):.1f} ± {100 * float(best['std']):.1f}" if best else "–",
                "tried": len(tried),
                "failed": sum(int(row["failed"]) > 0 for row in tried),
                "at an end": bool(best) and _at_an_end(search, setting),
            }
        )
    return pd.DataFrame(found)
