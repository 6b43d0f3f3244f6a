"""How far an audit is, on one line of a terminal; nowhere else."""

from __future__ import annotations

import time
from typing import TextIO

from .plain import Progress
from .run import OnThrough
from .wording import length, number

_EVERY = 0.2  # seconds between two lines
_PATIENCE = 1.0  # before that nothing is shown


class Bar(OnThrough):
    """Shows progress.

    Args:
        stream: the line is written there if it is a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._on = stream.isatty()
        self._begun = self._last = time.monotonic()
        self._shown = False

    def __call__(self, through: float) -> None:
        """So much of the log is read, and no row came yet."""
        self._show(f"reading  {100 * through:3.0f} %")

    def progress(self, now: Progress) -> None:
        """How far the engine is."""
        done = "" if now.done is None else f"  {100 * now.done:3.0f} %"
        left = "" if now.left is None else f", about {length(max(now.left, 1))} left"
        self._show(f"{now.phase}{done}  {number(now.rows)} rows{left}")

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if not self._on or now - self._begun < _PATIENCE or now - self._last < _EVERY:
            return
        self._last, self._shown = now, True
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
