"""Files are UTF-8 wherever the package runs: the default encoding is the locale's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "lossbook"


def _without_encoding(tree: ast.AST) -> list[int]:
    """The lines on which a text file is read or written in the locale's encoding."""
    lines = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
            words = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
            binary = any(isinstance(word, str) and "b" in word and len(word) <= 3 for word in words)
            is_text = name in ("read_text", "write_text") or (name in ("open", "fdopen") and not binary)
            if is_text and "encoding" not in {keyword.arg for keyword in call.keywords} and not _opens_no_text(call):
                lines.append(call.lineno)
    return lines


def _opens_no_text(call: ast.Call) -> bool:
    """``PIL.Image.open`` and the like."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in ("Image", "gzip", "zipfile", "tarfile", "webbrowser")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_text_is_read_and_written_as_utf8(path):
    assert _without_encoding(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_search_sees_what_it_looks_for():
    source = 'p.read_text(); p.open("rb"); open("a", "w"); p.write_text("é", encoding="utf-8"); Image.open(p); os.fdopen(h, "w")'
    assert len(_without_encoding(ast.parse(source))) == 3
