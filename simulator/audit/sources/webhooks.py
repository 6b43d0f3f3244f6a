"""``--source webhooks``: an archive of raw webhook bodies, one on a line.

A line is a body as it came; or ``{"at", "body"}``, with the instant at which it came; or
``{"at", "request", "response"}``, a send and WhatsApp's answer.

What became of a send stands in other lines than the send, maybe in other files, so everything is
read before the first row is given: into a database in a temporary file, whatever its size. Where
no line has the request, a send is known by its ``sent`` status, and its kind by the price; without
a price it is unclassified. All names of one person are one customer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from wa_fsm.adapters.classify import Misfit, NotASend
from wa_fsm.adapters.webhooks import Evidence, Unrecognised, Value
from wa_fsm.events import CustomerCall, CustomerMessage, Delivered, SendFailed, Sent, TemplateStatus
from wa_fsm.identity import ContactChanged, SameContact

from ...importer import Wrong, classified, line_of, number_of, tried, webhook_of
from ...story import Story
from ..plain import Chunk, Reject
from . import jsons
from .archive import Archive, Place
from .files import Log, NoLog
from .rows import Again, Aside, Linked

_ASIDE: Final = {
    "Preference": "marketing preferences",
    "Synced": "messages of a synced chat history",
    "Notice": "notices that move no window",
    "TemplateStatus": "statuses of templates",
    "ContactChanged": "changes of a customer's number or id",
}
_ECHOES: Final = "messages sent from the WhatsApp Business app, which no window binds"
_OF_ECHOES: Final = "statuses of messages sent from the WhatsApp Business app"
_OF_SENDS: Final = "statuses that tell what became of a send, counted with it"
_UNKNOWN_KEY: Final = "an unknown key"
_SHOWN: Final = 300


def read(
    logs: Sequence[Log], tell: Callable[[float], None]
) -> Iterator[Chunk | Reject | Again | Aside | Linked]:
    """The rows of these archives in the plain form, by file and line.

    Args:
        logs: files of lines.
        tell: is told how much is read, from 0 to 1, before the first row comes.

    Raises:
        NoLog: a file that has no lines of JSON.
        OSError: a file cannot be read.
    """
    reader = _Reader()
    whole, before = sum(log.size for log in logs) or 1, 0
    for log in logs:
        if log.form == "parquet" or log.name.removesuffix(".gz").endswith((".csv", ".tsv")):
            raise NoLog(f"{log.name}: expected lines of JSON, each a webhook's body")
        for done in reader.file(log):
            yield from reader.given()
            tell((before + log.size * done) / whole)
        before += log.size
    reader.requests()
    reader.asides[_OF_ECHOES] = reader.archive.drop_echoes()
    reader.archive.place_replies()
    yield from reader.given()
    yield from reader.archive.chunks()
    yield from (Linked(names) for names in reader.archive.names())
    yield Again(reader.archive.failed_later())
    asides = reader.asides + Counter({_OF_SENDS: reader.archive.beyond()})
    yield from (Aside(why, count) for why, count in sorted(asides.items()))


class _Reader:
    """Reads lines into an archive.

    Attributes:
        archive: what was read.
        asides: what is not kept there, by reason.
    """

    def __init__(self) -> None:
        self.archive = Archive()
        self.asides: Counter[str] = Counter()
        self._numbers: set[str] = set()
        self._rejects: list[Reject] = []
        self._later: list[tuple[Place, bytes]] = []

    def given(self) -> list[Reject]:
        """The rejects since the last call."""
        found, self._rejects = self._rejects, []
        return found

    def file(self, log: Log) -> Iterator[float]:
        """Read a file, piece by piece; gives how much of it is read."""
        for piece, line, done in jsons.pieces(log):
            for number, raw in enumerate(piece.split(b"\n"), line + 1):
                if raw.strip():
                    self._line(Place(log.name, number), jsons.mended(raw))
            yield done

    def _line(self, place: Place, raw: bytes) -> None:
        try:
            line = line_of(raw)
            if "request" in line:
                self._request(place, line, raw)
            else:
                values, arrived = webhook_of(line, raw)
                self._webhook(place, values, arrived, raw)
        except Wrong as wrong:
            self._reject(place, str(wrong), raw)

    def _reject(self, place: Place, why: str, raw: bytes) -> None:
        said = raw.decode("utf-8", "replace")[:_SHOWN]
        self._rejects.append(Reject(place.file, "line", place.line, None, why, said))

    # -- webhooks --------------------------------------------------------------------------------

    def _webhook(
        self, place: Place, values: Sequence[Value], arrived: datetime | None, raw: bytes
    ) -> None:
        told = {(v.message_id, v.status) for v in values if isinstance(v, Evidence)}
        for value in values:
            number = getattr(value, "number", None)
            if number is not None:
                self._numbers.add(number)
            if isinstance(value, (CustomerMessage, CustomerCall)):
                self.archive.inbound(place, value, arrived)
            elif isinstance(value, Sent):
                self._sent(place, value, told)
            elif isinstance(value, Evidence):
                self._evidence(place, value)
            elif isinstance(value, SendFailed):
                self.archive.failed(value, arrived)
            elif isinstance(value, SameContact):
                self.archive.same(value.names)
            elif isinstance(value, Unrecognised) and value.what != _UNKNOWN_KEY:
                said = _part(value.raw) or raw
                self._reject(place, f"{value.path}: {value.what}", said)
            elif isinstance(value, Unrecognised):
                self.asides["parts of bodies that are not known"] += 1
            elif not isinstance(value, Delivered):
                self.asides[_ASIDE[type(value).__name__]] += 1

    def _sent(self, place: Place, value: Sent, told: set[tuple[str, str]]) -> None:
        if (value.id, "sent") in told:
            self.archive.sent(place, value, "status")
        elif (value.id, "failed") in told:
            self.archive.sent(place, value, "failure")
        else:
            self.archive.echo(value)
            self.asides[_ECHOES] += 1

    def _evidence(self, place: Place, value: Evidence) -> None:
        if value.contact is None or value.at is None:
            return  # it comes as unrecognised too
        self.archive.evidence(place, value)

    # -- requests --------------------------------------------------------------------------------

    def _request(self, place: Place, line: dict[str, Any], raw: bytes) -> None:
        number = number_of(line)
        if number is None:
            self._later.append((place, raw))  # the other lines may tell the only number
        else:
            self._numbers.add(number)
            self._send(place, line)

    def requests(self) -> None:
        """Read the requests that name no number, when all other lines are read."""
        later, self._later = self._later, []
        for place, raw in later:
            try:
                self._send(place, line_of(raw))
            except Wrong as wrong:
                self._reject(place, str(wrong), raw)

    def _send(self, place: Place, line: dict[str, Any]) -> None:
        at, found = classified(line, self._numbers)
        if isinstance(found, NotASend):
            self.asides["requests that send no message"] += 1
        elif isinstance(found, Misfit):
            self.asides[f"sends that no policy can judge ({found.reason})"] += 1
        else:
            story = _Told(self.archive)
            tried(story, found, at, line.get("response"))
            (made,) = story.tries
            self.archive.tried(place, made)


def _part(value: object) -> bytes:
    """A part of a body as text; empty where it is nested so deeply that it could just be read."""
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    except RecursionError:
        return b""


class _Told(Story):
    """Takes in one send; whose names stand together goes to the archive."""

    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self._archive = archive

    def same(self, names: Any) -> None:
        """These names are one contact's."""
        self._archive.same(tuple(names))


assert TemplateStatus.__name__ in _ASIDE
assert ContactChanged.__name__ in _ASIDE
