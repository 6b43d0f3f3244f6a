"""The connections of one process to one file, and its place in the queue of writers.

House rules:

* A connection serves one call at a time, and is thrown away after an error: so the next call
  begins with a new one, and recovers by itself once the fault is gone.
* Nothing that a parent process opened is used by its child, nor closed by it: closing would take
  the parent's log of changes away from under it. And SQLite's locks are not inherited, but in the
  child it would think that it has them. So nothing is open while a process is forked.
* When another file stands at the path (a backup was put back), the old one's connections go, a
  hundredth of a second later at most. The log of changes that is there is left alone: nobody can
  tell whose it is.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from time import monotonic, sleep
from typing import Any, Final, TypeVar
from urllib.parse import quote
from weakref import WeakSet

from wa_fsm.stores.base import StoreUnavailable
from wa_fsm.stores.sqlite_schema import BUSY, code_of, prepare, translated
from wa_fsm.stores.turns import Turnstile

PATIENCE: Final = 10.0  # seconds that a call waits for others before it gives up
LOOK: Final = 0.01  # seconds after which one looks again whether the file is still the same
_SHORT: Final = 0.05  # seconds that SQLite itself waits, before a random pause
_SPARE: Final = 8  # connections that are kept for the next calls
_FORK: Final = 0.5  # seconds that a fork waits for what other threads are at

_INHERITED: list[object] = []  # what belongs to the parent process, kept so that nothing closes it
_T = TypeVar("_T")


class _Connection(sqlite3.Connection):
    """A connection that is known to be open."""

    def close(self) -> None:
        """As it is."""
        super().close()
        _OPEN.discard(self)


_OPEN: WeakSet[_Connection] = WeakSet()


class Process:
    """What one process has of its own: connections, its place in the queue, and writes that wait.

    Attributes:
        pid: whose this is.
        spare: connections that are not in use.
        look_again: when to see whether the file is still the same.
        threads: held by the one thread that writes.
        turnstile: passed by the one process that writes.
        waiting: what threads gave to be written by whichever of them writes next.
    """

    def __init__(self, path: str) -> None:
        self.pid = os.getpid()
        self.spare: list[sqlite3.Connection] = []
        self.look_again = 0.0
        self.threads = threading.Lock()
        self.turnstile = Turnstile(path)
        self.waiting: deque[Any] = deque()


class Pool:
    """Connections to the file at `path`, made when they are needed.

    Args:
        path: absolute.
        synchronous: ``FULL`` or ``NORMAL``.
        began: gives the instant at which a new store begins.
    """

    def __init__(self, path: str, synchronous: str, began: Callable[[], datetime]) -> None:
        self.path = path
        self._synchronous = synchronous
        self._began = began
        self._file: tuple[int, int] | None = None
        self._process = Process(path)
        _POOLS.add(self)

    def here(self) -> Process:
        """What this process has; in a child that was forked, nothing of its parent's."""
        mine = self._process
        if mine.pid != os.getpid():
            _INHERITED.append(mine)
            mine.turnstile.close()  # its own copies only: the parent's turn stays taken
            mine = self._process = Process(self.path)
        return mine

    # -- opening -----------------------------------------------------------------------------

    def open(self) -> None:
        """Open the file for the first time, and make a new one a store."""
        try:
            turnstile = self.here().turnstile
            turnstile.enter(PATIENCE)
            try:
                self._prepared("rwc").close()
            finally:
                turnstile.leave()
        except (sqlite3.Error, OSError) as error:
            if self._may_be_read():
                return
            raise translated(error, self.path, opening=True) from error

    def _may_be_read(self) -> bool:
        """Whether it is a store that this program knows, though it cannot be written."""
        try:
            self._prepared("ro").close()
        except (sqlite3.Error, StoreUnavailable):
            return False
        return True

    def _prepared(self, mode: str) -> sqlite3.Connection:
        connection = self._connect(mode)
        try:
            identity = self._identity()
            prepare(connection, self.path, self._began() if mode == "rwc" else None)
        except BaseException:
            connection.close()
            raise
        self._file = identity
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(self.path)}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_SHORT,
            factory=_Connection,
        )
        _OPEN.add(connection)
        try:
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
            connection.execute("PRAGMA temp_store = MEMORY")  # else each recursion makes a file
        except BaseException:
            connection.close()
            raise
        return connection

    def _identity(self) -> tuple[int, int]:
        there = os.stat(self.path)
        return there.st_dev, there.st_ino

    def _look(self, mine: Process) -> sqlite3.Connection:
        """A connection, after a look whether the file is still the one that was opened."""
        try:
            identity = self._identity()
        except FileNotFoundError:
            self.close()
            raise StoreUnavailable(
                f"`{self.path}` has gone: put it back, or start this program again for a new store"
            ) from None
        if identity != self._file:
            self.close()
            mine.spare.append(self._prepared("rw"))
        mine.look_again = monotonic() + LOOK
        try:
            return mine.spare.pop()
        except IndexError:  # asked for before, another thread might take it in between
            return self._connect("rw")

    # -- using -------------------------------------------------------------------------------

    def read(self, work: Callable[[sqlite3.Connection], _T], mine: Process | None = None) -> _T:
        """What `work` gives with a connection. It is tried again while the file is locked."""
        mine, deadline = mine or self.here(), 0.0
        spare = mine.spare
        while True:
            connection = None
            try:
                connection = spare.pop() if monotonic() < mine.look_again else self._look(mine)
                found = work(connection)
            except BaseException as error:
                if connection is None and isinstance(error, IndexError):
                    mine.look_again = 0.0  # there was none, or another thread took the last one
                    continue
                if connection is not None:
                    connection.close()
                if not isinstance(error, (sqlite3.Error, OSError)):
                    raise
                self.close()  # the others may have been opened while the fault was there
                now = monotonic()
                deadline = deadline or now + PATIENCE
                locked = isinstance(error, sqlite3.Error) and code_of(error) in BUSY
                if not locked or now > deadline:
                    raise translated(error, self.path) from error
                sleep(random.uniform(0, 0.02))
            else:
                if len(spare) < _SPARE:
                    spare.append(connection)
                else:
                    connection.close()
                return found

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """What one statement finds: ``read``, as short as it can be while all goes well."""
        mine, connection = self.here(), None
        if mine.spare and monotonic() < mine.look_again:
            try:
                connection = mine.spare.pop()
                found = connection.execute(statement, values).fetchall()
                mine.spare.append(connection)
                return found
            except (sqlite3.Error, IndexError):  # IndexError: another thread took the last one
                if connection is not None:
                    connection.close()
        return self.read(lambda other: other.execute(statement, values).fetchall(), mine)

    @contextmanager
    def stream(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, for what is read bit by bit at one instant."""
        connection = None
        try:
            connection = self._look(self.here())
            connection.execute("BEGIN")
            yield connection
        except (sqlite3.Error, OSError) as error:
            raise translated(error, self.path) from error
        finally:
            if connection is not None:
                connection.close()

    @contextmanager
    def threads(self) -> Iterator[deque[Any]]:
        """Alone among the threads of this process; gives what waits to be written."""
        mine = self.here()
        if not mine.threads.acquire(timeout=PATIENCE):
            raise translated(TimeoutError(), self.path)
        try:
            yield mine.waiting
        finally:
            mine.threads.release()

    def in_turn(self, work: Callable[[sqlite3.Connection], _T], mine: Process | None = None) -> _T:
        """What `work` gives while no other process writes; one thread at a time may ask."""
        mine = mine or self.here()
        try:
            mine.turnstile.enter(PATIENCE)
        except OSError as error:
            raise translated(error, self.path) from error
        try:
            return self.read(work, mine)
        finally:
            mine.turnstile.leave()

    def write_alone(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` gives within one transaction, for the thread that is in ``threads``."""

        def whole(connection: sqlite3.Connection) -> _T:
            connection.execute("BEGIN IMMEDIATE")
            made = work(connection)
            connection.execute("COMMIT")
            return made

        return self.in_turn(whole)

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` gives within one transaction."""
        with self.threads():
            return self.write_alone(work)

    def changed(self, statement: str, values: tuple[Any, ...]) -> int:
        """How many rows one statement changed, durably."""
        return self.write(lambda connection: connection.execute(statement, values).rowcount)

    def upkeep(self, *statements: str) -> None:
        """Statements that no transaction may hold, while nobody else writes."""

        def work(connection: sqlite3.Connection) -> None:
            for statement in statements:
                connection.execute(statement).fetchall()

        with self.threads():
            self.in_turn(work)

    def close(self) -> None:
        """Let go of what is open. The next call opens it again."""
        mine = self.here()
        mine.look_again = 0.0
        with suppress(IndexError):  # other threads may take from it at the same time
            while True:
                mine.spare.pop().close()


_POOLS: WeakSet[Pool] = WeakSet()


def _fork_comes() -> None:
    """Let go of every connection, so that the child knows of none; they are opened again."""
    end = monotonic() + _FORK
    while True:
        for pool in list(_POOLS):
            pool.close()
        if not _OPEN or monotonic() > end:
            return
        sleep(0.001)


def _forked() -> None:
    # A child that never uses the store must not keep its parent's turn taken when the parent dies.
    for pool in list(_POOLS):
        pool.here()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_fork_comes, after_in_child=_forked)
