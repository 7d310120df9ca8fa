"""What holds for every published table: its format, one row per printed number, a README that names all it holds."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from lossbook.papers.registry import PAPERS
from lossbook.paths import in_project

PUBLISHED = in_project("data") / "published"
FILES = sorted(PUBLISHED.glob("*/*.csv"))
FOLDERS = sorted(path for path in PUBLISHED.iterdir() if path.is_dir())
# Files that hold no numbers of a table: formulas, and the speeds that a project prints.
OTHERS = ("uniform/table-I", "airbench/records")
NUMBERS = [path for path in FILES if f"{path.parent.name}/{path.stem}" not in OTHERS]
NOT_KEYS = ("value", "std", "ci95", "note")
MAY_BE_NEGATIVE = {"threshold", "learned_bias", "min_positive", "bias_change_e-3", "difference"}


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def load(path: Path) -> pd.DataFrame:
    """Every cell the string in the file."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def named(folder: Path) -> set[str]:
    """What a folder's README and the README of all data name in backticks; a family (``R@k``) is a pattern."""
    text = (folder / "README.md").read_text() + (PUBLISHED.parent / "README.md").read_text()
    return set(re.findall(r"`([^`\n]+)`", text))


def test_every_paper_has_its_tables() -> None:
    assert {path.name for path in FOLDERS} == {*PAPERS, "airbench"} - {"bench"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_format(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.isascii() and raw.endswith(b"\n") and b"\r" not in raw
    assert not any(line.rstrip() != line for line in raw.decode().splitlines())
    frame = load(path)
    assert len(frame) and len(set(frame)) == len(frame.columns)
    assert not frame.duplicated([column for column in frame if column not in NOT_KEYS]).any()


@pytest.mark.parametrize("path", NUMBERS, ids=name_of)
def test_one_row_per_printed_number(path: Path) -> None:
    frame = load(path)
    assert path.stem in (f"table-{frame['table'][0]}", frame["table"][0])
    assert frame["table"].nunique() == 1
    columns = list(frame)
    assert columns[0] == "table"
    behind = columns[columns.index("metric") :]
    assert behind[:2] == ["metric", "value"]
    assert behind[2:] in ([], ["std"], ["note"], ["std", "note"], ["ci95", "note"])
    assert (frame["metric"] != "").all()
    given = frame[frame["value"] != ""]
    negative = given["metric"].isin(MAY_BE_NEGATIVE)
    assert given.loc[negative, "value"].str.fullmatch(r"-?\d+(\.\d+)?").all()
    assert given.loc[~negative, "value"].str.fullmatch(r"\d+(\.\d+)?").all()
    for column in {"std", "ci95"} & set(frame):
        assert frame.loc[frame[column] != "", column].str.fullmatch(r"\d+(\.\d+)?").all()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_readme_names_every_file_column_and_metric(folder: Path) -> None:
    words = named(folder)
    frames = {path.stem: load(path) for path in folder.glob("*.csv")}
    assert set(re.findall(r"`((?:table|fig)-[^`]+|records)`", (folder / "README.md").read_text())) >= set(frames)
    for stem, frame in frames.items():
        assert set(frame) <= words, stem
        metrics = {re.sub(r"^R@\d+$", "R@k", metric) for metric in frame.get("metric", ())}
        assert metrics <= words, stem
