"""Every page that is a notebook has buttons for Binder and Colab where the build knows the public repository."""

from __future__ import annotations

import re
import subprocess
import sys

import nbformat
import pytest

CONFIGURATION = """
extensions = ["lossbook.book.launch", "myst_nb"]
html_theme = "sphinx_book_theme"
nb_execution_mode = "off"
root_doc = "notebooks/page"
"""


@pytest.fixture
def buttons(tmp_path, monkeypatch):
    """The addresses that the buttons of a built page open."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    cells = [nbformat.v4.new_markdown_cell("# A page"), nbformat.v4.new_code_cell("1 + 1")]
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(page, tmp_path / "notebooks" / "page.ipynb")

    def build(**variables: str) -> list[str]:
        for name in ("GITHUB_REPOSITORY", "GITHUB_REF_NAME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        subprocess.run([sys.executable, "-m", "sphinx", "-q", "-E", str(tmp_path), str(tmp_path / "html")], check=True)
        html = (tmp_path / "html" / "notebooks" / "page.html").read_text()
        return sorted(set(re.findall(r'href="(https://(?:mybinder|colab)[^"]*)"', html)))

    return build


@pytest.mark.slow
def test_the_buttons_open_the_page_in_the_repository(buttons):
    assert buttons(GITHUB_REPOSITORY="someone/book", GITHUB_REF_NAME="v1.2.3") == [
        "https://colab.research.google.com/github/someone/book/blob/v1.2.3/notebooks/page.ipynb",
        "https://mybinder.org/v2/gh/someone/book/v1.2.3?urlpath=lab/tree/notebooks/page.ipynb",
    ]
    assert buttons() == []
