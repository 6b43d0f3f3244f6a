"""A difference as a runnable scenario: it passes under the one policy and fails under the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any, Final

from wa_fsm.policy import Policy
from wa_fsm.refusals import CATEGORIES

from ..expectations import ACTUAL
from ..outcome import Outcome
from ..runner import run_case
from ..scenario import BadFile, Case, load_text
from .diff import Difference, stretches
from .explore import BEGIN
from .script import NAME, TEMPLATES, Line, conversation_of, fails, labelled, lines_of, written

_MOST_STARTS: Final = 40
_SHOWN: Final = ("state", "window_closes_at", "free_form_until", "origin")


def scenario(
    title: str, ours: Policy, theirs: Policy, found: Difference, folder: str = ""
) -> str | None:
    """The difference as YAML, expecting what `ours` does; runs under both have confirmed it.

    None where no scenario of steps in order shows it.

    Args:
        title: of the scenario.
        ours: under which it passes.
        theirs: under which it fails.
        found: what differs.
        folder: where the file will stand, for the path of a policy file.
    """
    own = bool(ours.refusals or theirs.refusals)
    categories: Sequence[str] = CATEGORIES[::-1] if own else ("",)
    for category, start in product(categories, _starts(ours, theirs, found)):
        shift = start - BEGIN
        lines = [replace(line, at=line.at + shift) for line in _lines(ours, theirs, found)]
        templates = _templates(category)
        draft = _Draft(title, ours, theirs, start, templates, folder)
        text = draft.told(lines)
        if text is not None:
            return text
    return None


def _templates(category: str) -> str:
    if not category:
        return TEMPLATES
    each = [f"{name}: {{status: approved, category: {name}}}" for name in CATEGORIES]
    hello = f"hello: {{status: approved, category: {category}}}"
    return f"{{{', '.join([hello, 'resting: paused', *each])}}}"


def _starts(ours: Policy, theirs: Policy, found: Difference) -> list[datetime]:
    """From when it may be played: of a difference by the clock its instant, else several to try."""
    if found.kind.how == "clock":
        return [found.path[0].at]
    refusals = (*ours.refusals, *theirs.refusals)
    month = [at for at in stretches(refusals, BEGIN + timedelta(days=31)) if at >= BEGIN]
    return month[:_MOST_STARTS]


def _lines(ours: Policy, theirs: Policy, found: Difference) -> Iterator[Line]:
    """The steps, from BEGIN on; the last shows it."""
    if found.kind.how == "clock":
        if found.question == "text":
            both = sorted(ours.openers & theirs.openers) or sorted(ours.openers)
            yield Line(BEGIN, f"customer: {'text' if 'text' in both else both[0]}")
        yield Line(BEGIN, f"ask: {found.question}")
        return
    for moment in found.path:
        yield from lines_of(moment)
    if found.question:
        yield Line(found.path[-1].at, f"ask: {found.question}")


class _Draft:
    """A scenario in the making."""

    def __init__(
        self,
        title: str,
        ours: Policy,
        theirs: Policy,
        start: datetime,
        templates: str,
        folder: str,
    ) -> None:
        self.title, self.ours, self.theirs = title, ours, theirs
        self.start, self.templates, self.folder = start, templates, folder

    def text(self, lines: Sequence[Line]) -> str:
        told = self.templates
        return written(
            self.title, self.ours, lines, start=self.start, templates=told, folder=self.folder
        )

    def case(self, text: str) -> Case:
        return load_text(text.encode(), NAME, self.ours, self.folder)[0]

    def told(self, lines: list[Line]) -> str | None:
        """The text with what is expected of the last step; None where that shows nothing."""
        try:
            case = self.case(self.text(lines))
        except BadFile:
            return None
        ours = run_case(case).outcomes
        try:
            theirs = run_case(replace(case, policy=self.theirs)).outcomes
        except Exception:  # a mutant may break off: then whatever is expected fails
            expect: dict[str, Any] = {"state": ACTUAL["state"](ours[-1])}
        else:
            expect = _differing(ours[-1], theirs[-1])
        if not expect:
            return None
        before, last = lines[:-1], lines[-1]
        if "conversation" in expect:
            before, expect = labelled(before, ours, len(before), expect)
        kept = [line for line in before if line.actor or line.expect]
        text = self.text([*kept, replace(last, expect=expect)])
        case = self.case(text)
        return text if run_case(case).passed and fails(case, self.theirs) else None


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
