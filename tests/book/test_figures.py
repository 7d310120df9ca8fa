"""Every picture of a page has a text alternative that says what it shows, in words of its own.

They are read from the sources: pictures from the outputs of a notebook, texts from the metadata of the cells of its .md; those of
the interactive figures stand in their scripts.
"""

import re
from difflib import SequenceMatcher
from pathlib import Path

import jupytext
import nbformat
import pytest

from lossbook.book.pages import contents

ROOT = Path(__file__).parents[2]
# Chapters that are being rewritten: their figures get their texts with that.
WAITING = ("notebooks/multicenter/", "notebooks/bench/")
INTERACTIVE = ("uniform", "bce3s", "multicenter", "warped", "onecold")
FEWEST_WORDS = 15


def pages_with_texts() -> list[str]:
    return [page for page in contents() if page.startswith("notebooks/") and not page.startswith(WAITING)]


def pictures(page: str) -> list[dict]:
    """What the metadata of each cell that draws a picture say of it: ``image`` with its ``alt``, ``figure`` with its ``caption``.

    A cell draws one if its metadata name a figure, or if its output holds an image.
    """
    drawn = {
        cell.source
        for cell in nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
        if any(kind.startswith("image/") for output in cell.get("outputs", []) for kind in output.get("data", {}))
    }
    cells = [cell for cell in jupytext.read(ROOT / f"{page}.md").cells if cell.cell_type == "code"]
    said = [(cell, cell.metadata.get("mystnb", {})) for cell in cells]
    return [metadata for cell, metadata in said if "figure" in metadata or cell.source in drawn]


def words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


def fault(alt: str, caption: str) -> str:
    """What is wrong with the text of a figure; empty if nothing is."""
    if len(words(alt)) < FEWEST_WORDS:
        return f"fewer than {FEWEST_WORDS} words"
    shared = SequenceMatcher(None, words(alt), words(caption), autojunk=False).get_matching_blocks()
    if sum(block.size for block in shared if block.size > 2) > len(words(alt)) / 2:
        return "repeats the caption"
    return ""


@pytest.mark.parametrize("page", pages_with_texts())
def test_every_picture_says_what_it_shows(page):
    for picture in pictures(page):
        figure = picture.get("figure", {})
        alt = picture.get("image", {}).get("alt", "")
        assert not fault(alt, figure.get("caption", "")), f"{figure.get('name', 'a picture')}: {alt!r}"


def test_no_two_pictures_of_a_page_say_the_same():
    for page in pages_with_texts():
        texts = [picture["image"]["alt"] for picture in pictures(page)]
        assert len(texts) == len(set(texts)), page


def test_the_chapters_that_wait_have_pictures():
    for chapter in WAITING:
        assert any(pictures(page) for page in contents() if page.startswith(chapter)), f"{chapter} need not wait"


@pytest.mark.parametrize("chapter", INTERACTIVE)
def test_every_interactive_figure_says_what_it_draws(chapter):
    script = (ROOT / "book" / "_static" / "interactive" / f"{chapter}.js").read_text(encoding="utf-8")
    texts = re.findall(r'(?:alt: "(.*)",\n +)?controls: \[', script)
    assert texts
    for alt in texts:
        assert not fault(alt, ""), alt


CAPTION = "Accuracy of both losses over the scale of the logits, for three networks; the band is the range of the seeds of each."


@pytest.mark.parametrize(
    ("alt", "wrong"),
    [
        ("", "fewer than 15 words"),
        ("figure-3.png", "fewer than 15 words"),
        (CAPTION, "repeats the caption"),
        (f"A figure. {CAPTION}", "repeats the caption"),
        (
            "Two lines that rise at first and then turn level, the solid one for softmax above the dashed one, "
            "with a shaded range about each.",
            "",
        ),
    ],
)
def test_what_a_text_must_not_be(alt, wrong):
    assert fault(alt, CAPTION) == wrong
