"""The built book and axe-core, which finds what keeps people from reading a page: nothing, on a page of every kind.

Needs what test_pages.py needs, and axe-playwright-python, which carries axe-core; skipped where one is absent.
"""

from __future__ import annotations

import pytest
from test_pages import HTML, Visit, browser  # noqa: F401  (a fixture)

# One page of every kind.
PAGES = {
    "the front page": "notebooks/index",
    "a chapter's opening": "notebooks/uniform/00-in-short",
    "a page with interactive figures": "notebooks/uniform/03-corollary-1",
    "a page with wide tables": "notebooks/uniform/05-imagenet",
    "the scoreboard": "notebooks/scoreboard/01-claims",
    "an API page": "book/api/heads",
    "a page of prose and code": "book/how-to-use",
    "the search": "search",
}
# Rules of axe-core that a page breaks where only the theme can mend it, with the reason.
EXCEPTIONS: dict[str, str] = {}


@pytest.fixture(scope="module", params=PAGES.values(), ids=PAGES)
def visit(browser, request):  # noqa: F811
    visit = Visit(browser, request.param)
    yield visit
    visit.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(visit, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    visit.show(theme, width)
    results = axe.Axe().run(visit.page).response
    assert results["passes"], "axe looked at nothing"
    found = [
        f"{violation['help']}: {node['html'][:200]}"
        for violation in results["violations"]
        if violation["id"] not in EXCEPTIONS
        for node in violation["nodes"]
    ]
    assert found == []
