"""From a batch to the statements that write it, and from rows of PostgreSQL back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, LiteralString, TypeAlias

import psycopg

from wa_fsm.stores import postgres_sql as sql
from wa_fsm.stores.base import (
    WAITS,
    Batch,
    Claimed,
    Count,
    Fact,
    KeySnapshot,
    LogRow,
    Role,
    from_millis,
    settled,
    to_millis,
)
from wa_fsm.stores.postgres_pool import Connection
from wa_fsm.stores.rows import (
    RawFact,
    claimed_values,
    escaped,
    log_values,
    snapshot_text,
    status_values,
    unescaped,
)

Part: TypeAlias = tuple[LiteralString, Sequence[Any]]

ROLES: Final[tuple[Role, ...]] = ("in", "out", "fail")
_ROLE: Final = {role: number for number, role in enumerate(ROLES)}


def parts(batch: Batch) -> Iterator[Part]:
    """The statements that write a batch, in the order in which they run."""
    messages = {row.message_id for row in (*batch.log, *batch.outcomes)} - {""}
    if messages:
        yield sql.MESSAGES, columns((each,) for each in sorted(messages))
    if len(batch.facts) == 1:
        yield sql.FACT, fact_row(batch.facts[0])
    elif batch.facts:
        yield sql.FACTS, fact_columns(_least(batch.facts))
    if batch.statuses:
        yield sql.STATUSES, columns(sorted(map(status_values, batch.statuses)))
    if batch.links:
        links = sorted({(link.how, link.a, link.b) for link in batch.links})
        yield sql.LINKS, columns(links)
    if batch.log:
        rows = {row.id: log_values(row) for row in batch.log}
        yield sql.LOG, columns([rows[id_] for id_ in sorted(rows)])
        waited = sorted({f"{WAITS} {row.message_id}" for row in batch.log if row.message_id})
        if waited:
            yield sql.WAITED, columns((each,) for each in waited)
    if batch.outcomes:
        yield sql.OUTCOMES, columns(map(log_values, _settled(batch.outcomes)))
    if batch.counts:
        yield sql.COUNTS, columns(sorted(batch.counts.items()))


def fact_row(fact: Fact) -> tuple[Any, ...]:
    """A fact as the values of a row; its role is a number."""
    at, arrived, opens_at = fact.at, fact.arrived, fact.opens_at
    when = to_millis(at)
    return (
        escaped(fact.number),
        escaped(fact.contact),
        _ROLE[fact.role],
        escaped(fact.id),
        when,
        when if arrived == at else to_millis(arrived),
        fact.order,
        escaped(fact.data),
        None if opens_at is None else when if opens_at == at else to_millis(opens_at),
    )


def fact_texts(fact: Fact) -> list[bytes | None]:
    """The same, each value as text."""
    return [None if value is None else str(value).encode() for value in fact_row(fact)]


def raw_fact(contact: str, row: Sequence[Any]) -> RawFact:
    """A fact of `contact` as ``READ_ONE`` found it: texts as bytes."""
    role, id_, at, arrived, order, data, opens_at = row
    when = int(at)
    return (
        contact,
        ROLES[int(role)],
        id_.decode(),
        when,
        when if arrived == at else int(arrived),
        int(order),
        data.decode(),
        None if opens_at is None else when if opens_at == at else int(opens_at),
    )


def fact_of(row: Sequence[Any]) -> Fact:
    """The same back, from a row of the database."""
    number, contact, role, id_, at, arrived, order, data, opens_at = row
    when = from_millis(at)
    return Fact(
        unescaped(number),
        unescaped(contact),
        ROLES[role],
        unescaped(id_),
        when,
        when if arrived == at else from_millis(arrived),
        order,
        unescaped(data),
        None if opens_at is None else when if opens_at == at else from_millis(opens_at),
    )


def fact_columns(facts: Iterable[Fact]) -> list[list[Any]]:
    """Facts as one list for each column; none where there are no facts."""
    return [list(column) for column in zip(*map(fact_row, facts), strict=True)]


def _settled(outcomes: Iterable[LogRow]) -> list[LogRow]:
    """Of each message the outcome that counts, sorted by message."""
    kept: dict[str, LogRow] = {}
    for row in outcomes:
        known = kept.get(row.message_id, row)
        kept[row.message_id] = known._replace(outcome=settled(known.outcome, row.outcome))
    return [kept[message] for message in sorted(kept)]


def _least(facts: Iterable[Fact]) -> list[Fact]:
    """Of the deliveries with one key the one that counts, sorted by key."""
    least: dict[tuple[str, str, str, str], Fact] = {}
    for fact in facts:
        key = (fact.contact, fact.number, fact.role, fact.id)
        kept = least.get(key)
        if kept is None or fact.precedence < kept.precedence:
            least[key] = fact
    return [least[key] for key in sorted(least)]


def written(connection: Connection, wanted: Sequence[Part]) -> int:
    """Run statements as one transaction, in one round trip; how many facts and statuses are new."""
    if len(wanted) == 1:
        return _new(wanted[0], connection.cursor_kept.execute(*wanted[0]))
    before = sys.exception()
    try:
        with connection.pipeline():  # `transaction()` would wait for the answer to its `begin`
            connection.execute("begin", prepare=False)
            ran = [connection.execute(*part) for part in wanted]
            connection.execute("commit", prepare=False)
    except psycopg.Error as error:
        met = error.__context__
        if met in (None, before) or isinstance(met, psycopg.Error | OSError):
            raise
        raise met from None  # a signal's: psycopg says only that it cannot leave the pipeline so
    return sum(map(_new, wanted, ran))


def _new(part: Part, ran: psycopg.Cursor[tuple[Any, ...]]) -> int:
    if part[0] is sql.STATUSES:
        return sum(count for (count,) in ran)
    if part[0] in (sql.FACT, sql.FACTS):
        return sum(inserted for (inserted,) in ran)
    return 0


def _safe(value: Any) -> Any:
    return escaped(value) if isinstance(value, str) else value


def plain(row: Iterable[Any]) -> list[Any]:
    """A row of the database as its values were given."""
    return [unescaped(value) if isinstance(value, str) else value for value in row]


def columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows as one list for each column."""
    return [[_safe(value) for value in column] for column in zip(*rows, strict=True)]


def snapshot_columns(rows: Iterable[KeySnapshot]) -> list[list[Any]]:
    """Snapshots as columns, sorted by key, of each key the newest."""
    newest: dict[tuple[str, str], KeySnapshot] = {}
    for row in rows:
        key = (row.contact, row.number)
        if key not in newest or newest[key].snapshot.until < row.snapshot.until:
            newest[key] = row
    ordered = [newest[key] for key in sorted(newest)]
    return columns(
        (row.number, row.contact, to_millis(row.snapshot.until), snapshot_text(row.snapshot))
        for row in ordered
    )


def claim_columns(rows: Iterable[Claimed]) -> list[list[Any]]:
    """Claims as columns, sorted by key: the later lease of each, and whether it is done."""
    merged: dict[tuple[str, ...], tuple[int, bool]] = {}
    for row in rows:
        number, contact, opener, until, done = claimed_values(row)
        before = merged.get((contact, number, opener), (until, False))
        merged[contact, number, opener] = (max(before[0], until), before[1] or done)
    return columns((n, c, o, *merged[c, n, o]) for c, n, o in sorted(merged))


def count_columns(rows: Iterable[Count]) -> list[list[Any]]:
    """Counters as columns, sorted by name, the greatest of each."""
    greatest: dict[str, int] = {}
    for row in rows:
        greatest[row.name] = max(row.value, greatest.get(row.name, row.value))
    return columns(sorted(greatest.items()))
