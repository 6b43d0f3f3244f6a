"""Reads the pages: fenced blocks with the comments that mark them, links and headings."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

IN_CI = (
    "CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "GITLAB_CI", "WA_FSM_CI",
)  # fmt: skip

_FENCE = re.compile(r"(`{3,}|~{3,})\s*([\w-]*).*")
_MARKER = re.compile(r"<!--\s*(.*?)\s*-->")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: where it stands.
        line: of its opening fence, from 1.
        language: the word after the fence.
        text: what stands in it.
        markers: the comments on the lines right above it.
        follows: nothing but empty lines stands between it and the block above.
    """

    page: Path
    line: int
    language: str
    text: str
    markers: tuple[str, ...]
    follows: bool

    @property
    def place(self) -> str:
        return f"{name(self.page)}:{self.line}"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    markers: list[str] = []
    follows, fence, opened = False, "", 0
    language, inside = "", list[str]()
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if fence:
            if line.strip() == fence:
                text = "".join(f"{each}\n" for each in inside)
                found.append(Block(page, opened, language, text, tuple(markers), follows))
                markers, follows, fence = [], True, ""
            else:
                inside.append(line)
        elif match := _FENCE.fullmatch(line):
            fence, language, opened, inside = match[1], match[2], number, []
        elif match := _MARKER.fullmatch(line):
            markers.append(match[1])
            follows = False
        elif line.strip():
            markers, follows = [], False
    assert not fence, f"{name(page)}:{opened}: this block is not closed"
    return found


def files(page: Path) -> dict[str, Block]:
    """The files that stand on a page, by their name there."""
    told = ((marker, block) for block in blocks(page) for marker in block.markers)
    return {m.removeprefix("file: "): block for m, block in told if m.startswith("file: ")}


def run(page: Path, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run command lines in a folder that has the page's files; `wa-sim` is the one of this test.

    Args:
        page: whose files there are.
        script: the lines, as a reader would type them; the first that fails ends it.
        folder: where to; it is empty.
    """
    for path, block in files(page).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(block.text, "utf-8")
    scripts = sysconfig.get_path("scripts")
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={
            # pages show what a person's machine prints; some programs say more in CI
            **{name: value for name, value in os.environ.items() if name not in IN_CI},
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "NO_COLOR": "1",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"(?ms)^(`{3,})[^\n]*\n.*?^\1[ ]*$", "", page.read_text("utf-8"))


def links(page: Path) -> list[str]:
    """Where the links of a page point, but for other sites."""
    found = _LINK.findall(re.sub(r"`[^`\n]*`(?!\])", "", prose(page)))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """What one may put behind `#` in a link to this page."""
    headings = re.findall(r"(?m)^#{1,6} +(.+?) *$", prose(page))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}
