"""Rows as text and as plain values: what stores keep, and the lines of an export.

House rules:

* Instants are whole milliseconds since 1970 here, and datetimes everywhere else.
* ``escaped`` makes any text safe for what cannot hold a NUL or half of a surrogate pair. It keeps
  the order by code point, and leaves all texts that one meets alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import MAXYEAR, UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias, get_args, overload

from wa_fsm.decision import Conversation, Origin, State
from wa_fsm.deliveries import Snapshot
from wa_fsm.events import TemplateStatus, status_name
from wa_fsm.situation import Point
from wa_fsm.stores.base import (
    Began,
    Claim,
    Claimed,
    Count,
    Fact,
    KeySnapshot,
    Link,
    LogRow,
    Role,
    Row,
    Status,
    event_of,
    fact_of,
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


# A fact beside its number, with texts as stores keep them (``escaped``) and instants in ms:
# contact, role, id, at, arrived, order, data, opens_at.
RawFact: TypeAlias = tuple[str, Any, str, int, int, int, str, int | None]


class FactRows(Sequence[Fact]):
    """Facts of one number as a store read them, made into values only when they are looked at.

    Args:
        number: the business number.
        raw: the rest of each.
    """

    __slots__ = ("number", "raw")

    def __init__(self, number: str, raw: list[RawFact]) -> None:
        self.number = number
        self.raw = raw

    def made(self, row: RawFact) -> Fact:
        """The fact of one of the rows."""
        contact, role, id_, at, arrived, order, data, opens_at = row
        names = self.number, unescaped(contact), role, unescaped(id_)
        return fact_from((*names, at, arrived, order, unescaped(data), opens_at))

    def __len__(self) -> int:
        return len(self.raw)

    @overload
    def __getitem__(self, index: int) -> Fact: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Fact, ...]: ...

    def __getitem__(self, index: int | slice) -> Fact | tuple[Fact, ...]:
        if isinstance(index, slice):
            return tuple(map(self.made, self.raw[index]))
        return self.made(self.raw[index])

    def __iter__(self) -> Iterator[Fact]:
        return map(self.made, self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


def fact_values(fact: Fact) -> tuple[Any, ...]:
    """A fact's attributes in their order, as plain values."""
    number, contact, role, id_, at, arrived, order, data, opens_at = fact
    when = to_millis(at)  # as a rule the three are the same
    learnt = when if arrived == at else to_millis(arrived)
    opens = None if opens_at is None else when if opens_at == at else to_millis(opens_at)
    return (number, contact, role, id_, when, learnt, order, data, opens)


def fact_from(values: Any) -> Fact:
    """The same back."""
    number, contact, role, id_, at, arrived, order, data, opens_at = values
    when = from_millis(at)
    learnt = when if arrived == at else from_millis(arrived)
    opens = None if opens_at is None else when if opens_at == at else from_millis(opens_at)
    return Fact(number, contact, role, id_, when, learnt, order, data, opens)


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
    return (row[0], to_millis(row.time), *row[2:])


def log_from(values: Any) -> LogRow:
    """The same back."""
    id_, time, number, contact, policy, version, message, allowed, *rest = values
    return LogRow(
        id_, from_millis(time), number, contact, policy, version, message, bool(allowed), *rest
    )


def claimed_values(row: Claimed) -> tuple[str, str, str, int, bool]:
    """A claim's attributes in their order, as plain values."""
    claim = row.claim
    return (claim.number, claim.contact, claim.opener, to_millis(claim.until), row.done)


def claimed_from(values: Any) -> Claimed:
    """The same back."""
    number, contact, opener, until, done = values
    return Claimed(Claim(number, contact, opener, from_millis(until)), bool(done))


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
    elif isinstance(row, Claimed):
        values = ("claim", *claimed_values(row))
    elif isinstance(row, Count):
        values = ("count", row.name, row.value)
    else:
        values = ("began", to_millis(row.at))
    return json.dumps(values, separators=(",", ":"))


def row_of(line: str | bytes) -> Row:
    """The same back. It may come from anywhere, so nothing in it is believed.

    Raises:
        ValueError: the line is no row, or one that no store wrote.
    """
    try:
        kind, *values = _LIST.of(json.loads(line))
        shape, made = _KINDS[_KIND.of(kind)]
        _checked(shape, values)
        return made(values)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no row of a store: `{line!r:.80}`; {error}") from error


class _Type(NamedTuple):
    """What one value of a line must be."""

    words: str
    fits: Callable[[Any], bool]

    def of(self, value: Any) -> Any:
        """The value, if it is that."""
        if not self.fits(value):
            raise ValueError(f"expected {self.words}, got `{value!r:.40}`")
        return value


def _among(*words: str) -> _Type:
    return _Type(f"one of {', '.join(words)}", lambda value: value in words)


def _is_whole(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _checked(shape: Sequence[_Type], values: Sequence[Any]) -> None:
    if len(values) != len(shape):
        raise ValueError(f"expected {len(shape)} values, got {len(values)}")
    for known, value in zip(shape, values, strict=True):
        known.of(value)


_LIST: Final = _Type("a list with values", lambda value: isinstance(value, list) and value != [])
_TEXT: Final = _Type("a text", lambda value: isinstance(value, str))
_NAME: Final = _Type(
    "a text that is not empty", lambda value: isinstance(value, str) and value != ""
)
_WHOLE: Final = _Type("a whole number of 64 bits", _is_whole)
_FIRST, _LAST = (to_millis(end.replace(tzinfo=UTC)) for end in (datetime.min, datetime.max))
_TIME: Final = _Type(
    "milliseconds since 1970", lambda value: _is_whole(value) and _FIRST <= value <= _LAST
)
_TRUTH: Final = _Type("true or false", lambda value: type(value) in (bool, int) and value in (0, 1))
_SOMETIME: Final = _Type(
    f"{_TIME.words}, or null", lambda value: value is None or _TIME.fits(value)
)
_ROLE: Final = _among(*get_args(Role))
_POINT: Final = (_TIME, _among(*get_args(State)), _SOMETIME, _TRUTH, _TRUTH, _SOMETIME)
_CONVERSATION: Final = (_TEXT, _among(*get_args(Origin)), _TIME)


def _told_fact(values: Any) -> Fact:
    """A fact that an event was made to: events check themselves."""
    fact = fact_from(values)
    made = fact_of(event_of(fact, fact.contact), fact.contact, fact.arrived, fact.order)
    if made != fact:
        raise ValueError(f"its values do not belong together; expected `{row_text(made)}`")
    if fact.at.year == MAXYEAR:
        raise ValueError(f"a window from {fact.at.isoformat()} would close beyond year 9999")
    return fact


def _told_status(values: Any) -> Status:
    row = status_from(values)
    TemplateStatus(row.name, status_name(row.status), row.at, row.language or None)
    return row


def _told_snapshot(values: Any) -> KeySnapshot:
    """A snapshot at which some policy's fold may stand."""
    number, contact, shot = values
    _checked((*_POINT, *_CONVERSATION) if len(shot) > len(_POINT) else _POINT, shot)
    snapshot = snapshot_of(json.dumps(shot))
    state, ends = snapshot.point.state, snapshot.point.window_end
    if ends is None and snapshot.conversation is not None:
        raise ValueError("a conversation runs only while a window is open")
    if state != "business_opened" and (ends is None) is (state == "user_opened"):
        raise ValueError("in user_opened a window is open, in closed and expired none")
    return KeySnapshot(number, contact, snapshot)


_KINDS: Final[dict[str, tuple[Sequence[_Type], Callable[[Any], Row]]]] = {
    "fact": ((_NAME, _NAME, _ROLE, _NAME, _TIME, _TIME, _WHOLE, _NAME, _SOMETIME), _told_fact),
    "log": ((_NAME, _TIME, *(_TEXT,) * 5, _TRUTH, *(_TEXT,) * 6), log_from),
    "link": ((_among("same", "next"), _NAME, _NAME), lambda values: Link(*values)),
    "status": ((_NAME, _TEXT, _NAME, _TIME, _TIME, _WHOLE), _told_status),
    "snapshot": ((_NAME, _NAME, _LIST), _told_snapshot),
    "claim": ((_NAME, _NAME, _NAME, _TIME, _TRUTH), claimed_from),
    "count": ((_TEXT, _WHOLE), lambda values: Count(*values)),
    "began": ((_TIME,), lambda values: Began(from_millis(*values))),
}
_KIND: Final = _among(*_KINDS)


# -- any text ------------------------------------------------------------------------------------

_UNSAFE: Final = re.compile("[\x00\x01\ud800-\udfff\ue000]")
_ESCAPE: Final = re.compile("\x01.|\ue000.", re.DOTALL)


def is_plain(text: str) -> bool:
    """Whether ``escaped`` leaves it alone because nothing in it is out of the ordinary."""
    return text.isascii() and "\0" not in text and "\x01" not in text


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
