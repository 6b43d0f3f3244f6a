"""How far an audit is, and how long it will take."""

from __future__ import annotations

import threading
import time
from typing import Final, Literal

from .plain import OnProgress, Progress

_EVERY: Final = 0.2  # seconds
_SOON: Final = 0.5  # seconds; before that nothing is estimated


class Pace:
    """Tells of progress, a few times a second at most.

    Args:
        tell: who wants to know; None: nobody.
    """

    def __init__(self, tell: OnProgress | None) -> None:
        self._tell, self._begun, self._told = tell, time.monotonic(), 0.0
        self._lock = threading.Lock()
        self._start: float | None = None  # of the whole; what a resumed audit need not do

    def at(self, phase: Literal["reading", "judging"], rows: int, done: float | None) -> None:
        """Note how far it is.

        Args:
            phase: what is being done.
            rows: of it.
            done: of the whole audit; None: unknown.
        """
        if self._tell is None:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._told < _EVERY:
                return
            self._told, left = now, None
            if done is not None:
                if self._start is None:
                    self._start, self._begun = done, now
                moved = done - self._start
                if moved > 0 and now - self._begun > _SOON:
                    left = (now - self._begun) / moved * (1 - done)
            self._tell(Progress(phase, rows, done, left))
