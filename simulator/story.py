"""What really happened, told as a scenario: facts with their arrivals in, its steps out.

House rules:

* An expectation is what happened, never what a policy says of it: a send that went out must be
  allowed, one that WhatsApp refused for the window must be refused. So an incident becomes a test.
* A send of which nobody can say whether the window was open is only asked about.
* All names of one person are one contact. They are not masked here, but in `story_text.py`.
  Contents of messages never come here.
* Steps stand in the order in which they arrived.
* What does not go into the scenario is counted, once, and never dropped in silence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final, Literal, TypeAlias

from wa_fsm.adapters.webhook_shapes import mapping, text
from wa_fsm.adapters.webhooks import Evidence, Unrecognised, Value
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    Delivered,
    Message,
    SendFailed,
    Sent,
    Template,
    TemplateStatus,
)
from wa_fsm.identity import SameContact, canonical
from wa_fsm.rows import REFUSAL_CODES
from wa_fsm.templates import plain_language

from .flow import fitting

Source: TypeAlias = Literal["log", "status", "failure"]

_SOURCES: Final = ("log", "status", "failure")
_NOT_APPROVED: Final = {132001: "pending", 132015: "paused", 132016: "disabled"}
_LEFT_OUT: Final = {
    "Preference": "marketing preferences",
    "Synced": "messages of a synced chat history",
    "Notice": "notices that move no window",
    "Unrecognised": "parts that are not recognised",
    "ContactChanged": "changes of a customer's number or id",
}
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,4})*")


@dataclass(slots=True)
class Try:
    """One send as it was tried, and what became of it.

    Attributes:
        number: from which business number.
        contact: to whom, by one of their names.
        message: what.
        at: when it left.
        id: the message's id; None where WhatsApp gave none.
        code: of the failure, if it failed.
        failed: when a status told of the failure, and when that arrived; None: the answer did.
        answered: False where nobody knows what became of it.
        heard: False where no answer came at all.
        source: who told of it: a log of requests, a ``sent`` status, or only its failure.
    """

    number: str
    contact: str
    message: Message
    at: datetime
    id: str | None
    code: int | None = None
    failed: tuple[datetime, datetime] | None = None
    answered: bool = True
    heard: bool = True
    source: Source = "log"

    @property
    def open_question(self) -> bool:
        """Whether nobody can say if the window was open: another obstacle came before it.

        A template that was taken in and failed later was approved, so its verdict is known.
        """
        if not self.answered:
            return True
        if self.code is None or self.code in REFUSAL_CODES or self.lacked is not None:
            return False
        return self.failed is None or not isinstance(self.message, Template)

    @property
    def lacked(self) -> str | None:
        """The status for which the answer refused its template; None where it did not."""
        at_once = isinstance(self.message, Template) and self.failed is None
        return _NOT_APPROVED.get(self.code or 0) if at_once else None

    @property
    def shows(self) -> str | None:
        """The status that its template had, as far as what became of it tells."""
        if not isinstance(self.message, Template) or self.open_question:
            return None
        return self.lacked or "approved"


@dataclass(frozen=True, slots=True)
class Happened:
    """A step in the making.

    Attributes:
        arrived: when it was learnt.
        rank: orders what arrived at one instant: the customer's, templates', sends, failures.
        order: in which it was read.
        at: when it happened.
        key: number and contact, not masked; None for a template's status.
        id: role and id of the message, not replaced; None where the step has none.
        says: the actor and what belongs to it.
    """

    arrived: datetime
    rank: int
    order: int
    at: datetime
    key: tuple[str, str] | None
    id: tuple[str, str] | None
    says: Mapping[str, Any]


@dataclass(slots=True)
class Story:
    """Everything that was read.

    Attributes:
        tries: sends, as far as they are known.
    """

    tries: list[Try] = field(default_factory=list)
    _passed_over: Counter[str] = field(default_factory=Counter)
    _unjudged: list[tuple[str, str | None]] = field(default_factory=list)
    _inbound: list[tuple[CustomerMessage | CustomerCall, datetime]] = field(default_factory=list)
    _failures: dict[tuple[str, str], list[tuple[SendFailed, datetime]]] = field(
        default_factory=dict
    )
    _statuses: list[tuple[TemplateStatus, datetime]] = field(default_factory=list)
    _reported: set[str] = field(default_factory=set)
    _echoes: set[str] = field(default_factory=set)
    _same: dict[str, str] = field(default_factory=dict)

    def learn(self, values: Iterable[Value], arrived: datetime | None) -> None:
        """Take in what one webhook body holds.

        Args:
            values: as ``parse_webhook`` gave them.
            arrived: when it came; None: each event arrived when it happened.
        """
        values = list(values)
        told = {(v.message_id, v.status) for v in values if isinstance(v, Evidence)}
        self._reported |= {id_ for id_, _ in told}
        for value, following in zip_longest(values, values[1:]):
            if isinstance(value, (CustomerMessage, CustomerCall)):
                self._inbound.append((value, arrived or value.at))
            elif isinstance(value, Sent):
                self._sent(value, told)
            elif isinstance(value, SendFailed):
                key = (value.number, value.message_id)
                self._failures.setdefault(key, []).append((value, arrived or value.at))
            elif isinstance(value, TemplateStatus):
                self._statuses.append((value, arrived or value.at))
            elif isinstance(value, SameContact):
                self.same(value.names)
            elif not isinstance(value, (Evidence, Delivered)) and not _is_told(value, following):
                self.pass_over(_LEFT_OUT[type(value).__name__])

    def _sent(self, fact: Sent, told: set[tuple[str, str]]) -> None:
        source: Source = "status" if (fact.id, "sent") in told else "failure"
        if source == "failure" and (fact.id, "failed") not in told:
            # An echo: the window does not bind what is written in the WhatsApp Business app.
            self._echoes.add(fact.id)
            return
        made = Try(fact.number, fact.contact, fact.message, fact.at, fact.id, source=source)
        self.tries.append(made)

    def pass_over(self, what: str) -> None:
        """One more of what does not go into the scenario."""
        self._passed_over[what] += 1

    def unjudged(self, reason: str, id_: str | None) -> None:
        """A request that no policy can judge, and the id that WhatsApp gave to its message."""
        self._unjudged.append((reason, id_))

    def same(self, names: Iterable[str]) -> None:
        """These names are one contact's."""
        roots = {self._who(name) for name in names}
        for root in roots:
            self._same[root] = min(roots)

    def _who(self, name: str) -> str:
        name = canonical(name)
        while self._same.get(name, name) != name:
            name = self._same[name]
        return name

    # -- what happened ---------------------------------------------------------------------------

    def steps(self) -> list[Happened]:
        """The steps, in the order in which they arrived."""
        steps = [*self._of_customers(), *self._of_templates(), *self._of_sends()]
        return sorted(steps, key=lambda step: (step.arrived, step.rank, step.order))

    def _of_customers(self) -> Iterator[Happened]:
        seen: set[tuple[str, str, str]] = set()
        inbound = sorted(enumerate(self._inbound), key=lambda each: (each[1][1], each[0]))
        for order, (event, arrived) in inbound:
            key = (event.number, self._who(event.contact))
            says: dict[str, Any] = {
                "customer": event.kind if isinstance(event, CustomerMessage) else "call"
            }
            if (*key, event.id) in seen:
                says["expect"] = {"duplicate": "true"}
            seen.add((*key, event.id))
            yield Happened(arrived, 0, order, event.at, key, ("m", event.id), says)

    def _of_templates(self) -> Iterator[Happened]:
        for order, (event, arrived) in enumerate(self._statuses):
            says = {"template": fitting(event.name), "status": event.status}
            says |= _spoken(event.language)
            yield Happened(arrived, 1, order, event.at, None, None, {"platform": says})

    def _of_sends(self) -> Iterator[Happened]:
        reported = {event.name for event, _ in self._statuses}
        stood: dict[tuple[str, str | None], str] = {}
        for order, sent in enumerate(sorted(self._settled(), key=lambda each: each.at)):
            template = _template(sent)
            if template is not None and template[0] not in reported and sent.shows is not None:
                if stood.setdefault(template, sent.shows) != sent.shows:
                    yield _turn(sent, sent.shows, order)
                stood[template] = sent.shows
            key = (sent.number, self._who(sent.contact))
            id_ = ("s", sent.id) if sent.id is not None else None
            actor = "ask" if sent.open_question else "business"
            says = {actor: _message(sent.message), **_outcome(sent)}
            yield Happened(sent.at, 2, order, sent.at, key, id_, says)
            if sent.failed is not None and not sent.open_question:
                at, arrived = sent.failed
                says = {"platform": {"failed": str(sent.code), "message": id_}}
                yield Happened(max(arrived, sent.at), 3, order, at, key, None, says)

    def _settled(self) -> Iterator[Try]:
        """The sends with their failures; each as the source has it that tells most of it."""
        latest = self._latest()
        told: set[tuple[str, str]] = set()
        for sent in sorted(self.tries, key=lambda each: (_SOURCES.index(each.source), each.at)):
            if sent.id is None:
                yield sent
                continue
            if (sent.number, sent.id) in told or sent.id in self._echoes:
                continue
            told.add((sent.number, sent.id))
            failures = self._failures.get((sent.number, sent.id))
            if failures and sent.code is None:
                event, arrived = min(failures, key=_arrived)  # the one learnt first counts
                sent = replace(sent, code=event.code, failed=(event.at, arrived))
            if sent.source == "status" and sent.code not in REFUSAL_CODES:
                key = (sent.number, self._who(sent.contact), sent.at)
                sent = replace(sent, at=latest.get(key, sent.at))
            yield sent

    def _latest(self) -> dict[tuple[str, str, datetime], datetime]:
        """The last arrival of each contact in each second.

        A ``sent`` status tells no more of its send than the second: what arrived from the customer
        within it may be what was replied to, so it stands before the send.
        """
        found: dict[tuple[str, str, datetime], datetime] = {}
        for event, arrived in self._inbound:
            key = (event.number, self._who(event.contact), arrived.replace(microsecond=0))
            found[key] = max(arrived, found.get(key, arrived))
        return found

    def left_out(self) -> Counter[str]:
        """How many of what do not go into the scenario."""
        told = {sent.id for sent in self.tries if sent.id is not None}
        unjudged = [(reason, id_) for reason, id_ in self._unjudged if id_ not in told]
        unknown = self._reported - told - self._echoes - {id_ for _, id_ in unjudged}
        logged = [(sent.number, sent.id) for sent in self.tries if sent.id and sent.source == "log"]
        found = Counter(
            {
                "sends of which no line tells what was sent": len(unknown),
                "messages sent from the WhatsApp Business app": len(self._echoes),
                "repeated lines of a send": len(logged) - len(set(logged)),
                "further failures of a send that had failed": self._further_failures(),
            }
        )
        found.update(f"sends that no policy can judge ({reason})" for reason, _ in unjudged)
        return self._passed_over + found

    def _further_failures(self) -> int:
        """How many do not count; one that only came again is none."""
        told = {(sent.number, sent.id) for sent in self.tries if sent.id not in self._echoes}
        failures = [found for key, found in self._failures.items() if key in told]
        return sum(len({event for event, _ in found}) - 1 for found in failures)

    def templates(self) -> dict[str, dict[str | None, str]]:
        """What was registered at first, by name and language; None as language is all."""
        found: dict[str, dict[str | None, str]] = {}
        for _, (name, tag), status in sorted(self._first_seen(), key=lambda each: each[0]):
            found.setdefault(fitting(name), {}).setdefault(tag, status)
        for by_language in found.values():
            if len(by_language) > 1:
                by_language.pop(None, None)
        return found

    def _first_seen(self) -> Iterator[tuple[tuple[bool, datetime], tuple[str, str | None], str]]:
        """When, which template, and the status that it had until then, as far as one can tell.

        Sends that tell nothing of it come last.
        """
        reported = {event.name for event, _ in self._statuses}
        for event, arrived in self._statuses:
            reviewed = event.status in ("approved", "rejected", "pending")
            before = "pending" if reviewed else "approved"
            yield (False, max(event.at, arrived)), (event.name, _tag(event.language)), before
        sends = [(sent, each) for sent in self._settled() if (each := _template(sent)) is not None]
        registered = {each for sent, each in sends if sent.lacked != "pending"}
        for sent, each in sends:
            if each in registered or each[0] in reported:  # else 132001 says that there is none
                yield (sent.shows is None, sent.at), each, sent.shows or "approved"


def _arrived(failure: tuple[SendFailed, datetime]) -> datetime:
    return failure[1]


def _is_told(value: Value, following: Value | None) -> bool:
    """Whether it only says that a message's type is unknown: the message itself comes next."""
    if not isinstance(value, Unrecognised) or not isinstance(following, CustomerMessage):
        return False
    id_ = text(mapping(value.raw).get("id"))
    return following.kind == "unsupported" and following.id == id_


def _message(message: Message) -> Any:
    if not isinstance(message, Template):
        return message.kind
    return {"template": fitting(message.name), **_spoken(message.language)}


def _spoken(language: str | None) -> dict[str, str]:
    tag = _tag(language)
    return {} if tag is None else {"language": tag}


def _tag(language: str | None) -> str | None:
    """The language as a scenario file says it; None where it cannot."""
    if language is None or not _LANGUAGE.fullmatch(language):
        return None
    return plain_language(language)


def _template(sent: Try) -> tuple[str, str | None] | None:
    """The name and the language of the template that is sent, if one is."""
    message = sent.message
    return (message.name, _tag(message.language)) if isinstance(message, Template) else None


def _turn(sent: Try, status: str, order: int) -> Happened:
    """The status that a template must have had by this send, which no webhook tells."""
    says = {"platform": {**_message(sent.message), "status": status},
            "note": "no webhook tells of it, but what became of the sends does"}  # fmt: skip
    return Happened(sent.at, 2, order, sent.at, None, None, says)


def _outcome(sent: Try) -> dict[str, Any]:
    if sent.open_question:
        what = "its answer does not tell what became of it" if sent.heard else "it had no answer"
        if sent.answered:
            what = f"it failed with {sent.code}"
        return {"note": f"{what}, which says nothing of the window"}
    if sent.code in REFUSAL_CODES:
        return {"expect": {"allowed": "false", "error_code": "131047"}}
    if sent.lacked is not None:
        return {"expect": {"allowed": "false", "error_code": str(sent.code)}}
    return {"expect": {"allowed": "true"}}
