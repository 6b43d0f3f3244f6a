"""What a store is: a small Protocol, and the rows that pass through it.

House rules:

* A store keeps facts and asks no questions: it knows nothing of policies, windows or states.
* Learning is commutative and idempotent. Of the deliveries with one (number, contact, role, id)
  the store keeps the one with the least ``Fact.precedence``; so any order of writing, any number
  of repeats and any number of writers end in the same rows, and no lock is needed for that.
* ``write`` is one atomic, durable transaction: what it returned from is there after a crash.
* What cannot be reached raises ``StoreUnavailable``; the next call tries again by itself.
* Instants are aware UTC datetimes in whole milliseconds. Names of contacts come in canonical (or
  hashed) form; message contents never come here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, cast

from wa_fsm.deliveries import KeyEvent, Snapshot, content_of
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    FreeForm,
    SendFailed,
    Sent,
    Template,
    instant,
)
from wa_fsm.rows import REFUSAL_CODES

SCHEMA: Final = 1
"""The version of what stores write. A newer one is refused, an older one migrated forward."""

KEEP: Final = timedelta(days=7)
"""Facts that are older than a key's newest by more than this may be folded into a snapshot."""

Role: TypeAlias = Literal["in", "out", "fail"]


class StoreError(Exception):
    """A store cannot do what was asked. It is never a denial and never an allowance."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, read or written now; a later call may succeed."""


class StoreRefused(StoreError):
    """The store must not be used as it is: newer schema, not durable, or not a store at all."""


class Fact(NamedTuple):
    """One delivery, as a row.

    Attributes:
        number: the business number.
        contact: who, in canonical form.
        role: ``in`` for what the customer did, ``out`` for our sends, ``fail`` for their failures.
        id: the message or call id; of a failure the failed message's.
        at: when it happened.
        arrived: when we learnt of it.
        order: tells apart what arrived at the same instant.
        data: a kind, ``call``, ``template NAME [LANGUAGE]`` as JSON, or a code.
        opens_at: when it may start a window under some policy: a customer's message or call at the
            earlier of `at` and `arrived`, a send at `at`; None for what never does.
    """

    number: str
    contact: str
    role: Role
    id: str
    at: datetime
    arrived: datetime
    order: int
    data: str
    opens_at: datetime | None

    @property
    def precedence(self) -> tuple[datetime, int, datetime, str]:
        """The least of these counts: what arrived first."""
        return (self.arrived, self.order, self.at, self.data)


@dataclass(frozen=True, slots=True)
class Link:
    """Two names and what they are to each other.

    Attributes:
        how: ``same``: names of one contact, whose facts are merged; ``next``: `b` came after `a`,
            starts anew, and `a`'s history is shown with it.
        a: a name.
        b: another.
    """

    how: Literal["same", "next"]
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Status:
    """A template's status, as a row. `language` is empty where none was named."""

    name: str
    language: str
    status: str
    at: datetime
    arrived: datetime
    order: int


class LogRow(NamedTuple):
    """One decision, for the record. Never a message's content.

    Attributes:
        id: of the entry.
        time: when it was decided.
        number: the business number.
        contact: in the form that facts have; shown masked.
        policy: the spec in force.
        version: its hash.
        message: ``free_form KIND`` or ``template NAME``.
        allowed: the verdict.
        reason: why.
        rule: the row that decided.
        mode: ``enforce`` or ``observe``.
        asked_by: ``check`` or ``sending``.
        outcome: of a sending: ``sent``, ``failed CODE``, ``refused`` or ``unknown``; else empty.
        message_id: of the send, where it has one.
    """

    id: str
    time: datetime
    number: str
    contact: str
    policy: str
    version: str
    message: str
    allowed: bool
    reason: str
    rule: str
    mode: str
    asked_by: str
    outcome: str = ""
    message_id: str = ""


WINDOW_REFUSALS: Final = tuple(sorted(f"failed {code}" for code in REFUSAL_CODES))
"""The outcomes by which WhatsApp says that no window was open."""

WAITS: Final = "status"
"""Who asked, in a row that is no decision: see ``outcome_row``."""


def outcome_row(
    number: str, contact: str, arrived: datetime, message_id: str, outcome: str
) -> LogRow:
    """What became of a message. It may come before the decision of its send is in the log."""
    id_, nothing = f"{WAITS} {message_id}", ("",) * 3
    return LogRow(
        id_, arrived, number, contact, *nothing, True, *nothing, WAITS, outcome, message_id
    )


def settled(known: str, told: str) -> str:
    """Of two outcomes of one message the one that counts, whichever came first.

    A refusal for the window counts before another failure, and that before a delivery; of two that
    weigh the same, the greater text. Where nobody has told what became of it, the later word.
    """
    return known if _weight(known) > _weight(told) else told


def _weight(outcome: str) -> str:
    if outcome.startswith("failed"):
        return f"{3 if outcome in WINDOW_REFUSALS else 2}{outcome}"
    return f"1{outcome}" if outcome == "delivered" else ""


class Batch(NamedTuple):
    """What one ``write`` writes, all or nothing.

    Attributes:
        facts, links, statuses, log: rows to learn; a log row with a known id takes its place.
        outcomes: what became of messages, as ``outcome_row`` makes them: each settles the log rows
            with its message's id, and waits where there is none yet.
        counts: what to add to the counters.
    """

    facts: Sequence[Fact] = ()
    links: Sequence[Link] = ()
    statuses: Sequence[Status] = ()
    log: Sequence[LogRow] = ()
    outcomes: Sequence[LogRow] = ()
    counts: Mapping[str, int] = MappingProxyType({})


class Written(NamedTuple):
    """What a ``write`` changed: how many facts and statuses are new, and how many were known."""

    new: int
    repeated: int


class Known(NamedTuple):
    """What a store knows of one contact of one number, all of its names together.

    Attributes:
        names: all names of the contact that the store knows, the asked one included, sorted.
        facts: every fact of these names, in no order.
        snapshot: the fold that the facts go on from; None where nothing was folded.
        statuses: changes whenever a template status is learnt, and when another store stands in the
            place of this one; compare to ``Store.statuses``.
    """

    names: tuple[str, ...]
    facts: Sequence[Fact]
    snapshot: Snapshot | None
    statuses: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One window that is about to end, given to one worker.

    Attributes:
        number: the business number.
        contact: who.
        opener: the id of the window's last opener: the claim is for this window only.
        until: when the lease runs out.
    """

    number: str
    contact: str
    opener: str
    until: datetime


@dataclass(frozen=True, slots=True, order=True)
class Opener:
    """A fact that may start a window: when, of whom, and its id."""

    at: datetime
    number: str
    contact: str
    id: str


class Store(Protocol):
    """Where facts are kept. Every method may raise ``StoreUnavailable``.

    Attributes:
        began: when this store was first initialised.
    """

    began: datetime

    def write(self, batch: Batch) -> Written:
        """Learn all of it in one atomic, durable transaction."""

    def read(self, number: str, contact: str) -> Known:
        """What is known of a contact, its linked names included, in one round trip."""

    def statuses(self) -> tuple[int, Sequence[Status]]:
        """All template statuses, with the number that ``Known.statuses`` is compared to."""

    def openers(self, since: datetime, until: datetime) -> Iterator[Opener]:
        """Facts that may open, ``since < at <= until``, in order. Streamed."""

    def claim(self, claim: Claim, now: datetime) -> bool:
        """Take a claim, unless it is done or another's lease still runs at `now`. Durable."""

    def done(self, claim: Claim) -> None:
        """End a claim for good. Durable."""

    def log(self, number: str | None = None, names: Sequence[str] = ()) -> Iterator[LogRow]:
        """Decisions, oldest first, streamed: of a number, of contacts, or all.

        What waits for its decision is in ``export`` only.
        """

    def links(self, names: Sequence[str]) -> Sequence[Link]:
        """The links that touch any of these names."""

    def counts(self) -> Mapping[str, int]:
        """Counters, by name."""

    def fold(self, number: str, contact: str, snapshot: Snapshot, folded: Sequence[Fact]) -> None:
        """Put `snapshot` in the place of the `folded` facts of one name, atomically.

        Facts that are no longer exactly as given stay. A snapshot that reaches no further than
        the one that is there changes nothing: another fold has been quicker. Where all of the given
        facts have gone and no snapshot is there, the contact was forgotten: nothing is written.
        """

    def keys(self) -> Iterator[tuple[str, str]]:
        """Every (number, contact), streamed, sorted."""

    def export(self) -> Iterator[Row]:
        """Everything as rows, streamed."""

    def load(self, rows: Iterable[Row]) -> int:
        """Take in what ``export`` gave, in batches, each atomic; returns how many rows.

        Snapshots are taken as ``fold`` takes them. The earlier beginning is kept, the later lease
        of a claim, and the greater counter: so it may be done any number of times.
        """

    def prune(self, before: datetime, claims: datetime | None = None) -> int:
        """Forget decisions from before an instant, and claims; returns how many.

        Args:
            before: decisions of this instant and later ones stay.
            claims: claims whose lease ended before this go, done or not; None: `before`. A claim
                must stay for as long as its window may be open, or the window is given out again.
        """

    def forget(self, names: Sequence[str]) -> int:
        """Erase these names in facts, snapshots, log, claims and links; returns how many rows."""

    def compact(self) -> None:
        """Give space back to the system."""

    def check(self) -> Sequence[str]:
        """What is wrong with the store, a sentence each; empty: nothing."""

    def close(self) -> None:
        """Let go of connections. A later call opens them again."""


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """A snapshot with its key, as a row."""

    number: str
    contact: str
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Began:
    """When a store began, as a row: an import keeps the earlier of two."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim that was taken, as a row: an import keeps the later lease, and `done` for good."""

    claim: Claim
    done: bool


@dataclass(frozen=True, slots=True)
class Count:
    """A counter, as a row: an import keeps the greater of two."""

    name: str
    value: int


Row: TypeAlias = Fact | Link | Status | LogRow | KeySnapshot | Began | Claimed | Count


def batch_of(rows: Iterable[Row]) -> Batch:
    """Rows that ``write`` takes, sorted into a batch; the others are left out."""
    facts, links, statuses = [], [], []
    log: list[LogRow] = []
    outcomes: list[LogRow] = []
    for row in rows:
        if isinstance(row, Fact):
            facts.append(row)
        elif isinstance(row, Link):
            links.append(row)
        elif isinstance(row, Status):
            statuses.append(row)
        elif isinstance(row, LogRow):
            (outcomes if row.asked_by == WAITS else log).append(row)
    return Batch(facts, links, statuses, log, outcomes)


def newest_snapshot(snapshots: Iterable[Snapshot | None]) -> Snapshot | None:
    """Of the snapshots of one contact's names the one to go on from.

    Their windows have long ended (``KEEP`` is longer than any of them), so what remains is which
    state was entered last, and up to where facts are folded.
    """
    found = [snapshot for snapshot in snapshots if snapshot is not None]
    if not found:
        return None
    last = max(found, key=lambda shot: (shot.point.since or _EPOCH, shot.until))
    return replace(last, until=max(shot.until for shot in found))


def fact_of(event: KeyEvent, contact: str, arrived: datetime, order: int) -> Fact:
    """An event as a row, under the contact's canonical name."""
    number, at, data = event.number, event.at, content_of(event)
    if isinstance(event, SendFailed):
        return Fact(number, contact, "fail", event.message_id, at, arrived, order, data, None)
    if isinstance(event, Sent):
        return Fact(number, contact, "out", event.id, at, arrived, order, data, at)
    opens_at = at if at <= arrived else arrived
    return Fact(number, contact, "in", event.id, at, arrived, order, data, opens_at)


def event_of(fact: Fact, contact: str) -> KeyEvent:
    """The event that a row was made of, as one of `contact`. Events check themselves."""
    number, at, id_, data = fact.number, fact.at, fact.id, cast(Any, fact.data)
    if fact.role == "fail":
        return SendFailed(number, contact, at, id_, int(data))
    if fact.role == "out":
        if data.startswith("["):
            return Sent(number, contact, at, id_, Template(*json.loads(data)))
        return Sent(number, contact, at, id_, FreeForm(data))
    if data == "call":
        return CustomerCall(number, contact, at, id_)
    return CustomerMessage(number, contact, at, id_, data)


def counts_at(fact: Fact, sends: Mapping[str, datetime]) -> datetime:
    """When a fact counts: a failure at its send, so that neither is folded without the other."""
    if fact.role == "fail":
        return sends.get(fact.id, fact.at)
    return fact.opens_at or fact.at


def to_millis(value: datetime) -> int:
    """An instant as whole milliseconds since 1970."""
    return (value - _EPOCH) // _MILLISECOND


def from_millis(value: int) -> datetime:
    """The same back."""
    return _EPOCH + value * _MILLISECOND


_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = instant(datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
