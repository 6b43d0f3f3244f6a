"""``sqlite:///path``: one file, the standard library, any number of threads and processes.

House rules:

* What ``write`` returned from is on the disk: the journal is WAL and ``synchronous`` is FULL,
  unless the URI says ``?synchronous=normal`` (then a loss of power may take the last moments).
* Writers take turns (``turns.py``); readers never wait. What the threads of one process have to
  write while one of them is at it goes into one transaction together.
* Reading is one statement, which sees one state of the store; only a contact of several names
  takes a second, in one transaction.
* Rows that many may want to delete or take in go in portions, so that no writer waits long.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final, Self, TypeAlias
from urllib.parse import unquote

from wa_fsm.clock import Clock
from wa_fsm.deliveries import Snapshot
from wa_fsm.stores import options
from wa_fsm.stores import sqlite_sql as sql
from wa_fsm.stores.base import (
    Batch,
    Began,
    Claim,
    Count,
    Fact,
    KeySnapshot,
    Known,
    Link,
    LogRow,
    Opener,
    Row,
    Status,
    StoreError,
    StoreUnavailable,
    Written,
    from_millis,
    to_millis,
)
from wa_fsm.stores.rows import (
    FactRows,
    claimed_from,
    escaped,
    is_plain,
    snapshot_of,
    unescaped,
)
from wa_fsm.stores.sqlite_pool import Pool, Process
from wa_fsm.stores.sqlite_rows import (
    claim_row,
    fact_of_row,
    fact_row,
    learn,
    link_of_row,
    log_of_row,
    plain,
    read_all,
    snapshot_row,
    status_of_row,
    take_in,
    written,
)
from wa_fsm.stores.sqlite_schema import beginning, flaws

PAGE: Final = 1000

_After: TypeAlias = Callable[[tuple[Any, ...]], tuple[Any, ...]]


class _Job:
    """A batch that waits to be written, and what became of it."""

    __slots__ = ("batch", "error", "written")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.written: Written | None = None
        self.error: BaseException | None = None

    def outcome(self) -> Written:
        """What was written, or the error that was met."""
        if self.error is not None:
            raise self.error
        assert self.written is not None
        return self.written


class SqliteStore:
    """A store in a file.

    Args:
        path: of the file; it is made where it is not there, its folder is not.
        now: the clock that says when a new store begins.
        synchronous: ``full``, or ``normal``.

    Raises:
        ValueError: no such `synchronous`.
        StoreUnavailable: the file cannot be opened.
        StoreRefused: it is another program's, or its schema is newer than this program.
    """

    began: datetime

    def __init__(self, path: str, now: Clock, synchronous: str = "full") -> None:
        if synchronous not in ("full", "normal"):
            raise ValueError(f"`synchronous` is `full` or `normal`, got `{synchronous}`")
        self._pool = Pool(os.path.abspath(path), synchronous, now)
        self._pool.open()
        self._look()

    @classmethod
    def from_uri(cls, uri: str, now: Clock) -> Self:
        """The store of a URI: ``sqlite:///relative.db``, ``sqlite:////absolute.db``.

        Raises (beside what the class does):
            ValueError: the URI names no file, or an option that is none.
        """
        rest, ours = options.taken(uri, {"synchronous": "full"})
        path, unknown, more = rest.removeprefix("sqlite://").partition("?")
        if unknown:
            raise ValueError(f"unknown option `{more}`; expected `synchronous=full|normal`")
        if not path.startswith("/") or path.endswith(("/", ":memory:")):
            raise ValueError(
                f"`{uri}` names no file; expected sqlite:///relative.db or sqlite:////absolute.db"
                " (memory:// keeps nothing)"
            )
        name = unquote(path[1:])
        absolute = "/" if name.startswith("/") else ""
        return cls(absolute + name.lstrip("/"), now, ours["synchronous"])

    def _look(self) -> None:
        self.began = beginning(self._pool.rows(sql.BEGAN), self._pool.path)

    # -- learning ----------------------------------------------------------------------------

    def write(self, batch: Batch) -> Written:
        """Learn all of it in one transaction, together with what other threads have to write."""
        mine = self._pool.here()
        if mine.threads.locked():
            return self._with_others(_Job(batch), mine)
        with mine.threads:  # a signal's exception can part `acquire` from its `try`, not this
            if not mine.waiting:
                return self._pool.in_turn(lambda con: written(con, batch), mine)
            job = _Job(batch)
            mine.waiting.append(job)
            self._write_waiting(mine)
        return job.outcome()

    def _with_others(self, job: _Job, mine: Process) -> Written:
        """Give a batch to whichever thread writes next; it may be this one."""
        mine.waiting.append(job)
        try:
            with self._pool.threads():
                if job.written is None and job.error is None:
                    self._write_waiting(mine)
        except StoreUnavailable:
            with suppress(ValueError):
                mine.waiting.remove(job)
            raise
        return job.outcome()

    def _write_waiting(self, mine: Process) -> None:
        self._write([mine.waiting.popleft() for _ in range(len(mine.waiting))])

    def _write(self, jobs: Sequence[_Job]) -> None:
        try:
            made = self._pool.write_alone(lambda con: [learn(con, job.batch) for job in jobs])
            for job, done in zip(jobs, made, strict=True):
                job.written = done
        except BaseException as error:
            if len(jobs) == 1 or not isinstance(error, Exception):
                for job in jobs:
                    job.error = error
                return
            for job in jobs:  # what one of them brought up must not be the others' fault
                self._write([job])

    # -- answering ---------------------------------------------------------------------------

    def read(self, number: str, contact: str) -> Known:
        """What is known of a contact, in one statement where it has one name."""
        key = (number, contact)
        if not is_plain(number + contact):
            key = (escaped(number), escaped(contact))
        rows = self._pool.rows(sql.READ, key)
        statuses, shot, linked, name = rows[0][:4]
        if linked:
            return self._pool.read(lambda con: read_all(con, *key))
        if name is None and shot is None:  # whether that says anything hangs on the beginning,
            self._look()  # which an import of another process may have moved
        facts = FactRows(number, [row[3:] for row in rows] if name is not None else [])
        snapshot = None if shot is None else snapshot_of(unescaped(shot))
        return Known((contact,), facts, snapshot, statuses or 0)

    def statuses(self) -> tuple[int, Sequence[Status]]:
        """All template statuses."""
        rows = self._pool.rows(sql.STATUSES)
        return rows[-1][-1] if rows else 0, [status_of_row(row) for row in rows]

    def openers(self, since: datetime, until: datetime) -> Iterator[Opener]:
        """Facts that may open, in order, page by page."""
        place: tuple[Any, ...] = (to_millis(since) + 1, "", "", "", "")
        for row in self._paged(sql.OPENERS, (to_millis(until),), place, lambda row: row):
            at, number, contact, id_, _ = row
            yield Opener(from_millis(at), unescaped(number), unescaped(contact), unescaped(id_))

    def _paged(
        self, statement: str, asked: tuple[Any, ...], place: tuple[Any, ...], after: _After
    ) -> Iterator[tuple[Any, ...]]:
        """Rows in their order, a page at a time; no transaction is open in between."""
        while True:
            values = (*asked, *place, PAGE)
            rows = self._pool.rows(statement, values)
            yield from rows
            if len(rows) < PAGE:
                return
            place = after(rows[-1])

    def claim(self, claim: Claim, now: datetime) -> bool:
        """Take a claim, in one upsert."""
        values = (*claim_row(claim), to_millis(now))
        return self._pool.changed(sql.CLAIM, values) == 1

    def done(self, claim: Claim) -> None:
        """End a claim for good."""
        self._pool.changed(sql.DONE, claim_row(claim))

    def log(self, number: str | None = None, names: Sequence[str] = ()) -> Iterator[LogRow]:
        """Decisions, oldest first, page by page."""
        statement = sql.log_rows(number is not None, len(names))
        wanted = tuple(escaped(each) for each in (*([] if number is None else [number]), *names))
        place: tuple[Any, ...] = (-(2**62), "")
        while True:
            values = (*place, *wanted, PAGE)
            rows = self._pool.rows(statement, values)
            yield from map(log_of_row, rows)
            if len(rows) < PAGE:
                return
            place = rows[-1][1], rows[-1][0]

    def links(self, names: Sequence[str]) -> Sequence[Link]:
        """The links that touch any of these names."""
        wanted = [(name, name) for name in map(escaped, names)]

        def work(con: sqlite3.Connection) -> set[Link]:
            return {link_of_row(row) for pair in wanted for row in con.execute(sql.LINKS_OF, pair)}

        return sorted(self._pool.read(work), key=lambda link: (link.how, link.a, link.b))

    def counts(self) -> Mapping[str, int]:
        """Counters."""
        rows = self._pool.rows(sql.COUNTS)
        return {unescaped(name): value for name, value in rows}

    def keys(self) -> Iterator[tuple[str, str]]:
        """Every key, page by page."""
        for number, contact in self._paged(sql.KEYS, (), ("", ""), lambda row: row):
            yield unescaped(number), unescaped(contact)

    # -- keeping house -----------------------------------------------------------------------

    def fold(self, number: str, contact: str, snapshot: Snapshot, folded: Sequence[Fact]) -> None:
        """Put a snapshot in the place of facts, unless another fold went as far meanwhile.

        Of a contact who was forgotten meanwhile nothing is written.
        """
        shot, gone = (
            snapshot_row(KeySnapshot(number, contact, snapshot)),
            [fact_row(f) for f in folded],
        )

        def work(con: sqlite3.Connection) -> None:
            first = con.execute(sql.SNAPSHOT, shot[:2]).fetchone() is None
            if con.execute(sql.FOLD, shot).rowcount:
                went = con.executemany(sql.UNFACT, gone).rowcount
                if first and gone and not went:
                    con.execute(sql.NO_SNAPSHOT, shot[:2])

        self._pool.write(work)

    def export(self) -> Iterator[Row]:
        """Everything, as it stood at one instant."""
        with self._pool.stream() as con:
            yield Began(from_millis(con.execute(sql.BEGAN).fetchone()[0]))
            yield from map(link_of_row, con.execute(sql.ALL_LINKS))
            yield from map(status_of_row, con.execute(sql.STATUSES))
            for number, contact, text in con.execute(sql.ALL_SNAPSHOTS):
                yield KeySnapshot(
                    unescaped(number), unescaped(contact), snapshot_of(unescaped(text))
                )
            yield from map(fact_of_row, con.execute(sql.ALL_FACTS))
            yield from map(log_of_row, con.execute(sql.ALL_LOG))
            yield from (claimed_from(plain(row)) for row in con.execute(sql.ALL_CLAIMS))
            yield from (Count(unescaped(name), n) for name, n in con.execute(sql.COUNTS))

    def load(self, rows: Iterable[Row]) -> int:
        """Take rows in, a portion at a time."""
        count, source = 0, iter(rows)
        while page := list(islice(source, PAGE)):
            self._pool.write(partial(take_in, rows=page))
            count += len(page)
        self._look()
        return count

    def prune(self, before: datetime, claims: datetime | None = None) -> int:
        """Forget decisions and claims, a portion at a time."""
        count = 0
        for statement, end in zip(sql.PRUNE, (before, claims or before), strict=True):
            gone, values = PAGE, (to_millis(end), PAGE)
            while gone == PAGE:
                gone = self._pool.changed(statement, values)
                count += gone
        return count

    def forget(self, names: Sequence[str]) -> int:
        """Erase names, overwriting what stood there, in the journal too."""
        wanted = [(escaped(name),) for name in names]

        def work(con: sqlite3.Connection) -> int:
            return sum(con.execute(each, n).rowcount for each in sql.FORGET for n in wanted)

        count = self._pool.write(work)
        self._pool.upkeep("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def compact(self) -> None:
        """Write the file anew without what is free in it. Writers wait for as long."""
        self._pool.upkeep("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")

    def check(self) -> Sequence[str]:
        """What is wrong with the store, a sentence each."""
        try:
            return self._pool.read(lambda con: flaws(con, self._pool.path))
        except StoreError as error:
            return [str(error)]

    def close(self) -> None:
        """Let go of this process's connections. A later call opens them again."""
        self._pool.close()
