"""Where two policies answer differently: every kind of difference, each by its shortest history.

House rules:

* Both policies are stepped side by side through the same facts, shortest histories first, as in
  ``killer.py``; but the search goes on behind a difference and ends only when nothing new is left.
* What decides all that may come is the two points without absolute time: how far each window's end
  is, by every length that either policy knows, and which ends first. There are finitely many such
  pairs, so the search ends, and where it found nothing the two are equivalent.
* A *difference* is one that an expectation of a scenario can name, the rule's id left out: two
  documents call the same answer by two names. A difference is counted where a pair of rows makes
  it: what merely stands apart since an earlier step is not told again.
* Refusals of a policy's own hang on nothing but the clock on the wall. They are compared for
  themselves, in every stretch of time between two instants at which any of them may change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from wa_fsm.engine import Answer, Engine
from wa_fsm.policy import NOTHING, Policy
from wa_fsm.rows import EventName
from wa_fsm.situation import free_form_facts, lapsed, permits_free_form
from wa_fsm.table import table_of

from .difference import Compared, Difference, Kind
from .explore import (
    BEGIN,
    MS,
    NOWHERE,
    STATUSES,
    Moment,
    Move,
    Side,
    Stepper,
    facts_to_try,
    kinds_apart,
)
from .own import by_clock

_MOST: Final = 60_000  # pairs of points; two shipped policies need some hundreds


def compare(ours: Policy, theirs: Policy) -> Compared:
    """Every kind of difference between two policies."""
    ordered = _Search(ours, theirs, any_fact=False).run()
    whole = _Search(ours, theirs, any_fact=True).run()
    found = {each.kind: each for each in ordered.differences}
    more = [each for each in whole.differences if each.kind not in found]
    differences = [*found.values(), *(_late(each) for each in more)]
    differences += by_clock(ours, theirs, whole, ordered.opened)
    complete = whole.complete and ordered.complete
    return Compared(differences, whole.situations, complete, ordered.opened)


def _late(found: Difference) -> Difference:
    return Difference(
        found.kind, found.path, found.question, found.said, found.first, found.kinds, late=True
    )


class _Search:
    """The two policies, stepped together."""

    def __init__(self, ours: Policy, theirs: Policy, *, any_fact: bool) -> None:
        self.policies = (ours, theirs)
        self.any_fact = any_fact
        self.sides = (Stepper(table_of(ours), set()), Stepper(table_of(theirs), set()))
        self.kinds = kinds_apart(ours, theirs)
        self.pace = min(stepper.pace for stepper in self.sides)
        self.cuts, self.gaps = _cuts(ours, theirs)
        self.found: dict[Kind, Difference] = {}
        self.complete = all(stepper.roomy for stepper in self.sides)
        self.opened: tuple[Moment, ...] | None = None

    def run(self) -> Compared:
        facts = list(facts_to_try([kinds[0] for kinds in self.kinds]))
        here = (NOWHERE, NOWHERE)
        seen = {self._key(BEGIN, here)}
        waiting: deque[tuple[datetime, tuple[Side, Side], tuple[Moment, ...]]] = deque()
        waiting.append((BEGIN, here, ()))
        self._ask(BEGIN, here, ())
        while waiting:
            now, pair, path = waiting.popleft()
            for moment in self._next(facts, now, pair, path):
                after = self._step(moment, pair, (*path, moment))
                key = self._key(moment.at, after)
                if key not in seen:
                    seen.add(key)
                    self._ask(moment.at, after, (*path, moment))
                    waiting.append((moment.at, after, (*path, moment)))
            if len(seen) > _MOST:
                self.complete = False
                break
        return Compared(list(self.found.values()), len(seen), self.complete, self.opened)

    def _next(
        self, facts: Sequence[Move], now: datetime, pair: tuple[Side, Side], path: Sequence[Moment]
    ) -> Iterator[Moment]:
        """What may come next: any fact soon, or nothing until time alone changes something."""
        free = not path or path[-1].move.event == "look"
        soon = now if free else now + self.pace
        for move in facts:
            if self.any_fact or all(
                stepper.may(move, soon, side)
                for stepper, side in zip(self.sides, pair, strict=True)
            ):
                yield Moment(soon, move)
        ends = {side.point.window_end for side in pair} - {None}
        instants = {end - cut for end in ends if end is not None for cut in self.cuts}
        for at in sorted(instants):
            if at > now:
                yield Moment(at, Move("look"))

    def _key(self, at: datetime, pair: tuple[Side, Side]) -> Any:
        ours, theirs = (side.point for side in pair)
        gap = None
        if ours.window_end is not None and theirs.window_end is not None:
            gap = _class(ours.window_end - theirs.window_end, self.gaps)
        return (
            *(
                (p.state, p.replied, p.has_sent, self._left(at, p.window_end))
                for p in (ours, theirs)
            ),
            *(side.last is None for side in pair),
            pair[0].last == pair[1].last,
            gap,
        )

    def _left(self, at: datetime, end: datetime | None) -> tuple[int, bool] | None:
        return None if end is None else _class(end - at, self.cuts)

    # -- steps -----------------------------------------------------------------------------------

    def _step(
        self, moment: Moment, pair: tuple[Side, Side], path: tuple[Moment, ...]
    ) -> tuple[Side, Side]:
        at, move = moment
        before = [s.lapsed(side, at) for s, side in zip(self.sides, pair, strict=True)]
        ended = [
            lapsed(s.table, side.point, at)[1] for s, side in zip(self.sides, pair, strict=True)
        ]
        if move.event == "look":
            after = (before[0], before[1])
            if any(ended):
                self._note("lapse", path, pair, after, (ended[0], ended[1]))
            return after
        (one, ours), (other, theirs) = (
            stepper.fold(move, at, side, len(path))
            for stepper, side in zip(self.sides, before, strict=True)
        )
        self._note(move.event, path, (before[0], before[1]), (one, other), (ours, theirs))
        return one, other

    def _note(
        self,
        event: str,
        path: tuple[Moment, ...],
        before: tuple[Side, Side],
        after: tuple[Side, Side],
        answers: tuple[Answer | None, Answer | None],
    ) -> None:
        """Note what two rows do differently, if it shows."""
        at = path[-1].at
        shows = [self._shown(side, n) for n, side in enumerate(after)]
        if shows[0] == shows[1]:
            return
        done = [self._done(n, before[n], answer) for n, answer in enumerate(answers)]
        what = tuple(part for part in done[0] if done[0][part] != done[1][part])
        if not what:
            return
        rules = [answer.rule if answer is not None else NOTHING for answer in answers]
        kind = Kind("effect", event, rules[0], rules[1], what)
        if kind not in self.found:
            stood = [self._shown(self.sides[n].lapsed(s, at), n) for n, s in enumerate(before)]
            alike = stood[0] == stood[1] or (event == "lapse" and self._alike(before))
            self.found[kind] = Difference(
                kind, path, "", (_did(done[0]), _did(done[1])), alike, self._same_kinds(path)
            )

    def _alike(self, pair: tuple[Side, Side]) -> bool:
        return self._shown(pair[0], 0) == self._shown(pair[1], 1)

    def _same_kinds(self, path: Sequence[Moment]) -> tuple[str, ...]:
        word = path[-1].move.word if path[-1].move.event == "customer_message" else ""
        return next((kinds for kinds in self.kinds if kinds[0] == word), ())

    def _done(self, number: int, before: Side, answer: Answer | None) -> dict[str, Any]:
        """What a row did, as far as it may show."""
        if answer is None:
            return {"state": None, "window": None, "conversation": None}
        length = self.policies[number].window
        return {
            "state": answer.to if answer.to != before.point.state else None,
            "window": {"starts": length, "ends": "ends", "keeps": None}[answer.window],
            "conversation": answer.begins,
        }

    def _shown(self, side: Side, number: int) -> tuple[Any, ...]:
        point, last = side
        end = point.window_end
        permits = end is not None and permits_free_form(self.sides[number].table, point)
        return point.state, end, permits, last if end is not None else None

    # -- questions -------------------------------------------------------------------------------

    def _ask(self, at: datetime, pair: tuple[Side, Side], path: tuple[Moment, ...]) -> None:
        """Note what is answered differently at this instant."""
        points = [
            lapsed(stepper.table, side.point, at)[0]
            for stepper, side in zip(self.sides, pair, strict=True)
        ]
        alike = self._alike(pair)
        for event, status in _QUESTIONS:
            ours, theirs = (
                _answer(stepper.table, point, at, event, status)
                for stepper, point in zip(self.sides, points, strict=True)
            )
            if ours.allowed and theirs.allowed and event == "free_form" and self.opened is None:
                self.opened = path or (Moment(at, Move("look")),)
            if ours.reason == theirs.reason:
                continue
            what = "reason" if ours.allowed == theirs.allowed else "allowed"
            kind = Kind("verdict", event, ours.rule, theirs.rule, (what,))
            if kind not in self.found:
                told = Moment(at, Move("look"))
                self.found[kind] = Difference(
                    kind,
                    path or (told,),
                    _ASKED[status] if event == "template" else "text",
                    (_verdict(ours), _verdict(theirs)),
                    alike,
                )


_QUESTIONS: Final[tuple[tuple[EventName, int], ...]] = (
    ("free_form", 0),
    *(("template", facts) for _, facts in STATUSES),
)
_ASKED: Final = dict(
    zip((facts for _, facts in STATUSES), ("{template: nobody}", "{template: resting}",
                                           "{template: hello}"), strict=True)
)  # fmt: skip


def _answer(table: Engine, point: Any, at: datetime, event: EventName, status: int) -> Answer:
    facts = free_form_facts(table, point, at) if event == "free_form" else status
    return table.fire(point.state, event, facts)


def _verdict(answer: Answer) -> str:
    return f"{'allowed' if answer.allowed else 'refused'}: {answer.reason}"


def _did(done: dict[str, Any]) -> str:
    parts = [f"→ {done['state']}"] if done["state"] else []
    if done["conversation"]:
        parts.append(f"begin conversation ({done['conversation']})")
    if done["window"] == "ends":
        parts.append("the window ends")
    elif done["window"]:
        hours = done["window"] / timedelta(hours=1)
        parts.append(f"the window starts ({hours:g} h)")
    return "; ".join(parts) or "no effect"


def _cuts(ours: Policy, theirs: Policy) -> tuple[list[timedelta], list[timedelta]]:
    """How far from a window's end anything may change, and how far apart two ends may matter."""
    cuts, gaps = {timedelta(0), MS}, {timedelta(0)}
    both = (ours, theirs)
    for policy in both:
        for deadline in policy.deadlines.values():
            cuts |= {deadline.before, deadline.before + MS}
            if not deadline.inclusive:
                cuts |= {deadline.before - MS} if deadline.before else {-MS}
    lengths = {p.window for p in both}
    befores = {d.before for p in both for d in p.deadlines.values()}
    if len(lengths) > 1:
        cuts |= {length - before for length in lengths for before in befores}
    for one in (*befores, *lengths):
        for other in (*befores, *lengths):
            gaps.add(one - other)
    return sorted(cuts), sorted(gaps)


def _class(length: timedelta, cuts: list[timedelta]) -> tuple[int, bool]:
    index = bisect_left(cuts, length)
    return index, index < len(cuts) and cuts[index] == length
