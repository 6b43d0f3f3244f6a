"""Rows as text and as plain values: what stores keep, and the lines of an export.

House rules:

* Instants are whole milliseconds since 1970 here, and datetimes everywhere else.
* ``escaped`` makes any text safe for what cannot hold a NUL or half of a surrogate pair. It keeps
  the order by code point, and leaves all texts that one meets alone.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Final

from wa_fsm.decision import Conversation
from wa_fsm.deliveries import Snapshot
from wa_fsm.situation import Point
from wa_fsm.stores.base import (
    Began,
    Fact,
    KeySnapshot,
    Link,
    LogRow,
    Row,
    Status,
    from_millis,
    to_millis,
)


def _millis(value: datetime | None) -> int | None:
    return None if value is None else to_millis(value)


def _instant(value: int | None) -> datetime | None:
    return None if value is None else from_millis(value)


# -- snapshots -----------------------------------------------------------------------------------


def snapshot_text(snapshot: Snapshot) -> str:
    """A snapshot as one line of JSON; its ``until`` comes first."""
    point, running = snapshot.point, snapshot.conversation
    values: list[Any] = [
        to_millis(snapshot.until),
        point.state,
        _millis(point.window_end),
        int(point.replied),
        int(point.has_sent),
        _millis(point.since),
    ]
    if running is not None:
        values += [running.id, running.origin, to_millis(running.opened_at)]
    return json.dumps(values, separators=(",", ":"))


def snapshot_of(text: str | bytes) -> Snapshot:
    """The same back."""
    until, state, window_end, replied, has_sent, since, *running = json.loads(text)
    point = Point(state, _instant(window_end), bool(replied), bool(has_sent), _instant(since))
    conversation = None
    if running:
        id_, origin, opened_at = running
        conversation = Conversation(id_, origin, from_millis(opened_at))
    return Snapshot(point, conversation, from_millis(until))


# -- rows as values ------------------------------------------------------------------------------


def fact_values(fact: Fact) -> tuple[Any, ...]:
    """A fact's attributes in their order, as plain values."""
    return (
        fact.number,
        fact.contact,
        fact.role,
        fact.id,
        to_millis(fact.at),
        to_millis(fact.arrived),
        fact.order,
        fact.data,
        None if fact.opens_at is None else to_millis(fact.opens_at),
    )


def fact_from(values: Any) -> Fact:
    """The same back."""
    number, contact, role, id_, at, arrived, order, data, opens_at = values
    return Fact(
        number,
        contact,
        role,
        id_,
        from_millis(at),
        from_millis(arrived),
        order,
        data,
        None if opens_at is None else from_millis(opens_at),
    )


def status_values(status: Status) -> tuple[Any, ...]:
    """A status's attributes in their order, as plain values."""
    at, arrived = to_millis(status.at), to_millis(status.arrived)
    return (status.name, status.language, status.status, at, arrived, status.order)


def status_from(values: Any) -> Status:
    """The same back."""
    name, language, status, at, arrived, order = values
    return Status(name, language, status, from_millis(at), from_millis(arrived), order)


def log_values(row: LogRow) -> tuple[Any, ...]:
    """A log row's attributes in their order, as plain values."""
    return (
        row.id,
        to_millis(row.time),
        row.number,
        row.contact,
        row.policy,
        row.version,
        row.message,
        row.allowed,
        row.reason,
        row.rule,
        row.mode,
        row.asked_by,
        row.outcome,
        row.message_id,
    )


def log_from(values: Any) -> LogRow:
    """The same back."""
    id_, time, number, contact, policy, version, message, allowed, *rest = values
    return LogRow(
        id_, from_millis(time), number, contact, policy, version, message, bool(allowed), *rest
    )


# -- lines of an export --------------------------------------------------------------------------


def row_text(row: Row) -> str:
    """One row of an export as a line of JSON, without the end of the line."""
    values: tuple[Any, ...]
    if isinstance(row, Fact):
        values = ("fact", *fact_values(row))
    elif isinstance(row, LogRow):
        values = ("log", *log_values(row))
    elif isinstance(row, Link):
        values = ("link", row.how, row.a, row.b)
    elif isinstance(row, Status):
        values = ("status", *status_values(row))
    elif isinstance(row, KeySnapshot):
        values = ("snapshot", row.number, row.contact, json.loads(snapshot_text(row.snapshot)))
    else:
        values = ("began", to_millis(row.at))
    return json.dumps(values, separators=(",", ":"))


def row_of(line: str | bytes) -> Row:
    """The same back.

    Raises:
        ValueError: the line is no row.
    """
    try:
        kind, *values = json.loads(line)
        if kind == "fact":
            return fact_from(values)
        if kind == "log":
            return log_from(values)
        if kind == "link":
            return Link(*values)
        if kind == "status":
            return status_from(values)
        if kind == "snapshot":
            number, contact, snapshot = values
            return KeySnapshot(number, contact, snapshot_of(json.dumps(snapshot)))
        if kind == "began":
            return Began(from_millis(*values))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"no row of a store: `{line!r:.80}`") from error
    raise ValueError(f"no row of a store: `{line!r:.80}`")


# -- any text ------------------------------------------------------------------------------------

_UNSAFE: Final = re.compile("[\x00\x01\ud800-\udfff\ue000]")
_ESCAPE: Final = re.compile("\x01.|\ue000.", re.DOTALL)


def escaped(text: str) -> str:
    """`text` without NULs and lone surrogates, in the same order by code point."""
    if text.isascii() and "\0" not in text and "\x01" not in text:  # all that one meets, quickly
        return text
    return _UNSAFE.sub(_escape, text)


def unescaped(text: str) -> str:
    """The same back."""
    if "\x01" not in text and (text.isascii() or "\ue000" not in text):
        return text
    return _ESCAPE.sub(_unescape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 1:
        return "\x01" + chr(code + 1)
    return "\ue000" + ("\ue000" if code == 0xE000 else chr(code - 0xD800 + 0x1000))


def _unescape(found: re.Match[str]) -> str:
    lead, code = found[0][0], ord(found[0][1])
    if lead == "\x01":
        return chr(code - 1)
    return "\ue000" if code == 0xE000 else chr(code - 0x1000 + 0xD800)
