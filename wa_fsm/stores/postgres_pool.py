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

import hashlib
import os
import re
import select
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import conninfo, errors
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from wa_fsm.stores import options
from wa_fsm.stores.base import StoreError, StoreRefused, StoreUnavailable

IDLE: Final = psycopg.pq.TransactionStatus.IDLE

Values: TypeAlias = Sequence[bytes | None]

_NEVER: Final = (psycopg.DataError, errors.ProgramLimitExceeded)  # a later call fails as well

_DONE: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)

OPTIONS: Final = "`durable`, `pool` or one of libpq's"

UNREADABLE: Final = (
    "this postgresql:// URI cannot be read; expected postgresql://USER@HOST:PORT/NAME "
    "(in a password write `@` as %40, `/` as %2F and `?` as %3F)"
)

_UNKNOWN: Final = re.compile(r'invalid URI query parameter: "(\w+)"')

CONNECT_TIMEOUT: Final = 5
SILENT: Final = {  # how soon a server that has vanished from the network is given up
    "tcp_user_timeout": "15000",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
}


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection with what each call on it needs, made once.

    Attributes:
        cursor_kept: for calls that take all rows before the next call.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_kept = self.cursor()
        self._asked: dict[str, bytes] = {}  # what was prepared by `ask`, and its name
        self._said, self._both = select.poll(), select.poll()
        self._said.register(self.pgconn.socket, select.POLLIN)
        self._both.register(self.pgconn.socket, select.POLLIN | select.POLLOUT)

    def ask(self, statement: str, values: Values) -> list[Values]:
        """What one statement finds: texts as bytes, so that the caller reads them as it likes.

        What psycopg's cursors do around a short statement takes as long as the server takes for
        it, and where clients are many that is time which the server does not get.

        Args:
            statement: with ``$1`` and so on for the values.
            values: as texts.
        """
        name = self._asked.get(statement) or self._prepared_anew(statement)
        self.pgconn.send_query_prepared(name, values)
        try:
            found = self._answer()
        except errors.InvalidSqlStatementName:
            # psycopg gives up all that is prepared, ours too, after each rollback; poolers do so
            # between two clients. Nothing was done yet.
            self._asked.clear()
            self.pgconn.send_query_prepared(self._prepared_anew(statement), values)
            found = self._answer()
        width, get = range(found.nfields), found.get_value
        return [[get(row, column) for column in width] for row in range(found.ntuples)]

    def _prepared_anew(self, statement: str) -> bytes:
        """The name of a statement that is prepared now."""
        # Named after what it is, so that one name is never two statements, whoever prepared it.
        text = statement.encode()
        name = b"wafsm_" + hashlib.sha1(text, usedforsecurity=False).hexdigest()[:16].encode()
        self.pgconn.send_prepare(name, text)
        with suppress(errors.DuplicatePreparedStatement):
            self._answer()
        self._asked[statement] = name
        return name

    def _answer(self) -> PGresult:
        pgconn, found = self.pgconn, None
        while pgconn.flush():  # a value that is longer than what the system takes at once
            self._both.poll()
            pgconn.consume_input()
        while True:
            while pgconn.is_busy():
                self._said.poll()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            found = found or result
        if found is None:
            raise errors.OperationalError("the server gave no answer")
        if found.status not in _DONE:
            raise errors.error_from_result(found)
        return found

    @property
    def usable(self) -> bool:
        """It is open, and nothing waits to be read: a server that ended it would have said so."""
        return not self.closed and not self._said.poll(0)


class _OfProcess:
    """What one process has open, and a token for each call that may be under way."""

    def __init__(self, size: int) -> None:
        self.idle: deque[Connection] = deque()
        self.free: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self.free.put(None)


def _parts(uri: str) -> dict[str, Any]:
    """What libpq reads in a URI. Raises ValueError where it cannot, or may have misread it."""
    try:
        parts = conninfo.conninfo_to_dict(uri)
    except psycopg.Error as error:
        options.refuse_unknown(_UNKNOWN.search(str(error)), uri, OPTIONS)
        # The text of others may repeat the URI, password and all.
        raise ValueError(UNREADABLE) from None
    # With an `@` or a `/` in it a password ends early, and its rest passes for the host, the port
    # or the name, which errors repeat.
    place = uri.partition("://")[2].partition("?")[0]
    misread = any("@" in place.partition(mark)[2] for mark in "@/")
    misread = misread or "@" in str(parts.get("host"))  # of what comes after a `?`
    if misread or not re.fullmatch("[0-9,]*", str(parts.get("port") or "")):
        raise ValueError(UNREADABLE)
    return parts


def _patience(connect_timeout: str | None) -> float | None:
    """How many seconds a call waits for its turn; None for ever, as libpq reads 0 and less."""
    try:
        seconds = int(float(connect_timeout or CONNECT_TIMEOUT))
    except (ValueError, OverflowError):
        raise ValueError(
            f"`connect_timeout` is a number of seconds, got `{connect_timeout}`"
        ) from None
    return seconds if seconds > 0 else None


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
        parts = _parts(uri)
        settings: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": "wa-fsm",
            **SILENT,
            **parts,
            "client_encoding": "utf8",
        }
        self._conninfo = conninfo.make_conninfo(**settings)
        self._patience = _patience(parts.get("connect_timeout"))
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
        if bounded:
            self._wait(mine)
        try:
            connection = self._take(mine)
            try:
                yield connection
            except psycopg.Error as error:
                raise self._failed(error, connection, mine) from error
            finally:
                self._give_back(connection, mine)
        finally:
            if bounded:
                mine.free.put(None)

    def ask(self, statement: str, values: Values) -> list[Values]:
        """What one statement finds, see ``Connection.ask``; ``connection``, as short as can be."""
        mine = self._mine()
        self._wait(mine)
        try:
            connection = self._take(mine)
            try:
                return connection.ask(statement, values)
            except psycopg.Error as error:
                raise self._failed(error, connection, mine) from error
            finally:
                self._give_back(connection, mine)
        finally:
            mine.free.put(None)

    def _wait(self, mine: _OfProcess) -> None:
        try:
            mine.free.get(timeout=self._patience)
        except Empty:
            raise StoreUnavailable(
                f"all {self._size} connections to {self.where} are busy"
            ) from None

    def _take(self, mine: _OfProcess) -> Connection:
        while True:
            try:
                connection = mine.idle.pop()
            except IndexError:
                return self._open()
            if connection.usable:
                return connection
            connection.close()

    def _give_back(self, connection: Connection, mine: _OfProcess) -> None:
        if connection.pgconn.transaction_status != IDLE:  # broken, or in the middle
            connection.close()
        else:
            mine.idle.append(connection)

    def _open(self) -> Connection:
        try:
            connection = Connection.connect(self._conninfo, autocommit=True, prepare_threshold=0)
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
        if isinstance(error, _NEVER):
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
