"""What wa-fsm is compared with: the rules of ``cloud-api`` written by hand, and other machines.

The peers know less than wa-fsm (no order of arrival, no languages of templates, no reactions) and
are quick for it; where both can answer they answer the same, which is asserted before any timing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import transitions
from automat import TypeMachineBuilder
from statemachine import State, StateMachine

from wa_fsm import Conversation, FreeForm, Message, policies
from wa_fsm.decision import Reason
from wa_fsm.events import StatusName
from wa_fsm.policy import Policy
from wa_fsm.situation import START, YES, applied, free_form_facts, lapsed
from wa_fsm.table import table_of

WINDOW = timedelta(hours=24)

# -- the decision --------------------------------------------------------------------------------


class Known:
    """What a hand-written gatekeeper keeps of one key.

    Attributes:
        opener: the last message that opened or refreshed the window.
        template: the last template that left.
        refused: the first send since `opener` that was refused for the window.
        conversation: the one that `opener` is in.
    """

    __slots__ = ("conversation", "opener", "refused", "template")

    def __init__(self) -> None:
        self.opener: datetime | None = None
        self.template: datetime | None = None
        self.refused: datetime | None = None
        self.conversation: Conversation | None = None


@dataclass(frozen=True, slots=True)
class Statuses:
    """The statuses of templates by name, and whether any is approved."""

    by_name: Mapping[str, StatusName]
    any_approved: bool


class Tuple(NamedTuple):
    """The fields of ``Decision``, in its order, as a NamedTuple."""

    allowed: bool
    reason: Reason
    rule: str
    cites: tuple[str, ...]
    standing: str
    at: datetime
    state: str
    window_closes_at: datetime | None
    free_form_until: datetime | None
    valid_until: datetime | None
    conversation: Conversation | None
    allowed_kinds: tuple[str, ...]
    uncounted: tuple[str, ...]
    error_code: int | None
    policy: str
    policy_version: str
    message: Message
    template_status: StatusName | None
    since: datetime | None


Ask = Callable[[Known, datetime, Message, Statuses], Any]


def by_hand(policy: Policy, answer: Callable[..., Any]) -> Ask:
    """The decision of ``cloud-api`` as a function of `if`s.

    Args:
        policy: gives the margin and the texts: citations, spec, version.
        answer: ``Decision``, or another with its fields.
    """
    margin, spec, version = policy.margin, policy.spec, policy.version
    cites = {row.id: row.cites for row in policy.rows}
    m4, m5, m6, m7, m8, m9, m10, m11, m12 = (cites.get(f"M{number}", ()) for number in range(4, 13))
    none, only_free, only_template, both = (
        (),
        ("free_form",),
        ("template",),
        ("free_form", "template"),
    )

    def ask(known: Known, now: datetime, message: Message, statuses: Statuses) -> Any:
        opener, template = known.opener, known.template
        state, ends, since, running = "closed", None, None, None
        if opener is not None:
            ends = opener + WINDOW
            refused = known.refused
            shut = ends if refused is None or refused >= ends else refused
            if now < shut:
                state, since, running = "user_opened", opener, known.conversation
            else:
                state, ends, since = "expired", None, shut
        if ends is None and template is not None and (since is None or template >= since):
            state, since = "business_opened", template
        free = ends is not None and now + margin < ends
        if statuses.any_approved:
            kinds = both if free else only_template
        else:
            kinds = only_free if free else none

        valid = code = status = None
        standing = "documented"
        if message.__class__ is FreeForm:
            allowed = free
            if free:
                reason, rule, because, valid = "window_open", "M8", m8, ends - margin  # type: ignore[operator]  # free says that it is open
            elif ends is not None:
                reason, rule, because, standing = "within_margin", "M12", m12, "ours"
                code = 131047
            else:
                code = 131047
                if state == "business_opened":
                    reason, rule, because = "awaiting_reply", "M9", m9
                elif state == "closed":
                    reason, rule, because = "never_opened", "M10", m10
                else:
                    reason, rule, because = "window_expired", "M11", m11
        else:
            status = statuses.by_name.get(message.name)  # type: ignore[union-attr]  # it is a Template
            allowed = status == "approved"
            if allowed:
                reason = "template_approved"
                if state == "user_opened" or state == "business_opened":
                    rule, because = "M5", m5
                else:
                    rule, because = "M4", m4
            elif status is None:
                reason, rule, because, code = "template_unknown", "M6", m6, 132001
            else:
                reason, rule, because = "template_not_approved", "M7", m7
                if status == "paused":
                    code = 132015
                elif status == "disabled":
                    code = 132016
                else:
                    code = 132001
        return answer(
            allowed,
            reason,
            rule,
            because,
            standing,
            now,
            state,
            ends,
            ends,
            valid,
            running,
            kinds,
            (),
            code,
            spec,
            version,
            message,
            status,
            since,
        )

    return ask


# -- one event -----------------------------------------------------------------------------------
#
# Four states, five reasons, event time, a window of 24 hours. An event is a name and an instant;
# each `run` plays a stream of them for one contact and gives the reason of each, None where
# nothing was asked.

Event = tuple[str, datetime]
Reasons = list[str | None]
Run = Callable[[Iterable[Event]], Reasons]


class _Contact:
    __slots__ = ("at", "end", "reason", "state")

    def __init__(self) -> None:
        self.state = "closed"
        self.end: datetime | None = None
        self.at: datetime | None = None
        self.reason: str | None = None


def _ifs(contact: _Contact, event: str, at: datetime) -> str | None:
    state, end = contact.state, contact.end
    if end is not None and at >= end:
        contact.end = None
        contact.state = state = "expired"
    if event == "free_form":
        if state == "user_opened":
            return "window_open"
        if state == "business_opened":
            return "awaiting_reply"
        return "window_expired" if state == "expired" else "never_opened"
    if event == "customer_message":
        contact.state = "user_opened"
        contact.end = at + WINDOW
        return None
    if state != "user_opened":
        contact.state = "business_opened"
    return "template_approved"


def ifs(stream: Iterable[Event]) -> Reasons:
    contact = _Contact()
    return [_ifs(contact, event, at) for event, at in stream]


class AsTuple(NamedTuple):
    state: str
    end: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class AsDataclass:
    state: str
    end: datetime | None
    reason: str | None


Answer = Callable[[str, datetime | None, str | None], Any]


def _pure_ifs(answer: Answer) -> Callable[[str, datetime | None, str, datetime], Any]:
    def step(state: str, end: datetime | None, event: str, at: datetime) -> Any:
        if end is not None and at >= end:
            state, end = "expired", None
        if event == "free_form":
            if state == "user_opened":
                return answer(state, end, "window_open")
            if state == "business_opened":
                return answer(state, end, "awaiting_reply")
            return answer(state, end, "window_expired" if state == "expired" else "never_opened")
        if event == "customer_message":
            return answer("user_opened", at + WINDOW, None)
        if state == "user_opened":
            return answer(state, end, "template_approved")
        return answer("business_opened", None, "template_approved")

    return step


def _pure(answer: Answer) -> Run:
    step = _pure_ifs(answer)

    def run(stream: Iterable[Event]) -> Reasons:
        stands, reasons = answer("closed", None, None), []
        for event, at in stream:
            stands = step(stands.state, stands.end, event, at)
            reasons.append(stands.reason)
        return reasons

    return run


ifs_tuple = _pure(AsTuple)
ifs_dataclass = _pure(AsDataclass)


def call_alone(answer: Answer, stream: Iterable[Event]) -> Callable[[], None]:
    """The pure function on the same events, without what carries its answer to the next."""
    step, stands, inputs = _pure_ifs(answer), answer("closed", None, None), []
    for event, at in stream:
        inputs.append((stands.state, stands.end, event, at))
        stands = step(*inputs[-1])

    def work() -> None:
        for state, end, event, at in inputs:
            step(state, end, event, at)

    return work


def making_alone(answer: Answer, count: int) -> Callable[[], None]:
    """Nothing but the making of the answer."""
    end = datetime(2026, 3, 2)

    def work() -> None:
        for _ in range(count):
            answer("user_opened", end, "window_open")

    return work


_table = table_of(policies.get("cloud-api"))
_FACTS = {"customer_message": YES, "template": 3}


def our_table(stream: Iterable[Event]) -> Reasons:
    """What ``History`` does for each fact, without the keeping of facts."""
    engine, point, reasons = _table, START, []
    for event, at in stream:
        point, _ = lapsed(engine, point, at)
        sends = event != "customer_message"
        facts = free_form_facts(engine, point, at) if event == "free_form" else _FACTS[event]
        answer = engine.fire(point.state, event, facts)  # type: ignore[arg-type]  # an event's name
        point = applied(engine, answer, point, at, sends=sends)
        reasons.append(answer.reason)
    return reasons


def our_machine(stream: Iterable[Event]) -> Reasons:
    """The same through our live machine, as the simulator steps it."""
    engine, point, reasons = _table.machine, START, []
    for event, at in stream:
        point, _ = lapsed(engine, point, at)
        sends = event != "customer_message"
        facts = free_form_facts(engine, point, at) if event == "free_form" else _FACTS[event]
        answer = engine.fire(point.state, event, facts)  # type: ignore[arg-type]  # an event's name
        point = applied(engine, answer, point, at, sends=sends)
        reasons.append(answer.reason)
    return reasons


class _Told(transitions.Transition):
    def __init__(self, *args: Any, reason: str | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reason = reason

    def execute(self, event_data: transitions.EventData) -> bool:
        fired: bool = super().execute(event_data)
        if fired:
            event_data.model.reason = self.reason
        return fired


class _Core(transitions.Machine):
    transition_cls = _Told


def _transitions() -> Any:
    states = ["closed", "user_opened", "business_opened", "expired"]
    core = _Core(model=None, initial=None, states=states, auto_transitions=False, send_event=True)

    def over(data: transitions.EventData) -> bool:
        return bool(data.model.at >= data.model.end)

    def opens(data: transitions.EventData) -> None:
        data.model.end = data.model.at + WINDOW

    def row(event: str, source: str, to: str | None, reason: str | None, **more: Any) -> None:
        core.add_transition(event, source, to, reason=reason, **more)

    for state in states:
        row("customer_message", state, "user_opened", None, before=opens)
    row("template", "user_opened", None, "template_approved", unless=over)
    for state in states:
        row("template", state, "business_opened", "template_approved")
    row("free_form", "user_opened", None, "window_open", unless=over)
    row("free_form", "user_opened", "expired", "window_expired")
    row("free_form", "closed", None, "never_opened")
    row("free_form", "expired", None, "window_expired")
    row("free_form", "business_opened", None, "awaiting_reply")
    return core.events


_transitions_events = _transitions()


def bare_transitions(stream: Iterable[Event]) -> Reasons:
    events, contact, reasons = _transitions_events, _Contact(), []
    for event, at in stream:
        contact.at = at
        events[event].trigger(contact)
        reasons.append(contact.reason)
    return reasons


class _Inputs(Protocol):
    def customer_message(self, at: datetime) -> str | None: ...
    def template(self, at: datetime) -> str | None: ...
    def free_form(self, at: datetime) -> str | None: ...
    def lapse(self) -> None: ...


class _Ends:
    def __init__(self) -> None:
        self.end: datetime | None = None


def _automat() -> Callable[[_Ends], _Inputs]:
    builder = TypeMachineBuilder(_Inputs, _Ends)
    names = ("closed", "user_opened", "business_opened", "expired")
    closed, user, business, expired = map(builder.state, names)
    for state in (closed, user, business, expired):

        @state.upon(_Inputs.customer_message).to(user)
        def _(inputs: _Inputs, core: _Ends, at: datetime) -> str | None:
            core.end = at + WINDOW
            return None

    for state in (closed, business, expired):

        @state.upon(_Inputs.template).to(business)
        def _(inputs: _Inputs, core: _Ends, at: datetime) -> str | None:
            return "template_approved"

    @user.upon(_Inputs.template).loop()
    def _(inputs: _Inputs, core: _Ends, at: datetime) -> str | None:
        return "template_approved"

    for state, reason in (
        (closed, "never_opened"),
        (user, "window_open"),
        (business, "awaiting_reply"),
        (expired, "window_expired"),
    ):

        @state.upon(_Inputs.free_form).loop()
        def _(inputs: _Inputs, core: _Ends, at: datetime, reason: str = reason) -> str | None:
            return reason

    @user.upon(_Inputs.lapse).to(expired)
    def _(inputs: _Inputs, core: _Ends) -> None:
        core.end = None

    return builder.build()


_make_automat = _automat()


def automat(stream: Iterable[Event]) -> Reasons:
    ends = _Ends()
    inputs, reasons = _make_automat(ends), []
    for event, at in stream:
        if ends.end is not None and at >= ends.end:
            inputs.lapse()
        if event == "free_form":
            reasons.append(inputs.free_form(at))
        elif event == "customer_message":
            reasons.append(inputs.customer_message(at))
        else:
            reasons.append(inputs.template(at))
    return reasons


class _StateMachine(StateMachine):
    closed = State(initial=True)
    user_opened = State()
    business_opened = State()
    expired = State()

    customer_message = (
        closed.to(user_opened, on="opens")
        | user_opened.to(user_opened, on="opens")
        | business_opened.to(user_opened, on="opens")
        | expired.to(user_opened, on="opens")
    )
    template = (
        user_opened.to.itself(internal=True, unless="over", on="approved")
        | user_opened.to(business_opened, on="approved")
        | closed.to(business_opened, on="approved")
        | business_opened.to(business_opened, on="approved")
        | expired.to(business_opened, on="approved")
    )
    free_form = (
        user_opened.to.itself(internal=True, unless="over", on="window_open")
        | user_opened.to(expired, on="window_expired")
        | closed.to.itself(internal=True, on="never_opened")
        | expired.to.itself(internal=True, on="window_expired")
        | business_opened.to.itself(internal=True, on="awaiting_reply")
    )
    end: datetime

    def over(self, at: datetime) -> bool:
        return at >= self.end

    def opens(self, at: datetime) -> None:
        self.end = at + WINDOW

    def approved(self) -> str:
        return "template_approved"

    def window_open(self) -> str:
        return "window_open"

    def window_expired(self) -> str:
        return "window_expired"

    def never_opened(self) -> str:
        return "never_opened"

    def awaiting_reply(self) -> str:
        return "awaiting_reply"


def python_statemachine(stream: Iterable[Event]) -> Reasons:
    machine = _StateMachine()
    return [machine.send(event, at=at) for event, at in stream]
