"""A history that a search found, as a runnable scenario: expected is what the original does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import Any, Final

from wa_fsm.durations import format_duration
from wa_fsm.policy import Policy
from wa_fsm.refusals import CATEGORIES

from ..expectations import ACTUAL
from ..flow import in_quotes
from ..outcome import Outcome
from ..policy_file import said
from ..runner import run_case
from ..scenario import BadFile, Case, load_text
from ..times import format_instant
from .explore import BEGIN, Moment
from .own import stretches

NAME: Final = "killer"
TEMPLATES: Final = "{hello: approved, resting: paused}"
_MOST_STARTS: Final = 40
_QUESTIONS: Final = ("text", "{template: nobody}", "{template: resting}", "{template: hello}")
# Said is what differs of the first of these in which anything does: the plainest first.
_TELLING: Final = (
    ("allowed", "refused", "state", "window_closes_at", "origin"),
    ("conversation",),
    ("free_form_until",),
    ("rule",),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A step to write: when, its actor and keys, and what is expected there."""

    at: datetime
    actor: str = ""
    more: str = ""
    expect: Mapping[str, Any] | None = None


def killing_scenario(
    title: str, original: Policy, mutant: Policy, path: Sequence[Moment]
) -> str | None:
    """The history as YAML that passes on the original and fails on the mutant, as runs show.

    None where no expectation of a step makes it so.
    """
    facts = [line for moment in path for line in lines_of(moment)]
    asked = [Line(path[-1].at, f"ask: {question}") for question in _QUESTIONS]
    for templates, start in settings(original):
        lines = moved([*facts, *asked], start - BEGIN)
        text = _killing(Draft(title, original, templates, start), lines, mutant, len(facts))
        if text is not None:
            return text
    return None


@dataclass(frozen=True, slots=True)
class Draft:
    """A scenario in the making: everything but its steps.

    Attributes:
        title: its name.
        policy: under which it passes.
        templates: as the file says them.
        start: when it is played.
        folder: where the file will stand, for the path of a policy file.
    """

    title: str
    policy: Policy
    templates: str
    start: datetime
    folder: str = ""

    def text(self, lines: Sequence[Line]) -> str:
        """The file with these steps."""
        start, templates, folder = self.start, self.templates, self.folder
        return written(
            self.title, self.policy, lines, start=start, templates=templates, folder=folder
        )

    def case(self, text: str) -> Case:
        """The one case of such a text. Raises BadFile where it cannot be."""
        return load_text(text.encode(), NAME, self.policy, self.folder)[0]


def _killing(draft: Draft, lines: list[Line], mutant: Policy, facts: int) -> str | None:
    """The text with the first of these steps that shows the mutant; None where none does."""
    told = _told(draft, lines, mutant, facts)
    if told is None:
        return None
    text = draft.text(told)
    try:
        case = case_of(text)
    except BadFile:
        return None
    return text if run_case(case).passed and fails(case, mutant) else None


def settings(*both: Policy) -> Iterator[tuple[str, datetime]]:
    """By which templates and from when a scenario may be played, in turn.

    A policy's own refusals may stop a step at one time and let it pass at another.
    """
    refusals = [own for policy in both for own in policy.refusals]
    if not refusals:
        yield TEMPLATES, BEGIN
        return
    differing: dict[tuple[bool, ...], str] = {}
    for category in CATEGORIES[::-1]:
        differing.setdefault(tuple(own.concerns(category) for own in refusals), category)
    categories = differing.values() if len(differing) > 1 else [""]
    edges = stretches(refusals, BEGIN + timedelta(days=31))[:_MOST_STARTS]
    middles = [(one + (other - one) / 2).replace(microsecond=0) for one, other in pairwise(edges)]
    yield from product(map(templates_with, categories), [*edges, *middles])


def templates_with(category: str) -> str:
    """The templates of a scenario: `hello` of this category, and one of each; empty: of none."""
    if not category:
        return TEMPLATES
    each = [f"{name}: {{status: approved, category: {name}}}" for name in CATEGORIES]
    hello = f"hello: {{status: approved, category: {category}}}"
    return f"{{{', '.join([hello, 'resting: paused', *each])}}}"


def moved(lines: Iterable[Line], by: timedelta) -> list[Line]:
    """The same steps at another time."""
    return [replace(line, at=line.at + by) for line in lines]


def fails(case: Case, policy: Policy) -> bool:
    """Whether the case fails under this policy; a run that breaks off does."""
    try:
        return not run_case(replace(case, policy=policy)).passed
    except Exception:
        return True


def lines_of(moment: Moment) -> Iterator[Line]:
    """The steps that bring a moment of a search about; one that looks is a checkpoint."""
    at, move = moment
    name = f"at-{since(at)}"
    if move.event == "look":
        yield Line(at)
    elif move.event == "customer_message":
        yield Line(at, f"customer: {move.word}")
    elif move.event == "customer_call":
        yield Line(at, "customer: call")
    elif move.event == "free_form":
        yield Line(at, "business: text")
    else:
        failed = move.event == "send_failed"
        yield Line(at, "business: {template: hello}", f"id: {name}" if failed else "")
        if failed:
            yield Line(at, f"platform: {{failed: {move.word}, message: {name}}}")


def since(at: datetime) -> str:
    """An instant of a search as an offset."""
    return format_duration(at - BEGIN)


def _told(draft: Draft, lines: list[Line], mutant: Policy, facts: int) -> list[Line] | None:
    """The steps up to the first that differs, with what the original shows there."""
    case = case_of(draft.text(lines))
    ours = run_case(case).outcomes
    try:
        theirs: list[Outcome] = run_case(replace(case, policy=mutant)).outcomes
    except Exception:  # the run breaks off somewhere
        return _broken(case, lines, ours, mutant, facts)
    for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        expect = _differences(one, other)
        if expect:
            before = lines[: min(at, facts)]
            if "conversation" in expect:
                before, expect = labelled(before, ours, at, expect)
            before = [line for line in before if line.actor or line.expect]
            return [*before, replace(lines[at], expect=expect)]
    return None


def _broken(
    case: Case, lines: list[Line], ours: Sequence[Outcome], mutant: Policy, facts: int
) -> list[Line] | None:
    """The steps up to the one at which the mutant breaks off; questions before it are left out."""
    for at in range(len(lines)):
        kept = [*range(min(at, facts)), at]
        if fails(replace(case, steps=tuple(case.steps[i] for i in kept)), mutant):
            decision = ours[at].decision
            key = "state" if decision is None else "allowed" if decision.allowed else "refused"
            expect = {key: ACTUAL[key](ours[at])}
            return [*(lines[i] for i in kept[:-1]), replace(lines[at], expect=expect)]
    return None


def conversation_of(outcome: Outcome) -> str | None:
    """The id of the conversation that runs after a step."""
    running = outcome.situation.conversation
    return running.id if running else None


def _differences(one: Outcome, other: Outcome) -> dict[str, Any]:
    """What the original shows where the other shows something else, the plainest of it."""
    shows = {**ACTUAL, "conversation": conversation_of}
    for keys in _TELLING:
        found = {k: shows[k](one) for k in keys if shows[k](one) != shows[k](other)}
        if "refused" in found:  # it says whether it is allowed, too
            found.pop("refused" if found["refused"] is None else "allowed", None)
        if found:
            return found
    return {}


def labelled(
    before: list[Line], ours: Sequence[Outcome], at: int, expect: dict[str, Any]
) -> tuple[list[Line], dict[str, Any]]:
    """The same with each conversation named, since only a name can be expected again."""
    names: dict[str, str] = {}

    def label(outcome: Outcome) -> str | None:
        running = conversation_of(outcome)
        if running is None:
            return None
        return names.setdefault(running, f"talk-{len(names) + 1}")

    named = [
        replace(line, expect={"conversation": label(outcome)})
        for line, outcome in zip(before, ours, strict=False)
    ]
    return named, {**expect, "conversation": label(ours[at])}


def written(
    title: str,
    policy: Policy,
    lines: Sequence[Line],
    *,
    start: datetime = BEGIN,
    templates: str = TEMPLATES,
    folder: str = "",
) -> str:
    """The file's text: the templates `hello` is approved, `resting` paused, any other unknown."""
    head = [
        f"scenario: {in_quotes(title)}",
        f"policy: {said(policy, folder)}",
        *([f"start: {format_instant(start)}"] if start != BEGIN else []),
        f"templates: {templates}",
        "steps:",
    ]
    return "\n".join([*head, *(part for line in lines for part in _step(line, start))]) + "\n"


def _step(line: Line, start: datetime) -> Iterator[str]:
    yield f"  - at: {format_duration(line.at - start)}"
    if line.actor:
        yield f"    {line.actor}"
    if line.more:
        yield f"    {line.more}"
    if line.expect:
        said = ", ".join(f"{key}: {_value(value, start)}" for key, value in line.expect.items())
        yield f"    expect: {{{said}}}"


def _value(value: Any, start: datetime) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return format_duration(value - start) if isinstance(value, datetime) else str(value)


def case_of(text: str) -> Case:
    """The one case of such a text."""
    return load_text(text.encode(), NAME)[0]
