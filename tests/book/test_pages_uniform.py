"""What the pages say of the results of `uniform` holds in the committed ones."""

from __future__ import annotations

import json

import pytest

from lossbook.paths import project_root

PAGES = [
    *(
        "uniform/00-in-short",
        "uniform/04-twelve-losses",
        "uniform/05-imagenet",
        "uniform/06-scale",
        "uniform/07-fine-grained",
        "uniform/08-bias-initialisation",
    ),
    *("uniform/09-open-set", "standard/02-five-papers", "standard/03-unknown"),
]


@pytest.mark.parametrize("page", PAGES)
def test_every_finding_holds(page):
    cells = json.loads((project_root() / "notebooks" / f"{page}.ipynb").read_text())["cells"]
    shown = ["".join(output.get("data", {}).get("text/html", "")) for cell in cells for output in cell.get("outputs", [])]
    lists = [text for text in shown if 'class="lossbook findings"' in text]
    lines = [line for text in lists for line in text.split("<li>")[1:]]
    assert lines
    assert [line for line in lines if "verdict-met" not in line] == []
