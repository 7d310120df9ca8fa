"""The whole book as one PDF: the book on a single page, printed by a headless browser."""

from __future__ import annotations

import shutil
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 600  # to lay out the formulas and figures of the whole book at once, on a slow machine
_SCALE = 0.75  # the screen's letters are large on paper, and wide formulas would lose their numbers
_FOOTER = '<div style="width: 100%; font: 8px sans-serif; text-align: center"><span class="pageNumber"></span></div>'
_LAID_OUT = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  for (const answer of document.querySelectorAll("details.sd-dropdown")) answer.open = true;
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
}"""
# Links between pages lead to files; in the PDF they lead to the place where the page begins, and the rest is no link.
_LINKS = """front => {
  document.body.id = `document-${front}`;
  let page = front;
  for (const node of document.querySelectorAll("[id^='document-'], a[href]")) {
    if (node.id.startsWith("document-")) page = node.id.slice("document-".length);
    const href = node.getAttribute("href");
    if (!href || /^(#|https?:)/.test(href)) continue;
    const target = new URL(href, `https://book/${page}`).pathname.slice(1).replace(/[.]html$/, "");
    if (document.getElementById(`document-${target}`)) node.setAttribute("href", `#document-${target}`);
    else node.removeAttribute("href");
  }
}"""
_FIGURES = """[...document.querySelectorAll("figure.lossbook-interactive")]
  .every(figure => figure.dataset.failed || figure.querySelector(".main-svg"))"""


def find_browser() -> str | None:
    """The path of a browser that runs headless, the first of :data:`BROWSERS` that is installed; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def print_book(html: Path, front: str, pdf: Path) -> None:
    """Print a single-page book on A4, with page numbers, bookmarks for its headings, and tags for screen readers.

    Args:
        html: the folder that Sphinx's builder ``singlehtml`` has written.
        front: the first page of the book, which holds all others there.
        pdf: the file to write.

    Raises:
        RuntimeError: if there is no browser.
    """
    from playwright.sync_api import sync_playwright

    program = find_browser()
    if program is None:
        raise RuntimeError(f"a browser prints the PDF, and none is on the PATH; expected one of {', '.join(BROWSERS)}")
    page = html / "book.html"  # the builder writes all addresses as seen from its folder, wherever the first page lies
    shutil.copy(html / f"{front}.html", page)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-background-networking"])
        # The figures take the width of the window: as wide as the paper between its margins.
        tab = browser.new_page(viewport={"width": round(680 / _SCALE), "height": 1000}, color_scheme="light")
        tab.set_default_timeout(1000 * _SECONDS)
        tab.goto(page.resolve().as_uri())
        tab.evaluate(_LINKS, front)
        tab.evaluate(_LAID_OUT)
        tab.wait_for_function(_FIGURES)
        tab.pdf(
            path=pdf,
            format="A4",
            scale=_SCALE,
            margin={"top": "16mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=_FOOTER,
            outline=True,
            tagged=True,
        )
        browser.close()
