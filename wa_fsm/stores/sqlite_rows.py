"""Between rows and SQLite: what learns them, what reads them, and what they look like there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from wa_fsm.stores import sqlite_sql as sql
from wa_fsm.stores.base import (
    WAITS,
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
    Row,
    Status,
    Written,
    batch_of,
    newest_snapshot,
    to_millis,
)
from wa_fsm.stores.rows import (
    FactRows,
    RawFact,
    claimed_values,
    escaped,
    fact_from,
    fact_values,
    is_plain,
    log_from,
    log_values,
    snapshot_of,
    snapshot_text,
    status_from,
    status_values,
    unescaped,
)

_NEW, _KNOWN = Written(1, 0), Written(0, 1)


def written(con: sqlite3.Connection, batch: Batch) -> Written:
    """Learn a batch in a transaction of its own."""
    facts, links, statuses, log, outcomes, counts = batch
    if len(facts) == 1 and not (links or statuses or log or outcomes or counts):
        # One statement is a transaction by itself. Where the second one has to follow, the first
        # has changed nothing.
        values = fact_row(facts[0])
        if con.execute(sql.FACT, values).rowcount:
            return _NEW
        con.execute(sql.EARLIER, values)
        return _KNOWN
    con.execute("BEGIN IMMEDIATE")
    written = learn(con, batch)
    con.execute("COMMIT")
    return written


def learn(con: sqlite3.Connection, batch: Batch) -> Written:
    """Learn a batch within the transaction that is open."""
    new = 0
    if batch.facts:
        facts = list(map(fact_row, batch.facts))
        new = con.executemany(sql.FACT, facts).rowcount
        if new < len(facts):
            con.executemany(sql.EARLIER, facts)
    if batch.statuses:
        new += con.executemany(
            sql.STATUS, [_texts(status_values(s)) for s in batch.statuses]
        ).rowcount
    if batch.links:
        con.executemany(sql.LINK, [(x.how, escaped(x.a), escaped(x.b)) for x in batch.links])
    if batch.log:
        con.executemany(sql.LOG, map(_log_row, batch.log))
        for row in batch.log:
            if row.message_id:
                _settle(con, row.message_id)
    for row in batch.outcomes:
        told = (escaped(row.outcome), escaped(row.message_id))
        if not con.execute(sql.OUTCOME, told).rowcount:
            con.execute(sql.WAITS, _log_row(row))
    if batch.counts:
        con.executemany(sql.COUNT, [(escaped(k), n) for k, n in batch.counts.items()])
    return Written(new, len(batch.facts) + len(batch.statuses) - new)


def _settle(con: sqlite3.Connection, message_id: str) -> None:
    """Give a decision what became of its message, where that came first."""
    waits, message = escaped(f"{WAITS} {message_id}"), escaped(message_id)
    waited = con.execute(sql.WAITED, (waits,)).fetchone()
    if waited is not None:
        con.execute(sql.OUTCOME, (waited[0], message))
        con.execute(sql.NO_MORE, (waits,))


def take_in(con: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Take in rows of an export, within the transaction that is open."""
    learn(con, batch_of(rows))
    con.executemany(sql.FOLD, [snapshot_row(row) for row in rows if isinstance(row, KeySnapshot)])
    began = [(to_millis(row.at),) for row in rows if isinstance(row, Began)]
    con.executemany(sql.BEGAN_EARLIER, began)
    claims = [_texts(claimed_values(row)) for row in rows if isinstance(row, Claimed)]
    con.executemany(sql.CLAIMED, claims)
    counts = [(escaped(row.name), row.value) for row in rows if isinstance(row, Count)]
    con.executemany(sql.COUNTED, counts)


def read_all(con: sqlite3.Connection, number: str, contact: str) -> Known:
    """What is known of a contact of several names."""
    con.execute("BEGIN")
    names = [name for (name,) in con.execute(sql.NAMES, (contact,))]
    facts: list[RawFact] = []
    shots, statuses = [], 0
    for each in names:
        rows = con.execute(sql.READ, (number, each)).fetchall()
        latest, shot, _, name = rows[0][:4]
        statuses = latest or 0
        if shot is not None:
            shots.append(snapshot_of(unescaped(shot)))
        if name is not None:
            facts += [row[3:] for row in rows]
    con.execute("COMMIT")
    known = tuple(sorted(map(unescaped, names)))
    return Known(known, FactRows(unescaped(number), facts), newest_snapshot(shots), statuses)


def _texts(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(escaped(each) if isinstance(each, str) else each for each in values)


def plain(row: Iterable[Any]) -> tuple[Any, ...]:
    """A row as it was given: its texts without what makes them safe."""
    return tuple(unescaped(each) if isinstance(each, str) else each for each in row)


def fact_row(fact: Fact) -> tuple[Any, ...]:
    """A fact as its statement takes it."""
    values = fact_values(fact)
    if is_plain(values[0] + values[1] + values[3] + values[7]):
        return values
    number, contact, role, id_, at, arrived, order, data, opens_at = values
    names = escaped(number), escaped(contact), role, escaped(id_)
    return (*names, at, arrived, order, escaped(data), opens_at)


def _log_row(row: LogRow) -> tuple[Any, ...]:
    values = log_values(row)
    id_, _, number, contact, policy, version, message, _, *rest = values
    whole = "".join((id_, number, contact, policy, version, message, *rest))
    return values if is_plain(whole) else _texts(values)


def fact_of_row(row: Sequence[Any]) -> Fact:
    """The fact of a row."""
    number, contact, role, id_, at, arrived, order, data, opens_at = row
    names = unescaped(number), unescaped(contact), role, unescaped(id_)
    return fact_from((*names, at, arrived, order, unescaped(data), opens_at))


def status_of_row(row: Sequence[Any]) -> Status:
    """The template status of a row."""
    return status_from(plain(row[:6]))


def log_of_row(row: Sequence[Any]) -> LogRow:
    """The decision of a row."""
    return log_from(plain(row))


def link_of_row(row: Sequence[Any]) -> Link:
    """The link of a row."""
    return Link(row[0], unescaped(row[1]), unescaped(row[2]))


def snapshot_row(row: KeySnapshot) -> tuple[Any, ...]:
    """A snapshot as its statement takes it."""
    until, text = to_millis(row.snapshot.until), snapshot_text(row.snapshot)
    return escaped(row.number), escaped(row.contact), until, escaped(text)


def claim_row(claim: Claim) -> tuple[Any, ...]:
    """A claim as its statements take it."""
    names = (escaped(claim.number), escaped(claim.contact), escaped(claim.opener))
    return (*names, to_millis(claim.until))
