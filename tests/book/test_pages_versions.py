"""A published site: several books side by side, with a choice between them on every page."""

from __future__ import annotations

import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_pages import HTML, browser  # noqa: F401  (the last is a fixture)

from lossbook.book.pages import contents


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def site(browser, tmp_path):  # noqa: F811
    """The address of a site with the built book as two versions."""
    for version in ("latest", "v0.1.0"):
        (tmp_path / version).symlink_to(HTML, target_is_directory=True)
    (tmp_path / "versions.json").write_text(json.dumps(["latest", "v0.1.0"]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.browser
def test_another_version_shows_the_same_page(browser, site):  # noqa: F811
    page = browser.new_page()
    name = contents()[2]
    page.goto(f"{site}/latest/{name}.html")
    choice = page.locator(".lossbook-versions select")
    choice.wait_for(state="attached", timeout=20_000)
    assert choice.locator("option").all_inner_texts() == ["latest", "v0.1.0"]
    assert choice.input_value() == "latest"
    choice.evaluate("s => { s.value = 'v0.1.0'; s.dispatchEvent(new Event('change')); }")
    page.wait_for_url(f"{site}/v0.1.0/{name}.html")
    page.close()
