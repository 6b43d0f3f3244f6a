"""The site of the docs in a real browser: it shows, searches, and asks nobody else for anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.docs.site import site

PAGES = ["index.html", "tutorial.html", "rules/cloud-api.html", "api.html"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  # its name there


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site behind a server on loopback."""
    handler = partial(_Quiet, directory=str(site().folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_and_is_quiet(page: Any, address: str, path: str) -> None:
    """It has its heading, and neither the console nor the network says anything."""
    page.goto(f"{address}/{path}", wait_until="networkidle")
    assert page.locator("h1").inner_text().strip()


def test_the_search_finds_a_reason(page: Any, address: str) -> None:
    """Whoever types a word of a refusal comes to a page that explains it."""
    page.goto(f"{address}/index.html", wait_until="networkidle")
    page.locator(".md-search__input").click()
    page.keyboard.type("awaiting_reply")
    first = page.locator(".md-search-result__link").first
    first.wait_for()
    first.click()
    page.get_by_text("awaiting_reply").first.wait_for()


@pytest.mark.parametrize("policy", ["cloud-api", "textbook"])
def test_the_picture_of_the_states_is_drawn(page: Any, address: str, policy: str) -> None:
    """The diagram is there at the width of the text, without a script."""
    page.goto(f"{address}/rules/{policy}.html", wait_until="networkidle")
    drawn = page.locator(f"img[src='{policy}.svg']")
    assert drawn.evaluate("picture => picture.complete && picture.naturalWidth > 0")
    assert drawn.bounding_box()["width"] > 400
