"""The printed book: its pages have bookmarks, its sheets numbers, and its links stay inside.

A small book is printed here; the whole one is looked at after `make pdf`.  Skipped where chromium, playwright or pypdf is absent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lossbook.book.pages import contents
from lossbook.book.pdf import find_browser, print_book

pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PDF = ROOT / "_build" / "beyond-softmax.pdf"


SMALL = """<!doctype html><title>A book</title><h1>Front</h1>
<a href="paper/01-first.html#part">to a page</a> <a href="#here">to a place</a> <a href="data.csv">to no page</a>
<a href="https://example.org/">outside</a> <h2 id="here">Here</h2>
<span id="document-notebooks/paper/01-first"></span><h1>First</h1> <a href="../index.html">to the front</a>
<a href="02-second.html">to a neighbour</a> <details class="sd-dropdown">the answer</details>
<span id="document-notebooks/paper/02-second"></span><h1>Second</h1>"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    if find_browser() is None:
        pytest.skip("no chromium on the PATH")
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    folder = tmp_path_factory.mktemp("single")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "index.html").write_text(SMALL)
    print_book(folder, "notebooks/index", folder / "book.pdf")
    return pypdf.PdfReader(folder / "book.pdf")


@pytest.fixture(scope="module")
def whole():
    if not PDF.exists():
        pytest.skip("no printed book: run `make pdf` first")
    return pypdf.PdfReader(PDF)


def _titles(outline):
    for entry in outline:
        yield from _titles(entry) if isinstance(entry, list) else [entry.title]


def _addresses(reader):
    """Where the links outside lead; links to a place in the PDF have none."""
    actions = [note.get_object().get("/A", {}) for sheet in reader.pages for note in sheet.get("/Annots", ())]
    return [str(action["/URI"]) for action in actions if "/URI" in action]


def test_headings_are_bookmarks_and_sheets_have_numbers(small):
    assert list(_titles(small.outline)) == ["Front", "Here", "First", "Second"]
    assert small.pages[0].extract_text().split()[-1] == "1"
    assert "the answer" in small.pages[0].extract_text()


def test_links_between_pages_stay_inside(small):
    notes = [note.get_object() for sheet in small.pages for note in sheet.get("/Annots", ())]
    assert len([note for note in notes if "/Dest" in note]) == 4
    assert _addresses(small) == ["https://example.org/"]


def test_every_page_of_the_book_has_a_bookmark(whole):
    texts = ((ROOT / name).with_suffix(".md").read_text(encoding="utf-8") for name in contents())
    headings = [next(line for line in text.splitlines() if line.startswith("# "))[2:] for text in texts]
    bookmarks = list(_titles(whole.outline))
    plain = [heading for heading in headings if not any(mark in heading for mark in "$`*")]
    # Chromium repeats a heading that it moves to the next sheet in its bookmark.
    assert [heading for heading in plain if not any(heading in bookmark for bookmark in bookmarks)] == []


def test_no_link_leads_to_a_file(whole):
    """It would name a folder of the machine that printed the book."""
    assert [address for address in _addresses(whole) if address.startswith("file:")] == []


def test_every_sheet_has_its_number(whole):
    for number in (2, len(whole.pages) // 2, len(whole.pages)):
        assert str(number) in whole.pages[number - 1].extract_text().split()


def test_formulas_are_typeset(whole):
    text = "".join(page.extract_text() for page in whole.pages)
    assert "\\frac" not in text
    assert "\\gamma" not in text
