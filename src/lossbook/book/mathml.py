r"""Formulas for a reader whose browser runs no script: MathML beside what MathJax would set.

A Sphinx extension.  docutils makes the MathML; a formula that it cannot read stays as TeX.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

# What docutils does not know, in words that it does; sizes and spaces that only help the eye are left out.
_OTHER_WORDS = [
    (re.compile(r"\\tag\{([^}]*)\}"), r"\\qquad (\\text{\1})"),
    (re.compile(r"\\dots(?![a-zA-Z])"), r"\\ldots "),
    (re.compile(r"\\([dt]?frac)\s*(\d)\s*(\d)"), r"\\\1{\2}{\3}"),
    (re.compile(r"\\[bB]ig{1,2}(?![a-zA-Z])|\\textstyle(?![a-zA-Z])|\\hphantom\{[^}]*\}|\\(?:begin|end)\{equation\}"), ""),
    (re.compile(r"\\(begin|end)\{(?:split|align\*?)\}"), r"\\\1{aligned}"),
]


def mathml(tex: str, block: bool = False) -> str:
    """A formula as a ``<math>`` element; empty if docutils cannot read it.

    Args:
        tex: the formula, without its dollars.
        block: a formula on lines of its own.
    """
    for pattern, words in _OTHER_WORDS:
        tex = pattern.sub(words, tex)
    try:
        return tex2mathml(tex.strip(), as_block=block)
    except MathError:
        return ""


class AddMathml(SphinxPostTransform):
    """A ``<noscript>`` with MathML after each formula."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for node in list(self.document.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
            block = isinstance(node, nodes.math_block)
            if text := mathml(node.astext(), block):
                text = f'<div class="mathml">{text}</div>' if block else text
                node.parent.insert(node.parent.index(node) + 1, nodes.raw("", f"<noscript>{text}</noscript>", format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(AddMathml)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
