"""The built book for everybody: axe-core finds nothing that keeps people from reading a page of any kind, and a page says all
that it has to say where no script runs.

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
    "a page with propositions": "notebooks/onecold/01-anti-classes",
    "a page with wide tables": "notebooks/uniform/05-imagenet",
    "the scoreboard": "notebooks/scoreboard/01-claims",
    "an API page": "book/api/heads",
    "a page of prose and code": "book/how-to-use",
    "the references": "book/references",
    "the search": "search",
}
# The theme gives code that scrolls a tab stop a third of a second after the width has changed, or later on a busy machine.
TAB_STOPS = "[...document.querySelectorAll('pre')].every(code => code.scrollWidth <= code.clientWidth || code.tabIndex === 0)"
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
    visit.page.wait_for_function(TAB_STOPS)
    results = axe.Axe().run(visit.page).response
    assert results["passes"], "axe looked at nothing"
    found = [
        f"{violation['help']}: {node['html'][:200]}"
        for violation in results["violations"]
        if violation["id"] not in EXCEPTIONS
        for node in violation["nodes"]
    ]
    assert found == []


@pytest.fixture(scope="module")
def without_scripts(browser):  # noqa: F811
    """A page with formulas and interactive figures, opened by a browser that runs no script."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto((HTML / f"{PAGES['a page with interactive figures']}.html").as_uri())
    yield page
    context.close()


@pytest.mark.browser
def test_formulas_are_mathml_without_scripts(without_scripts):
    formulas = without_scripts.locator("article .math.notranslate")
    assert formulas.count() > 50
    assert [formula.inner_text() for formula in formulas.all() if formula.is_visible()] == [], "formulas as TeX"
    assert without_scripts.locator("article math").first.is_visible()
    assert without_scripts.locator("article math").count() == formulas.count()


@pytest.mark.browser
def test_a_sentence_stands_for_an_interactive_figure_without_scripts(without_scripts):
    sentences = without_scripts.evaluate(
        "[...document.querySelectorAll('figure.lossbook-interactive')].map(f => getComputedStyle(f, '::before').content)"
    )
    assert sentences
    assert all("JavaScript" in sentence for sentence in sentences)
    assert without_scripts.locator("figure.lossbook-interactive figcaption").first.is_visible()


@pytest.mark.browser
def test_page_fits_a_phone_without_scripts(without_scripts):
    assert without_scripts.evaluate("document.documentElement.scrollWidth") <= 390
