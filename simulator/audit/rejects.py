"""Rows that cannot be read: counted by reason, the first of each shown, all kept in a file."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from contextlib import suppress
from threading import Lock
from typing import IO, Any, Final

from .masking import Mask
from .plain import Reject

SHOWN: Final = 3  # positions for each reason
REASONS: Final = 40  # more are counted together
_OTHERS: Final = "other reasons"
_WORDS: Final = re.compile("`[^`]*`")


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
        self._lock = Lock()

    def __call__(self, reject: Reject) -> None:
        """Take one."""
        with self._lock:
            self._count(reject)
            self._write(reject)

    def _count(self, reject: Reject) -> None:
        self.count += 1
        said = _WORDS.sub("`…`", reject.why)
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
            self._file = open(f"{self.path}.part", "w", encoding="utf-8")  # noqa: SIM115  # till `keep` or `drop`
        json.dump(self.as_data(reject), self._file, ensure_ascii=False)
        self._file.write("\n")

    def as_data(self, reject: Reject) -> dict[str, Any]:
        """A reject as a line of the file has it."""
        raw = None if reject.raw is None else self._raw(reject)
        why = self.mask.line(reject.why) if reject.column in ("customer", "id") else reject.why
        return {
            "file": reject.file,
            reject.unit: reject.position,
            "column": reject.column,
            "why": why,
            "raw": raw,
        }

    def _raw(self, reject: Reject) -> str:
        assert reject.raw is not None
        harmless = reject.column not in (None, "customer", "id")
        return reject.raw if harmless else self.mask.line(reject.raw)

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
        self._file.close()
        os.replace(f"{self.path}.part", self.path)
        return self.path

    def drop(self) -> None:
        """Give up: nothing is left behind."""
        if self._file is not None:
            self._file.close()
            with suppress(OSError):
                os.unlink(f"{self.path}.part")
