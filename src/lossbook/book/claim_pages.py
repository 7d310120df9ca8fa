"""Where a page of the book decides a claim.

Importing this does not load torch.
"""

from __future__ import annotations

from lossbook.paths import project_root


def page_title(paper: str, page: str) -> str:
    """The heading of a page of a paper's chapter."""
    return next(line.removeprefix("# ") for line in _source(paper, page).splitlines() if line.startswith("# "))


def at_claims(paper: str, page: str) -> str:
    """A page of a paper's chapter at its list of claims, seen from another page of the chapter: ``"05-imagenet.html#claims"``."""
    return f"{page}.html" + ("#claims" if "\n## Claims\n" in _source(paper, page) else "")


def _source(paper: str, page: str) -> str:
    return (project_root() / "notebooks" / paper / f"{page}.md").read_text(encoding="utf-8")
