"""Where a contact stands, from a few rows that are all that is known: no history is made of them.

House rules:

* It is the fold of ``history.py``, of facts that are learnt all at once and each once: the same
  order, the same Table, the same ``applied``. A property test holds the two against each other.
* It answers what is asked before a send; whoever asks more gets the ``History``, made then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from wa_fsm.decision import Conversation, Origin
from wa_fsm.deliveries import BUSINESS, CUSTOMER, PLATFORM, Snapshot
from wa_fsm.events import instant
from wa_fsm.history import History
from wa_fsm.policy import Policy
from wa_fsm.rows import REFUSAL_CODES
from wa_fsm.situation import (
    APPROVED,
    REGISTERED,
    START,
    YES,
    Point,
    Situation,
    applied,
    conversation_id,
    free_form_facts,
    lapsed,
    situation_at,
)
from wa_fsm.stores.base import Fact, event_of, from_millis, to_millis
from wa_fsm.stores.rows import FactRows, RawFact, unescaped
from wa_fsm.table import Table

_set: Final = object.__setattr__
_WENT_OUT: Final = REGISTERED | APPROVED
_REFUSALS: Final = frozenset(map(str, REFUSAL_CODES))


class Begun(Conversation):
    """A conversation whose id is made when somebody asks for it: in most decisions nobody does.

    Args:
        opener: number, contact, and the opener's id as a store keeps it.
        origin: who began it.
        opened_at: when its first opener happened (UTC).
    """

    __slots__ = ("_opener",)
    __qualname__ = "Conversation"
    _opener: tuple[str, str, str]

    def __init__(self, opener: tuple[str, str, str], origin: Origin, opened_at: datetime) -> None:
        _set(self, "_opener", opener)
        _set(self, "origin", origin)
        _set(self, "opened_at", opened_at)

    @property
    def id(self) -> str:
        """The same as if it had been made at once."""
        number, contact, id_ = self._opener
        return conversation_id(number, contact, unescaped(id_))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Conversation):
            return NotImplemented
        mine, its = (self.origin, self.opened_at), (other.origin, other.opened_at)
        return mine == its and self.id == other.id

    def __hash__(self) -> int:
        return hash(Conversation(self.id, self.origin, self.opened_at))

    def __reduce__(self) -> tuple[type[Conversation], tuple[str, Origin, datetime]]:
        return Conversation, (self.id, self.origin, self.opened_at)


class Brief:
    """What a ``History`` would say of a contact of one name.

    Args:
        table: of the policy by whose effects the facts are folded.
        number: the business number.
        contact: the contact's only name.
        facts: the contact's facts.
        start: an earlier fold to go on from; None: from nothing.

    Attributes:
        newest: the ``at`` of the newest fact; None where there is none.
    """

    __slots__ = ("_facts", "_key", "_made", "_placed", "_start", "_table", "newest")

    def __init__(
        self,
        table: Table,
        number: str,
        contact: str,
        facts: FactRows,
        start: Snapshot | None,
    ) -> None:
        self._table = table
        self._key = (number, contact)
        self._facts = facts
        self._start = start
        self._made: History | None = None
        self._placed = placed = _placed(facts.raw)
        if start is not None:
            folded = to_millis(start.until)
            self._placed = placed = [fact for fact in placed if fact[0] >= folded]
        self.newest = from_millis(placed[-1][0]) if placed else None

    def standing(self, now: datetime) -> tuple[Point, Conversation | None]:
        """The point and the conversation that runs at an instant in UTC, cut to milliseconds."""
        table, start, placed, newest = self._table, self._start, self._placed, self.newest
        openers, fire = table.policy.openers, table.fire
        over = table.policy.deadlines["window_over"].passed
        point = START if start is None else start.point
        if newest is not None and newest > now:
            until = to_millis(now)
            placed = [fact for fact in placed if fact[0] <= until]
        opener = None
        for millis, rank, id_, said in placed:
            at = from_millis(millis)
            if point.window_end is not None and over(at, point.window_end):
                point, _ = lapsed(table, point, at)
            if rank == CUSTOMER:
                if said == "call":
                    answer = fire(point.state, "customer_call", 0)
                else:
                    answer = fire(point.state, "customer_message", YES if said in openers else 0)
            elif rank == PLATFORM:
                answer = fire(point.state, "send_failed", YES if said in _REFUSALS else 0)
            elif said.startswith("["):
                answer = fire(point.state, "template", _WENT_OUT)
            else:
                answer = fire(point.state, "free_form", free_form_facts(table, point, None))
            point = applied(table, answer, point, at, sends=rank == BUSINESS)
            if answer.begins is not None:
                opener = (id_, answer.begins, at)
        if point.window_end is None:
            return point, None
        if over(now, point.window_end):
            return lapsed(table, point, now)[0], None
        if opener is None:
            assert start is not None, "a window is open, so something opened it"
            return point, start.conversation
        return point, Begun((*self._key, opener[0]), opener[1], opener[2])

    def at(self, instant_: datetime) -> Situation:
        """State, window and conversation at an instant."""
        now = instant(instant_)
        point, running = self.standing(now)
        return situation_at(self._table, point, now, running)

    def last_opener(self, now: datetime) -> str | None:
        """The id of the message that last started the window open at `now`; None where none is."""
        return self.history.last_opener(now)

    @property
    def asks_would_allow(self) -> Callable[[datetime], tuple[str, ...]] | None:
        """``History.would_allow``; None where it can only answer that there is none."""
        kinds = self._table.policy.uncounted
        for row in self._facts.raw:
            if row[6] in kinds:
                return self.history.would_allow
        return None

    @property
    def history(self) -> History:
        """The history itself."""
        if self._made is None:
            policy, (_, contact) = self._table.policy, self._key
            self._made = folded(policy, self._facts, contact, self._start)
        return self._made


def _placed(rows: list[RawFact]) -> list[tuple[int, int, str, str]]:
    """Facts that count, in the order of the fold: when, rank, id, and what they say."""
    placed = []
    failed = {row[2]: row[6] for row in rows if row[1] == "fail"} if len(rows) > 1 else {}
    for _, role, id_, at, arrived, _, said, _ in rows:
        if role == "in":
            placed.append((at if at < arrived else arrived, CUSTOMER, id_, said))
        elif role == "out":
            code = failed.get(id_)
            if code is None:
                placed.append((at, BUSINESS, id_, said))
            else:
                placed.append((at, PLATFORM, id_, code))
    if len(placed) > 1:
        placed.sort()
    return placed


def folded(
    policy: Policy, facts: Iterable[Fact], contact: str, start: Snapshot | None = None
) -> History:
    """The history of these facts, as facts of `contact`."""
    history = History(policy, start=start)
    learn(history, sorted(facts, key=_at), contact)
    return history


def learn(history: History, facts: Iterable[Fact], contact: str) -> None:
    """Add these facts to a history, as facts of `contact`."""
    for fact in facts:
        history.add(event_of(fact, contact), fact.arrived, fact.order)


def _at(fact: Fact) -> datetime:
    return fact.at
