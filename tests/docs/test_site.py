"""The site: built without a warning, whole, and nothing on it comes from anywhere else."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import DOCS
from tests.docs.site import Read, site


@cache
def pages() -> dict[Path, Read]:
    """Every page of the site by its path."""
    folder = site().folder
    return {path: Read(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}


def test_the_site_is_built_without_a_warning() -> None:
    """A strict build has nothing to say: every page is in the menu, every link leads somewhere."""
    assert (site().said, site().code) == ([], 0)


def test_every_page_of_the_docs_is_on_the_site() -> None:
    """And the changelog and the examples, which are pages only there."""
    wanted = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    wanted = {path.with_name("index.html") if path.stem == "README" else path for path in wanted}
    examples = {path.with_suffix(".html") for path in (DOCS / "examples").glob("*.py")}
    wanted |= {Path("changelog.html"), *(path.relative_to(DOCS) for path in examples)}
    assert not {path for path in wanted if not (site().folder / path).is_file()}


def test_links_and_anchors_of_the_site_lead_somewhere() -> None:
    """Those of the menu, of docstrings and of generated pages too."""
    astray = []
    for path, page in pages().items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            there = target.is_file() and (
                not parts.fragment
                or target.suffix != ".html"
                or unquote(parts.fragment) in pages()[target].ids | {"__skip"}
            )
            astray += [] if there else [(path.name, link)]
    assert astray == []


def test_nothing_on_the_site_is_fetched_from_elsewhere() -> None:
    """No font, script, style or picture of another site: it works without a network."""
    fetched = {what for page in pages().values() for what in page.fetched}
    assert fetched
    assert not {what for what in fetched if urlsplit(what).scheme not in {"", "data"}}
    styles = [path.read_text("utf-8") for path in site().folder.rglob("*.css")]
    assert styles
    assert not [found for style in styles for found in re.findall(r"url\(\W?(?:https?:)?//", style)]


def test_no_page_asks_for_what_its_theme_would_fetch() -> None:
    """Material loads Mermaid from a CDN for a block of it, so there is none."""
    asking = [path.name for path in pages() if 'class="mermaid"' in path.read_text("utf-8")]
    assert asking == []


@pytest.mark.parametrize("left", [r"\]\(", r"\|\s*---", r"^\s*:::", r"^- ", r"```", r"\*\*"])
def test_no_markdown_is_left_unread(left: str) -> None:
    """What GitHub takes for a list, a link or a table, the site does too."""
    found = [
        (path.name, word.strip()[:60])
        for path, page in pages().items()
        for word in page.words
        if re.search(left, word, re.M)
    ]
    assert found == []


def test_the_search_knows_every_page() -> None:
    """Its index has the words of all pages, so none is out of reach."""
    index = json.loads((site().folder / "search" / "search_index.json").read_text("utf-8"))
    known = {entry["location"].partition("#")[0] for entry in index["docs"]}
    folder = site().folder
    every = {path.relative_to(folder).as_posix() for path in pages() if path.name != "404.html"}
    assert known == every
