"""The steps of the build: what a page's state hangs on, how text and outputs are joined."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from lossbook import book

PAGE = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A question

```{code-cell} ipython3
:tags: [parameters]

factor = 2
```

Prose.

```{code-cell} ipython3
from lossbook.losses.checks import check_logits_labels

print(factor * 3)
```
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("notebooks/paper/01-page.md")
    path.parent.mkdir(parents=True)
    path.write_text(PAGE)
    return path


def test_prose_does_not_change_a_pages_state(page):
    before = book.page_state(page)
    page.write_text(PAGE.replace("Prose.", "Better prose."))
    assert book.page_state(page) == before


@pytest.mark.parametrize(("old", "new"), [("factor * 3", "factor * 4"), ("losses.checks import", "losses.uniform import")])
def test_code_changes_a_pages_state(page, old, new):
    before = book.page_state(page)
    page.write_text(PAGE.replace(old, new))
    assert book.page_state(page) != before


def test_package_code_that_a_page_imports_changes_its_state(page, monkeypatch):
    before = book.page_state(page)
    monkeypatch.setattr(book, "fingerprint", lambda modules: "changed")
    assert book.page_state(page) != before


def test_only_pages_with_the_parameter_read_results(page):
    assert not book.reads_results(page)
    page.write_text(PAGE.replace("factor = 2", 'factor = 2\nresults_dir = "results"'))
    assert book.reads_results(page)


def test_a_page_of_no_chapter_reads_the_results_of_all(page, monkeypatch):
    monkeypatch.setattr(book, "papers", lambda: {"paper": None, "other": None})
    assert book.results_read(page) == []
    page.write_text(PAGE.replace("factor = 2", 'factor = 2\nresults_dir = "results"'))
    assert book.results_read(page) == ["paper"]
    monkeypatch.setattr(book, "papers", lambda: {"first": None, "second": None})
    assert book.results_read(page) == ["first", "second"]
    before = book.page_state(page)
    Path("results/quick").mkdir(parents=True)
    Path("results/quick/second.csv").write_text("table\n")
    assert book.page_state(page) != before


@pytest.mark.slow
def test_execute_and_merge(page):
    output = Path("_build/executed/paper/01-page.ipynb")
    book.execute(page, output, {"factor": 5})
    page.write_text(PAGE.replace("Prose.", "Better prose."))
    notebook = book.merge(page, output)
    assert notebook.cells[-1].outputs[0].text == "15\n"
    assert "Better prose." in notebook.cells[2].source
    assert not any("injected-parameters" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert sorted(path.name for path in output.parent.iterdir()) == ["01-page.ipynb"]


def test_merge_refuses_outputs_of_other_code(page):
    executed = Path("executed.ipynb")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("other")]), executed)
    with pytest.raises(RuntimeError, match="execute the page again"):
        book.merge(page, executed)


@pytest.mark.parametrize("damage", [b"", b'{"cells": [', b"\xff\xfe"])
def test_a_damaged_execution_is_named(page, damage):
    executed = Path("_build/executed/paper/01-page.ipynb")
    executed.parent.mkdir(parents=True)
    executed.write_bytes(damage)
    with pytest.raises(RuntimeError, match=r"paper/01-page\.ipynb is damaged .*delete it and build again"):
        book.merge(page, executed)


@pytest.mark.slow
def test_two_executions_of_a_page_at_once_do_not_disturb_each_other(page):
    """As after a kill that left one of them running."""
    page.write_text(PAGE.replace("print(factor * 3)", "import time; time.sleep(1); print(factor * 3)"))
    output = Path("_build/executed/paper/01-page.ipynb")
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(book.execute, page, output, {"factor": 5}) for _ in range(2)]:
            done.result()
    assert book.merge(page, output).cells[-1].outputs[0].text == "15\n"
    assert [path.name for path in output.parent.iterdir()] == ["01-page.ipynb"]


def test_measured_figures_that_a_page_reads_change_its_state(page):
    page.write_text(PAGE.replace("factor = 2", 'folder = "results/reliability"'))
    before = book.page_state(page)
    measured = Path("results/reliability/kills.csv")
    measured.parent.mkdir(parents=True)
    measured.write_text("kill\n1\n")
    assert book.page_state(page) != before


@pytest.mark.slow
def test_a_failing_cell_fails_the_step_and_leaves_no_output(page):
    page.write_text(PAGE.replace("print(factor * 3)", "raise ValueError('no')"))
    with pytest.raises(Exception, match="ValueError"):
        book.execute(page, Path("out/page.ipynb"), {})
    assert not Path("out/page.ipynb").exists()


def test_progress_says_what_runs_and_what_is_left(capsys):
    lines = [
        "total  2\n",
        "Job 1: train a\n",
        "Job 2: train b\n",
        "Finished jobid: 1 (Rule: train)\n",
        "1 of 2 steps (50%) done\n",
    ]
    book._show_progress(lines)
    assert capsys.readouterr().out.splitlines()[-1] == "[1/2] now: train b"
    book._show_progress(["Building DAG of jobs...\n"])
    assert "up to date" in capsys.readouterr().out
    book._show_progress(["Error in rule page:\n", "  exit 1\n"])
    assert capsys.readouterr().out == "Error in rule page:\n  exit 1\n"
