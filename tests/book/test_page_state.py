"""What a page's state hangs on: its code cells, the files that they reach, and the data that they read."""

from pathlib import Path

import pytest
from small_project import HEADER

from lossbook.book.pages import code_cells, files_read, page_state, pages, papers_of, parameters, results_read

PAGE = (
    HEADER
    + """# A question

```{code-cell} ipython3
:tags: [parameters]

factor, name = 2, "x"  # results_dir is named in this remark only
```

Prose.

```{code-cell} ipython3
%matplotlib inline
from lossbook.losses.checks import check_logits_labels

print(factor * 3)
```
"""
)
WITH_RESULTS = PAGE.replace('factor, name = 2, "x"', 'factor = 2\nresults_dir = "results"')
OF_UNIFORM = WITH_RESULTS.replace("losses.checks import check_logits_labels", "papers.uniform.read import EVIDENCE")


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("notebooks/any/01-page.md")
    path.parent.mkdir(parents=True)
    path.write_text(PAGE)
    for name in (
        "data/published/uniform/table-I.csv",
        "data/published/warped/table-I.csv",
        "data/uniform/chosen.csv",
        "results/quick/uniform.csv",
        "results/quick/uniform-classes.csv",
        "results/frozen/warped.csv",
        "results/reliability/kills.csv",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("table\n")
    return path


def changes(page, new):
    before = page_state(page)
    page.write_text(new)
    return page_state(page) != before


def test_prose_does_not_change_a_pages_state(page):
    assert not changes(page, PAGE.replace("Prose.", "Better prose."))


@pytest.mark.parametrize(("old", "new"), [("factor * 3", "factor * 4"), ("losses.checks import", "losses.uniform import")])
def test_code_changes_a_pages_state(page, old, new):
    assert changes(page, PAGE.replace(old, new))


def test_parameters_are_what_the_tagged_cell_assigns(page):
    assert parameters(page) == {"factor": 2, "name": "x"}
    assert [cell.tags for cell in code_cells(page)] == [("parameters",), ()]


def test_only_pages_with_the_parameter_read_results(page):
    page.write_text(OF_UNIFORM.replace('results_dir = "results"', "other = 1"))
    assert (papers_of(page), results_read(page)) == (["uniform"], [])
    page.write_text(OF_UNIFORM)
    assert results_read(page) == ["uniform"]
    page.write_text(WITH_RESULTS)
    assert results_read(page) == []


def test_a_page_that_reaches_all_papers_reads_the_results_of_all(page):
    page.write_text(OF_UNIFORM.replace("papers.uniform.read import EVIDENCE", "papers.registry import PAPERS"))
    assert results_read(page) == ["uniform", "bce3s", "multicenter", "warped", "onecold", "bench"]


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("data/published/uniform/table-I.csv", True),
        ("data/published/warped/table-I.csv", False),
        ("data/uniform/chosen.csv", True),
        ("results/quick/uniform.csv", True),
        ("results/quick/uniform-classes.csv", True),
        ("results/frozen/warped.csv", False),
        ("results/reliability/kills.csv", False),
    ],
)
def test_data_of_the_papers_that_a_page_reaches_changes_its_state(page, changed, stale):
    page.write_text(OF_UNIFORM)
    before = page_state(page)
    Path(changed).write_text("table\nII\n")
    assert (page_state(page) != before) is stale


def test_a_folder_that_a_parameter_names_changes_its_state(page):
    page.write_text(PAGE.replace('factor, name = 2, "x"', 'folder = "results/reliability"'))
    assert files_read(page) == [Path("results/reliability/kills.csv")]
    before = page_state(page)
    Path("results/reliability/kills.csv").write_text("kill\n1\n")
    assert page_state(page) != before


def test_every_page_names_the_parameter_of_its_results_the_same_way(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    for page in pages():
        reads = any("load_results" in cell.source or "load_pair" in cell.source for cell in code_cells(page))
        assert not reads or "results_dir" in parameters(page), page
