"""The steps of the build: pages are executed, and their outputs joined with the present text."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import nbformat
import pytest
import typer
from small_project import HEADER

from lossbook.book import build as book

PAGE = (
    HEADER
    + """# A question

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
)


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("notebooks/paper/01-page.md")
    path.parent.mkdir(parents=True)
    path.write_text(PAGE)
    Path("_toc.yml").write_text("root: notebooks/paper/01-page\n")
    return path


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


@pytest.mark.slow
def test_a_failing_cell_fails_the_step_and_leaves_no_output(page):
    page.write_text(PAGE.replace("print(factor * 3)", "raise ValueError('no')"))
    with pytest.raises(Exception, match="ValueError"):
        book.execute(page, Path("out/page.ipynb"), {})
    assert not Path("out/page.ipynb").exists()


def test_sync_refuses_a_place_without_a_page(page):
    for place in ("notebooks/papre", page.with_suffix(".ipynb")):
        with pytest.raises(typer.BadParameter, match=f"no page in {place}; expected a folder"):
            book.sync([page, Path(place)])


@pytest.fixture
def synced(page, monkeypatch):
    """A page and its notebook in step; every execution prints the factor's triple."""

    def run(source, output, parameters):
        output.parent.mkdir(parents=True, exist_ok=True)
        notebook = jupytext.read(source)
        notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="6\n")]
        nbformat.write(notebook, output)

    monkeypatch.setattr(book, "execute", run)
    monkeypatch.setattr(book, "page_state", lambda source: "same")
    book.sync([page])
    return page


def _edit(path, **sources):
    notebook = nbformat.read(path, 4)
    for number, text in sources.items():
        notebook.cells[int(number[1:])].source = text
    nbformat.write(notebook, path)


def test_an_edit_of_the_notebook_alone_is_taken_over(synced):
    notebook = synced.with_suffix(".ipynb")
    _edit(notebook, c2="Prose from the notebook.")
    book.sync([synced])
    assert "Prose from the notebook." in synced.read_text()
    assert "Prose from the notebook." in notebook.read_text()
    assert jupytext.read(synced).cells[1].metadata["tags"] == ["parameters"]
    before = synced.read_bytes(), notebook.read_bytes()
    book.sync([synced])
    assert (synced.read_bytes(), notebook.read_bytes()) == before


def test_edits_of_both_files_are_refused(synced):
    notebook = synced.with_suffix(".ipynb")
    _edit(notebook, c2="Prose from the notebook.")
    synced.write_text(PAGE.replace("Prose.", "Prose from the source."))
    with pytest.raises(RuntimeError, match="were both edited"):
        book.sync([synced])
    assert "Prose from the notebook." in notebook.read_text()
    assert "Prose from the source." in synced.read_text()


def test_sync_writes_the_text_as_jupytext_would(synced):
    written = synced.read_text()
    synced.write_text(written.replace(":tags: [parameters]", '---\ntags: ["parameters"]\n---').replace("Python 3", "Python 3.11"))
    assert synced.read_text() != written
    book.sync([synced])
    assert synced.read_text() == written


def test_after_a_merge_the_notebook_of_either_side_takes_the_merged_text(synced):
    ours = synced.read_text()
    synced.write_text(ours.replace("Prose.", "Prose of theirs."))
    book.sync([synced])  # the notebook is theirs
    synced.write_text(ours.replace("Prose.", "Prose of both."))
    book.sync([synced])
    assert "Prose of both." in synced.read_text()
    assert "Prose of both." in synced.with_suffix(".ipynb").read_text()


def test_a_notebook_with_conflict_markers_is_named(synced):
    notebook = synced.with_suffix(".ipynb")
    notebook.write_text("<<<<<<< HEAD\n" + notebook.read_text())
    with pytest.raises(RuntimeError, match=r"01-page\.ipynb is damaged .*delete it"):
        book.sync([synced])
    notebook.unlink()
    book.sync([synced])
    assert nbformat.read(notebook, 4).cells[-1].outputs[0].text == "6\n"


def test_cleared_outputs_come_back(synced):
    path = synced.with_suffix(".ipynb")
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].outputs = []
    nbformat.write(notebook, path)
    book.sync([synced])
    assert nbformat.read(path, 4).cells[-1].outputs[0].text == "6\n"


def test_sync_executes_a_page_again_only_when_its_state_changes(page, monkeypatch):
    """A claim's bound, say: the code cells are the same, and the verdict that the page shows is another."""
    executed = []

    def run(source, output, parameters):
        executed.append(source)
        output.parent.mkdir(parents=True, exist_ok=True)
        notebook = jupytext.read(source)
        nbformat.write(notebook, output)

    monkeypatch.setattr(book, "execute", run)
    state = "before"
    monkeypatch.setattr(book, "page_state", lambda source: state)
    for _ in range(2):
        book.sync([page])
    assert executed == [page]
    page.write_text(PAGE.replace("Prose.", "Better prose."))
    book.sync([page])
    assert executed == [page], "prose is no part of the state"
    assert "Better prose." in page.with_suffix(".ipynb").read_text()
    state = "after"
    book.sync([page])
    assert executed == [page, page]
