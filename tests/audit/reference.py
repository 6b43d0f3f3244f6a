"""What an audit must say, by `wa_fsm.History` and `decide` alone: row by row, slowly.

A log is a list of rows, each a mapping with the columns of the plain form. Rows are events; a key's
facts are put in order by its History; each send is asked about right before it, or its failure,
takes its place, of a History that has learnt what was known by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from wa_fsm import (
    CustomerCall,
    CustomerMessage,
    FreeForm,
    History,
    SendFailed,
    Sent,
    Template,
    Templates,
    decide,
)
from wa_fsm.decision import ERROR_CODES
from wa_fsm.identity import canonical
from wa_fsm.rows import REFUSAL_CODES

WENT_OUT = ("accepted", "sent", "delivered", "read", "played")
DELIVERED = ("delivered", "read", "played")
EVERY_SEND_APPROVED = None


@dataclass(frozen=True)
class Judged:
    """What one policy says of one send."""

    allowed: bool
    reason: str
    rule: str
    state: str
    window_closes_at: datetime | None
    opener_at: datetime | None
    needless: bool
    disagreement: str | None


@dataclass
class Fact:
    """Something that counts, in the order of the fold."""

    place: tuple
    row: int
    event: object
    arrived: datetime
    failure: SendFailed | None = None
    failed: datetime | None = None
    silent: tuple | None = None  # where it stood before its failure was known


def failure_code(row):
    """The code of a send that failed; None: it did not."""
    status, code = row.get("status"), row.get("error_code") or 0
    if status == "failed" or (status is None and code):
        return code or 131000
    return None


def event_of(row):
    key = row["number"], canonical(row["customer"]), row["at"], row["id"]
    if row["direction"] == "inbound":
        return CustomerCall(*key) if row["kind"] == "call" else CustomerMessage(*key, row["kind"])
    if row["kind"] == "template":
        return Sent(*key, Template(row.get("template") or "?", row.get("language")))
    known = row["kind"] not in ("free_form", "unclassified", None)
    return Sent(*key, FreeForm(row["kind"] if known else "text"))


def unclassified(row):
    return row["direction"] == "outbound" and row["kind"] in ("unclassified", None)


def facts_of(rows, policy):
    """The facts of one key's rows, (number in the log, row), in the order of the fold."""
    history, sent, failures, others = History(policy), {}, {}, {}
    first = {}
    for number, row in rows:
        event, arrived = event_of(row), row.get("arrived_at") or row["at"]
        delivery = history.add(event, arrived, number)
        first[id(delivery)] = (number, row)
        (sent if isinstance(event, Sent) else others)[number] = delivery
        if isinstance(event, Sent) and failure_code(row) is not None:
            failed = SendFailed(event.number, event.contact, event.at, event.id, failure_code(row))
            failures[number] = history.add(failed, arrived, number)
    facts = []
    for number, _ in rows:
        delivery = sent.get(number) or others[number]
        if delivery.duplicate:
            continue
        event = delivery.event
        if not isinstance(event, Sent):
            at = min(event.at, delivery.arrived)
            facts.append(Fact((at, 0, event.id), number, event, delivery.arrived))
            continue
        mine = [f for f in failures.values() if f.event.message_id == event.id]
        counts = [f for f in mine if f.fact is not None]
        assert len(counts) == bool(mine)
        if counts:
            fact = Fact((event.at, 1, event.id), number, event, delivery.arrived)
            fact.failure, fact.failed = counts[0].event, counts[0].arrived
            fact.silent = (event.at, 2, event.id)
        else:
            fact = Fact((event.at, 2, event.id), number, event, delivery.arrived)
        facts.append(fact)
    facts.sort(key=lambda fact: fact.place)
    # the history that learnt of everything has the same facts in the same order
    ours = [f.failure or f.event for f in facts]
    assert [delivery.event for delivery in history.facts()] == ours
    return facts, len(rows) - len(facts)


class Asking:
    """A History that learns of a key's facts in their order, as far as they are known."""

    def __init__(self, policy, judge, skipped, engine):
        self.history, self.judge, self.skipped = History(policy, engine), judge, skipped
        self.waiting = []

    def before(self, fact):
        """The History when a send is asked about: what stands before it, and is known by then."""
        self.waiting = [other for other in self.waiting if not self._learn(other, fact)]
        return self.history

    def _learn(self, other, fact):
        """Learn of a fact, if it is known; whether there is nothing more to learn of it."""
        truth, now = self.judge == "truth", fact.event.at
        if not truth and other.arrived > now:
            return False
        if other.failure is None:
            if other.row not in self.skipped:
                self.history.add(other.event, other.arrived)
            return True
        if truth or other.failed <= now:
            self.history.add(other.event, other.arrived)
            self.history.add(other.failure, other.failed)
            return True
        if other.row not in self.skipped and other.silent < fact.place:
            self.history.add(other.event, other.arrived)
        return False


def judged(log, policy, judge="truth", registry=None, categories=None, engine=None):
    """From the row's number to what the policy says of it; and how many rows are repeats.

    `engine` answers: the policy's Table, or its live machine.
    """
    keys = {}
    for number, row in enumerate(log):
        keys.setdefault((row["number"], canonical(row["customer"])), []).append((number, row))
    found, repeats = {}, 0
    for rows in keys.values():
        facts, more = facts_of(rows, policy)
        repeats += more
        skipped = {number for number, row in rows if unclassified(row)}
        status = {}
        for _, row in rows:
            if row["direction"] == "outbound" and row.get("status") in WENT_OUT:
                status.setdefault(row["id"], set()).add(row["status"])
        asking = Asking(policy, judge, skipped, engine)
        for fact in facts:
            if isinstance(fact.event, Sent) and fact.row not in skipped:
                history, row = asking.before(fact), log[fact.row]
                found[fact.row] = _judged(
                    fact, history, policy, row, status.get(row["id"], set()), registry, categories
                )
            asking.waiting.append(fact)
    return found, repeats


def _judged(fact, history, policy, row, statuses, registry, categories):
    now, message = fact.event.at, fact.event.message
    templates = registry
    if registry is None:
        named = message.name if isinstance(message, Template) else "?"
        category = {named: row["category"]} if row.get("category") else {}
        templates = Templates({named: "approved"}, {**category, **(categories or {})})
    decision = decide(policy, history, message, now, templates)
    free = decide(policy, history, FreeForm(), now, templates)
    template, failed = isinstance(message, Template), fact.failure is not None
    disagreement = None
    if decision.allowed and failed and fact.failure.code in ERROR_CODES | REFUSAL_CODES:
        disagreement = "allowed_but_refused"
    if not decision.allowed and not failed and statuses & set(DELIVERED):
        disagreement = "refused_but_delivered"
    return Judged(
        decision.allowed,
        decision.reason,
        decision.rule,
        decision.state,
        decision.window_closes_at,
        _last_start(history),
        template and not failed and free.allowed,
        disagreement,
    )


def _last_start(history):
    """When the window last started, open or not."""
    for fact in reversed(history._facts):
        if fact.answer.window == "starts":
            return fact.at
    return None


def judged_by_audit(audit, suffix=""):
    """The same of an audit, from the row's position less 1."""
    found = {}
    for batch in audit.sends():
        for row in batch.to_pylist():
            names = Judged.__dataclass_fields__
            values = {name: row[name + suffix] for name in names}
            for name in ("window_closes_at", "opener_at"):
                values[name] = values[name] and values[name].astimezone(UTC)
            found[row["position"] - 1] = Judged(**values)
    return found
