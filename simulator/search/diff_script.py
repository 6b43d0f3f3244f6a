"""A difference as a runnable scenario: it passes under the one policy and fails under the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from wa_fsm.policy import Policy

from ..expectations import ACTUAL
from ..outcome import Outcome
from ..runner import run_case
from ..scenario import BadFile
from .difference import Difference
from .explore import BEGIN
from .script import (
    Draft,
    Line,
    conversation_of,
    fails,
    labelled,
    lines_of,
    moved,
    settings,
    templates_with,
)

_SHOWN: Final = ("state", "window_closes_at", "free_form_until", "origin")


def scenario(
    title: str, ours: Policy, theirs: Policy, found: Difference, folder: str = ""
) -> str | None:
    """The difference as YAML, expecting what `ours` does; runs under both have confirmed it.

    None where no scenario of steps in order shows it. The rows of the two were compared without
    refusals of their own, so what rows do is played at a time when none of these stops a step.

    Args:
        title: of the scenario.
        ours: under which it passes.
        theirs: under which it fails.
        found: what differs.
        folder: where the file will stand, for the path of a policy file.
    """
    by_clock = found.kind.how == "clock"
    begin = found.path[0].at if by_clock else BEGIN
    for templates, start in _of_clock(found) if by_clock else settings(ours, theirs):
        draft = Draft(title, ours, templates, start, folder)
        text = _told(draft, moved(_lines(found), start - begin), theirs, by_clock=by_clock)
        if text is not None:
            return text
    return None


def stopped(ours: Policy, theirs: Policy, found: Difference) -> bool:
    """Whether a scenario would show the difference if refusals of one's own stopped no step."""
    if not (ours.refusals or theirs.refusals):
        return False
    bare = [replace(policy, refusals=()) for policy in (ours, theirs)]
    return scenario("without them", bare[0], bare[1], found) is not None


def _of_clock(found: Difference) -> list[tuple[str, datetime]]:
    """When a difference by the clock is played, and by which templates."""
    unknown = found.question == "{template: hello}"
    return [(templates_with("" if unknown else "authentication"), found.path[0].at)]


def _lines(found: Difference) -> Iterator[Line]:
    """The steps; the last shows it."""
    for moment in found.path:
        yield from lines_of(moment)
    if found.question:
        yield Line(found.path[-1].at, f"ask: {found.question}")


def _told(draft: Draft, lines: list[Line], theirs: Policy, *, by_clock: bool) -> str | None:
    """The text with what is expected of the last step; None where that shows nothing."""
    try:
        case = draft.case(draft.text(lines))
    except BadFile:
        return None
    ours = run_case(case).outcomes
    if not by_clock and _stops(draft.policy, ours):
        return None
    try:
        others = run_case(replace(case, policy=theirs)).outcomes
    except Exception:  # a mutant may break off: then whatever is expected fails
        expect: dict[str, Any] = {"state": ACTUAL["state"](ours[-1])}
    else:
        if not by_clock and _stops(theirs, others):
            return None
        expect = _differing(ours[-1], others[-1])
    if not expect:
        return None
    before, last = lines[:-1], lines[-1]
    if "conversation" in expect:
        before, expect = labelled(before, ours, len(before), expect)
    kept = [line for line in before if line.actor or line.expect]
    text = draft.text([*kept, replace(last, expect=expect)])
    case = draft.case(text)
    return text if run_case(case).passed and fails(case, theirs) else None


def _stops(policy: Policy, outcomes: Sequence[Outcome]) -> bool:
    """Whether a refusal of the policy's own stopped one of these steps."""
    own = {refusal.id for refusal in policy.refusals}
    return any(each.decision is not None and each.decision.rule in own for each in outcomes)


def _differing(one: Outcome, other: Outcome) -> dict[str, Any]:
    """What the first shows where the second shows something else."""
    if one.decision is not None and other.decision is not None:
        if one.decision.reason != other.decision.reason:
            key = "allowed" if one.decision.allowed else "refused"
            return {key: ACTUAL[key](one)}
        if one.step.asked_only:
            return {}
    found = {key: ACTUAL[key](one) for key in _SHOWN if ACTUAL[key](one) != ACTUAL[key](other)}
    if not found and conversation_of(one) != conversation_of(other):
        found["conversation"] = conversation_of(one)
    return found
