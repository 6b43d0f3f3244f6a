"""The pure question: may this message be sent, at this instant? No I/O, no clock, no thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

from wa_fsm.decision import AllowedKind, Conversation, Decision, error_code
from wa_fsm.engine import Engine
from wa_fsm.events import FreeForm, Message, StatusName, Template, instant
from wa_fsm.history import History
from wa_fsm.policy import Policy
from wa_fsm.refusals import Refusal
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


@runtime_checkable
class Categorised(Protocol):
    """What a policy with refusals of its own needs to know of templates besides."""

    def category(self, name: str) -> str | None:
        """The template's category, in lower case; None where it is not known."""

    def approved_categories(self, at: datetime) -> frozenset[str | None]:
        """The categories of the templates that may be sent at an instant; None: an unknown one."""


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
        at: when it would leave, an aware datetime.
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
    return decide_at(history.engine, point, now, running, message, known, history.would_allow)


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
    return decide_at(
        engine,
        situation.point,
        situation.at,
        situation.conversation,
        message,
        templates,
        would_allow,
    )


def decide_at(
    engine: Engine,
    point: Point,
    at: datetime,
    conversation: Conversation | None,
    message: Message,
    templates: TemplatesAt,
    would_allow: Callable[[datetime], tuple[str, ...]] | None,
) -> Decision:
    """The same, from the standing point of a fold, lapsed to `at` already; see ``decide_in``."""
    state, ends, policy = point.state, point.window_end, engine.policy
    facts = free_form_facts(engine, point, at)
    own = isinstance(message, FreeForm)
    answer = free = (engine if own else engine.quick).fire(state, "free_form", facts)
    may = free.allowed
    until = ends
    if not may and ends is not None:  # a margin may refuse what the state permits
        until = ends if permits_free_form(engine, point) else None
    status: StatusName | None = None
    uncounted: tuple[str, ...] = ()
    valid = None
    if own:
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
    decision = Decision(
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
    return _own(policy, decision, templates) if policy.refusals else decision


def _own(policy: Policy, decision: Decision, templates: TemplatesAt) -> Decision:
    """The decision after the policy's own refusals, which are asked of what the rows allow."""
    at, message, valid = decision.at, decision.message, decision.valid_until
    hold = [own for own in policy.refusals if own.holds(at)]
    kinds = _kinds(hold, decision, templates)
    category = None
    if isinstance(message, Template) and isinstance(templates, Categorised):
        category = templates.category(message.name)
    refusing = next((own for own in hold if own.is_about(message, category)), None)
    if refusing is None or not decision.allowed:
        hopeless = isinstance(message, FreeForm) and refusing is not None
        begins = (
            [own.begins_after(at, valid) for own in policy.refusals if own.free_form]
            if valid is not None
            else []
        )
        kept_back = "template" in decision.allowed_kinds and "template" not in kinds
        return replace(
            decision,
            own=next(own.said for own in hold if own.categories) if kept_back else "",
            allowed_kinds=kinds,
            uncounted=() if hopeless else decision.uncounted,
            valid_until=min((edge for edge in begins if edge is not None), default=valid),
        )
    return replace(
        decision,
        allowed=False,
        reason=refusing.reason,
        rule=refusing.id,
        cites=(refusing.id,),
        standing="ours",
        valid_until=None,
        allowed_kinds=kinds,
        own=refusing.said,
    )


def _kinds(
    hold: list[Refusal], decision: Decision, templates: TemplatesAt
) -> tuple[AllowedKind, ...]:
    """What may be sent now, the refusals that hold now considered."""
    free = "free_form" in decision.allowed_kinds and not any(own.free_form for own in hold)
    some = "template" in decision.allowed_kinds
    if some and any(own.categories for own in hold):
        categories: frozenset[str | None] = frozenset({None})
        if isinstance(templates, Categorised):
            categories = templates.approved_categories(decision.at)
        some = any(not any(own.concerns(c) for own in hold) for c in categories)
    return _KINDS[free, some]
