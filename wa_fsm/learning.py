"""From events to the rows that a store keeps of them.

House rules:

* A contact's name is kept in canonical form. With a key, names and ids are kept as keyed hashes.
* What is learnt together is one batch, and stands in it in the order in which it was told.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias

from wa_fsm.clock import Clock
from wa_fsm.deliveries import KeyEvent
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    Delivered,
    SendFailed,
    Sent,
    TemplateStatus,
    instant,
)
from wa_fsm.identity import ContactChanged, SameContact, canonical
from wa_fsm.stores.base import Batch, Fact, Link, LogRow, Status, fact_of, outcome_row
from wa_fsm.templates import plain_language

Learnable: TypeAlias = KeyEvent | TemplateStatus | Delivered | SameContact | ContactChanged

FACTS: Final = (CustomerMessage, CustomerCall, Sent)
NAMES: Final = 4096
"""Names whose kept form is remembered: a spelling takes longer to read than a window."""


class Learning:
    """Makes rows of events.

    Args:
        latest: the last instant at which an event may happen.
        key: by which names and ids are hashed; None: they are kept as they are.
    """

    def __init__(self, latest: datetime, key: bytes | None) -> None:
        self._latest, self._key = latest, key
        self.name_of = lru_cache(NAMES)(self._name)

    def _name(self, contact: str) -> str:
        """The form in which a contact's name is kept."""
        name = canonical(contact)
        return name if self._key is None else _hashed(self._key, name)

    def id_of(self, message_id: str) -> str:
        """The form in which a message's or a call's id is kept."""
        return message_id if self._key is None else _hashed(self._key, f"id {message_id}")

    def forget(self) -> None:
        """Remember no names."""
        self.name_of.cache_clear()

    def fact(self, event: KeyEvent, arrived: datetime, order: int) -> Fact:
        """The row of a fact. Raises ValueError for one that happens too late."""
        if event.at > self._latest:
            raise ValueError(f"a window from {event.at} would close beyond year 9999")
        fact = fact_of(event, self.name_of(event.contact), arrived, order)
        return fact if self._key is None else fact._replace(id=self.id_of(fact.id))

    def batch(self, events: Iterable[Learnable], arrived: datetime, before: int = 0) -> Batch:
        """The rows of events that arrived together.

        Args:
            events: in the order in which they were told.
            arrived: when.
            before: how many arrived at that instant before these.

        Raises:
            ValueError: as ``fact``.
            TypeError: something is no event.
        """
        facts, links, statuses, outcomes = [], [], [], []
        for order, event in enumerate(events, before):
            if isinstance(event, (*FACTS, SendFailed)):
                facts.append(self.fact(event, arrived, order))
                if isinstance(event, SendFailed):
                    outcomes.append(self._outcome(event, arrived, f"failed {event.code}"))
            elif isinstance(event, TemplateStatus):
                spoken = plain_language(event.language or "")
                row = Status(event.name, spoken, event.status, event.at, arrived, order)
                statuses.append(row)
            elif isinstance(event, SameContact):
                first, *others = (self.name_of(name) for name in event.names)
                links += [Link("same", first, other) for other in others if other != first]
            elif isinstance(event, ContactChanged):
                links.append(Link("next", self.name_of(event.old), self.name_of(event.new)))
            elif isinstance(event, Delivered):
                outcomes.append(self._outcome(event, arrived, "delivered"))
            else:
                raise TypeError(
                    f"expected an event, got `{type(event).__name__}`; of what `parse_webhook`"
                    " gives `learnt` picks out the events"
                )
        return Batch(facts, links, statuses, (), outcomes)

    def seeded(
        self, learnt: Iterable[tuple[Sequence[Learnable], datetime | None]], now: Clock
    ) -> Batch:
        """The rows of what happened before the first day; see ``Gatekeeper.seed``."""
        parts = []
        # Only beside others does an event need a place, so that to seed more moves no other.
        places: dict[tuple[datetime, str, str], dict[Learnable, int]] = {}
        for events, arrived in learnt:
            for event in events:
                given = arrived if arrived is not None else getattr(event, "at", None)
                when = instant(given) if given else now()
                beside = places.setdefault((when, *_subject(event)), {})
                parts.append(self.batch((event,), when, beside.setdefault(event, len(beside))))
        return Batch(
            [fact for part in parts for fact in part.facts],
            [link for part in parts for link in part.links],
            [status for part in parts for status in part.statuses],
            outcomes=[row for part in parts for row in part.outcomes],
        )

    def _outcome(self, event: SendFailed | Delivered, arrived: datetime, what: str) -> LogRow:
        name, id_ = self.name_of(event.contact), self.id_of(event.message_id)
        return outcome_row(event.number, name, arrived, id_, what)


def _hashed(key: bytes, text: str) -> str:
    said = text.encode("utf-8", "surrogatepass")
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:32]


def _subject(event: Learnable) -> tuple[str, str]:
    """What an event speaks of: of several about one, it matters which was learnt first."""
    if isinstance(event, TemplateStatus):
        return "template", event.name
    if isinstance(event, (SendFailed, Delivered)):
        return "fate", event.message_id
    return ("out" if isinstance(event, Sent) else "in"), getattr(event, "id", "")
