"""Writes what pages show anew: ``python -m tests.docs.refresh [PAGE…]``; read the diff."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.docs.pages import PAGES, blocks, run


def refresh(page: Path) -> None:
    """Put real outputs into a page."""
    text = page.read_text("utf-8")
    for block in blocks(page):
        for marker in block.markers:
            form = re.fullmatch(r"output [0-9]+: (.+)", marker)
            if form:
                with tempfile.TemporaryDirectory() as folder:
                    came = run(page, form[1], Path(folder))
                old = f"<!-- {marker} -->\n```{block.language}\n{block.text}```"
                new = f"<!-- {marker} -->\n```{block.language}\n{came.stdout + came.stderr}```"
                text = text.replace(old, new)
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    wanted = [Path(name).resolve() for name in sys.argv[1:]]
    for each in wanted or PAGES:
        refresh(each)
