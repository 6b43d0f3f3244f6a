"""Fair turns among the threads and processes that write one file.

SQLite's own waiting is a lottery that one process can lose for seconds. Here a writer queues
instead: it takes the queue, then the turn, then lets go of the queue, and writes. Whoever has just
written must go through the queue again, so that it cannot overtake the one that waits at its head.
Both are locks (``flock``) on files beside the database: the system takes them back from a process
that dies, however it dies. Where there is no ``flock`` the writers try again after random waits.
"""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType
from typing import Any

try:
    import fcntl as _fcntl
except ImportError:  # not on this system: the caller's random waits have to do
    _fcntl = None  # type: ignore[assignment]

_LOCKS: Any = _fcntl


def _wait(file: int) -> None:
    if _LOCKS is not None:
        _LOCKS.flock(file, _LOCKS.LOCK_EX)


def _leave(file: int) -> None:
    if _LOCKS is not None:
        _LOCKS.flock(file, _LOCKS.LOCK_UN)


def _file(path: str) -> int:
    # To read is enough for a lock: so another user's files, made with a careful umask, will do.
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)


class Turnstile:
    """Lets one process through at a time: ``with turnstile: write``. One thread at a time uses it.

    Args:
        path: of the database; the files stand beside it.

    Raises (on entering):
        OSError: the files cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._paths = (f"{path}-queue", f"{path}-turn")
        self._files: tuple[int, int] | None = None

    def __enter__(self) -> None:
        queue, turn = self._files or self._open()
        _wait(queue)
        try:
            _wait(turn)
        finally:
            _leave(queue)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._files is not None:
            _leave(self._files[1])

    def _open(self) -> tuple[int, int]:
        queue = _file(self._paths[0])
        try:
            turn = _file(self._paths[1])
        except BaseException:
            os.close(queue)
            raise
        self._files = (queue, turn)
        return self._files

    def close(self) -> None:
        """Let go of the files, between turns. The next turn opens them again."""
        files, self._files = self._files, None
        for file in files or ():
            with suppress(OSError):
                os.close(file)
