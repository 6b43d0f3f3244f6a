"""The summary of a GitHub step: a Markdown page of totals and failures.

It is put behind what other commands of the step wrote into ``$GITHUB_STEP_SUMMARY``. GitHub takes
1024 KiB of a step, and nothing at all of a page that is longer: ``FileCommandManager.cs`` of
github.com/actions/runner (`_attachmentSizeLimit`), docs.github.com "Adding a job summary".
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from wa_fsm import policies

from ..mistakes import Mistake
from ..outcome import Run
from ..search.coverage import Coverage
from .coverage import table
from .github import in_repository, title_of
from .junit import clean
from .text import SPEAKS_OF, explain_step

LARGEST: Final = 1024 * 1024
_CUT_NOTE: Final = 200  # bytes that are kept for saying what was left out
_LONGEST_CELL: Final = 400
_ESCAPED: Final = str.maketrans({c: f"&#{ord(c)};" for c in "\\`*_{}[]<>&|#!~$@:"} | {"\n": " "})


class SummaryReporter:
    """Totals, a table of what failed, and each failure explained.

    Args:
        room: how many bytes the page may have.
    """

    def __init__(self, room: int = LARGEST) -> None:
        self.room = room

    def case(self, run: Run) -> str:
        """The rows of the table and the explanation, as a line of JSON; nothing for a pass."""
        if run.passed:
            return ""
        title, file = title_of(run), run.case.file
        rows = [
            (title, file, failure.line, failure.text)
            for outcome in run.outcomes
            for failure in outcome.failures
        ]
        steps = [o for o in run.outcomes if o.failures]
        text = "\n".join("\n".join(explain_step(run.case, outcome)) for outcome in steps)
        return json.dumps({"rows": rows, "title": title, "text": text})

    def whole(
        self,
        parts: Sequence[str],
        passed: int,
        failed: int,
        names: Sequence[str],
        coverage: Coverage | None = None,
    ) -> str:
        """The page."""
        cases = [json.loads(part) for part in parts]
        mark = "❌" if failed else "✅"
        count = passed + failed
        head = f"## {mark} wa-sim: {count} scenario{'' if count == 1 else 's'}, "
        head += f"{passed} passed, {failed} failed\n\n"
        for name in names:
            if policies.caution(name):
                head += f"`{name}` is not what WhatsApp enforces. {policies.caution(name)}\n\n"
        head += f"Note: {SPEAKS_OF}.\n"
        if coverage is not None:
            head += _folded("Coverage", table(coverage))
        rows = (row for case in cases for row in _rows(case["rows"]))
        more = (_folded(case["title"], case["text"]) for case in cases)
        return self._within(head, "scenario | where | what came", rows, more)

    def refused(self, mistakes: Sequence[Mistake], unreadable: Sequence[str]) -> str:
        """The page that says why nothing was run."""
        bad = len({mistake.file for mistake in mistakes}) + len(unreadable)
        head = f"## ❌ wa-sim: {bad} file{'' if bad == 1 else 's'} cannot be used, so nothing was "
        head += "run\n"
        rows = [f"{_place(m.file, m.line, m.column)} | {_cell(m.text)}" for m in mistakes]
        rows += [f" | {_cell(text)}" for text in unreadable]
        return self._within(head, "where | what is wrong", rows, ())

    def _within(self, head: str, columns: str, rows: Iterable[str], more: Iterable[str]) -> str:
        """As many rows as there is room for, then as many explanations."""
        if self.room < _CUT_NOTE:
            return ""
        page = _Page(self.room - _CUT_NOTE)
        page.add(head)
        table = [f"| {row} |\n" for row in rows]
        if table:
            page.add(f"\n| {columns} |\n|{' --- |' * (columns.count('|') + 1)}\n")
        shown = sum(page.add(row) for row in table)
        if shown < len(table):
            page.end(f"\n{len(table) - shown} more rows have no room here; the log has them.\n")
        elif not page.add_all(more):
            page.end("\nSome explanations have no room here; the log has them.\n")
        return page.text


class _Page:
    """Text that grows until the first piece that has no room."""

    def __init__(self, room: int) -> None:
        self.text = ""
        self._room = room

    def add(self, part: str) -> bool:
        size = len(part.encode("utf-8", "replace"))
        if size > self._room:
            self._room = 0
            return False
        self._room -= size
        self.text += part
        return True

    def add_all(self, parts: Iterable[str]) -> bool:
        """Whether there was room for each of them."""
        return all(map(self.add, parts))

    def end(self, note: str) -> None:
        self.text += note


def _rows(rows: Iterable[tuple[str, str, int, str]]) -> Iterator[str]:
    for title, file, line, text in rows:
        yield f"{_cell(title)} | {_place(file, line)} | {_cell(text)}"


def _place(file: str, line: int, column: int = 0) -> str:
    where = f"{in_repository(file)}:{line}"
    return _cell(f"{where}:{column}" if column else where)


def _cell(text: str) -> str:
    """The text as it is: nothing in it is taken for Markdown, HTML or the end of the cell."""
    cut = text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
    return " ".join(clean(cut).splitlines()).translate(_ESCAPED)


def _folded(title: str, text: str) -> str:
    """A part that opens when one clicks on its title."""
    body = escape(clean(text)).rstrip()
    head = f"\n<details><summary>{_cell(title)}</summary>\n"
    return f"{head}\n<pre>\n{body}\n</pre>\n</details>\n"


def room_in(page: str) -> int:
    """How many bytes may still be put behind what stands on a page."""
    try:
        return LARGEST - os.path.getsize(page)
    except FileNotFoundError:
        return LARGEST
