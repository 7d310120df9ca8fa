"""Formulas as MathML, for browsers without scripts."""

import html
import re
from pathlib import Path

import jupytext
import pytest

from lossbook.book.mathml import mathml
from lossbook.book.pages import contents

ROOT = Path(__file__).parents[2]
FORMULA = re.compile(
    r"\$\$(?P<block>.+?)\$\$|^(?P<lines>\\begin\{(?:align|equation).+?\\end\{(?:align|equation)\*?\})|(?<![\\$\w])\$(?P<inline>[^$\n]+?)\$(?![\w$])",
    re.DOTALL | re.MULTILINE,
)


def without_marks(text: str) -> str:
    """What a MathML element says, without its marks, its spaces and the unseen sign between a function and its argument."""
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", text)).replace("\u2061", "").split())


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"x_1 + \alpha", "x1+α"),
        (r"\frac12 \log 2", "12log2"),
        (r"z_1, \dots, z_N \tag{3}", "z1,…,zN(3)"),
        (r"\begin{align*} a &= b \tag{1}\\ &= c \end{align*}", "a=b(1)=c"),
        (r"\Big[ \sum_{j \ne y} e^{z_j} \Big]", "[∑j≠yezj]"),
    ],
)
def test_a_formula_keeps_its_letters(tex, said):
    assert without_marks(mathml(tex)) == said


def test_a_fraction_is_one():
    assert "<mfrac>" in mathml(r"\frac12")


def test_a_block_is_one():
    assert 'display="block"' in mathml("x", block=True)
    assert 'display="block"' not in mathml("x")


def test_what_cannot_be_read_is_empty():
    assert mathml(r"\nosuchcommand{x}") == ""


@pytest.mark.parametrize("page", contents())
def test_every_formula_of_a_page_can_be_read(page):
    source = ROOT / f"{page}.md"
    cells = jupytext.read(source).cells if page.startswith("notebooks/") else []
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown") or source.read_text(encoding="utf-8")
    text = re.sub(r"^```(python|bash|text|yaml)?\n.*?^```|`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)
    formulas = [(m["inline"] or m["block"] or m["lines"], not m["inline"]) for m in FORMULA.finditer(text)]
    assert [tex for tex, block in formulas if not mathml(tex, block)] == []
