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
from wa_fsm.rows import REFUSAL_CODES

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
    kind TEXT, template TEXT, language TEXT, step INTEGER, category TEXT, told INTEGER,
    code INTEGER, failed INTEGER, PRIMARY KEY (number, id)) WITHOUT ROWID;
CREATE TABLE echoes (number TEXT, id TEXT, PRIMARY KEY (number, id)) WITHOUT ROWID;
"""
# Of what several lines tell of a send, that of the lowest rank holds; the rest comes together.
_TELL: Final = """
INSERT INTO sends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)
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
    category = coalesce(category, excluded.category),
    told = told + excluded.told
"""
# Of several failures of one message the one learnt first counts.
_FAIL: Final = """
UPDATE sends SET code = :code, failed = :came
    WHERE number = :number AND id = :id AND :came < coalesce(failed, :came + 1)
"""
_OF_APP: Final = f"""
    FROM sends WHERE rank > {_RANKS["request"]} AND (number, id) IN (SELECT number, id FROM echoes)
"""
# A status tells no more of its send than the second: what arrived from the customer within it may
# be what was replied to, so it stands before the send. Mostly an archive has no parts of seconds.
_IN_PARTS: Final = "SELECT EXISTS (SELECT 1 FROM inbound WHERE arrived % 1000 <> 0)"
_REPLIES: Final = f"""
CREATE INDEX arrivals ON inbound (number, arrived);
UPDATE sends SET at = coalesce((
    SELECT max(came.arrived) FROM inbound AS came
        WHERE came.number = sends.number AND came.arrived > sends.at
        AND came.arrived < sends.at + 1000 AND who(came.customer) = who(sends.customer)), at)
    WHERE rank = {_RANKS["status"]} AND coalesce(code, 0) NOT IN {tuple(sorted(REFUSAL_CODES))};
"""
_LATER: Final = f"code >= 0 AND failed > at AND kind <> '{UNCLASSIFIED}'"
_ALL: Final = f"""
SELECT file, line, at, 'inbound', number, customer, kind, id, NULL, NULL, arrived, 0, NULL, NULL,
    NULL FROM inbound
UNION ALL
SELECT file, line, at, 'outbound', number, customer, kind, id, template, language, NULL, step,
    category, code, iif({_LATER}, failed, NULL) FROM sends
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
        self._db.create_function("who", 1, self._who, deterministic=True)
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
        self._tell(place, "evidence", *key, None, step=step, category=category, told=1)

    def failed(self, event: SendFailed, arrived: datetime | None) -> None:
        """A send failed. Its status is told as evidence too, so it is there already."""
        self._failed(event.number, event.message_id, event.code, arrived or event.at)

    def _failed(self, number: str, id_: str, code: int, came: datetime) -> None:
        said = {"number": number, "id": id_, "code": code, "came": _millis(came)}
        self._db.execute(_FAIL, said)

    def echo(self, event: Sent) -> None:
        """A message was written in the WhatsApp Business app, which no window binds."""
        self._db.execute("INSERT OR IGNORE INTO echoes VALUES (?, ?)", (event.number, event.id))

    def tried(self, place: Place, made: Try) -> None:
        """A request, and what was answered."""
        id_ = made.id or f"no id: {place.file}:{place.line}"
        message = made.message if made.answered or made.code is not None else None
        key = (made.number, id_, made.contact, made.at)
        step = 1 if made.id is not None else 0
        self._tell(place, "request", *key, message, step=step, told=1)
        if made.code is not None:
            self._failed(made.number, id_, made.code, made.at)

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
        category: str | None = None,
        told: int = 0,
    ) -> None:
        kind, template, language = _said(message)
        who = (canonical(contact), kind, template, language)
        row = (number, id_, _RANKS[source], *place, _millis(at), *who, step, category, told)
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

    def drop_echoes(self) -> int:
        """Forget what was written in the app: how many statuses were told of it.

        What a request tells is none of it.
        """
        (told,) = self._db.execute(f"SELECT coalesce(sum(told), 0) {_OF_APP}").fetchone()
        self._db.execute(f"DELETE {_OF_APP}")
        return int(told)

    def place_replies(self) -> None:
        """Put sends of which only the second is known behind what came within it."""
        (some,) = self._db.execute(_IN_PARTS).fetchone()
        for statement in _REPLIES.split(";") if some else ():
            self._db.execute(statement)

    def beyond(self) -> int:
        """How often something was told of a send that had been told of."""
        (more,) = self._db.execute("SELECT coalesce(sum(told - 1), 0) FROM sends").fetchone()
        return int(more)

    def failed_later(self) -> int:
        """How many sends were known before it was known that they failed: each has two rows."""
        (count,) = self._db.execute(f"SELECT count(*) FROM sends WHERE {_LATER}").fetchone()
        return int(count)

    def names(self) -> Iterator[tuple[str, str]]:
        """Every further name of a contact, and the name that its rows have."""
        return ((name, self._who(name)) for name in self._same)

    def chunks(self) -> Iterator[Chunk]:
        """All of it in the plain form, by file and line."""
        found = self._db.execute(_ALL)
        file, rows, lines = "", list[Row](), list[int]()
        for each in found:
            if each[0] != file or len(rows) >= _BATCH:
                if rows:
                    yield as_chunk(file, "line", lines, rows)
                file, rows, lines = each[0], [], []
            told = self._rows(each)
            rows += told
            lines += [each[1]] * len(told)
        if rows:
            yield as_chunk(file, "line", lines, rows)

    def _rows(self, found: tuple[Any, ...]) -> list[Row]:
        """The row; of a send that failed later also one as it was known until then."""
        _, _, at, direction, number, customer, kind, id_, template, language, came, *rest = found
        step, category, code, failed = rest
        row = Row(
            at=_EPOCH + at * _MS,
            direction=direction,
            number=number,
            customer=self._who(customer),
            kind=kind,
            id=id_,
            template=template,
            language=language,
            arrived_at=None if came is None else _EPOCH + came * _MS,
            status=_STEPS[step],
            category=category,
        )
        if code is None:
            return [row]
        if failed is None:
            return [row._replace(status="failed", error_code=code)]
        learnt = _EPOCH + failed * _MS
        return [row, row._replace(status="failed", error_code=code, arrived_at=learnt)]


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
