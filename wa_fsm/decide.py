"""The pure question: may this message be sent, at this instant? No I/O, no clock, no thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from wa_fsm.decision import AllowedKind, Conversation, Decision, error_code
from wa_fsm.engine import Engine
from wa_fsm.events import FreeForm, Message, StatusName, Template, instant
from wa_fsm.history import History
from wa_fsm.policy import Policy
from wa_fsm.situation import (
    APPROVED,
    REGISTERED,
    Point,
    Situation,
    free_form_facts,
    permits_free_form,
)
from wa_fsm.templates import TemplateEntry, Templates


class TemplatesAt(Protocol):
    """What a question needs to know of templates; ``Templates`` is one."""

    def status(self, template: Template, at: datetime) -> StatusName | None:
        """The template's status at an instant; None where it is not registered."""

    def any_approved(self, at: datetime) -> bool:
        """Whether any registered template may be sent at an instant."""


TemplatesLike: TypeAlias = Templates | Mapping[str, TemplateEntry] | None

_NONE = Templates()
REGISTERED_APPROVED = REGISTERED | APPROVED
_KINDS: Mapping[tuple[bool, bool], tuple[AllowedKind, ...]] = {
    (False, False): (),
    (False, True): ("template",),
    (True, False): ("free_form",),
    (True, True): ("free_form", "template"),
}


def decide(
    policy: Policy,
    history: History,
    message: Message,
    at: datetime,
    templates: TemplatesLike = None,
) -> Decision:
    """Decide by the facts known now, with an ``at`` up to the instant of the question.

    Args:
        policy: by whose verdicts; the history must be folded by the same.
        history: the facts of the key.
        message: what one wants to send.
        at: when it would leave.
        templates: what is registered: ``Templates``, or a mapping from name to status.

    Raises:
        ValueError: the history is folded by another policy, or `at` has no zone.
        TypeError: `message` is none.
    """
    if history.policy is not policy and history.policy != policy:
        raise ValueError(
            f"the history is folded by `{history.policy.spec}`, "
            f"the question is put to `{policy.spec}`; they must be the same"
        )
    known = templates if isinstance(templates, Templates) else Templates(templates)
    now = instant(at)
    point, running = history.standing(now)
    return _ask(history.engine, point, now, running, message, known, history.would_allow)


def decide_in(
    engine: Engine,
    situation: Situation,
    message: Message,
    templates: TemplatesAt = _NONE,
    would_allow: Callable[[datetime], tuple[str, ...]] | None = None,
) -> Decision:
    """The same, from a situation that is already known.

    Args:
        engine: who answers.
        situation: how the key stands; its `at` is the instant of the question.
        message: what one wants to send.
        templates: what is registered.
        would_allow: gives the uncounted messages that would have allowed free-form.
    """
    return _ask(
        engine,
        situation.point,
        situation.at,
        situation.conversation,
        message,
        templates,
        would_allow,
    )


def _ask(
    engine: Engine,
    point: Point,
    at: datetime,
    conversation: Conversation | None,
    message: Message,
    templates: TemplatesAt,
    would_allow: Callable[[datetime], tuple[str, ...]] | None,
) -> Decision:
    state, ends, policy = point.state, point.window_end, engine.policy
    facts = free_form_facts(engine, point, at)
    answer = free = engine.fire(state, "free_form", facts)
    may = free.allowed
    until = ends
    if not may and ends is not None:  # a margin may refuse what the state permits
        until = ends if permits_free_form(engine, point) else None
    status: StatusName | None = None
    uncounted: tuple[str, ...] = ()
    valid = None
    if isinstance(message, FreeForm):
        if may:
            valid = ends - policy.margin if ends is not None else None
        elif would_allow is not None:
            uncounted = would_allow(at)
    elif isinstance(message, Template):
        status = templates.status(message, at)
        known = 0 if status is None else REGISTERED_APPROVED if status == "approved" else REGISTERED
        answer = engine.fire(state, "template", known)
    else:
        raise TypeError(f"expected a FreeForm or a Template, got `{message!r}`")
    reason, row, allowed = answer.reason, answer.row, answer.allowed
    assert reason is not None, "the rows of a send carry a verdict; the policy was checked for it"
    return Decision(
        allowed,
        reason,
        answer.rule,
        row.cites,
        row.standing,
        at,
        state,
        ends,
        until,
        valid,
        conversation,
        _KINDS[may, templates.any_approved(at)],
        uncounted,
        None if allowed else error_code(reason, status),
        policy.spec,
        policy.version,
        message,
        status,
        point.since,
    )
