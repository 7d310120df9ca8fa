"""The opening page of a chapter: its sentences have the verdicts of the claims, and its map leaves nothing out."""

import re
from pathlib import Path

import pytest

from lossbook.book import opening
from lossbook.papers.board import entries_of
from lossbook.papers.registry import get_paper

ROOT = Path(__file__).parents[2]
UNIFORM = get_paper("uniform")


def test_a_sentence_shows_the_verdict_of_each_claim_at_each_tier_with_a_link():
    claims = {"linear head": "uniform-auni-linear", "cosine head": "uniform-acw-cosine"}
    text = opening.sentences(UNIFORM, [opening.Sentence("BCE > softmax", "Table II", claims)]).text
    header, row = re.findall(r"<tr.*?>(.*?)</tr>", text, re.DOTALL)
    assert re.findall(r"<th>(.*?)</th>", header) == ["the paper says", "published", "quick", "frozen"]
    sentence, _, *tiers = re.findall(r"<td>(.*?)</td>", row, re.DOTALL)
    assert sentence == 'BCE &gt; softmax <span class="fine">(Table II)</span>'
    words = {(e.claim.id, e.tier): e.verdict.word for e in entries_of(UNIFORM)}
    for tier, cell in zip(("quick", "frozen"), tiers, strict=True):
        lines = cell.split("<br>")
        for line, (label, id) in zip(lines, claims.items(), strict=True):
            assert line.startswith(f'<span class="fine">{label}</span> <a href="05-imagenet.html#claims">')
            assert f">{words[id, tier]}<" in line


def test_a_tier_without_a_verdict_and_a_claim_without_printed_numbers_are_dashes():
    one = opening.Sentence("a", "Table III", {"": "uniform-small-scale"})  # quick only
    two = opening.Sentence("b", "Sec. III-E", {"": "uniform-rejection"}, proof="03-corollary-1.html#uniform-cor-1")
    text = opening.sentences(UNIFORM, [one, two]).text
    first, second = (re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in text.split("<tbody>")[1].split("</tr>")[:2])
    assert first[1] == "–" and first[4] == "–"
    assert 'class="verdict-met"' in first[2]
    assert second[1] == '<a href="03-corollary-1.html#uniform-cor-1"><span class="verdict-by-proof">by proof</span></a>'
    assert second[2] == "–" and "not reproduced" in second[4]


def test_an_unknown_claim_is_refused():
    with pytest.raises(ValueError, match=r"uniform has no results on uniform-none; expected one of uniform-ordering, "):
        opening.sentences(UNIFORM, [opening.Sentence("a", "b", {"": "uniform-none"})])


def test_every_claim_has_its_page():
    text = opening.claim_places(UNIFORM).text
    assert text.count("<tr>") == len(UNIFORM.claims)
    assert '<a href="05-imagenet.html#claims">' in text
    assert '<a href="01-three-classifications.html">Three ways to classify</a>' in text  # it has no list of claims


def test_settings_are_those_chosen_at_every_tier():
    text = opening.settings(UNIFORM.evidence, "bce-nu").text
    assert text.count("<td>quick</td>") == 6 and text.count("<td>frozen</td>") == 2
    assert "bce-nd" not in text
    with pytest.raises(ValueError, match="no search for bce-none"):
        opening.settings(UNIFORM.evidence, "bce-nu", "bce-none")


ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")
# Chapter -> how many numbered equations, and which numbered tables and figures, its paper has.
NUMBERED = {
    "uniform": {
        "Eq": [*map(str, range(1, 64)), *(f"S.{i}" for i in range(1, 35))],
        "Table": [*ROMAN, *(f"S.{i}" for i in ROMAN[:7])],
        "Fig": ["1", "2", "3"],
    },
    "bce3s": {"Eq": [*map(str, range(1, 37))], "Table": [*map(str, range(1, 8))], "Fig": [*map(str, range(1, 11))]},
    "multicenter": {
        "Eq": [*map(str, range(1, 12))],
        "Table": [*map(str, range(1, 8))],
        "Fig": ["1", "2", "3", "4"],
    },
    "warped": {"Eq": [*map(str, range(1, 17))], "Table": [*ROMAN[:8]], "Fig": [*map(str, range(1, 13))]},
}


def _named(page: str) -> dict[str, list[str]]:
    """What the first column of a page's tables names: kind -> names, in order; ``"Eqs. 3–6, 9"`` are five equations."""
    kind, found = "", {}
    for label in ", ".join(re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)).split(", "):
        new, names = re.fullmatch(r"(?:(Eq|Table|Fig|Def|Cor|Sec)s?\.? )?(.+)", label).groups()
        kind = new or kind
        found.setdefault(kind, []).append(names)
    return found


def _expanded(names: str, known: list[str]) -> list[str]:
    """``"3–6"`` -> the known names from the first to the last."""
    first, _, last = names.partition("–")
    return known[known.index(first) : known.index(last or first) + 1]


@pytest.mark.parametrize("paper", NUMBERED)
def test_the_map_names_each_equation_table_and_figure_once(paper):
    named = _named((ROOT / "notebooks" / paper / "00-in-short.md").read_text())
    for kind, known in NUMBERED[paper].items():
        assert sorted(name for names in named[kind] for name in _expanded(names, known)) == sorted(known), kind
