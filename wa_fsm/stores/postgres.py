"""``postgresql://``: for services of many processes that have a PostgreSQL.

House rules:

* Learning is one upsert per batch: the row with the least precedence stays, whoever comes first.
  So writers need no lock among them; where two meet in a deadlock all the same, one tries again.
* What is acknowledged is on the server's disk: a server that would not see to that is refused
  (``?durable=no`` accepts it). Each new connection looks again.
* Reading is one statement, so that it sees one state of the store and costs one round trip.
* What is read beside other work for hours (openers) comes in pages; what must be seen at one
  instant (keys, log, export) has a cursor on the server.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, Final, LiteralString, Self, TypeAlias, TypeVar

import psycopg
from psycopg import errors

from wa_fsm.clock import Clock
from wa_fsm.deliveries import Snapshot
from wa_fsm.stores import options
from wa_fsm.stores import postgres_sql as sql
from wa_fsm.stores.base import (
    SCHEMA,
    Batch,
    Began,
    Claim,
    Claimed,
    Count,
    Fact,
    KeySnapshot,
    Known,
    Link,
    LogRow,
    Opener,
    Row,
    Status,
    StoreRefused,
    StoreUnavailable,
    Written,
    batch_of,
    from_millis,
    newest_snapshot,
    to_millis,
)
from wa_fsm.stores.postgres_pool import Connection, Pool
from wa_fsm.stores.postgres_rows import (
    ROLES,
    Part,
    claim_columns,
    count_columns,
    fact_columns,
    fact_of,
    fact_texts,
    parts,
    plain,
    raw_fact,
    snapshot_columns,
    written,
)
from wa_fsm.stores.rows import (
    FactRows,
    claimed_from,
    escaped,
    log_from,
    snapshot_of,
    snapshot_text,
    status_from,
    unescaped,
)

PAGE: Final = 1000
ATTEMPTS: Final = 8  # of a transaction that met another one in a deadlock

_NEW, _KNOWN = Written(1, 0), Written(0, 1)

_T = TypeVar("_T")
_Values: TypeAlias = tuple[Any, ...]
_Rows: TypeAlias = Callable[..., Iterator[_Values]]


class PostgresStore:
    """A store in a PostgreSQL database, in tables whose names begin with ``wafsm_``.

    Args:
        uri: as libpq takes it.
        now: the clock that says when a new store begins; None: no new store is made.
        durable: refuse a server that acknowledges what is not yet on its disk.
        size: how many calls of this process may be under way at once.

    Raises:
        ValueError: the URI cannot be read.
        StoreUnavailable: the server cannot be reached.
        StoreRefused: it is not durable, its schema is newer than this program, or it is not there
            and must not be made.
    """

    began: datetime

    def __init__(
        self, uri: str, now: Clock | None, *, durable: bool = True, size: int = 10
    ) -> None:
        self._durable = durable
        self._pool = Pool(uri, size, self._opened)
        try:
            self._done(lambda connection: self._begin(connection, now))
        except BaseException:
            self._pool.close()
            raise

    @classmethod
    def from_uri(cls, uri: str, now: Clock | None) -> Self:
        """The store of a ``postgresql://`` URI.

        Beside libpq's options the URI may carry ``durable=no`` and ``pool=N``. ``connect_timeout``
        is 5 seconds where the URI does not say otherwise.
        """
        rest, ours = options.taken(uri, {"durable": "yes", "pool": "10"})
        durable = options.yes("durable", ours["durable"])
        return cls(rest, now, durable=durable, size=options.count("pool", ours["pool"]))

    # -- beginning ---------------------------------------------------------------------------

    def _opened(self, connection: Connection) -> None:
        connection.execute(sql.SESSION, prepare=False)
        if self._durable:
            for sentence in self._not_durable(connection):
                raise StoreRefused(f"{sentence}, or say ?durable=no")

    def _not_durable(self, connection: Connection) -> Iterator[str]:
        commit, fsync = connection.execute(sql.SETTINGS, prepare=False).fetchone() or ("", "")
        lost = "so it may lose what it acknowledged; set it to `on`"
        if commit == "off":
            yield f"{self._pool.where} has synchronous_commit = off, {lost}"
        if fsync == "off":
            yield f"{self._pool.where} has fsync = off, {lost}"

    def _begin(self, connection: Connection, now: Clock | None) -> None:
        with connection.transaction():
            if not self._current(connection):
                connection.execute("select pg_advisory_xact_lock(%s)", [sql.LOCK])
                if not self._current(connection):
                    self._migrate(connection, now)
        _, began = self._first(connection.execute(sql.META).fetchall())
        self.began = from_millis(began)

    def _current(self, connection: Connection) -> bool:
        """Whether the schema is the one that we write. Raises StoreRefused where it is newer."""
        version = self._version(connection)
        if version is not None and version > SCHEMA:
            raise StoreRefused(
                f"{self._pool.where} has schema {version}, and this program knows up to {SCHEMA}; "
                "use a newer wa-fsm"
            )
        return version == SCHEMA

    def _version(self, connection: Connection) -> int | None:
        """The version of the schema; None where there are no tables."""
        if connection.execute(sql.EXISTS, prepare=False).fetchone() != (True,):
            return None
        version, _ = self._first(connection.execute(sql.META, prepare=False).fetchall())
        return int(version)

    def _first(self, rows: Sequence[_T]) -> _T:
        """The first row of what always has one, unless the table `wafsm_meta` has lost its own."""
        try:
            return rows[0]
        except IndexError as error:
            raise StoreUnavailable(
                f"{self._pool.where} has lost its row in `wafsm_meta`: put a backup in its place"
            ) from error

    def _migrate(self, connection: Connection, now: Clock | None) -> None:
        version = self._version(connection)
        if version is None:
            if now is None:
                raise StoreRefused(
                    f"{self._pool.where} has no store; `wa-sim store init` makes a new store"
                )
            for statement in sql.CREATE:
                connection.execute(statement, prepare=False)
            connection.execute(sql.INITIALISE, [SCHEMA, to_millis(now())])
            return
        for each in range(version, SCHEMA):
            for statement in sql.MIGRATIONS[each]:
                connection.execute(statement, prepare=False)
        connection.execute(sql.MIGRATED, [SCHEMA])

    def _done(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` gives with a connection; once more where it met another in a deadlock."""

        def once() -> _T:
            with self._pool.connection() as connection:
                return work(connection)

        return self._again(once)

    def _again(self, work: Callable[[], _T]) -> _T:
        for attempt in range(ATTEMPTS):
            try:
                return work()
            except StoreUnavailable as error:
                met = (errors.DeadlockDetected, errors.SerializationFailure)
                if not isinstance(error.__cause__, met) or attempt == ATTEMPTS - 1:
                    raise
            time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    # -- learning ----------------------------------------------------------------------------

    def write(self, batch: Batch) -> Written:
        """Learn all of it in one transaction: one round trip."""
        facts, *others = batch
        if len(facts) == 1 and not any(others):
            values = fact_texts(facts[0])
            found = self._again(lambda: self._pool.ask(sql.FACT_ASKED, values))
            return _NEW if found == [[b"t"]] else _KNOWN
        wanted = list(parts(batch))
        if not wanted:
            return Written(0, 0)
        new = self._write_all(wanted)
        return Written(new, len(batch.facts) + len(batch.statuses) - new)

    def _write_all(self, wanted: Sequence[Part]) -> int:
        return self._done(lambda connection: written(connection, wanted)) if wanted else 0

    # -- answering ---------------------------------------------------------------------------

    def read(self, number: str, contact: str) -> Known:
        """What is known of a contact, in one statement, and a second where it has more names."""
        n, c = escaped(number), escaped(contact)
        rows = self._pool.ask(sql.READ_ONE, (c.encode(), n.encode()))
        statuses, began, linked, shot, first, *_ = self._first(rows)
        if linked == b"t":
            return self._read_all(number, n, c)
        self.began = from_millis(int(began or 0))
        facts = [] if first is None else [raw_fact(c, row[4:]) for row in rows]
        snapshot = None if shot is None else snapshot_of(shot.decode())
        return Known((contact,), FactRows(number, facts), snapshot, int(statuses or 0))

    def _read_all(self, number: str, n: str, c: str) -> Known:
        """The same, of a contact of several names."""
        with self._pool.connection() as connection:
            rows = connection.execute(sql.READ, (c, n, n, n)).fetchall()
        raw, statuses, began, texts = self._first(rows)[:4]
        self.began = from_millis(began)
        facts = [(row[4], ROLES[row[5]], *row[6:]) for row in rows if row[4] is not None]
        shots = [snapshot_of(text) for text in texts]
        names = tuple(sorted(map(unescaped, raw)))
        return Known(names, FactRows(number, facts), newest_snapshot(shots), statuses)

    def statuses(self) -> tuple[int, Sequence[Status]]:
        """All template statuses."""
        with self._pool.connection() as connection:
            rows = connection.execute(sql.ALL_STATUSES).fetchall()
        return self._first(rows)[0], list(_statuses(rows))

    def openers(self, since: datetime, until: datetime) -> Iterator[Opener]:
        """Facts that may open, in order, page by page."""
        place: tuple[Any, ...] = (to_millis(since) + 1, "", "", "", -1)
        last = to_millis(until)
        while True:
            with self._pool.connection() as connection:
                rows = connection.execute(sql.OPENERS, [*place, last, PAGE]).fetchall()
            for at, number, contact, id_, _ in rows:
                names = unescaped(number), unescaped(contact), unescaped(id_)
                yield Opener(from_millis(at), *names)
            if len(rows) < PAGE:
                return
            place = rows[-1]

    def claim(self, claim: Claim, now: datetime) -> bool:
        """Take a claim, in one upsert."""
        with self._pool.connection() as connection:
            values = [*_claim_values(claim), to_millis(now)]
            return connection.execute(sql.CLAIM, values).fetchone() is not None

    def done(self, claim: Claim) -> None:
        """End a claim for good."""
        with self._pool.connection() as connection:
            connection.execute(sql.DONE, _claim_values(claim))

    def log(self, number: str | None = None, names: Sequence[str] = ()) -> Iterator[LogRow]:
        """Decisions, oldest first, with a cursor on the server."""
        spoken = None if number is None else escaped(number)
        wanted = [escaped(name) for name in names]
        with self._view() as rows:
            for row in rows(sql.LOG_ROWS, [spoken, spoken, wanted, wanted]):
                yield log_from(plain(row))

    def links(self, names: Sequence[str]) -> Sequence[Link]:
        """The links that touch any of these names."""
        wanted = [escaped(name) for name in names]
        with self._pool.connection() as connection:
            rows = connection.execute(sql.LINKS_OF, [wanted, wanted]).fetchall()
        return sorted((_link(row) for row in rows), key=lambda link: (link.how, link.a, link.b))

    def counts(self) -> Mapping[str, int]:
        """Counters."""
        with self._pool.connection() as connection:
            rows = connection.execute(sql.ALL_COUNTS).fetchall()
        return {unescaped(name): count for name, count in rows}

    def keys(self) -> Iterator[tuple[str, str]]:
        """Every key, with a cursor on the server."""
        with self._view() as rows:
            for number, contact in rows(sql.KEYS):
                yield unescaped(number), unescaped(contact)

    @contextmanager
    def _view(self) -> Iterator[_Rows]:
        """What streams the rows of statements, all of them as they stood at one instant.

        It has a connection beside those that calls wait for, because who reads makes other calls.
        """

        def rows(statement: LiteralString, values: Sequence[Any] = ()) -> Iterator[_Values]:
            with connection.cursor(name="wafsm_stream") as cursor:
                cursor.itersize = PAGE
                cursor.execute(statement, values)
                yield from cursor

        with self._pool.connection(bounded=False) as connection, connection.transaction():
            connection.execute(sql.STREAM)
            connection.execute(sql.PLANS_OF_STREAM)
            yield rows

    # -- keeping house -----------------------------------------------------------------------

    def fold(self, number: str, contact: str, snapshot: Snapshot, folded: Sequence[Fact]) -> None:
        """Put a snapshot in the place of facts, unless another fold went as far meanwhile.

        Of a contact who was forgotten meanwhile nothing is written.
        """
        key = [escaped(contact), escaped(number)]
        until = to_millis(snapshot.until)
        rows = fact_columns(folded)

        def work(connection: Connection) -> None:
            with connection.transaction():
                connection.execute(sql.FOLD_LOCK, key)
                kept = connection.execute(sql.FOLDED, [*key, *key]).fetchone()
                if kept is not None and kept[0] > until:
                    return
                gone = connection.execute(sql.UNFACT, rows).rowcount if folded else 0
                if kept is None and folded and not gone:  # the contact was forgotten meanwhile
                    return
                if kept is not None and kept[0] == until and gone < len(folded):
                    raise psycopg.Rollback
                text = escaped(snapshot_text(snapshot))
                connection.execute(sql.FOLD, [key[1], key[0], until, text])

        self._done(work)

    def export(self) -> Iterator[Row]:
        """Everything, as it stood at one instant."""
        with self._view() as rows:
            yield from (Began(from_millis(began)) for _, began in rows(sql.META))
            yield from map(_link, rows(sql.ALL_LINKS))
            yield from _statuses(rows(sql.ALL_STATUSES))
            for number, contact, text in rows(sql.ALL_SNAPSHOTS):
                yield KeySnapshot(unescaped(number), unescaped(contact), snapshot_of(text))
            yield from map(fact_of, rows(sql.ALL_FACTS))
            yield from (log_from(plain(row)) for row in rows(sql.ALL_LOG))
            yield from (claimed_from(plain(row)) for row in rows(sql.ALL_CLAIMS))
            yield from (Count(unescaped(name), count) for name, count in rows(sql.ALL_COUNTS))

    def load(self, rows: Iterable[Row]) -> int:
        """Take rows in, some hundreds at a time."""
        count, source = 0, iter(rows)
        while page := list(islice(source, PAGE)):
            count += len(page)
            wanted = list(parts(batch_of(page)))
            shots = [row for row in page if isinstance(row, KeySnapshot)]
            if shots:
                wanted.append((sql.SNAPSHOTS, snapshot_columns(shots)))
            began = [to_millis(row.at) for row in page if isinstance(row, Began)]
            if began:
                wanted.append((sql.BEGAN, [min(began)]))
            claims = [row for row in page if isinstance(row, Claimed)]
            if claims:
                wanted.append((sql.CLAIMED, claim_columns(claims)))
            counts = [row for row in page if isinstance(row, Count)]
            if counts:
                wanted.append((sql.COUNTED, count_columns(counts)))
            self._write_all(wanted)
            self.began = min([self.began, *(row.at for row in page if isinstance(row, Began))])
        return count

    def prune(self, before: datetime, claims: datetime | None = None) -> int:
        """Forget decisions and claims."""
        ends = [to_millis(before)], [to_millis(claims or before)]
        return self._delete(list(zip(sql.PRUNE, ends, strict=True)))

    def forget(self, names: Sequence[str]) -> int:
        """Erase names."""
        wanted = [escaped(name) for name in names]
        return self._delete([(text, [wanted] * text.count("%s")) for text in sql.FORGET])

    def _delete(self, parts: Sequence[Part]) -> int:
        def work(connection: Connection) -> int:
            with connection.transaction():
                return sum(connection.execute(*part).rowcount for part in parts)

        return self._done(work)

    def compact(self) -> None:
        """Give space back to the system. Each table is locked while it is written anew."""
        with self._pool.connection() as connection:
            for table in sql.TABLES:
                connection.execute(f"vacuum (full, analyze) {table}", prepare=False)

    def check(self) -> Sequence[str]:
        """What is wrong with the store, a sentence each."""
        with self._pool.connection() as connection:
            found = list(self._not_durable(connection)) if self._durable else []
            names = list(sql.TABLES + sql.INDEXES)
            rows = connection.execute(sql.MISSING, [names, names]).fetchall()
            found += [f"the table or index `{name}` is missing or invalid" for (name,) in rows]
            found += self._old(connection)
            if connection.execute("select pg_is_in_recovery()").fetchone() == (True,):
                found.append(f"{self._pool.where} is a standby and takes no writes")
        return found

    def _old(self, connection: Connection) -> Iterator[str]:
        """Why the schema is not the one that we write."""
        try:
            version = self._version(connection)
        except StoreUnavailable as error:
            yield str(error)
            return
        if version != SCHEMA:
            yield f"the schema is {version}, and this program writes {SCHEMA}"

    def close(self) -> None:
        """Close this process's connections. A later call opens them again."""
        self._pool.close()


def _claim_values(claim: Claim) -> list[Any]:
    names = escaped(claim.number), escaped(claim.contact), escaped(claim.opener)
    return [*names, to_millis(claim.until)]


def _statuses(rows: Iterable[_Values]) -> Iterator[Status]:
    return (status_from(plain(row[1:])) for row in rows if row[1] is not None)


def _link(row: Sequence[Any]) -> Link:
    how, a, b = row
    return Link(how, unescaped(a), unescaped(b))
