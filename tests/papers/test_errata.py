"""Every erratum has a check that passes and a place on its page."""

import re
from pathlib import Path

import pytest

from lossbook.book.show import checks, erratum
from lossbook.papers.errata_registry import ERRATA
from lossbook.papers.erratum import KINDS, Erratum
from lossbook.papers.registry import PAPERS

ROOT = Path(__file__).parents[2]
PAGES = {path.stem.split("-", 1)[1]: path for path in sorted((ROOT / "notebooks" / "errata").glob("*.md"))}
CALL = re.compile(r'^show\.erratum\(ERRATA, "([\w-]+)"\)$', re.MULTILINE)


@pytest.mark.parametrize("one", [one for found in ERRATA.values() for one in found], ids=lambda one: f"{one.paper}-{one.id}")
def test_the_check_of_an_erratum_passes(one):
    rows = one.check()
    assert rows
    checks(rows)
    assert one.kind in KINDS
    assert one.paper in PAPERS
    assert one.where


@pytest.mark.parametrize("paper", ERRATA)
def test_every_erratum_stands_once_on_its_page_with_its_text(paper):
    text = PAGES[paper].read_text()
    calls = CALL.findall(text)
    assert f"from lossbook.papers.{paper}.errata import ERRATA" in text
    assert sorted(calls) == sorted(one.id for one in ERRATA[paper])
    for before, name in zip(re.split(CALL, text)[::2], [*calls, None], strict=True):
        if name is not None:  # what stands between two checks: a term and at least one definition
            assert re.search(r"^\S.*\n: ", before, re.MULTILINE), name


@pytest.mark.parametrize("paper", ERRATA)
def test_the_heading_fits_the_kind(paper):
    heads = {"Misprint": "misprint", "A misprint": "misprint", "Formula": "formula", "A formula": "formula",
             "Statement": "statement", "A statement": "statement", "Reading": "reading", "A reading": "reading",
             "Lost in our copy": "copy"}  # fmt: skip
    kinds = {one.id: one.kind for one in ERRATA[paper]}
    section = None
    for line in PAGES[paper].read_text().splitlines():
        if line.startswith("## "):
            section = next(kind for head, kind in heads.items() if line.removeprefix("## ").startswith(head))
        elif found := CALL.match(line):
            assert kinds[found[1]] == section, found[1]


def test_every_erratum_is_listed_under_its_paper_once():
    for paper, found in ERRATA.items():
        assert {one.paper for one in found} == {paper}
        assert len({one.id for one in found}) == len(found)


def test_the_shown_check_can_be_linked_to():
    assert 'id="erratum-uniform-gamma-12"' in erratum(ERRATA["uniform"], "gamma-12").text


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"expected one of .*gamma-12"):
        erratum(ERRATA["uniform"], "gamma-13")
    with pytest.raises(ValueError, match="expected one of misprint"):
        Erratum("uniform", "x", "nowhere", "typo", list)
