"""What a webhook archive tells, brought together by message: a database in a temporary file.

It spills to disk by itself, so an archive may be larger than memory. Only the names of people who
have several are kept in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from wa_fsm.adapters.webhook_statuses import UNKNOWN_TEMPLATE
from wa_fsm.adapters.webhooks import Evidence
from wa_fsm.events import CustomerCall, CustomerMessage, Message, SendFailed, Sent, Template
from wa_fsm.identity import canonical

from ...story import Try
from ..plain import UNCLASSIFIED, Chunk
from .rows import Row, as_chunk

_BATCH: Final = 1 << 14
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_STEPS: Final = (None, "accepted", "sent", "delivered", "read", "played")
_RANKS: Final = {"request": 0, "status": 1, "failure": 2, "evidence": 3}
_TABLES: Final = """
CREATE TABLE inbound (
    file TEXT, line INTEGER, at INTEGER, number TEXT, customer TEXT, kind TEXT, id TEXT,
    arrived INTEGER);
CREATE TABLE sends (
    number TEXT, id TEXT, rank INTEGER, file TEXT, line INTEGER, at INTEGER, customer TEXT,
    kind TEXT, template TEXT, language TEXT, step INTEGER, code INTEGER, category TEXT,
    PRIMARY KEY (number, id)) WITHOUT ROWID;
"""
# Of what several lines tell of a send, that of the lowest rank holds; the rest comes together.
_TELL: Final = """
INSERT INTO sends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number, id) DO UPDATE SET
    file = iif(excluded.rank < rank, excluded.file, file),
    line = iif(excluded.rank < rank, excluded.line, line),
    at = iif(excluded.rank < rank, excluded.at, at),
    customer = iif(excluded.rank < rank, excluded.customer, customer),
    kind = iif(excluded.rank < rank, excluded.kind, kind),
    template = iif(excluded.rank < rank, excluded.template, template),
    language = iif(excluded.rank < rank, excluded.language, language),
    rank = min(excluded.rank, rank),
    step = max(excluded.step, step),
    code = coalesce(code, excluded.code),
    category = coalesce(category, excluded.category)
"""
_ALL: Final = """
SELECT file, line, at, 'inbound', number, customer, kind, id, NULL, NULL, arrived, 0, NULL, NULL
    FROM inbound
UNION ALL
SELECT file, line, at, 'outbound', number, customer, kind, id, template, language, NULL, step, code,
    category FROM sends
ORDER BY 1, 2, 4, 8
"""

Source: TypeAlias = Literal["request", "status", "failure", "evidence"]


class Place(NamedTuple):
    """Where something was said."""

    file: str
    line: int


class Archive:
    """Everything that an archive tells of customers' messages, calls and sends."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # no name: a temporary file
        self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES}")
        self._db.execute("BEGIN")
        self._same: dict[str, str] = {}

    # -- learning --------------------------------------------------------------------------------

    def inbound(
        self, place: Place, event: CustomerMessage | CustomerCall, arrived: datetime | None
    ) -> None:
        """A customer's message or call, every delivery of it."""
        kind = event.kind if isinstance(event, CustomerMessage) else "call"
        came = None if arrived is None else _millis(arrived)
        row = (*place, _millis(event.at), event.number, canonical(event.contact), kind, event.id)
        self._db.execute("INSERT INTO inbound VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, came))

    def sent(self, place: Place, event: Sent, source: Source) -> None:
        """A send whose kind is known, and when it left."""
        self._tell(place, source, event.number, event.id, event.contact, event.at, event.message)

    def evidence(self, place: Place, found: Evidence) -> None:
        """A status of a send; by itself it does not tell what was sent."""
        assert found.contact is not None
        assert found.at is not None
        step = _STEPS.index(found.status) if found.status in _STEPS else 0
        said = (found.pricing or {}).get("category")
        category = said.lower() if isinstance(said, str) and said else None
        key = (found.number, found.message_id, found.contact, found.at)
        self._tell(place, "evidence", *key, None, step=step, category=category)

    def failed(self, event: SendFailed) -> None:
        """A send failed. Its status is told as evidence too, so it is there already."""
        self._db.execute(
            "UPDATE sends SET code = coalesce(code, ?) WHERE number = ? AND id = ?",
            (event.code, event.number, event.message_id),
        )

    def tried(self, place: Place, made: Try) -> None:
        """A request, and what was answered."""
        id_ = made.id or f"no id: {place.file}:{place.line}"
        message = made.message if made.answered or made.code is not None else None
        key = (made.number, id_, made.contact, made.at)
        step = 1 if made.id is not None else 0
        self._tell(place, "request", *key, message, step=step, code=made.code)

    def _tell(
        self,
        place: Place,
        source: Source,
        number: str,
        id_: str,
        contact: str,
        at: datetime,
        message: Message | None,
        *,
        step: int = 0,
        code: int | None = None,
        category: str | None = None,
    ) -> None:
        kind, template, language = _said(message)
        who = (canonical(contact), kind, template, language)
        row = (number, id_, _RANKS[source], *place, _millis(at), *who, step, code, category)
        self._db.execute(_TELL, row)

    def same(self, names: Iterable[str]) -> None:
        """These names are one contact's."""
        roots = {self._who(canonical(name)) for name in names}
        best = min(roots, key=lambda name: (not name.isdigit(), name), default="")
        self._same |= dict.fromkeys(roots - {best}, best)

    def _who(self, name: str) -> str:
        while (known := self._same.get(name)) is not None:
            name = known
        return name

    # -- telling ---------------------------------------------------------------------------------

    def sends(self) -> int:
        """How many sends there are."""
        (count,) = self._db.execute("SELECT count(*) FROM sends").fetchone()
        return int(count)

    def names(self) -> Iterator[tuple[str, str]]:
        """Every further name of a contact, and the name that its rows have."""
        return ((name, self._who(name)) for name in self._same)

    def chunks(self) -> Iterator[Chunk]:
        """All of it in the plain form, by file and line."""
        found = self._db.execute(_ALL)
        file, rows, lines = "", list[Row](), list[int]()
        for each in found:
            if each[0] != file or len(rows) == _BATCH:
                if rows:
                    yield as_chunk(file, "line", lines, rows)
                file, rows, lines = each[0], [], []
            rows.append(self._row(each))
            lines.append(each[1])
        if rows:
            yield as_chunk(file, "line", lines, rows)

    def _row(self, found: tuple[Any, ...]) -> Row:
        _, _, at, direction, number, customer, kind, id_, template, language, came, *rest = found
        step, code, category = rest
        return Row(
            at=_EPOCH + at * _MS,
            direction=direction,
            number=number,
            customer=self._who(customer),
            kind=kind,
            id=id_,
            template=template,
            language=language,
            arrived_at=None if came is None else _EPOCH + came * _MS,
            status=_STEPS[step] if code is None else "failed",
            error_code=code,
            category=category,
        )


def _millis(at: datetime) -> int:
    return (at - _EPOCH) // _MS


def _said(message: Message | None) -> tuple[str, str | None, str | None]:
    """Kind, template and language of the plain form."""
    if message is None:
        return UNCLASSIFIED, None, None
    if not isinstance(message, Template):
        return message.kind, None, None
    if message == UNKNOWN_TEMPLATE:
        return "template", None, None
    return "template", message.name, message.language
