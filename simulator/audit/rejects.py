"""Rows that cannot be read: counted by reason, the first of each shown, all kept in a file."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import IO, Any, Final

from ..outputs import is_stream
from .masking import Mask
from .plain import Reject

SHOWN: Final = 3  # positions for each reason
REASONS: Final = 40  # more are counted together
_OTHERS: Final = "other reasons"
_QUOTED: Final = re.compile("(the field )?`([^`]*)`")
_TICKS: Final = re.compile("(the field )?`(.*)`", re.DOTALL)
_FIELD: Final = re.compile("[a-z_]+")


class Rejects:
    """Takes rejects as they come, in any thread.

    Args:
        path: of the file, lines of JSON; it is only written when there is one.
        mask: how contacts are shown.

    Attributes:
        count: how many.
        reasons: how often each reason came, the value in it left out.
    """

    def __init__(self, path: str, mask: Mask) -> None:
        self.path, self.mask = path, mask
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self._first: dict[str, list[Reject]] = {}
        self._file: IO[str] | None = None
        self._stream = is_stream(path)  # a device or a pipe: written to, and never replaced
        self._part = path if self._stream else f"{os.path.realpath(path)}.part"
        self._lock = Lock()

    def __call__(self, reject: Reject) -> None:
        """Take one."""
        with self._lock:
            self._count(reject)
            self._write(reject)

    def _count(self, reject: Reject) -> None:
        self.count += 1
        said = self.mask.numbers(_quoted(reject).sub(r"\1`…`", reject.why))
        why = f"`{reject.column}`: {said}" if reject.column else said
        if why not in self.reasons and len(self.reasons) >= REASONS:
            why = _OTHERS
        self.reasons[why] += 1
        first = self._first.setdefault(why, [])
        first.append(reject)
        first.sort(key=lambda each: (each.file, each.position))
        del first[SHOWN:]

    def _write(self, reject: Reject) -> None:
        if self._file is None:
            odd = "backslashreplace"  # half a letter, as JSON has it
            self._file = open(self._part, "w", encoding="utf-8", errors=odd)  # noqa: SIM115  # till `keep` or `drop`
        with self._named():
            json.dump(self.as_data(reject), self._file, ensure_ascii=False)
            self._file.write("\n")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """A fault of writing says of which file: the system tells that of opening only."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._part) from None

    def as_data(self, reject: Reject) -> dict[str, Any]:
        """A reject as a line of the file has it."""
        raw = None if reject.raw is None else self.mask.value(reject.raw, reject.column)
        return {
            "file": reject.file,
            reject.unit: reject.position,
            "column": reject.column,
            "why": self._why(reject) if self.mask.on else reject.why,
            "raw": raw,
        }

    def _why(self, reject: Reject) -> str:
        def shown(found: re.Match[str]) -> str:
            field, value = found[1] or "", found[2]
            named = field and _FIELD.fullmatch(value)
            return f"{field}`{value if named else self.mask.value(value, reject.column)}`"

        return self.mask.numbers(_quoted(reject).sub(shown, reject.why))

    def first(self) -> list[tuple[str, int, list[Reject]]]:
        """Each reason with its count and its first rows, the most frequent first."""
        return [
            (why, count, self._first[why])
            for why, count in sorted(self.reasons.items(), key=lambda each: (-each[1], each[0]))
        ]

    def keep(self) -> str | None:
        """Put the file in its place. None: there was no reject, so there is no new file.

        A file of an earlier audit is emptied then, so that nobody takes its rows for this one's.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is None:
            if os.path.isfile(self.path):
                os.truncate(self.path, 0)
            return None
        with self._named():
            self._file.close()
        if not self._stream:
            os.replace(self._part, os.path.realpath(self.path))
        return self.path

    def drop(self) -> None:
        """Give up: nothing is left behind."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
                if not self._stream:
                    os.unlink(self._part)


def _quoted(reject: Reject) -> re.Pattern[str]:
    """Finds what a reason has from the row: in backticks, of which the row may have its own."""
    return _TICKS if "`" in (reject.raw or "") else _QUOTED
