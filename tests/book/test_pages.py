"""The built book, opened in a browser: nothing is missing, nothing is fetched from elsewhere, everything can be read.

Needs `make book` first, chromium and playwright; skipped where one is absent.  Screenshots go to `_build/screenshots`.
`LOSSBOOK_HTML` names another built book.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from test_figures import fault

from lossbook.book.pages import contents
from lossbook.book.pdf import find_browser

ROOT = Path(__file__).parents[2]
HTML = Path(os.environ.get("LOSSBOOK_HTML", ROOT / "_build" / "html")).resolve()
SCREENSHOTS = HTML.parent / "screenshots"
CHROMIUM = find_browser()


def figure_pages() -> list[str]:
    def text(page: str) -> str:
        path = HTML / f"{page}.html"
        return path.read_text() if path.exists() else ""

    return [page for page in contents() if 'class="lossbook-interactive"' in text(page)]


@pytest.fixture(scope="module")
def browser():
    if not (HTML / "index.html").exists():
        pytest.skip(f"no built book at {HTML}: run `make book` first")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


class Visit:
    """One opened page and what it did: its foreign requests and its errors."""

    def __init__(self, browser, name: str) -> None:
        self.name = name
        self.context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
        self.page = self.context.new_page()
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", self._record)
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.route(re.compile(r"^(?!file:|data:|blob:)"), lambda route: route.abort())
        self.page.goto((HTML / f"{name}.html").as_uri())
        self.page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; }")
        self.page.wait_for_function(
            "[...document.querySelectorAll('figure.lossbook-interactive')]"
            ".every(figure => figure.dataset.failed || figure.querySelector('.main-svg'))",
            timeout=20_000,
        )

    def _record(self, request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.foreign.append(request.url)

    def show(self, theme: str = "light", width: int = 1200) -> None:
        """Choose theme and width, and wait until the figures and the theme's transitions have followed."""
        self.page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.wait_for_timeout(300)


@pytest.fixture(scope="module", params=contents())
def visit(browser, request):
    """Each page of the table of contents, opened once for all the tests on it."""
    visit = Visit(browser, request.param)
    yield visit
    visit.context.close()


@pytest.mark.browser
def test_front_page_leads_to_the_book(browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto((HTML / "index.html").as_uri())
    page.wait_for_url(f"**/{contents()[0]}.html")
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("word", "page"), [("warped_softmax", "losses"), ("create_objective", "objectives"), ("oscr", "metrics")]
)
def test_search_finds_a_name_on_its_api_page(browser, word, page):
    context = browser.new_context()
    search = context.new_page()
    search.goto((HTML / "search.html").as_uri() + f"?q={word}")
    search.wait_for_selector(f"#search-results a[href*='book/api/{page}.html']", timeout=20_000)
    context.close()


@pytest.mark.browser
def test_page_stays_at_home_and_raises_no_error(visit):
    assert visit.foreign == [], "the page asks other hosts"
    assert visit.errors == []
    addresses = "[...document.querySelectorAll('[src], link[href], [data-src], iframe')].map(node => node.src || node.href || '')"
    assert [a for a in visit.page.evaluate(addresses) if a and not a.startswith(("file:", "data:"))] == []


RAW_TEX = r"""() => {
  const article = document.querySelector("article").cloneNode(true);
  article.querySelectorAll("pre, code, mjx-container, script, style").forEach(node => node.remove());
  return article.textContent.match(/\\[a-zA-Z]{2,}|\\[()[\]]|\$\$|\$[^\s$][^$\n]*\$/g) ?? [];
}"""


@pytest.mark.browser
def test_mathematics_is_rendered(visit):
    page = visit.page
    missing = "[...document.querySelectorAll('article .math:not(:has(mjx-container))')].map(node => node.textContent)"
    assert page.evaluate(missing) == [], "mathematics that MathJax did not render"
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, "mathematics with an error"
    assert page.evaluate(RAW_TEX) == [], "raw TeX in the text"
    failed = "[...document.fonts].filter(face => face.status === 'error').map(face => face.family)"
    assert page.evaluate(failed) == [], "fonts that did not load"


@pytest.mark.browser
def test_page_is_complete(visit):
    page = visit.page
    assert page.locator("article h1").count() == 1
    # Lazy images load when they come into view.
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager'; })")
    page.wait_for_function("[...document.images].every(image => image.complete)", timeout=10_000)
    broken = "[...document.images].filter(image => image.naturalWidth === 0).map(image => image.src)"
    assert page.evaluate(broken) == [], "images that did not load"
    assert page.locator("article img:not([alt])").count() == 0, "images without a text alternative"
    links = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href).filter(href => href.startsWith('file:'))")
    files = {url2pathname(urlsplit(link).path) for link in links}
    assert [file for file in sorted(files) if not Path(file).exists()] == [], "dead links"


OVERFLOWING = """() => {
  const scrolls = node => node && node !== document.body
    && (/auto|scroll|hidden/.test(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  return [...document.querySelectorAll("article *")]
    .filter(node => node.getClientRects().length && node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .filter(node => !scrolls(node.parentElement) && !node.closest("mjx-assistive-mml, .visually-hidden"))
    .map(node => `${node.tagName}.${node.getAttribute("class")}: ${node.textContent.trim().slice(0, 60)}`);
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_page_fits_the_screen(visit, width):
    visit.show(width=width)
    overflowing = visit.page.evaluate(OVERFLOWING)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, overflowing
    assert overflowing == [], "wider than the screen, and does not scroll"


# Text and the colour behind it: the nearest ancestor that is opaque.
COLOURS = """selector => [...document.querySelectorAll(selector)].filter(node => node.getClientRects().length).map(node => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  let behind = node;
  while (behind && (numbers(getComputedStyle(behind).backgroundColor)[3] ?? 1) < 1) behind = behind.parentElement;
  const style = getComputedStyle(node);
  return [node.textContent.trim().slice(0, 40), numbers(node.closest("svg") ? style.fill : style.color),
          behind ? numbers(getComputedStyle(behind).backgroundColor) : [255, 255, 255]];
})"""
READABLE = [
    *(f"figure.lossbook-interactive {text}" for text in (".xtick text", ".g-xtitle text", ".legendtext", ".annotation-text")),
    ".lossbook-readout, .lossbook-readout span, .lossbook-control label, .lossbook-control output, .lossbook-reset, figcaption",
    "table.lossbook caption, table.lossbook th, table.lossbook td, [class^='verdict-']",
]


def contrast(text: list[float], background: list[float]) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""

    def luminance(colour: list[float]) -> float:
        linear = [c / 12.92 if (c := part / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(text), luminance(background)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_legible(visit, theme):
    visit.show(theme)
    for selector in READABLE:
        for text, colour, background in visit.page.evaluate(COLOURS, selector):
            ratio = contrast(colour, background)
            assert ratio >= 4.5, f"{text!r} has contrast {ratio:.1f}: {colour} on {background}"


PICTURED = {contents()[0], "book/notation", "notebooks/uniform/04-twelve-losses", "notebooks/run", *figure_pages()}


@pytest.mark.browser
def test_screenshots(visit):
    """No comparison: pictures of a few pages for a person to look at."""
    if visit.name not in PICTURED:
        return
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for theme, width in (("light", 1200), ("dark", 1200), ("dark", 390)):
        visit.show(theme, width)
        path = SCREENSHOTS / f"{visit.name.replace('/', '-')}-{width}-{theme}.png"
        visit.page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 10_000


def drawing(figure) -> str:
    """What plotly was given, the page's colours included."""
    return figure.evaluate("f => JSON.stringify(f.querySelector('.js-plotly-plot').data)")


def dataset(figure) -> dict[str, str]:
    return figure.evaluate("f => ({...f.dataset})")


def move(slider, key: str) -> None:
    slider.press(key)
    slider.page.wait_for_timeout(100)


@pytest.mark.browser
def test_every_slider_redraws_its_figure(visit):
    visit.show()
    for figure in visit.page.locator("figure.lossbook-interactive").all():
        assert figure.get_attribute("data-failed") is None, "a figure that could not be drawn"
        caption = figure.locator("figcaption").inner_text()
        assert caption.strip(), "a figure without a caption"
        assert not fault(figure.get_by_role("img").first.get_attribute("aria-label"), caption), "it does not say what it draws"
        start = drawing(figure)
        for slider in figure.locator("input[type=range]").all():
            label = visit.page.locator(f"label[for='{slider.get_attribute('id')}']").inner_text()
            value = slider.locator("xpath=preceding-sibling::output")
            assert label.strip()
            before, shown = drawing(figure), value.inner_text()
            move(slider, "Home" if float(slider.input_value()) > float(slider.get_attribute("min")) else "End")
            assert drawing(figure) != before, f"{label}: moving the slider draws nothing new"
            assert value.inner_text() != shown, f"{label}: the value shown stays"
        figure.locator("button").click()
        visit.page.wait_for_timeout(100)
        assert drawing(figure) == start, "Reset does not restore the figure"
    assert visit.errors == []


KEYS = ["End", "PageDown", "PageDown", "ArrowLeft", "Home", "PageUp", "ArrowRight"]


@pytest.fixture
def figure_of(browser):
    """Opens the first page that has the figure of a name."""
    visits = []

    def open_figure(kind: str):
        for name in figure_pages():
            if f'data-name="{kind}"' in (HTML / f"{name}.html").read_text():
                visits.append(Visit(browser, name))
                return visits[-1].page.locator(f"figure[data-name='{kind}']").first
        pytest.skip(f"no page has the figure {kind}")

    yield open_figure
    for visit in visits:
        visit.context.close()


@pytest.mark.browser
def test_corollary1_agrees_with_the_package(figure_of):
    from lossbook.losses.uniform import bce_at, separable_classes, stationary_bias

    figure = figure_of("corollary1")
    seen = set()
    for slider in figure.locator("input").all():
        for key in KEYS:
            move(slider, key)
            shown = dataset(figure)
            values = json.loads(shown["values"])
            arguments = (values["num_classes"], values["lower"], values["upper"])
            bias = stationary_bias(*arguments)
            assert float(shown["bias"]) == pytest.approx(bias, abs=1e-6)
            assert float(shown["minimum"]) == pytest.approx(bce_at(bias, *arguments), rel=1e-6, abs=1e-12)
            assert (shown["condition"] == "true") == (arguments[0] < separable_classes(*arguments[1:]))
            seen.add(arguments)
    assert len(seen) > 6


@pytest.mark.browser
def test_loss_shapes_agree_with_the_package(figure_of):
    from lossbook.losses.uniform import bce_at, etf_lower_bound, stationary_bias

    figure = figure_of("loss-shapes")
    for slider in figure.locator("input").all():
        for key in KEYS:
            move(slider, key)
            shown = dataset(figure)
            values = json.loads(shown["values"])
            classes, scale = values["num_classes"], values["scale"]
            lower = etf_lower_bound(classes, scale)
            best = stationary_bias(classes, lower, scale)
            assert float(shown["best"]) == pytest.approx(best, abs=1e-6)
            assert float(shown["bce"]) == pytest.approx(bce_at(values["bias"], classes, lower, scale), rel=1e-6)
            assert float(shown["bceBest"]) == pytest.approx(bce_at(best, classes, lower, scale), rel=1e-6)


@pytest.mark.browser
def test_thresholds_agree_with_the_package(figure_of):
    import torch

    from lossbook.metrics import uniform_accuracy

    figure = figure_of("thresholds")
    for slider in figure.locator("input").all():
        for key in KEYS[:4]:
            move(slider, key)
            shown = dataset(figure)
            hit, missed = (figure.evaluate(f"f => f.querySelector('.js-plotly-plot').data[{index}].y") for index in (0, 1))
            ends = [value for value in hit + missed if value is not None]
            metrics = torch.tensor(ends, dtype=torch.float64).reshape(-1, 2).flip(1)  # positive, negative
            accuracy, threshold = uniform_accuracy(metrics, torch.zeros(len(metrics), dtype=torch.int64))
            assert float(shown["uniform"]) == pytest.approx(accuracy * len(metrics) / 40, abs=1e-9)
            assert float(shown["best"]) == pytest.approx(threshold, abs=1e-9)
            assert float(shown["samplewise"]) == len(metrics) / 40
            order = [float(shown[name]) for name in ("atThreshold", "uniform", "classwise", "samplewise")]
            assert order == sorted(order)


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "book" / f"{page}.md").read_text(), re.DOTALL)


def test_the_code_of_how_to_use_runs(capsys, tmp_path, monkeypatch):
    """The blocks of the page run one after the other, as a reader would paste them, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    blocks = python_blocks("how-to-use")
    assert blocks
    for block in blocks:
        exec(compile(block, "how-to-use.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert float(re.search(r"([\d.]+)% right", printed).group(1)) > 90  # of images that were not trained on


def test_the_toc_names_each_page_once():
    pages = contents()
    assert len(pages) == len(set(pages))
