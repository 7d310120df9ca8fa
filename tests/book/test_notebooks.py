"""Every notebook is a pair in step: the .md is the source, the .ipynb holds the outputs of exactly these cells."""

import os
import re
import shutil
from pathlib import Path

import jupytext
import jupytext.cli
import nbformat
import pytest

from lossbook.book.build import merge
from lossbook.book.pages import RUN, contents, pages
from lossbook.book.pairs import normal_form

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path.relative_to(ROOT) for path in (ROOT / "notebooks").rglob("*.md"))
# A machine's path, a time of day, a date with a time, a duration or speed of a progress bar, an object's address.
UNWANTED = re.compile(
    r"(?<![\w.])/(?:home|root|tmp|work|Users|usr|opt|var)/\w|\b\d\d:\d\d:\d\d\b|\d(?:it/s|s/it)\b|<\w[\w.]* at 0x[0-9a-f]+>"
)


@pytest.fixture(params=SOURCES, ids=str)
def source(request, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert request.param.with_suffix(".ipynb").is_file(), "run `make notebooks`"
    return request.param


def _code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_text_and_notebook_are_in_step(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    expected = merge(source, source.with_suffix(".ipynb"))  # raises when the code differs
    assert nbformat.writes(expected) + "\n" == nbformat.writes(notebook) + "\n", "run `make notebooks`"


def test_every_code_cell_was_executed_in_order(source):
    counts = [cell.execution_count for cell in _code_cells(nbformat.read(source.with_suffix(".ipynb"), as_version=4))]
    assert None not in counts, "nbval skips a cell without an execution count"
    assert counts == sorted(counts)


def test_outputs_hold_no_path_time_or_error(source):
    for cell in _code_cells(nbformat.read(source.with_suffix(".ipynb"), as_version=4)):
        for output in cell.outputs:
            assert output.output_type != "error"
            data = output.get("data", {"text": output.get("text", "")})
            for kind, content in data.items():
                if kind.startswith("text"):
                    found = UNWANTED.search(str(content))
                    assert not found, f"{found[0]!r} in the output of: {cell.source[:60]}"


def test_metadata_suits_papermill(source):
    notebook = jupytext.read(source)
    assert notebook.metadata.kernelspec["name"] == "python3"
    assert notebook.metadata.kernelspec["language"] == "python"
    tagged = [cell for cell in _code_cells(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1, "exactly one cell is tagged `parameters`"


def test_every_notebook_is_in_the_table_of_contents(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert {str(source.with_suffix("")) for source in SOURCES} <= set(contents())
    assert set(pages()) == {*SOURCES} - {RUN}


def test_a_page_has_the_form_that_jupytext_gives_it(source):
    assert source.read_text(encoding="utf-8") == normal_form(source), f"run `python -m lossbook.book sync {source}`"


@pytest.mark.parametrize("newer", [".md", ".ipynb"])
def test_sync_of_an_untouched_pair_changes_nothing(tmp_path, newer):
    """``jupytext --sync`` takes the text from the newer file, and after a clone that may be either."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    pairs = [tmp_path / source.with_suffix(suffix) for source in SOURCES for suffix in (".md", ".ipynb")]
    for path in pairs:
        os.utime(path, (0, path.suffix == newer))
    before = {path: path.read_bytes() for path in pairs}
    assert jupytext.cli.jupytext(["--quiet", "--sync", *(str(path) for path in pairs if path.suffix == newer)]) == 0
    assert [path.relative_to(tmp_path) for path in pairs if path.read_bytes() != before[path]] == []


def test_nothing_that_an_editor_or_papermill_leaves_in_a_notebook_flows_into_its_text(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    text, notebook = tmp_path / "page.md", tmp_path / "page.ipynb"
    shutil.copy(ROOT / "notebooks/run.md", text)
    left = nbformat.read(ROOT / "notebooks/run.ipynb", as_version=4)
    left.metadata["language_info"] = {"name": "python", "version": "3.11.2", "pygments_lexer": "ipython3"}
    left.metadata["papermill"] = {"duration": 3.5, "environment_variables": {}}
    left.metadata["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    for cell in _code_cells(left):
        cell.metadata |= {"papermill": {"status": "completed"}, "execution": {}, "vscode": {"languageId": "python"}}
    nbformat.write(left, notebook)
    os.utime(text, (0, 0))
    assert jupytext.cli.jupytext(["--quiet", "--sync", str(notebook)]) == 0
    assert normal_form(text) == (ROOT / "notebooks/run.md").read_text(encoding="utf-8")
