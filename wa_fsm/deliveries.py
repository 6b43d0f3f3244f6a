"""Deliveries: what was learnt, when, and what became of it in the fold of its key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from wa_fsm.decision import Conversation
from wa_fsm.engine import Answer
from wa_fsm.events import CustomerCall, CustomerMessage, SendFailed, Sent, Template
from wa_fsm.rows import EventName
from wa_fsm.situation import START, Point

KeyEvent: TypeAlias = CustomerMessage | CustomerCall | Sent | SendFailed
# `at` in seconds (exact to the millisecond: floats compare quicker than datetimes), rank, id
Place: TypeAlias = tuple[float, int, str]

CUSTOMER: Final = 0
PLATFORM: Final = 1
BUSINESS: Final = 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A fold of the facts before an instant; what is older and comes later changes nothing.

    Attributes:
        point: where the fold stood.
        conversation: the one that ran there, if a window was open.
        until: the instant (UTC).
    """

    point: Point
    conversation: Conversation | None
    until: datetime


class Folding(Protocol):
    """What a delivery asks its history."""

    def first(self, delivery: Delivery) -> Delivery | None:
        """Of the deliveries with the same id the one that counts."""

    def no_refusal(self) -> Answer:
        """What a failure fires that refuses nothing."""

    def was_refused(self, fact: CountedFact) -> bool:
        """Whether the policy would have refused this fact at its place."""


class Delivery:
    """One thing learnt, and what became of it. It reads the history as it stands now.

    Attributes:
        event: what was delivered.
        arrived: when we learnt of it (UTC).
    """

    __slots__ = ("_history", "arrived", "event", "fact", "order")

    def __init__(self, history: Folding, event: KeyEvent, arrived: datetime, order: int) -> None:
        self.event = event
        self.arrived = arrived
        self.order = order
        self._history = history
        self.fact: CountedFact | None = None

    @property
    def duplicate(self) -> bool:
        """Another delivery of the same message or call arrived first, so this one is nothing."""
        return not isinstance(self.event, SendFailed) and self._history.first(self) is not self

    @property
    def answer(self) -> Answer | None:
        """The row that this fired at its place in the fold.

        None for a duplicate, and for a send that failed: it is no fact. A failure that refuses
        nothing (its send is unknown, or an earlier one counts) shows what an ordinary one shows.
        """
        if self.fact is not None:
            return self.fact.answer
        if isinstance(self.event, SendFailed):
            return self._history.no_refusal()
        return None

    @property
    def rule(self) -> str | None:
        """The id of that row."""
        answer = self.answer
        return answer.rule if answer else None

    @property
    def against_policy(self) -> bool:
        """A free-form message that went out although the policy refused it at that place."""
        return self.fact is not None and self._history.was_refused(self.fact)

    def precedence(self) -> tuple[datetime, int, datetime, str]:
        """The least counts: what arrived first.

        Arrivals at the same instant are told apart by `order`, and where that is equal too by
        content, so that the order of processing never decides.
        """
        return (self.arrived, self.order, self.event.at, content_of(self.event))


def content_of(event: KeyEvent) -> str:
    """What an event is, as text: a kind, ``call``, a template's name and language, or a code."""
    if isinstance(event, CustomerMessage):
        return event.kind
    if isinstance(event, CustomerCall):
        return "call"
    if isinstance(event, SendFailed):
        return str(event.code)
    if isinstance(event.message, Template):
        return json.dumps([event.message.name, event.message.language])
    return event.message.kind


class CountedFact:
    """A delivery that counts, at its place in the fold, and the fold after it."""

    __slots__ = (
        "answer",
        "at",
        "conversation",
        "delivery",
        "ended",
        "event",
        "facts",
        "lapse",
        "place",
        "point",
    )

    def __init__(
        self, delivery: Delivery, at: datetime, place: Place, event: EventName, facts: int
    ) -> None:
        self.delivery = delivery
        self.at = at
        self.place = place
        self.event: EventName = event
        self.facts = facts
        self.point = START
        self.answer: Answer | None = None
        self.lapse: Answer | None = None
        self.ended: Point | None = None  # after the lapse, once someone has asked
        self.conversation: Conversation | None = None  # that it began, once someone has asked


def place_of(fact: CountedFact) -> Place:
    """Where a fact stands in the order of the fold."""
    return fact.place


def begins(answer: Answer | None) -> bool:
    """Whether what fired began a conversation."""
    return answer is not None and answer.begins is not None
