"""Steps: the declared steps of one document, put on its time line.

The model has read each value for itself; here stands what hangs together: times, ids, order, and
which keys make sense on which step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from yaml.nodes import Node, ScalarNode, SequenceNode

from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    Event,
    FreeForm,
    Message,
    SendFailed,
    Template,
    TemplateStatus,
)
from wa_fsm.identity import canonical
from wa_fsm.policies import near

from .fields import BAD, Entries, Entry
from .mistakes import Notes, or_none, quoted
from .model import Registered, language
from .times import Time, TimeError

ACTORS: Final = ("customer", "business", "ask", "platform")
_OF_SENDS: Final = ("allowed", "refused", "error_code")
TIMES: Final = ("window_closes_at", "free_form_until")
# event, kind, message, facts and template, as in `Step`
_Said: TypeAlias = tuple[str, str | None, Message | None, tuple[Event, ...], str | None]


class Expect(NamedTuple):
    """What must come of a step: only the keys that are given.

    Attributes:
        values: ``allowed`` and ``duplicate`` bool, ``error_code`` int, ``window_closes_at`` and
            ``free_form_until`` an instant (UTC) or None for ``none``, ``window_left`` a timedelta
            or None, ``rule`` a tuple of ids, ``conversation`` and ``origin`` a text or None, the
            others a text.
        lines: the line of each key, from 1.
    """

    values: Mapping[str, Any]
    lines: Mapping[str, int]


class Step(NamedTuple):
    """One step of a case.

    Attributes:
        line: of its first key, from 1.
        column: of its first key, from 1.
        at: when it happens (UTC).
        arrived: when we learn of it (UTC); the same as `at` but for late and early deliveries.
        number: the business number.
        contact: with whom.
        id: its own, or ``step-0001`` by position. A failure's message is in its fact.
        event: ``customer_message``, ``customer_call``, ``template``, ``free_form``,
            ``template_status``, ``send_failed`` or ``checkpoint``.
        kind: of a customer's message or a free-form one.
        message: what a business or ask step wants to send.
        asked_only: an ask step.
        facts: what there is to learn: one fact of a customer or platform step, else none.
        template: the name, of a template's send or status.
        expect: what must come of it.
        expect_line: of the key ``expect``, else of the step.
        note: for readers.
    """

    line: int
    column: int
    at: datetime
    arrived: datetime
    number: str
    contact: str
    id: str
    event: str
    kind: str | None = None
    message: Message | None = None
    asked_only: bool = False
    facts: tuple[Event, ...] = ()
    template: str | None = None
    expect: Expect | None = None
    expect_line: int = 0
    note: str | None = None


@dataclass(slots=True)
class Timeline:
    """Turns one document's steps into `Step` values, in order.

    Attributes:
        notes: for what is wrong.
        start: the instant (UTC) of offset 0.
        start_known: False where ``start`` is bad or cut off: nothing is before it then.
        latest: the last instant at which a window may open.
        templates: what is registered; None where that is not known.
        contacts: from each name of a contact, as it is kept, to the contact.
    """

    notes: Notes
    start: datetime
    start_known: bool
    latest: datetime
    templates: Mapping[str, Registered] | None
    contacts: Mapping[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    _ids: dict[str, datetime | None] = field(default_factory=dict)
    _sent: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _above: datetime | None = None
    _last: datetime | None = None
    _position: int = 0

    def __post_init__(self) -> None:
        self._above = self._last = self.start

    def add(self, entries: Entries) -> None:
        """Add the next step; where something is wrong with it, only its mistakes."""
        self._position += 1
        get = entries.get
        actor = _actor(entries)
        when, late = get("at"), get("arrives")
        at = self._time(when, self._above)
        arrived = at if late is None else self._arrival(late, actor, at)
        self._in_order(late or when, arrived)
        name, own = f"step-{self._position:04d}", get("id")
        if own is not None and own.node.__class__ is ScalarNode:
            name = own.node.value  # a bad one too, so that what refers to it is no second mistake
        self._ids.setdefault(name, at)
        number, contact = _value(get("number"), "business"), _value(get("contact"), "customer")
        if self.contacts and contact.__class__ is str:
            contact = self.contacts.get(canonical(contact), contact)
        told = get("expect")
        expect = self._expect(told, entries, arrived)
        said = self._event(actor, entries, at, (number, contact), name)
        if said is None or at is None or arrived is None or self.notes:
            return
        event, kind, message, facts, template = said
        first = next(iter(entries.values())).key.start_mark
        line, column = first.line + 1, first.column + 1
        expect_line = told.key.start_mark.line + 1 if told else line
        asked_only, note = actor == "ask", _value(get("note"), None)
        step = (line, column, at, arrived, number, contact, name, event, kind, message, asked_only)
        self.steps.append(Step(*step, facts, template, expect, expect_line, note))

    def skip(self) -> None:
        """Pass over a step that is no mapping: the one below counts from an unknown time."""
        self._position += 1
        self._above = None

    def _time(self, entry: Entry | None, above: datetime | None) -> datetime | None:
        """The instant that is meant; None, and a mistake, where there is none."""
        value = self._resolve(entry, above)
        if value is not None and value > self.latest:
            assert entry is not None
            self.notes.add(
                entry.node,
                f"{quoted(_written(entry.node))} is too late: a window that opens then would "
                "close beyond the year 9999; expected an earlier time",
            )
            return None
        return value

    def _resolve(
        self, entry: Entry | None, above: datetime | None, word: Callable[[str], str] = str
    ) -> datetime | None:
        if entry is None or entry.value is BAD:
            return None
        time: Time = entry.value
        try:
            value = time.resolve(self.start, above, self._ids)
        except TimeError as error:
            self.notes.add(entry.node, word(str(error)))
            return None
        except OverflowError:
            said = f"{quoted(_written(entry.node))} is outside the years 1 to 9999"
            self.notes.add(entry.node, said)
            return None
        if value is not None and value < self.start and self.start_known:
            self.notes.add(
                entry.node,
                f"{quoted(_written(entry.node))} is before `start`; "
                "expected a time from `start` on",
            )
            return None
        return value if time.base != "instant" or self.start_known else None

    def _arrival(self, entry: Entry, actor: str | None, at: datetime | None) -> datetime | None:
        if actor not in ("customer", "platform"):
            self.notes.add(
                entry.key, "`arrives` is for customer and platform steps only; leave it out"
            )
        return self._time(entry, at)

    def _in_order(self, entry: Entry | None, arrived: datetime | None) -> None:
        self._above = arrived
        if arrived is None or entry is None:
            return
        if self._last is not None and arrived < self._last:
            self.notes.add(
                entry.node,
                f"{quoted(_written(entry.node))} is before the step above arrives; "
                "expected the steps in the order in which they arrive",
            )
        else:
            self._last = arrived

    def _event(
        self,
        actor: str | None,
        entries: Entries,
        at: datetime | None,
        key: tuple[Any, Any],
        name: str,
    ) -> _Said | None:
        """Event, kind, message, facts and template of the step; None where something is wrong."""
        if actor is None:
            return ("checkpoint", None, None, (), None)
        value = entries[actor].value
        if actor == "business":
            self._send(entries, key, name)
        if value is BAD or BAD in key:
            return None
        if actor in ("business", "ask"):
            if value.__class__ is FreeForm:
                return ("free_form", value.kind, value, (), None)
            assert isinstance(value, Template)
            return ("template", None, value, (), value.name)
        if actor == "platform":
            return self._report(value, at, key)
        if at is None or self.notes:
            return None
        if value == "call":
            return ("customer_call", None, None, (CustomerCall(*key, at, name),), None)
        fact = CustomerMessage(*key, at, name, value)
        return ("customer_message", value, None, (fact,), None)

    def _send(self, entries: Entries, key: tuple[str, str], name: str) -> None:
        sent = self._sent.setdefault(key, set())
        if name in sent:
            said = f"the id {quoted(name)} is that of an earlier business step of this number and "
            if "id" in entries:
                self.notes.add(entries["id"].node, f"{said}contact; expected another")
            else:
                by_position = "contact, and of this step by its position; give one of them another"
                self.notes.add(entries["business"].key, said + by_position)
        sent.add(name)

    def _report(self, entries: Entries, at: datetime | None, key: tuple[str, str]) -> _Said | None:
        if "failed" in entries or "message" in entries:
            code, message = entries.get("failed"), entries.get("message")
            if code is None or message is None or BAD in (code.value, message.value):
                return None
            if message.value not in self._sent.get(key, ()):
                self._names_no_send(message, key)
                return None
            if at is None:
                return None
            failed = SendFailed(*key, at, message.value, code.value)
            return ("send_failed", None, None, (failed,), None)
        name, status, tag = entries.get("template"), entries.get("status"), entries.get("language")
        if name is not None and name.value is not BAD:
            self._listed(name, tag)
        if name is None or status is None or BAD in (name.value, status.value) or at is None:
            return None
        if tag is not None and tag.value is BAD:
            return None
        spoken = language(tag.value) if tag else None
        fact = TemplateStatus(name.value, status.value, at, spoken)
        return ("template_status", None, None, (fact,), name.value)

    def _names_no_send(self, message: Entry, key: tuple[str, str]) -> None:
        sent = sorted(self._sent.get(key, ()))
        told = (
            near(message.value, sent) if sent else "expected the `id` of a send that stands above"
        )
        self.notes.add(
            message.node,
            f"{quoted(message.value)} is no earlier business step of the number {quoted(key[0])} "
            f"and the contact {quoted(key[1])}; {told}",
        )

    def _listed(self, name: Entry, tag: Entry | None) -> None:
        """A status must be of a template, and a language, that ``templates`` lists."""
        if self.templates is None:
            return
        registered = self.templates.get(name.value)
        if registered is None:
            known = f"; {near(name.value, self.templates)}" if self.templates else ""
            self.notes.lacks(
                name.node,
                f"the template {quoted(name.value)} is not in `templates`; list it there{known}",
            )
            return
        if tag is None or tag.value is BAD or registered is BAD or None in registered.statuses:
            return
        if language(tag.value) not in registered.statuses:
            known = near(tag.value, [str(spoken) for spoken in registered.statuses])
            self.notes.add(
                tag.node,
                f"the template {quoted(name.value)} has no language {quoted(tag.value)}; {known}",
            )

    def _expect(
        self, entry: Entry | None, step: Entries, arrived: datetime | None
    ) -> Expect | None:
        if entry is None or entry.value is BAD:
            return None
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name, (key, _, value) in entry.value.items():
            if name in TIMES and value is not None:
                value = self._resolve(entry.value[name], arrived, or_none)
            elif name == "rule" and value.__class__ is str:
                value = (value,)
            values[name] = value
            lines[name] = key.start_mark.line + 1
        _can_hold(entry.value, step, self.notes)
        return Expect(values, lines)


def _can_hold(entries: Entries, step: Entries, notes: Notes) -> None:
    """Note what is asked of a step that has no such thing, and what contradicts itself."""
    sends = "business" in step or "ask" in step
    told = entries.get("allowed")
    for name in _OF_SENDS:
        if name not in entries:
            continue
        if not sends:
            notes.add(
                entries[name].key, f"`{name}` is for business and ask steps only; leave it out"
            )
        elif told is not None and told.value is True and name != "allowed":
            notes.add(
                entries[name].key, f"`allowed: true` and `{name}` can never both hold; keep one"
            )
    if "duplicate" in entries and "customer" not in step:
        notes.add(entries["duplicate"].key, "`duplicate` is for customer steps only; leave it out")


def _actor(entries: Entries) -> str | None:
    for name in ACTORS:
        if name in entries:
            return name
    return None


def _value(entry: Entry | None, default: str | None) -> Any:
    return default if entry is None else entry.value


def _written(node: Node) -> str:
    """A value as the user wrote it."""
    if isinstance(node, ScalarNode):
        return str(node.value)
    return ", ".join(map(_written, node.value)) if isinstance(node, SequenceNode) else ""
