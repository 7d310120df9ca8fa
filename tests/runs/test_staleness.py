"""What reruns after a change is exactly what depends on it, for every file of the package.

The build reads from the syntax trees what depends on what.  ``traced.py`` makes the same map in another way: it watches Python's
import function and the functions that run while every objective, suite and bundled data set is trained with.
"""

import functools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_fingerprint import append, edit, package  # noqa: F401  (the last one is a fixture)

from lossbook.book import pages as pages_module
from lossbook.book.pages import RUN, page_state, pages
from lossbook.papers.registry import PAPERS
from lossbook.runs import fingerprint as module
from lossbook.runs.fingerprint import REGISTRIES, code_of, collection_state, entries, modules_of, reachable
from lossbook.runs.spec import RunSpec

ROOT = Path(__file__).parents[2]
# Imports inside functions that only run where data was downloaded, or a browser asks.
NOT_EXECUTED = {"_torchvision.py"}


@pytest.fixture(autouse=True)
def in_project(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(pages_module, "files_read", lambda source: [])  # of the code alone here


@pytest.fixture(scope="module")
def traced() -> dict:
    command = [sys.executable, str(Path(__file__).with_name("traced.py"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def closure(imports: dict[str, list[str]], start, leaves=()) -> set[str]:
    """The files of all modules that follow from ``start``."""
    seen, todo = set(), list(start)
    while todo:
        name = todo.pop()
        if name not in seen and name not in leaves:
            seen.add(name)
            todo.extend(imports.get(name, ()))
    return {module.source_file(name).relative_to(module.PACKAGE_DIR).as_posix() for name in seen if module.source_file(name)}


@functools.cache
def every_run() -> list[RunSpec]:
    """One run for each set of modules that runs of the tiers with results go through."""
    found = {}
    for paper in PAPERS.values():
        for tier in ("quick", "frozen"):
            for spec in paper.evidence.runs(tier):
                found.setdefault(modules_of(spec), spec)
    return list(found.values())


def states(runs: list[RunSpec]) -> dict[tuple[str, str], str]:
    """The state of everything that can rerun."""
    found = {("run", spec.canonical_json()): code_of(spec) for spec in runs}
    found |= {("collection", paper.name): collection_state(paper.evidence.tables, "quick") for paper in PAPERS.values()}
    return found | {("page", page.as_posix()): page_state(page) for page in [RUN, *pages()]}


def stale(before: dict, after: dict) -> set:
    return {key for key, state in before.items() if after[key] != state}


@pytest.mark.slow
def test_runs_execute_no_file_that_does_not_count(traced):
    assert len(traced["executed"]) > 60
    for text, executed in traced["executed"].items():
        counted = set(reachable(modules_of(RunSpec.from_json(text)), REGISTRIES))
        # These files look after a run and do not change its result.
        around = {
            "files.py",
            "progress.py",
            "runs/missing.py",
            "runs/records.py",
            "runs/fingerprint.py",
            "data/other_sets.py",
            "data/feature_names.py",
        }
        assert set(executed) <= counted | around, text


@pytest.mark.slow
def test_every_file_makes_stale_what_was_seen_to_import_it(traced, package):  # noqa: F811
    runs = every_run()
    depends = {}
    for spec in runs:
        depends["run", spec.canonical_json()] = closure(traced["imports"], modules_of(spec), REGISTRIES)
    for paper in PAPERS.values():
        suites = {name for table in paper.evidence.tables for specs in table.specs.values() for s in specs for name in s.suites}
        start = ["lossbook.runs.collect"] + [name for suite in suites for name in entries(module.SUITES)[suite]]
        depends["collection", paper.name] = closure(traced["imports"], start, REGISTRIES)
    for page in [RUN, *pages()]:
        depends["page", page.as_posix()] = closure(traced["imports"], traced["imports"].get(page.as_posix(), ()))
    before = states(runs)
    registries = {module.source_file(name) for name in REGISTRIES}
    for path in sorted(package.rglob("*.py")):
        name, text = path.relative_to(package).as_posix(), path.read_text()
        edit(
            path,
            f'"""Another word."""\n{text}' if not text.startswith(('"""', 'r"""')) else text.replace('"""', '"""Another ', 1),
        )
        assert not stale(before, states(runs)), f"a docstring of {name}"
        if path not in registries:
            edit(path, text + "\nCHANGED = True\n")
            found = stale(before, states(runs))
            if name not in NOT_EXECUTED and "triton" not in name:
                assert found == {key for key, files in depends.items() if name in files}, name
        edit(path, text)
    assert states(runs) == before


# What a change makes stale, by the words of the pages and specs themselves --------------------------------------------


def mentions(*words: str) -> set[str]:
    """Pages of which a code cell mentions one of the words."""
    cells = {page: "\n".join(cell.source for cell in pages_module.code_cells(page)) for page in [RUN, *pages()]}
    return {page.as_posix() for page, text in cells.items() if any(word in text for word in words)}


def changed(package, file, old, new):  # noqa: F811
    """What an edit makes stale: the runs by their specs, the collections by their papers, the pages by their paths."""
    runs = every_run()
    before = states(runs)
    text = (package / file).read_text()
    assert old in text
    edit(package / file, text.replace(old, new, 1))
    found = stale(before, states(runs))
    specs = [RunSpec.from_json(key) for kind, key in found if kind == "run"]
    others = [spec for spec in runs if spec not in specs]
    collections, shown = ({key for kind, key in found if kind == wanted} for wanted in ("collection", "page"))
    return specs, others, collections, shown


def objectives(specs: list[RunSpec]) -> set[str]:
    return {phase.objective for spec in specs for phase in spec.phases()}


def test_a_claims_bound(package):  # noqa: F811
    specs, _, collections, shown = changed(package, "papers/uniform/claims.py", "10.0, 3.0, 20.0", "10.0, 0.3, 20.0")
    assert not specs and not collections
    assert shown == mentions(
        "uniform.claims",
        "uniform import PAPER",
        "uniform.PAPER",
        "papers.registry import",
        "import standard_plan",
        "book import scoreboard",
    )
    assert "notebooks/uniform/06-scale.md" in shown
    assert not shown & {"notebooks/warped/04-retrieval.md", "notebooks/uniform/03-corollary-1.md"}


def test_an_erratum(package):  # noqa: F811
    specs, _, collections, shown = changed(package, "papers/multicenter/errata.py", "ERRATA = (", "_UNUSED = 1\n\nERRATA = (")
    assert not specs and not collections
    assert shown == {"notebooks/errata/01-overview.md", "notebooks/errata/04-multicenter.md"}


def test_a_heading(package):  # noqa: F811
    specs, _, collections, shown = changed(package, "papers/onecold/read.py", '"OSCR"', '"open-set score"')
    assert not specs and not collections
    found = mentions("onecold.read", "onecold import PAPER", "onecold.errata")
    own = {page for page in found if page.startswith("notebooks/onecold/")}
    assert {page for page in shown if page.startswith("notebooks/onecold/")} == own
    assert not any(page.startswith(("notebooks/uniform/", "notebooks/warped/", "notebooks/bce3s/")) for page in shown)


def test_a_tables_spec():
    evidence = PAPERS["warped"].evidence
    before = collection_state(evidence.tables, "quick")
    first, *others = evidence.tables
    longer = replace(first, specs=first.specs | {"quick": tuple(spec.replace(epochs=11) for spec in first.specs["quick"])})
    assert collection_state([longer, *others], "quick") != before
    assert collection_state([longer, *others], "frozen") == collection_state(evidence.tables, "frozen")
    more = replace(first, small_tables=(*first.small_tables, "curves"))
    assert collection_state([more, *others], "quick") != before


def test_a_tables_file(package):  # noqa: F811
    specs, _, collections, shown = changed(package, "papers/warped/tables.py", "TABLES = (", "_UNUSED = 1\n\nTABLES = (")
    assert not specs, "a run hangs on its own spec"
    assert not collections, "and a collection on the list of its runs"
    assert {page for page in shown if page.startswith("notebooks/warped/")} == {
        page
        for page in mentions(
            "papers.warped.read",
            "papers.warped.tables",
            "papers.warped.claims",
            "warped import PAPER",
            "papers.warped import figures",
        )
        if page.startswith("notebooks/warped/")
    }


def test_a_suite(package):  # noqa: F811
    specs, others, collections, shown = changed(
        package, "runs/suites/geometry.py", "_PAIRED_CLASSES = 100", "_PAIRED_CLASSES = 99"
    )
    assert all("geometry" in spec.suites for spec in specs) and specs
    assert not any("geometry" in spec.suites for spec in others)
    assert collections == {"bce3s", "bench"}
    assert shown == {"notebooks/run.md"}, "which can train anything"


def test_a_loss(package):  # noqa: F811
    specs, others, collections, shown = changed(package, "losses/warped.py", "def warp(", "_UNUSED = 1\n\n\ndef warp(")
    own = {"euclidean-softmax", "warped-softmax", "generalized-softmax"}
    assert objectives(specs) & own and not objectives(others) & own
    assert not objectives(specs) & {"soft-d", "bce-nu", "bce3s", "multicenter", "occe", "proxy-nca++"}
    assert not collections
    assert {page for page in shown if page.startswith("notebooks/uniform/")} <= mentions("create_objective")


def test_a_data_set(package):  # noqa: F811
    specs, others, collections, _shown = changed(package, "data/digits.py", "DIGITS =", "_UNUSED = 1\nDIGITS =")

    def reads_digits(spec):
        return spec.dataset == "digits" or (spec.dataset == "mnist5k" and {"ood", "bench"} & set(spec.suites))

    assert specs and all(reads_digits(spec) for spec in specs)
    assert not any(reads_digits(spec) for spec in others)
    assert not collections


@pytest.mark.parametrize(
    ("registry", "entry"),
    [
        ("objectives/registry.py", "newcomer"),
        ("data/registry.py", "newcomer"),
        ("data/unknown_registry.py", "newcomer"),
        ("runs/suites/registry.py", "newcomer"),
    ],
)
def test_a_new_entry_of_a_registry_makes_no_record_stale(package, registry, entry):  # noqa: F811
    runs = every_run()
    before = {key: state for key, state in states(runs).items() if key[0] != "page"}
    path = package / registry
    (path.parent / f"{entry}.py").write_text("ENTRY = 1\n")
    name = f"lossbook.{path.parent.relative_to(package).as_posix().replace('/', '.')}"
    text = path.read_text().rstrip()
    assert text.endswith("}")
    new = f'{text[:-1]}    "{entry}": {entry}.ENTRY,\n}}\n'
    first = new.index("from lossbook")
    edit(path, f"{new[:first]}from {name} import {entry}\n{new[first:]}")
    assert {key: state for key, state in states(runs).items() if key[0] != "page"} == before
    assert entry in entries(f"lossbook.{registry.removesuffix('.py').replace('/', '.')}")


def test_a_new_metric_makes_no_record_stale(package):  # noqa: F811
    runs = every_run()
    before = {key: state for key, state in states(runs).items() if key[0] == "run"}
    (package / "metrics" / "newcomer.py").write_text("def newcomer():\n    return 0\n")
    append(package / "metrics/__init__.py", "\nfrom lossbook.metrics.newcomer import newcomer\n")
    assert {key: state for key, state in states(runs).items() if key[0] == "run"} == before
