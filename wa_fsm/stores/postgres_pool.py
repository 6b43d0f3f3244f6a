"""Connections to PostgreSQL: a few for each process, opened in the thread that needs one.

House rules:

* psycopg's own pool opens connections behind one's back and waits longer and longer between its
  attempts, so that a server that is back is not found at once. Here a call that finds no open
  connection opens one, and fails or succeeds by itself.
* A connection that the server has closed meanwhile is found by a look at its socket, which costs
  no round trip; after a failure every idle connection is thrown away.
* A forked child never touches its parent's connections.
* What an error says never holds a password.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import conninfo

from wa_fsm.stores.base import StoreError, StoreRefused, StoreUnavailable

IDLE: Final = psycopg.pq.TransactionStatus.IDLE

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT: Final = 5
SILENT: Final = {  # how soon a server that has vanished from the network is given up
    "tcp_user_timeout": "15000",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
}


class _OfProcess:
    """What one process has open."""

    def __init__(self, size: int) -> None:
        self.idle: deque[Connection] = deque()
        self.free = threading.BoundedSemaphore(size)


class Pool:
    """Connections of this process.

    Args:
        uri: as libpq takes it.
        size: how many calls may be under way at once; others wait for their turn.
        opened: is given each new connection before it is used; may raise StoreRefused.

    Raises:
        ValueError: the URI cannot be read.
    """

    def __init__(self, uri: str, size: int, opened: Callable[[Connection], None]) -> None:
        try:
            parts = conninfo.conninfo_to_dict(uri)
        except psycopg.Error:  # its text may repeat the URI, password and all
            raise ValueError(
                "this postgresql:// URI cannot be read; expected postgresql://USER@HOST:PORT/NAME"
            ) from None
        settings: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": "wa-fsm",
            **SILENT,
            **parts,
        }
        self._conninfo = conninfo.make_conninfo(**settings)
        self._patience = float(parts.get("connect_timeout") or CONNECT_TIMEOUT)
        self._secrets = [
            str(parts[name]) for name in ("password", "sslpassword") if parts.get(name)
        ]
        host, port = parts.get("host") or "localhost", parts.get("port") or "5432"
        self.where = f"PostgreSQL at {host}:{port}/{parts.get('dbname') or ''}"
        self._size = size
        self._opened = opened
        self._of: dict[int, _OfProcess] = {}

    def _mine(self) -> _OfProcess:
        pid = os.getpid()
        mine = self._of.get(pid)
        return mine if mine is not None else self._of.setdefault(pid, _OfProcess(self._size))

    @contextmanager
    def connection(self, *, bounded: bool = True) -> Iterator[Connection]:
        """A connection for one call, in autocommit mode; psycopg's errors become ours.

        Args:
            bounded: wait for one's turn. Streams do not: those who read one make other calls.

        Raises:
            StoreUnavailable: no connection, or the call met a failure.
        """
        mine = self._mine()
        if bounded and not mine.free.acquire(timeout=self._patience):
            raise StoreUnavailable(f"all {self._size} connections to {self.where} are busy")
        try:
            connection = self._take(mine)
            try:
                yield connection
            except psycopg.Error as error:
                raise self._failed(error, connection, mine) from error
            finally:
                if connection.pgconn.transaction_status != IDLE:  # broken, or in the middle
                    connection.close()
                else:
                    mine.idle.append(connection)
        finally:
            if bounded:
                mine.free.release()

    def _take(self, mine: _OfProcess) -> Connection:
        while True:
            try:
                connection = mine.idle.pop()
            except IndexError:
                return self._open()
            if not connection.closed and _quiet(connection):
                return connection
            connection.close()

    def _open(self) -> Connection:
        try:
            connection: Connection = psycopg.connect(
                self._conninfo, autocommit=True, prepare_threshold=0
            )
        except (psycopg.Error, OSError) as error:
            raise StoreUnavailable(
                f"{self.where} cannot be reached: {self._sentence(error)}"
            ) from None
        try:
            self._opened(connection)
        except psycopg.Error as error:
            connection.close()
            raise self._failed(error, connection, self._mine()) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _failed(self, error: psycopg.Error, connection: Connection, mine: _OfProcess) -> StoreError:
        if connection.broken:
            self._drop(mine)
            return StoreUnavailable(f"{self.where} cannot be reached: {self._sentence(error)}")
        text = f"{self.where} failed: {self._sentence(error)}"
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return StoreRefused(text)
        if isinstance(error, psycopg.DataError):
            return StoreError(text)
        return StoreUnavailable(text)

    def _sentence(self, error: Exception) -> str:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        text = lines[0]
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _drop(self, mine: _OfProcess) -> None:
        while mine.idle:
            try:
                mine.idle.pop().close()
            except IndexError:  # another thread took it
                return

    def close(self) -> None:
        """Close what this process has open and idle; a later call opens anew."""
        self._drop(self._mine())


def _quiet(connection: Connection) -> bool:
    """Nothing waits to be read: a server that ended the connection would have said so."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return not poll.poll(0)
