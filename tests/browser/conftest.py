"""A real Chromium for these tests, and pages that must stay quiet and reach nothing outside.

Playwright keeps an asyncio loop running while it is open, so it is open for this folder alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    expect = sync_playwright = None

__all__ = ["expect"]
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OURS = {"127.0.0.1", "localhost", "[::1]", "::1", None}

NewPage = Callable[..., Any]


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Debian's Chromium; no browser is ever downloaded."""
    if sync_playwright is None:
        pytest.skip("no playwright in this environment; install the extra `test` of wa-fsm")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no chromium on this machine; install it (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser: Any) -> Iterator[NewPage]:
    """Opens pages, each with a profile of its own; takes what ``browser.new_context`` takes.

    When the test ends, none of them may have written to the console, thrown an error, or asked
    for anything but files and this machine.
    """
    contexts: list[Any] = []
    noise: list[str] = []

    def opens(**options: Any) -> Any:
        options.setdefault("viewport", {"width": 1200, "height": 900})
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda said: noise.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("request", lambda request: noise.extend(outside(request.url)))
        return page

    yield opens
    for context in contexts:
        context.close()
    assert noise == []


def outside(url: str) -> list[str]:
    """What to say of a request that leaves this machine."""
    return [] if urlsplit(url).hostname in OURS else [f"request: {url}"]


@pytest.fixture
def page(new_page: NewPage) -> Any:
    """One page of the usual size, with the light colours."""
    return new_page(color_scheme="light")
