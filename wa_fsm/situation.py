"""How a conversation stands at an instant, and the one place that applies what a row does.

``Standing point`` of a fold is the small tuple ``Point``; the face of it is ``Situation``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final, NamedTuple

from wa_fsm.decision import Conversation, Origin, State
from wa_fsm.engine import Answer, Engine
from wa_fsm.rows import INITIAL


class Point(NamedTuple):
    """Where a fold stands after a fact: all that later facts and questions need to know.

    Attributes:
        state: the state.
        window_end: the end of the open window; None while none is open.
        replied: the customer has answered in this conversation (see ``rows.Effect``).
        has_sent: the business has sent in this conversation.
        since: when the state was entered, or its window last started.
    """

    state: State
    window_end: datetime | None
    replied: bool
    has_sent: bool
    since: datetime | None


START: Final = Point(INITIAL, None, False, False, None)

REPLIED: Final = 1
FIRST_SEND: Final = 2
INSIDE_MARGIN: Final = 4
YES: Final = 1
REGISTERED: Final = 1
APPROVED: Final = 2


@dataclass(frozen=True, slots=True)
class Situation:
    """State, window and conversation of one key at an instant. Nothing in it moves.

    Attributes:
        policy: the spec of the policy that it was computed by.
        at: the instant (UTC).
        state: the state.
        window_closes_at: the hard end of the window open at `at`, else None.
        free_form_until: the same instant where the state permits free-form, else None.
        conversation: the one that runs at `at`, else None.
        replied: whether the customer has answered in a conversation that a template began, where
            the policy asks for that.
        has_sent: whether the business has sent in this conversation.
        since: when the state was entered, or its window last started; None in closed.
    """

    policy: str
    at: datetime
    state: State
    window_closes_at: datetime | None
    free_form_until: datetime | None
    conversation: Conversation | None
    replied: bool
    has_sent: bool
    since: datetime | None

    @property
    def window_open(self) -> bool:
        """Whether a customer service window is open."""
        return self.window_closes_at is not None

    @property
    def point(self) -> Point:
        """The same as a fold's standing point."""
        return Point(self.state, self.window_closes_at, self.replied, self.has_sent, self.since)


def lapsed(engine: Engine, point: Point, now: datetime) -> tuple[Point, Answer | None]:
    """The point at `now`, and the lapse that came before it, if one did."""
    end = point.window_end
    if end is None or not engine.policy.deadlines["window_over"].passed(now, end):
        return point, None
    answer = engine.fire(point.state, "lapse", YES)
    return applied(engine, answer, point, end, sends=False), answer


def applied(engine: Engine, answer: Answer, point: Point, at: datetime, *, sends: bool) -> Point:
    """The point after a row's effect.

    Args:
        engine: whose policy has the window's length.
        answer: what fired at `point`.
        point: where the fold stood.
        at: when the event happened; of a lapse, the window's end.
        sends: the event is a business message, which is linked to the conversation that runs.
    """
    if answer.window == "starts":
        end: datetime | None = at + engine.policy.window
    elif answer.window == "ends":
        end = None
    else:
        end = point.window_end
    if end is None:
        replied = has_sent = False
    else:
        fresh = answer.begins is not None
        replied = answer.reply or (point.replied and not fresh)
        has_sent = sends or (point.has_sent and not fresh)
    since = at if answer.entered or answer.window == "starts" else point.since
    return Point(answer.to, end, replied, has_sent, since)


def free_form_facts(engine: Engine, point: Point, now: datetime | None) -> int:
    """The facts of a free-form message at `point`, as a number.

    `now` is the instant of the question; None when it happened: an effect knows no margin.
    """
    facts = REPLIED if point.replied else 0
    end = point.window_end
    if end is not None:
        if not point.has_sent:
            facts |= FIRST_SEND
        if now is not None and engine.policy.deadlines["inside_margin"].passed(now, end):
            facts |= INSIDE_MARGIN
    return facts


def permits_free_form(engine: Engine, point: Point) -> bool:
    """Whether the state, margin apart, lets free-form messages pass."""
    facts = free_form_facts(engine, point, None)
    return engine.quick.fire(point.state, "free_form", facts).allowed


def situation_at(
    engine: Engine, point: Point, at: datetime, conversation: Conversation | None
) -> Situation:
    """The face of a point at `at`; the point must be lapsed to `at` already."""
    end = point.window_end
    return Situation(
        engine.policy.spec,
        at,
        point.state,
        end,
        end if end is not None and permits_free_form(engine, point) else None,
        conversation,
        point.replied,
        point.has_sent,
        point.since,
    )


def conversation_id(number: str, contact: str, message_id: str) -> str:
    """The id of the conversation that this opener began: equal openers give equal ids."""
    # What `json.dumps` of the three would say, in a third of the time: an id may never change.
    names = f"[{_quoted(number)}, {_quoted(contact)}, {_quoted(message_id)}]"
    return hashlib.sha256(names.encode()).hexdigest()[:20]


_kept_id: Final = lru_cache(maxsize=65536)(conversation_id)


def conversation(
    number: str, contact: str, message_id: str, origin: Origin, opened_at: datetime
) -> Conversation:
    """The conversation that this opener began; equal openers give equal ids."""
    return Conversation(_kept_id(number, contact, message_id), origin, opened_at)
