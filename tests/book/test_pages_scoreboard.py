"""The scoreboard and the errata in a browser: filters, order, and links to the runs."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from test_pages import HTML, Visit, browser  # noqa: F401  (the last is a fixture)

from lossbook.book.scoreboard import entries
from lossbook.papers.board import Entry
from lossbook.papers.errata_registry import ERRATA

BOARD = "notebooks/scoreboard/01-claims"


@pytest.fixture(scope="module")
def page(browser):  # noqa: F811
    visit = Visit(browser, BOARD)
    yield visit.page
    assert visit.errors == []
    visit.context.close()


def _shown(page) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('table.scoreboard tr[data-order]')].filter(r => r.offsetParent).map(r => r.id)"
    )


def _choose(page, name: str, value: str) -> None:
    page.locator(f"#scoreboard-{name}").select_option(value)


def _claims() -> dict[str, dict[str, Entry]]:
    """Claim -> tier -> its entry, in the order of the board."""
    found: dict[str, dict[str, Entry]] = {}
    for entry in entries():
        found.setdefault(entry.claim.id, {})[entry.tier] = entry
    return found


@pytest.mark.browser
def test_filters_show_what_they_name(page):
    claims = _claims()
    assert _shown(page) == list(claims)
    _choose(page, "verdict", "not-reproduced")
    denied = {name for name, tiers in claims.items() if any(e.verdict.reproduced is False for e in tiers.values())}
    assert set(_shown(page)) == denied
    _choose(page, "tier", "quick")
    wanted = {name for name in denied if "quick" in claims[name] and claims[name]["quick"].verdict.reproduced is False}
    assert set(_shown(page)) == wanted
    _choose(page, "paper", "bce3s")
    wanted = {name for name in wanted if name.startswith("bce3s-")}
    assert set(_shown(page)) == wanted
    assert page.locator(".lossbook-readout").first.inner_text().startswith(f"{len(wanted)} of {len(claims)} claims")
    for name in ("verdict", "paper", "tier"):
        _choose(page, name, "")
    page.locator("#scoreboard-words").fill("table x A_sw")
    found = set(_shown(page))
    assert "uniform-bias-sensitivity" in found
    assert "onecold-rce" not in found
    page.locator("#scoreboard-words").fill("")
    assert len(_shown(page)) == len(claims)


@pytest.mark.browser
def test_orders_sort_by_the_distance_from_the_bound(page):
    margins = {name: [e.verdict.margin for e in tiers.values()] for name, tiers in _claims().items()}
    _choose(page, "order", "failed")
    order = [min(margins[row]) for row in _shown(page)]
    assert all(a <= b or abs(a - b) < 1e-3 * abs(a) for a, b in pairwise(order))
    _choose(page, "order", "clearest")
    order = [max(map(abs, margins[row])) for row in _shown(page)]
    assert all(a >= b or abs(a - b) < 1e-3 * abs(a) for a, b in pairwise(order))
    _choose(page, "order", "paper")
    assert _shown(page) == list(margins)


@pytest.mark.browser
def test_a_link_to_runs_opens_them(browser):  # noqa: F811
    visit = Visit(browser, "notebooks/scoreboard/02-runs")
    assert visit.page.locator("details.lossbook-runs[open]").count() == 0
    visit.page.evaluate("location.hash = '#runs-uniform-II-quick'")
    visit.page.wait_for_selector("details#runs-uniform-II-quick[open]")
    assert visit.errors == []
    visit.context.close()


@pytest.mark.browser
def test_without_scripts_the_board_is_complete(browser):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((HTML / f"{BOARD}.html").as_uri())
    assert page.locator("table.scoreboard tr[data-order]:visible").count() == len(_claims())
    context.close()


@pytest.mark.browser
def test_every_erratum_shows_its_check():
    if not HTML.exists():
        pytest.skip("no built book")
    text = "".join(path.read_text() for path in (HTML / "notebooks" / "errata").glob("*.html"))
    shown = re.findall(r'<table id="erratum-([\w-]+)"', text)
    assert sorted(shown) == sorted(f"{one.paper}-{one.id}" for found in ERRATA.values() for one in found)
