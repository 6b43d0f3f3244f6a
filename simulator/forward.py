"""``wa-sim forward``: what a run allowed becomes requests, and leaves at most once each.

House rules:

* Only what the run allowed is planned, and a gate that has learnt the scenario's own facts decides
  again before each attempt, at the scenario's time.
* Every send is in the journal before it leaves. What may have left is never sent again unasked, and
  an attempt that failed after it does not say that it did not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from wa_fsm import SendFailed, Sent, Template, TemplateStatus
from wa_fsm.adapters.graph import Failed, addressed
from wa_fsm.adapters.webhooks import Evidence, WebhookError, parse_webhook
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.sending import SendRefused
from wa_fsm.stores.memory import MemoryStore
from wa_fsm.templates import Templates

from .journal import Fate, Journal, JournalError
from .outcome import Outcome, Run
from .scenario import Case
from .steps import Step

if TYPE_CHECKING:
    from wa_fsm.adapters.sender import CloudApiSender

LANGUAGE: Final = "en_US"
_TOOK: Final = frozenset({"sent", "delivered", "read", "played"})
# Meta's error page calls these authorization errors: they are the token's, and no message's.
_OF_THE_TOKEN: Final = frozenset({3, 10, 190, *range(200, 300)})

Told = Literal["refused", "sent", "sent earlier", "failed", "not taken", "unknown"]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Whom the names of a scenario stand for.

    Attributes:
        numbers: from a business number to a phone_number_id.
        contacts: from a contact to a phone number or BSUID.
        contents: from a step's id or a kind to what belongs to it in the body.
        language: of templates whose step names none.
    """

    numbers: Mapping[str, str] = field(default_factory=dict)
    contacts: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, Any] = field(default_factory=dict)
    language: str = LANGUAGE


@dataclass(frozen=True, slots=True)
class Item:
    """One business step of a run.

    Attributes:
        key: names it in the journal.
        outcome: of the run.
        number: the phone_number_id.
        body: of the request; None for one that the run refused.
        lacks: the kind whose content nobody gave, else empty.
    """

    key: str
    outcome: Outcome
    number: str
    body: Mapping[str, Any] | None
    lacks: str = ""

    @property
    def step(self) -> Step:
        """The step."""
        return self.outcome.step


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one item."""

    item: Item
    told: Told
    text: str = ""


def plan(run: Run, mapped: Mapped) -> list[Item]:
    """The business steps of a run that passed, in order."""
    items, templates = [], Templates(run.case.templates)
    for position, outcome in enumerate(run.outcomes):
        step = outcome.step
        _follow(templates, step, position)
        if step.message is None or step.asked_only or outcome.decision is None:
            continue
        number = mapped.numbers.get(step.number, step.number)
        body, lacks = _body(run.case, step, mapped, templates) if outcome.decision else (None, "")
        items.append(Item(str(position), outcome, number, body, lacks))
    return items


def _follow(templates: Templates, step: Step, position: int) -> None:
    """What a platform step says of a template, as the run learnt it."""
    for fact in step.facts:
        if isinstance(fact, TemplateStatus):
            templates.add(fact, step.arrived, position)


def _body(
    case: Case, step: Step, mapped: Mapped, templates: Templates
) -> tuple[dict[str, Any], str]:
    to = addressed(mapped.contacts.get(step.contact, step.contact))
    given = mapped.contents.get(step.id, mapped.contents.get(step.kind or "template"))
    if isinstance(step.message, Template):
        said = {
            "name": step.message.name,
            "language": {"code": _language(case, step.message, step.arrived, mapped, templates)},
            **(given or {}),
        }
        return {**to, "type": "template", "template": said}, ""
    kind = step.kind or "text"
    if given is None and kind == "text":
        given = {"body": f"{case.name}: {step.id}"}
    return {**to, "type": kind, kind: given}, "" if given is not None else kind


def refusal(case: Case, outcome: Outcome) -> str:
    """Why the run refused a step, with times as the case shows them."""
    from .reports.text import zone_of

    return "" if outcome.decision is None else outcome.decision.explain(zone_of(case))


def _language(
    case: Case, template: Template, at: datetime, mapped: Mapped, templates: Templates
) -> str:
    """The one it names, or the first of the scenario that is approved then, or the default."""
    if template.language:
        return template.language
    listed = case.templates.get(template.name)
    for spoken in listed if isinstance(listed, Mapping) else ():
        if templates.status(Template(template.name, spoken), at) == "approved":
            return spoken
    return mapped.language


def digest(case: Case, items: Iterable[Item]) -> str:
    """Tells one plan from another: same scenario, policy, numbers, contacts and contents."""
    sends = [[item.key, item.number, item.body] for item in items if item.body is not None]
    said = json.dumps([case.name, case.policy.spec, sends], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def tag(journal: Journal, key: str) -> str:
    """What a request carries as ``biz_opaque_callback_data``, and its statuses bring back."""
    return f"wa-sim:{journal.run}:{key}"


def settled(journal: Journal, bodies: Iterable[bytes]) -> int:
    """Settle unknown sends by the statuses in webhook bodies; returns how many.

    A message that failed was not sent, whatever was said of it before. Where a send left more than
    once, any of its messages that did not fail will do.

    Args:
        journal: is told.
        bodies: a webhook's body each; what is none, or of something else, is passed over.
    """
    waiting = {tag(journal, key): key for key, fate in journal.fates.items() if _open(fate)}
    told: dict[str, dict[str, Evidence]] = {}
    for value in _evidence(bodies):
        if value.callback in waiting and (value.status == "failed" or value.status in _TOOK):
            messages = told.setdefault(waiting[value.callback], {})
            if value.status == "failed":
                messages[value.message_id] = value
            messages.setdefault(value.message_id, value)
    for key, messages in told.items():
        took = next((id_ for id_, last in messages.items() if last.status != "failed"), None)
        if took is not None:
            journal.sent(key, took)
        else:
            errors = next(iter(messages.values())).errors
            journal.failed(key, errors[0].code if errors else None, "by its status")
    return len(told)


def _evidence(bodies: Iterable[bytes]) -> Iterator[Evidence]:
    for body in bodies:
        try:
            values = parse_webhook(body)
        except WebhookError:
            continue
        yield from (value for value in values if isinstance(value, Evidence))


def _open(fate: Fate) -> bool:
    return fate.known == "unknown"


def _of_the_message(failed: Failed) -> bool:
    """Whether WhatsApp refused this message for good.

    It may be said of now only, or of the token; and without a code WhatsApp never saw the message:
    it was not reached, or something at a wrong address answered.
    """
    return not failed.transient and failed.code is not None and failed.code not in _OF_THE_TOKEN


class _Clock:
    """The scenario's time: it stands still but while somebody waits."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Forwarder:
    """Sends the items of a plan, each at most once.

    Args:
        run: that passed.
        items: of it.
        mapped: as the plan was made with.
        journal: of it.
        sender: makes a sender for a phone_number_id, by a gate and a function that waits.
        clock: seconds that only ever grow.
        sleep: waits for some seconds.
        speed: how many seconds of the scenario pass in one; None: all at once.
        again: send what may have left once more.
    """

    def __init__(
        self,
        run: Run,
        items: Sequence[Item],
        mapped: Mapped,
        journal: Journal,
        sender: Callable[[Gatekeeper, str, Callable[[float], None]], CloudApiSender],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        speed: float | None = None,
        *,
        again: bool = False,
    ) -> None:
        case = run.case
        self._run, self._mapped, self._journal = run, mapped, journal
        self._items = {int(item.key): item for item in items}
        self._real, self._sleep, self._speed, self._again = clock, sleep, speed, again
        self._clock = _Clock(case.start_utc)
        self._templates = Templates(case.templates, case.categories)
        self._gate = Gatekeeper(
            policy=case.policy,
            store=MemoryStore(case.start_utc - timedelta(days=3650)),
            templates=self._templates,
            now=self._clock,
            log=False,
        )
        self._make, self._senders = sender, dict[str, "CloudApiSender"]()
        self._ids: dict[tuple[str, str, str], str] = {}

    def reports(self) -> Iterator[Report]:
        """Go through the scenario; yields what became of each business step, as it happens.

        Raises:
            JournalError: it can no longer be kept, so nothing more leaves.
        """
        begun: tuple[float, datetime] | None = None
        for position, outcome in enumerate(self._run.outcomes):
            step = outcome.step
            self._learn(step, position)
            item = self._items.get(position)
            if item is None:
                continue
            if item.body is None:
                yield Report(item, "refused", refusal(self._run.case, outcome))
                continue
            fate = self._journal.fates.get(item.key)
            if fate is not None and not (_open(fate) and self._again):
                yield self._known(item, fate)
                continue
            begun = begun or (self._real(), step.arrived)
            self._until(begun, step.arrived)
            self._clock.at = step.arrived
            yield self._send(item, item.body)

    def close(self) -> None:
        """Let go of connections."""
        for sender in self._senders.values():
            sender.close()

    def _learn(self, step: Step, position: int) -> None:
        """The facts of a step, under the names of the real ones."""
        _follow(self._templates, step, position)
        for fact in step.facts:
            if isinstance(fact, TemplateStatus):
                continue
            number, contact = self._names(step)
            known = replace(fact, number=number, contact=contact)
            if isinstance(known, SendFailed):
                id_ = self._ids.get((step.number, step.contact, known.message_id))
                known = replace(known, message_id=id_ or known.message_id)
            self._gate.record(known, step.arrived)

    def _names(self, step: Step) -> tuple[str, str]:
        numbers, contacts = self._mapped.numbers, self._mapped.contacts
        return numbers.get(step.number, step.number), contacts.get(step.contact, step.contact)

    def _known(self, item: Item, fate: Fate) -> Report:
        step = item.step
        if fate.known == "sent" and step.message is not None:
            number, contact = self._names(step)
            self._ids[step.number, step.contact, step.id] = fate.id
            self._gate.record(Sent(number, contact, step.arrived, fate.id, step.message))
            return Report(item, "sent earlier", fate.id)
        if fate.known == "failed":
            return Report(item, "failed", f"{fate.code or ''} {fate.text}".strip())
        return Report(item, "unknown", "it may have left earlier")

    def _send(self, item: Item, body: Mapping[str, Any]) -> Report:
        from wa_fsm.adapters.sender import OutcomeUnknown, SendError  # needs httpx

        journal, key = self._journal, item.key
        before = key in journal.fates

        def back(failed: Failed) -> None:
            if before or not _of_the_message(failed):
                journal.back(key)

        try:
            came = self._sender(item.number).send(
                {**body, "biz_opaque_callback_data": tag(journal, key)},
                leaving=lambda: journal.leaving(key),
                failed=back,
            )
        except SendRefused as refused:
            return _not_gone(Report(item, "refused", str(refused)), before)
        except OutcomeUnknown as unknown:
            return Report(item, "unknown", str(unknown))
        except SendError as error:
            said = f"{error.code or ''} {error.text}".strip()
            if before or key not in journal.fates:
                return _not_gone(Report(item, "not taken", said), before)
            failure = partial(journal.failed, key, error.code, error.text)
            return _noted(Report(item, "failed", said), failure)
        self._ids[item.step.number, item.step.contact, item.step.id] = came.id
        return _noted(Report(item, "sent", came.id), partial(journal.sent, key, came.id))

    def _sender(self, number: str) -> CloudApiSender:
        found = self._senders.get(number)
        if found is None:
            found = self._senders[number] = self._make(self._gate, number, self._wait)
        return found

    def _until(self, begun: tuple[float, datetime], at: datetime) -> None:
        """Wait for a step's time, counted from the first send."""
        if self._speed:
            due = begun[0] + (at - begun[1]).total_seconds() / self._speed
            if (left := due - self._real()) > 0:
                self._sleep(left)

    def _wait(self, seconds: float) -> None:
        """What the sender waits is time of the scenario, where that passes at all."""
        self._sleep(seconds)
        if self._speed:
            self._clock.at += timedelta(seconds=seconds * self._speed)


def _not_gone(report: Report, before: bool) -> Report:
    """A report of this attempt; where one before it may have left, that is what is known."""
    if not before:
        return report
    return replace(
        report, told="unknown", text=f"it may have left earlier; now {report.told}: {report.text}"
    )


def _noted(report: Report, note: Callable[[], None]) -> Report:
    """A report that is in the journal too; where that fails, the error is the only one to tell."""
    try:
        note()
    except JournalError as error:
        said = f"`{report.item.step.id}` {report.told}: {report.text}"
        raise JournalError(f"{error}; not noted: {said}") from None
    return report
