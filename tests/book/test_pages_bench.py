"""What the pages of the bench say of the results holds in the committed ones."""

from __future__ import annotations

import json

import pytest

from lossbook.paths import project_root

PAGES = sorted((project_root() / "notebooks" / "bench").glob("*.ipynb"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_finding_holds(page):
    cells = json.loads(page.read_text())["cells"]
    shown = ["".join(output.get("data", {}).get("text/html", "")) for cell in cells for output in cell.get("outputs", [])]
    lists = [text for text in shown if 'class="lossbook findings"' in text]
    lines = [line for text in lists for line in text.split("<li>")[1:]]
    assert lines
    assert [line for line in lines if "verdict-met" not in line] == []
