"""Writes the outputs that pages show anew: ``python -m tests.docs.refresh``; read the diff."""

from __future__ import annotations

import re
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from tests.docs.pages import PAGES, Block, blocks

WA_SIM = str(Path(sysconfig.get_path("scripts")) / "wa-sim")


def output(block: Block, command: str) -> str:
    """What the command prints in a folder that has the page's files."""
    with tempfile.TemporaryDirectory() as folder:
        for each in blocks(block.page):
            for told in each.markers:
                if told.startswith("file: "):
                    path = Path(folder, told.removeprefix("file: "))
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(each.text, "utf-8")
        came = subprocess.run(
            [WA_SIM, *shlex.split(command)],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    return came.stdout + came.stderr


def refresh(page: Path) -> None:
    """Put real outputs into a page."""
    text = page.read_text("utf-8")
    for block in blocks(page):
        for marker in block.markers:
            form = re.fullmatch(r"output [0-9]+: wa-sim (.+)", marker)
            if form:
                old = f"<!-- {marker} -->\n```{block.language}\n{block.text}```"
                new = f"<!-- {marker} -->\n```{block.language}\n{output(block, form[1])}```"
                text = text.replace(old, new)
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    for each in PAGES:
        refresh(each)
