"""Every erratum has a check that passes and a place on its page."""

import re
from pathlib import Path

import pytest

from lossbook.papers.errata import KINDS, check, errata, erratum
from lossbook.papers.paper import papers
from lossbook.book.show import checks

ROOT = Path(__file__).parents[1]
PAGES = {path.stem.split("-", 1)[1]: path for path in sorted((ROOT / "notebooks" / "errata").glob("*.md"))}
CALL = re.compile(r'^check\("(\w+)", "([\w-]+)"\)$', re.MULTILINE)


@pytest.mark.parametrize("one", errata(), ids=lambda one: f"{one.paper}-{one.id}")
def test_the_check_of_an_erratum_passes(one):
    rows = one.check()
    assert rows
    checks(rows)
    assert one.kind in KINDS
    assert one.paper in papers()
    assert one.where


@pytest.mark.parametrize("paper", ["uniform", "bce3s", "multicenter", "warped", "onecold"])
def test_every_erratum_stands_once_on_its_page_with_its_text(paper):
    text = PAGES[paper].read_text()
    calls = CALL.findall(text)
    assert sorted(calls) == sorted((one.paper, one.id) for one in errata(paper))
    for before, kind in zip(re.split(CALL, text)[::3], [*map(str, calls), None], strict=True):
        if kind is not None:  # what stands between two checks: a term and at least one definition
            assert re.search(r"^\S.*\n: ", before, re.MULTILINE), kind


@pytest.mark.parametrize("paper", ["uniform", "bce3s", "multicenter", "warped", "onecold"])
def test_the_heading_fits_the_kind(paper):
    heads = {"Misprint": "misprint", "A misprint": "misprint", "Formula": "formula", "A formula": "formula",
             "Statement": "statement", "A statement": "statement", "Reading": "reading", "A reading": "reading",
             "Lost in our copy": "copy"}  # fmt: skip
    kinds = {one.id: one.kind for one in errata(paper)}
    section = None
    for line in PAGES[paper].read_text().splitlines():
        if line.startswith("## "):
            section = next(kind for head, kind in heads.items() if line.removeprefix("## ").startswith(head))
        elif found := CALL.match(line):
            assert kinds[found[2]] == section, found[2]


def test_every_paper_has_errata_and_no_erratum_is_without_a_paper():
    assert {one.paper for one in errata()} == {"uniform", "bce3s", "multicenter", "warped", "onecold"}


def test_the_shown_check_can_be_linked_to():
    assert 'id="erratum-uniform-gamma-12"' in check("uniform", "gamma-12").text


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"expected one of .*gamma-12"):
        check("uniform", "gamma-13")
    with pytest.raises(ValueError, match="expected one of misprint"):
        erratum("uniform", "x", "nowhere", "typo")
