"""Fair turns among the threads and processes that write one file.

SQLite's own waiting is a lottery that one process can lose for seconds. Here a writer queues
instead: it takes the queue, then the turn, then lets go of the queue, and writes. Whoever has just
written must go through the queue again, so that it cannot overtake the one that waits at its head;
only where nobody had to wait it may write a few times more without a look at the queue.
Both are locks (``flock``) on files beside the database: the system takes them back from a process
that dies, however it dies. Where there is no ``flock`` the writers try again after random waits.

A process that is stopped keeps its place, and ``flock`` itself waits without an end. So where there
is a queue a thread of its own stands in it, and who wants to write waits for that with patience.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

try:
    import fcntl as _fcntl
except ImportError:  # not on this system: the caller's random waits have to do
    _fcntl = None  # type: ignore[assignment]

_IN_A_ROW: Final = 3
_REST: Final = 10.0  # seconds without a queue, after which its thread ends
_WAIT: Final = 0 if _fcntl is None else _fcntl.LOCK_EX
_TRY: Final = 0 if _fcntl is None else _fcntl.LOCK_EX | _fcntl.LOCK_NB
_LEAVE: Final = 0 if _fcntl is None else _fcntl.LOCK_UN
_flock: Callable[[int, int], None] = (lambda *_: None) if _fcntl is None else _fcntl.flock


def _file(path: str) -> int:
    # To read is enough for a lock: so another user's files, made with a careful umask, will do.
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)


class Turnstile:
    """Lets one process through at a time: ``enter``, write, ``leave``. For one thread at a time.

    Args:
        path: of the database; the files stand beside it.
    """

    def __init__(self, path: str) -> None:
        self._paths = (f"{path}-queue", f"{path}-turn")
        self._files: tuple[int, int] | None = None
        self._stand_in = _StandIn()
        self._straight = 0  # turns that may be taken without a look at the queue

    def enter(self, patience: float) -> None:
        """Wait for the turn, and take it.

        Args:
            patience: how long to wait, in seconds.

        Raises:
            TimeoutError: it did not come.
            OSError: the files cannot be made.
        """
        queue, turn = self._files or self._open()
        if not self._stand_in.waits:
            try:
                if self._straight:
                    self._straight -= 1
                    _flock(turn, _TRY)
                    return
                _flock(queue, _TRY)
                try:
                    _flock(turn, _TRY)
                finally:
                    _flock(queue, _LEAVE)
                self._straight = _IN_A_ROW
                return  # as a rule nobody else is there
            except BlockingIOError:
                pass
        self._straight = 0
        self._stand_in.wait(queue, turn, patience)

    def leave(self) -> None:
        """Give the turn back."""
        if self._files is not None:
            _flock(self._files[1], _LEAVE)

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


class _StandIn:
    """A thread that stands in the queue. Of a turn that nobody waits for any more it lets go.

    Attributes:
        waits: it is standing there.
    """

    def __init__(self) -> None:
        self.waits = False
        self._lock = threading.Lock()
        self._orders: SimpleQueue[tuple[int, int]] = SimpleQueue()
        self._lives = False
        self._wanted = False
        self._came = threading.Semaphore(0)
        self._error: OSError | None = None

    def wait(self, queue: int, turn: int, patience: float) -> None:
        """Wait for the turn, as ``Turnstile.enter`` says."""
        with self._lock:
            self._wanted = True
            if not self.waits:
                self.waits = True
                self._orders.put((queue, turn))
            if not self._lives:
                self._lives = True
                threading.Thread(target=self._stand, name="wa-fsm turn", daemon=True).start()
        try:
            came = self._came.acquire(timeout=patience) or self._came_at_last()
        except BaseException:
            if self._came_at_last() and self._error is None:
                _flock(turn, _LEAVE)
            raise
        if not came:
            raise TimeoutError
        if self._error is not None:
            raise self._error

    def _came_at_last(self) -> bool:
        """Wait no longer; whether the turn has come in this very moment."""
        with self._lock:
            self._wanted = False
            return not self.waits and self._came.acquire(blocking=False)

    def _stand(self) -> None:
        while True:
            try:
                queue, turn = self._orders.get(timeout=_REST)
            except Empty:
                with self._lock:
                    if self._orders.empty():
                        self._lives = False
                        return
                continue
            error = None
            try:
                _flock(queue, _WAIT)
                try:
                    _flock(turn, _WAIT)
                finally:
                    _flock(queue, _LEAVE)
            except OSError as met:
                error = met
            with self._lock:
                self.waits, self._error = False, error
                if self._wanted:
                    self._wanted = False
                    self._came.release()
                elif error is None:
                    _flock(turn, _LEAVE)
