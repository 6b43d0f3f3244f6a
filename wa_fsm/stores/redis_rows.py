"""Rows as Redis keeps them; ``redis_scripts.py`` says how, and why names are escaped."""

from __future__ import annotations

import json
from typing import Final

from wa_fsm.stores.base import Claim, Fact, Link, LogRow, Status, from_millis
from wa_fsm.stores.rows import (
    escaped,
    fact_values,
    log_from,
    log_values,
    status_from,
    status_values,
    unescaped,
)

NUL: Final = "\0"


def spoken(name: bytes) -> str:
    """A name as it was given."""
    return unescaped(name.decode())


def pair_of(number: str, contact: str) -> str:
    """A key: number and contact."""
    return f"{escaped(number)}\0{escaped(contact)}"


def field_of(fact: Fact) -> str:
    """What tells a fact from the others of its key."""
    return f"{escaped(fact.id)}\0{fact.role}"


def fact_texts(fact: Fact) -> tuple[str, int | str]:
    """The rest of a fact, and of that when it may open."""
    *_, at, arrived, order, data, opens_at = fact_values(fact)
    opens = "" if opens_at is None else opens_at
    return f"{arrived} {order} {at} {opens} {escaped(data)}", opens


def fact_from_field(number: str, contact: str, field: bytes, text: bytes) -> Fact:
    """A fact from its key, its field and the rest of it."""
    id_, _, role = field.decode().partition(NUL)
    return fact_from_parts(number, contact, id_, role, text.decode())


def fact_from_parts(number: str, contact: str, id_: str, role: str, text: str) -> Fact:
    """A fact from its key, the parts of its field and the rest of it."""
    arrived, order, at, opens, data = text.split(" ", 4)
    when = from_millis(int(at))
    return Fact(
        number,
        contact,
        role,  # type: ignore[arg-type] # written by `field_of`
        unescaped(id_),
        when,
        when if arrived == at else from_millis(int(arrived)),
        int(order),
        unescaped(data),
        (when if opens == at else from_millis(int(opens))) if opens else None,
    )


def claim_text(claim: Claim) -> str:
    """What tells a claim from the others."""
    return NUL.join(map(escaped, (claim.number, claim.contact, claim.opener)))


def claim_of(text: bytes, until: int) -> Claim:
    """The same back."""
    number, contact, opener = map(unescaped, text.decode().split(NUL))
    return Claim(number, contact, opener, from_millis(until))


def link_text(link: Link) -> str:
    """A link."""
    return NUL.join((link.how, escaped(link.a), escaped(link.b)))


def link_of(text: bytes) -> Link:
    """The same back."""
    how, a, b = text.decode().split(NUL)
    return Link(how, unescaped(a), unescaped(b))  # type: ignore[arg-type] # by `link_text`


def status_text(status: Status) -> str:
    """A template's status."""
    return json.dumps(status_values(status), separators=(",", ":"))


def status_of(text: bytes) -> Status:
    """The same back."""
    return status_from(json.loads(text))


def log_text(row: LogRow) -> str:
    """A decision: the lengths in bytes of contact and message id, these two, the rest between."""
    contact, message = escaped(row.contact), escaped(row.message_id)
    head = f"{len(contact.encode())},{len(message.encode())}"
    return f"{head} {contact}{json.dumps(log_values(row), separators=(',', ':'))}{message}"


def log_of(text: bytes, outcome: bytes | None) -> LogRow:
    """The same back, with what became of it since."""
    head, _, rest = text.partition(b" ")
    before, after = map(int, head.split(b","))
    values = json.loads(rest[before : len(rest) - after])
    if outcome is not None:
        values[-2] = spoken(outcome)
    return log_from(values)
