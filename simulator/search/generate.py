"""A small set of scenarios that covers a policy: its rows, its guards or its edges.

House rules:

* Candidates are the histories by which a search (``explore.py``) gets to each situation, each with
  one thing more that happens there, or with the time passing over every edge of its window. At
  their end every question is asked.
* What a candidate covers is measured by running it, as ``wa-sim run --coverage`` measures.
* Of the candidates the one that covers most of what is left is taken, until nothing is left; then
  every step that none of the chosen needs is left out. The set is small; that no smaller one
  exists is not claimed.
* Expectations are what the policy does, and the files are run before they are given away.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from wa_fsm.events import CUSTOMER_KINDS
from wa_fsm.policy import Policy
from wa_fsm.refusals import CATEGORIES, Refusal
from wa_fsm.table import table_of

from ..expectations import ACTUAL
from ..outcome import Outcome
from ..policy_file import said
from ..runner import Asked, DisagreementError, run_case
from ..scenario import BadFile, Case, load_text
from .coverage import Coverage
from .explore import BEGIN, MS, NOWHERE, Moment, Move, Side, Stepper, facts_to_try, left
from .own import ASKED, FREE_FORM, held, refusing, stretches
from .script import NAME, Line, lines_of, moved, templates_with, written

Measure: TypeAlias = Literal["rows", "guards", "edges"]
MEASURES: Final[tuple[Measure, ...]] = ("rows", "guards", "edges")
_QUESTIONS: Final = ("text", "{template: nobody}", "{template: resting}", "{template: hello}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A history to choose from.

    Attributes:
        lines: its steps.
        start: when it is played.
        covers: what it covers.
    """

    lines: tuple[Line, ...]
    start: datetime
    covers: frozenset[Hashable]


@dataclass(slots=True)
class Generated:
    """A set of files.

    Attributes:
        files: from name to text.
        covered: what they cover, in words.
        out_of_reach: what the document has and no candidate covers, in words: mostly what belongs
            to options that are off.
    """

    files: dict[str, str] = field(default_factory=dict)
    covered: tuple[str, ...] = ()
    out_of_reach: tuple[str, ...] = ()


def covering(policy: Policy, measure: Measure, folder: str = "") -> Generated:
    """A small set of scenario files that covers what can be covered of a policy.

    Args:
        policy: which.
        measure: what is to be covered.
        folder: where the files will stand, for the path of a policy file.
    """
    maker = _Maker(policy, measure, folder)
    candidates = list(maker.candidates())
    reach = frozenset[Hashable]().union(*(each.covers for each in candidates))
    chosen = list(maker.needed([maker.shorter(each) for each in _greedy(candidates, reach)], reach))
    made = Generated()
    for number, each in enumerate(chosen, 1):
        title = f"{measure} {number} of {len(chosen)}: {_covers(each.covers)}"
        name = f"{measure}-{number:02}-{_slug(sorted(map(str, each.covers))[0])}.yaml"
        made.files[name] = maker.text(title, each)
    made.covered = tuple(sorted(map(str, reach)))
    there = {str(thing) for thing in maker.there}
    made.out_of_reach = tuple(sorted(there - set(made.covered)))
    return made


def _greedy(candidates: Sequence[Candidate], reach: frozenset[Hashable]) -> Iterator[Candidate]:
    """Those that cover most of what is left, each with only what it is taken for."""
    missing = set(reach)
    chosen: list[Candidate] = []
    while missing:
        best = max(candidates, key=lambda each: (len(each.covers & missing), -len(each.lines)))
        chosen.append(best)
        missing -= best.covers
    needed = set(reach)
    for at, each in enumerate(chosen):  # what a later one covers too, an earlier need not
        later = frozenset[Hashable]().union(*(other.covers for other in chosen[at + 1 :]))
        own = (each.covers & needed) - later
        if own:
            yield replace(each, covers=own)
        needed -= own


def _covers(covers: frozenset[Hashable]) -> str:
    names = sorted(map(str, covers), key=_natural)
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def _natural(text: str) -> tuple[Any, ...]:
    return tuple(int(part) if part.isdigit() else part for part in re.split("([0-9]+)", text))


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


class _Maker:
    """Makes and measures candidates of one policy."""

    def __init__(self, policy: Policy, measure: Measure, folder: str) -> None:
        self.policy, self.measure, self.folder = policy, measure, folder
        self.table = table_of(policy)
        self.own = {own.id for own in policy.refusals} if measure == "rows" else set()
        self.there: set[Hashable] = set(self.own)
        self.templates = templates_with("utility" if policy.refusals else "")
        self.start = _quiet_free(policy)

    def candidates(self) -> Iterator[Candidate]:
        for lines in self._histories():
            made = self.measured(tuple(moved(lines, self.start - BEGIN)), self.start)
            if made.covers:
                yield made
        for own in self.policy.refusals if self.measure == "rows" else ():
            yield from self._of_refusal(own)

    def _of_refusal(self, own: Refusal) -> Iterator[Candidate]:
        """The first way by which it is this one that refuses; those before it may be in its way."""
        instants = stretches(self.policy.refusals)
        for what in ASKED[:-1]:  # of no known category is refused by what refuses some category
            reach = (at for at in instants if refusing(held(self.policy.refusals, at), what) is own)
            at = next(reach, None)
            if at is None:
                continue
            ask = "text" if what == FREE_FORM else f"{{template: {what}}}"
            made = self.measured((Line(at, self._opening()), Line(at, f"ask: {ask}")), at)
            if own.id in made.covers:
                yield made
                return

    def _opening(self) -> str:
        """What a customer opens the window with."""
        openers = self.policy.openers
        kind = "text" if "text" in openers else min(openers, default="call")
        return f"customer: {kind}"

    def _histories(self) -> Iterator[list[Line]]:
        """Each way to a situation with something more at its end."""
        stepper = Stepper(self.table, set())
        groups: dict[bool, str] = {}
        for kind in CUSTOMER_KINDS:
            groups.setdefault(kind in self.policy.openers, kind)
        facts = list(facts_to_try(groups.values()))
        margin = self.policy.margin
        asked = [f"ask: {question}" for question in _QUESTIONS]
        seen = {_key(NOWHERE, BEGIN, margin)}
        waiting: deque[tuple[datetime, Side, tuple[Moment, ...]]] = deque([(BEGIN, NOWHERE, ())])
        yield [Line(BEGIN, ask) for ask in asked]
        while waiting:
            now, side, path = waiting.popleft()
            lines = [line for moment in path for line in self._lines(moment)]
            end = side.point.window_end
            if end is not None:
                yield [*lines, *self._edges(end, now)]
            for move, at in _next(stepper, facts, now, side, path, self.policy):
                if not self._may(stepper, move, at, side):
                    continue
                taken = (*path, Moment(at, move))
                after = (
                    stepper.lapsed(side, at)
                    if move.event == "look"
                    else stepper.fold(move, at, side, len(taken))[0]
                )
                more = [line for moment in taken for line in self._lines(moment)]
                yield [*more, *(Line(at, ask) for ask in asked)]
                key = _key(after, at, margin)
                if key not in seen:
                    seen.add(key)
                    waiting.append((at, after, taken))

    def _may(self, stepper: Stepper, move: Move, at: datetime, side: Side) -> bool:
        """Whether the policy's own refusals let it come: what they refuse does not happen."""
        if move.event == "free_form":
            return self._free_form(at)
        if move.event == "send_failed" and self._template(at) is None:  # so a text must fail
            return self._free_form(at) and stepper.may(Move("free_form"), at, side)
        return move.event != "template" or self._template(at) is not None

    def _lines(self, moment: Moment) -> Iterator[Line]:
        """The steps of a moment, with a template that may be sent then."""
        for line in lines_of(moment):
            if line.actor == "business: {template: hello}":
                name = self._template(moment.at)
                what = "text" if name is None else f"{{template: {name}}}"
                yield replace(line, actor=f"business: {what}")
            else:
                yield line

    def _template(self, at: datetime) -> str | None:
        """A template that no refusal of the policy's own is about at this instant of a search."""
        hold = self._held(at)
        for name, category in (("hello", "utility"), *((each, each) for each in CATEGORIES)):
            if not any(own.concerns(category) for own in hold):
                return name
        return None

    def _free_form(self, at: datetime) -> bool:
        return not any(own.free_form for own in self._held(at))

    def _held(self, at: datetime) -> list[Refusal]:
        return held(self.policy.refusals, at + (self.start - BEGIN))

    def _edges(self, end: datetime, now: datetime) -> Iterator[Line]:
        near = (end - self.policy.margin, end)
        for at in sorted({edge + past for edge in near for past in (-MS, 0 * MS, MS)}):
            if at > now:
                yield from (Line(at), Line(at, "ask: text"))

    def case(self, lines: Sequence[Line], start: datetime, title: str = NAME) -> Case:
        return load_text(self._text(title, lines, start).encode(), NAME, self.policy, self.folder)[
            0
        ]

    def _text(self, title: str, lines: Sequence[Line], start: datetime) -> str:
        templates = self.templates
        return written(
            title, self.policy, lines, start=start, templates=templates, folder=self.folder
        )

    def measured(self, lines: tuple[Line, ...], start: datetime) -> Candidate:
        """The steps with what they cover; a send that is refused is made a question."""
        outcomes = run_case(self.case(lines, start)).outcomes
        kept = tuple(
            replace(line, actor=line.actor.replace("business:", "ask:"))
            if _refused_send(outcome) and not line.more
            else line
            for line, outcome in zip(lines, outcomes, strict=True)
        )
        return Candidate(kept, start, self._covered(kept, start))

    def _covered(self, lines: Sequence[Line], start: datetime) -> frozenset[Hashable]:
        heard: set[Asked] = set()
        run = run_case(self.case(lines, start), self.table, heard)
        coverage = Coverage()
        coverage.add(run, heard)
        (hits,) = coverage.of.values()
        self.there |= set(hits.there[self.measure])
        return frozenset(hits.hit[self.measure]) | (run.fired & self.own)

    def needed(
        self, chosen: Sequence[Candidate], reach: frozenset[Hashable]
    ) -> Iterator[Candidate]:
        """Those of a set that it needs, each without the steps that no file of it needs."""
        covers = [self._covered(each.lines, each.start) for each in chosen]
        for at, each in enumerate(chosen):
            own = reach.difference(*covers[:at], *covers[at + 1 :])
            kept = self.shorter(replace(each, covers=own))
            covers[at] = self._covered(kept.lines, kept.start) if own else frozenset()
            if own:
                yield kept

    def shorter(self, each: Candidate) -> Candidate:
        """The same without the steps that it does not need, from the end."""
        lines = list(each.lines)
        for at in range(len(lines) - 1, -1, -1):
            fewer = lines[:at] + lines[at + 1 :]
            try:
                if fewer and each.covers <= self._covered(fewer, each.start):
                    lines = fewer
            except BadFile:  # a later step is about this one
                continue
        return replace(each, lines=tuple(lines))

    def text(self, title: str, each: Candidate) -> str:
        """The file, with what the policy does as expectations."""
        outcomes = run_case(self.case(each.lines, each.start)).outcomes
        lines = [
            replace(line, expect=expected(outcome))
            for line, outcome in zip(each.lines, outcomes, strict=True)
        ]
        text = self._text(title, lines, each.start)
        check(text, self.policy, self.folder)
        return text


def check(text: str, policy: Policy, folder: str) -> None:
    """Run what is given away. Raises DisagreementError where it does not pass."""
    for case in load_text(text.encode(), NAME, policy, folder):
        if not run_case(case).passed:
            raise DisagreementError(f"a generated scenario fails under {said(policy)}:\n{text}")


def expected(outcome: Outcome) -> Mapping[str, Any]:
    """What an expectation of a step says, for a service that has no rule ids."""
    keys = ["state", "window_closes_at"]
    if outcome.decision is not None:
        keys = ["allowed" if outcome.decision.allowed else "refused", *keys]
    return {key: ACTUAL[key](outcome) for key in keys}


def _refused_send(outcome: Outcome) -> bool:
    refused = outcome.decision is not None and not outcome.decision.allowed
    return refused and not outcome.step.asked_only


def _next(
    stepper: Stepper,
    facts: Sequence[Move],
    now: datetime,
    side: Side,
    path: Sequence[Moment],
    policy: Policy,
) -> Iterator[tuple[Move, datetime]]:
    soon = now if not path or path[-1].move.event == "look" else now + stepper.pace
    yield from ((move, soon) for move in facts if stepper.may(move, soon, side))
    end = side.point.window_end
    for before in {policy.margin, timedelta(0)} if end is not None else ():
        if end is not None and end - before > now:
            yield Move("look"), end - before


def _key(side: Side, at: datetime, margin: timedelta) -> Hashable:
    point = side.point
    return point.state, point.replied, point.has_sent, left(at, point, margin)


def _quiet_free(policy: Policy) -> datetime:
    """From when scenarios are played: an instant at which no refusal of its own holds."""
    for at in stretches(policy.refusals, BEGIN + timedelta(days=16)):
        timed = [own for own in policy.refusals if own.zone is not None]
        if not any(own.holds(at) for own in timed):
            return at
    return BEGIN
