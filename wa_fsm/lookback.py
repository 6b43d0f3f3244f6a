"""Looking back: what is known of a contact, and where WhatsApp and the gate disagreed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wa_fsm.stores.base import WINDOW_REFUSALS, Fact, LogRow, Store, counts_at


@dataclass(frozen=True, slots=True)
class ContactHistory:
    """What is known of one contact, for a support person.

    Attributes:
        names: all names of the contact.
        facts: what happened, oldest first: counted facts, in the form of events.
        decisions: what was asked and answered, oldest first.
        before: the histories of names that this contact had before.
        too_late: of the facts those that are older than what was folded before they came: they are
            kept and counted, and change nothing.
        folded_until: facts from before this instant are kept only as their fold; None: all are.
    """

    names: tuple[str, ...]
    facts: tuple[Fact, ...]
    decisions: tuple[LogRow, ...]
    before: tuple[ContactHistory, ...]
    folded_until: datetime | None
    too_late: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Where WhatsApp and the gate disagreed.

    Attributes:
        allowed_but_refused: sends that the gate allowed and WhatsApp refused for the window.
        refused_but_delivered: sends that the gate would have refused and WhatsApp delivered.
    """

    allowed_but_refused: tuple[LogRow, ...]
    refused_but_delivered: tuple[LogRow, ...]


def history_of(store: Store, number: str, name: str, seen: set[str]) -> ContactHistory:
    """Facts and decisions of a contact, and of the names that it had before.

    Args:
        store: where they are kept.
        number: the business number.
        name: one of the contact's names, in the form that is kept.
        seen: names that are told of already; it is added to.
    """
    known = store.read(number, name)
    seen |= set(known.names)
    links = store.links(known.names)
    older = {link.a for link in links if link.how == "next" and link.b in known.names} - seen
    facts = tuple(sorted(known.facts, key=_told))
    sends = {fact.id: fact.at for fact in facts if fact.role == "out"}
    until = known.snapshot.until if known.snapshot is not None else None
    return ContactHistory(
        known.names,
        facts,
        tuple(store.log(number, known.names)),
        tuple(history_of(store, number, each, seen) for each in sorted(older)),
        until,
        tuple(fact for fact in facts if until is not None and counts_at(fact, sends) < until),
    )


def person(store: Store, name: str) -> set[str]:
    """All names of a contact, and those that it had before."""
    found: set[str] = set()
    asked = {name}
    while asked:
        names = store.read("", asked.pop()).names
        found |= set(names)
        links = store.links(names)
        asked |= {link.a for link in links if link.how == "next" and link.b in names}
        asked -= found
    return found


def accuracy_of(store: Store) -> Accuracy:
    """Where WhatsApp and the gate disagreed, by the decision log of a store."""
    refused, delivered = [], []
    for row in store.log():  # streamed: what agrees is not kept
        if row.allowed and row.outcome in WINDOW_REFUSALS:
            refused.append(row)
        elif row.message_id and not row.allowed and row.outcome == "delivered":
            delivered.append(row)
    return Accuracy(tuple(refused), tuple(delivered))


def _told(fact: Fact) -> tuple[datetime, datetime, int, str, str, str]:
    """The order in which facts are shown: the same from every store."""
    return (fact.at, fact.arrived, fact.order, fact.contact, fact.role, fact.id)
