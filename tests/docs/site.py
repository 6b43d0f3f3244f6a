"""The site, built once for all tests of this run, and what stands on its pages."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from tests.docs.pages import ROOT

_UNREAD = {"script", "style", "pre", "code", "svg"}
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@dataclass(frozen=True)
class Site:
    """What a build gave.

    Attributes:
        folder: where the site is.
        said: what the build printed but for information; nothing where all is well.
        code: its exit code.
    """

    folder: Path
    said: list[str]
    code: int


@cache
def site() -> Site:
    """The site as `mkdocs build --strict` makes it."""
    _kept.append(tempfile.TemporaryDirectory())
    folder = Path(_kept[-1].name)
    came = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},  # a banner about a successor
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    said = (came.stdout + came.stderr).splitlines()  # `--quiet` would silence warnings too
    return Site(folder, [line for line in said if not line.startswith("INFO ")], came.returncode)


_kept: list[tempfile.TemporaryDirectory[str]] = []  # they go when the run ends


@dataclass
class Read(HTMLParser):
    """What one page holds.

    Attributes:
        ids: what an anchor may name.
        links: where it leads.
        fetched: what a browser loads to show it.
        words: its text, but for code.
    """

    text: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    _inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if "id" in said:
            self.ids.add(said["id"])
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        if tag in _FETCHED and _FETCHED[tag] in said and said.get("rel") != "canonical":
            self.fetched.append(said[_FETCHED[tag]])
        if tag in _UNREAD:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNREAD and self._inside:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.words.append(data)
