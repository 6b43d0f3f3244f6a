"""Where a contact stands, from a few rows that are all that is known: no history is made of them.

House rules:

* It is the fold of ``history.py``, of facts that are learnt all at once and each once: the same
  order, the same Table, the same ``applied``. A property test holds the two against each other.
* It answers what is asked before a send, of few facts; all else is asked of a ``History``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from wa_fsm.decision import Conversation, Origin
from wa_fsm.deliveries import BUSINESS, CUSTOMER, PLATFORM, Snapshot
from wa_fsm.rows import REFUSAL_CODES
from wa_fsm.situation import (
    APPROVED,
    REGISTERED,
    START,
    YES,
    Point,
    applied,
    conversation_id,
    free_form_facts,
    lapsed,
)
from wa_fsm.stores.base import from_millis, to_millis
from wa_fsm.stores.rows import RawFact, unescaped
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


def standing(
    table: Table,
    key: tuple[str, str],
    rows: Sequence[RawFact],
    start: Snapshot | None,
    now: datetime,
    at: datetime | None = None,
) -> tuple[datetime, Point, Conversation | None]:
    """How a contact of one name stands at an instant, lapses included.

    Args:
        table: of the policy by whose effects the facts are folded.
        key: the business number, and the contact's only name.
        rows: all facts of the contact.
        start: an earlier fold to go on from; None: from nothing.
        now: what the clock shows.
        at: the instant, in UTC and whole milliseconds; None: the later of `now` and the newest
            fact.

    Returns:
        The instant, the point there, and the conversation that runs.
    """
    placed, point = _placed(rows), START
    if start is not None:
        folded_until, point = to_millis(start.until), start.point
        placed = [fact for fact in placed if fact[0] >= folded_until]
    if at is not None:
        until = to_millis(at)
        placed = [fact for fact in placed if fact[0] <= until]
    policy, fire = table.policy, table.fire
    openers, over = policy.openers, policy.deadlines["window_over"].passed
    opener = when = None
    for millis, rank, id_, said in placed:
        when = from_millis(millis)
        if point.window_end is not None and over(when, point.window_end):
            point, _ = lapsed(table, point, when)
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
        point = applied(table, answer, point, when, sends=rank == BUSINESS)
        if answer.begins is not None:
            opener = (id_, answer.begins, when)
    if at is None:
        at = now if when is None or when <= now else when
    if point.window_end is None:
        return at, point, None
    if over(at, point.window_end):
        return at, lapsed(table, point, at)[0], None
    if opener is None:
        assert start is not None, "a window is open, so something opened it"
        return at, point, start.conversation
    return at, point, Begun((*key, opener[0]), opener[1], opener[2])


def _placed(rows: Sequence[RawFact]) -> list[tuple[int, int, str, str]]:
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
