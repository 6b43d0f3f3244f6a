"""The pure question: may this message be sent, at this instant? No I/O, no clock, no thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from wa_fsm.decision import AllowedKind, Decision, error_code
from wa_fsm.engine import Answer, Engine
from wa_fsm.events import FreeForm, Message, StatusName, Template
from wa_fsm.history import History
from wa_fsm.policy import Policy
from wa_fsm.situation import APPROVED, REGISTERED, Situation, free_form_facts
from wa_fsm.templates import TemplateEntry, Templates


class TemplatesAt(Protocol):
    """What a question needs to know of templates; ``Templates`` is one."""

    def status(self, template: Template, at: datetime) -> StatusName | None:
        """The template's status at an instant; None where it is not registered."""

    def any_approved(self, at: datetime) -> bool:
        """Whether any registered template may be sent at an instant."""


TemplatesLike: TypeAlias = Templates | Mapping[str, TemplateEntry] | None

_NONE = Templates()
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
    situation = history.at(at)
    return decide_in(history.engine, situation, message, known, history.would_allow)


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
    at = situation.at
    facts = free_form_facts(engine, situation.point, at)
    free = engine.fire(situation.state, "free_form", facts)
    kinds = _KINDS[free.allowed, templates.any_approved(at)]
    if isinstance(message, FreeForm):
        uncounted = () if free.allowed or would_allow is None else would_allow(at)
        return _decision(engine.policy, situation, message, free, None, kinds, uncounted)
    if not isinstance(message, Template):
        raise TypeError(f"expected a FreeForm or a Template, got `{message!r}`")
    status = templates.status(message, at)
    known = 0 if status is None else REGISTERED | (APPROVED if status == "approved" else 0)
    answer = engine.fire(situation.state, "template", known)
    return _decision(engine.policy, situation, message, answer, status, kinds, ())


def _decision(
    policy: Policy,
    situation: Situation,
    message: Message,
    answer: Answer,
    status: StatusName | None,
    kinds: tuple[AllowedKind, ...],
    uncounted: tuple[str, ...],
) -> Decision:
    reason, row = answer.reason, answer.row
    assert reason is not None, "the rows of a send carry a verdict; the policy was checked for it"
    ends = situation.window_closes_at
    free_form = isinstance(message, FreeForm)
    return Decision(
        answer.allowed,
        reason,
        answer.rule,
        row.cites,
        row.standing,
        situation.at,
        situation.state,
        ends,
        situation.free_form_until,
        ends - policy.margin if answer.allowed and free_form and ends is not None else None,
        situation.conversation,
        kinds,
        uncounted,
        None if answer.allowed else error_code(reason, status),
        policy.spec,
        policy.version,
        message,
        status,
        situation.since,
    )
