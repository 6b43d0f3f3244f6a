"""Probes: what would be answered one millisecond before, at, and after each deadline of a case.

House rules:

* A deadline is a window's end, or the beginning of its margin, that still stands when it comes:
  one that a later message moved is none.
* A probe is a question and changes nothing, so all of them are asked in one more run of the case.
* What arrives at the same instant as a probe is known to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from wa_fsm.events import FreeForm, Message, Template

from ..outcome import Outcome, Run
from ..runner import run_case
from ..scenario import Case, Step
from .coverage import MARGIN, MS, WINDOW_END

SIDES: Final = (-MS, 0 * MS, MS)


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant at which time alone may change an answer.

    Attributes:
        at: the instant (UTC).
        what: `window end` or `margin`.
        number, contact: of which key.
    """

    at: datetime
    what: str
    number: str
    contact: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The answers around one deadline.

    Attributes:
        deadline: which.
        text: what a free-form message would get before, at and after it.
        template: what the case's first approved template would; empty where it has none.
    """

    deadline: Deadline
    text: tuple[Outcome, ...]
    template: tuple[Outcome, ...]

    @property
    def is_edge(self) -> bool:
        """Whether any answer changes here."""
        return any(len({_said(o) for o in some}) > 1 for some in (self.text, self.template))


def _said(outcome: Outcome) -> tuple[str | None, str | None, str]:
    decision = outcome.decision
    return (decision.reason if decision else None, outcome.rule, outcome.situation.state)


def deadlines(run: Run) -> list[Deadline]:
    """Every deadline of a run that stands when it comes, by time."""
    found: dict[Deadline, None] = {}
    margin = run.case.policy.margin
    keys = dict.fromkeys((o.step.number, o.step.contact) for o in run.outcomes)
    for key in keys:
        own = [o for o in run.outcomes if (o.step.number, o.step.contact) == key]
        for outcome in own:
            end = outcome.situation.window_closes_at
            if end is None:
                continue
            if _stands(own, end, end):
                found[Deadline(end, WINDOW_END, *key)] = None
            if margin and _stands(own, end, end - margin):
                found[Deadline(end - margin, MARGIN, *key)] = None
    return sorted(found, key=lambda d: (d.at, d.number, d.contact, d.what))


def _stands(own: Sequence[Outcome], end: datetime, at: datetime) -> bool:
    """Whether the window that is open just before `at` is the one that closes at `end`."""
    before = [o for o in own if o.step.arrived < at]
    return bool(before) and before[-1].situation.window_closes_at == end


def probes(run: Run) -> list[Probe]:
    """Ask around every deadline of a run."""
    approved = first_approved(run.case.templates)
    messages: list[Message] = [FreeForm(), *([approved] if approved else [])]
    wanted = [
        (deadline, message, deadline.at + side)
        for deadline in deadlines(run)
        for message in messages
        for side in SIDES
        if _can_be(deadline.at, run.case)
    ]
    if not wanted:
        return []
    asked = [_question(deadline, message, at) for deadline, message, at in wanted]
    outcomes = iter(_answers(run.case, asked))
    three = len(SIDES)
    told = [[next(outcomes) for _ in range(three)] for _ in range(len(asked) // three)]
    each = iter(told)
    stood = dict.fromkeys(deadline for deadline, _, _ in wanted)
    return [
        Probe(deadline, tuple(next(each)), tuple(next(each)) if approved else ())
        for deadline in stood
    ]


def _can_be(at: datetime, case: Case) -> bool:
    latest = case.policy.latest  # no question can be put later: see `steps.py`
    return case.start_utc + MS <= at <= latest - MS


def first_approved(templates: Mapping[str, str | Mapping[str, str]]) -> Template | None:
    """The first template of a case that is approved at its start, in an approved language."""
    for name, status in templates.items():
        if isinstance(status, str):
            if status == "approved":
                return Template(name)
            continue
        for language, spoken in status.items():
            if spoken == "approved":
                return Template(name, language)
    return None


def _question(deadline: Deadline, message: Message, at: datetime) -> Step:
    plain = Step(0, 0, at, at, deadline.number, deadline.contact, "probe", "free_form")
    if isinstance(message, FreeForm):
        return plain._replace(kind=message.kind, message=message, asked_only=True)
    return plain._replace(event="template", message=message, template=message.name, asked_only=True)


def _answers(case: Case, asked: Sequence[Step]) -> list[Outcome]:
    """The answers to these questions, in their order."""
    steps = sorted([*case.steps, *asked], key=lambda step: step.arrived)  # stable: asked come last
    wanted = {id(step): at for at, step in enumerate(asked)}
    run = run_case(replace(case, steps=tuple(steps)))
    found = [o for o in run.outcomes if id(o.step) in wanted]
    return sorted(found, key=lambda outcome: wanted[id(outcome.step)])


def in_words(probe: Probe, since: datetime) -> Iterator[str]:
    """The answers around a deadline, a line for each message.

    Args:
        probe: which.
        since: instants are written as offsets from here.
    """
    deadline = probe.deadline
    where = f"{deadline.contact} at {deadline.number}"
    kind = "edge" if probe.is_edge else "no edge"
    yield f"{kind} at {_offset(deadline.at - since)} ({deadline.what}, {where}):"
    for outcomes in filter(None, (probe.text, probe.template)):
        template = outcomes[0].step.template
        name = f"template {template}" if template else "free-form"
        yield f"  {name}: " + " | ".join(map(_answer, outcomes)) + "  (1ms before | at | 1ms after)"


def _offset(length: timedelta) -> str:
    from wa_fsm.durations import format_duration

    return format_duration(length)


def _answer(outcome: Outcome) -> str:
    decision = outcome.decision
    assert decision is not None
    return "allowed" if decision.allowed else decision.reason
