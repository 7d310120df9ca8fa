"""results/README.md says what every column is, in the words of the suites; committed results have the constant columns.

``python tests/papers/test_results_readme.py`` writes the section on suites anew.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lossbook.papers.registry import PAPERS
from lossbook.paths import in_project
from lossbook.runs.results import CURVES, KEYS, PROVENANCE, TRAINING_METRICS
from lossbook.runs.suites.lookup import metrics_of
from lossbook.runs.suites.registry import SUITES
from lossbook.runs.tables import TIERS, small_tables

README = in_project("results") / "README.md"
BEGIN, END = "<!-- suites: tests/papers/test_results_readme.py writes from here -->\n", "<!-- to here -->\n"
RESULTS = [(tier, name) for tier in TIERS for name in PAPERS if (in_project("results") / tier / f"{name}.csv").is_file()]


def section() -> str:
    """What the suites declare, as Markdown."""
    parts = []
    for name, suite in SUITES.items():
        rows = [f"| `{metric}` | {line} |\n" for metric, line in suite.metrics.items()]
        table = "| metric | meaning |\n|---|---|\n" + "".join(rows) if rows else "No metrics.\n"
        small = "".join(f"\nSmall table `{small}`: {line}.\n" for small, line in suite.small_tables.items())
        parts.append(f"\n### `{name}`\n\n{table}{small}")
    return "".join(parts) + "\n"


def columns(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return next(csv.reader(file))


def test_the_readme_says_what_the_suites_declare() -> None:
    text = README.read_text()
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)] == section(), "run python tests/papers/test_results_readme.py"


def test_the_readme_names_every_other_column() -> None:
    text = README.read_text()
    for name in (*KEYS, "spec", *TRAINING_METRICS, *PROVENANCE):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize(("tier", "name"), RESULTS)
def test_committed_results_have_the_constant_columns(tier: str, name: str) -> None:
    found = columns(in_project("results") / tier / f"{name}.csv")
    tables = PAPERS[name].evidence.tables
    suites = dict.fromkeys(s for table in tables for specs in table.specs.values() for spec in specs for s in spec.suites)
    fixed = [*KEYS, "spec", *TRAINING_METRICS, *metrics_of(suites)]
    assert found[: len(fixed)] == fixed, "run `make evidence`"
    assert found[-len(PROVENANCE) :] == list(PROVENANCE)
    families = found[len(fixed) : -len(PROVENANCE)]
    assert families == sorted(families)
    assert not families or any("<" in metric for suite in suites for metric in SUITES[suite].metrics)


@pytest.mark.parametrize("name", PAPERS)
def test_small_tables_are_those_that_suites_declare(name: str) -> None:
    tables = PAPERS[name].evidence.tables
    suites = {s for table in tables for specs in table.specs.values() for spec in specs for s in spec.suites}
    declared = {small: line for suite in suites for small, line in SUITES[suite].small_tables.items()}
    assert set(small_tables(tables)) <= {*declared, CURVES}
    for tier in TIERS:
        for small in set(small_tables(tables)) - {CURVES}:
            path = in_project("results") / tier / f"{name}-{small}.csv"
            if path.is_file():
                found = columns(path)
                assert found[:2] == list(KEYS)
                assert all(f"`{column}`" in declared[small] for column in found[2:]), path


if __name__ == "__main__":
    text = README.read_text()
    README.write_text(text[: text.index(BEGIN) + len(BEGIN)] + section() + text[text.index(END) :])
