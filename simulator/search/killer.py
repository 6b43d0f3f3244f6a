"""What tells a mutant from the original: a scenario that kills it, or the proof that none can.

House rules:

* A history is a fold over facts in the order of ``at``, whatever the order in which they were
  learnt; so all that can ever be shown is reached by facts that come in order. Both policies are
  stepped side by side through every such sequence, shortest first, with the product's own table
  and fold (``table.py``, ``situation.py``).
* Two pairs of points that differ only in absolute time go on alike: what counts is how far the
  window's end is, by the edges that the policy knows. So the search ends, and where it ends
  without a difference the mutant is equivalent.
* A *difference* is one that an expectation of a scenario can name.
* First only what steps can bring about: a free-form message is sent where the original allows it.
  Then every fact: late facts may put one where it would have been refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from wa_fsm.decision import Origin, State
from wa_fsm.engine import Answer
from wa_fsm.policy import Policy
from wa_fsm.rows import FACTS, EventName
from wa_fsm.situation import (
    APPROVED,
    REGISTERED,
    START,
    YES,
    Point,
    applied,
    free_form_facts,
    lapsed,
    permits_free_form,
)
from wa_fsm.table import Table, table_of

MS: Final = timedelta(milliseconds=1)
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_MOST: Final = 20_000  # pairs of points; the shipped policies need some hundreds
_STATUSES: Final = (("unknown", 0), ("paused", REGISTERED), ("approved", REGISTERED | APPROVED))

Entry: TypeAlias = tuple[State, EventName, int]


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happens in a search.

    Attributes:
        event: what comes; ``look`` where only time passes.
        word: the kind of a customer's message, or the code of a failure.
        before: of a look: how long before the original's window end.
    """

    event: EventName | str
    word: str = ""
    before: timedelta = timedelta(0)


class Moment(NamedTuple):
    """A move and its instant."""

    at: datetime
    move: Move


class _Side(NamedTuple):
    """Where one of the two policies stands; `last` is what began the latest conversation."""

    point: Point
    last: tuple[int, Origin] | None


@dataclass(slots=True)
class Found:
    """What a search came to.

    Attributes:
        path: the shortest history that tells the two apart; None where there is none.
        pairs: how many pairs of points were compared.
        complete: the search ended by itself, so that no path is a proof.
        fired: every case of the table that was fired.
    """

    path: list[Moment] | None = None
    pairs: int = 0
    complete: bool = True
    fired: set[Entry] = field(default_factory=set)


def search(original: Policy, mutant: Policy, kinds: Iterable[str], *, any_fact: bool) -> Found:
    """Step both through every sequence of facts, shortest first.

    Args:
        original: the policy as it is.
        mutant: the same with a fault.
        kinds: of customer messages that may come.
        any_fact: also free-form messages that the original refuses, which late facts can leave.
    """
    found = Found()
    pair = _Pair(table_of(original), table_of(mutant), found.fired)
    found.complete = pair.roomy
    moves = [*_facts(kinds), *_looks(original)]
    start = (BEGIN, _Side(START, None), _Side(START, None))
    seen = {pair.key(*start)}
    waiting: deque[tuple[datetime, _Side, _Side, list[Moment]]] = deque([(*start, [])])
    if pair.differ(*start):
        found.path = [Moment(BEGIN, Move("look"))]
        return found
    while waiting:
        now, ours, theirs, path = waiting.popleft()
        for move in moves:
            at = pair.when(move, now, ours, free=not path or path[-1].move.event == "look")
            if at is None or (not any_fact and not pair.may(move, at, ours)):
                continue
            taken = [*path, Moment(at, move)]
            after = pair.step(move, at, ours, theirs, len(taken))
            if after is None or pair.differ(at, *after):
                found.path = taken
                return found
            key = pair.key(at, *after)
            if key not in seen:
                seen.add(key)
                waiting.append((at, *after, taken))
        if len(seen) > _MOST:
            found.complete = False
            break
    found.pairs = len(seen)
    return found


def _facts(kinds: Iterable[str]) -> Iterator[Move]:
    yield from (Move("customer_message", kind) for kind in kinds)
    yield from (Move("customer_call"), Move("template"), Move("free_form"))
    yield from (Move("send_failed", "131047"), Move("send_failed", "131026"))


def _looks(policy: Policy) -> list[Move]:
    """The instants at which time alone may change something, and the one before each."""
    befores = {policy.margin + MS, policy.margin, MS, timedelta(0)}
    return [Move("look", before=before) for before in sorted(befores, reverse=True)]


class _Pair:
    """The original and the mutant, stepped together."""

    def __init__(self, ours: Table, theirs: Table, fired: set[Entry]) -> None:
        self.ours, self.theirs, self.fired = ours, theirs, fired
        self.margin = ours.policy.margin
        room = ours.policy.window - self.margin
        self.pace = timedelta(seconds=1) if room >= timedelta(hours=1) else MS
        self.roomy = room >= 100 * self.pace  # else not all that fits into a window is tried

    def when(self, move: Move, now: datetime, ours: _Side, *, free: bool) -> datetime | None:
        """When a move comes; None where time cannot pass to there. `free`: nothing came now."""
        if move.event != "look":
            return now if free else now + self.pace
        end = ours.point.window_end
        return end - move.before if end is not None and end - move.before > now else None

    def may(self, move: Move, at: datetime, ours: _Side) -> bool:
        """Whether a scenario's step can bring this about: only what is allowed is sent."""
        if move.event != "free_form":
            return True
        point, _ = lapsed(self.ours, ours.point, at)
        facts = free_form_facts(self.ours, point, at)
        return self.ours.fire(point.state, "free_form", facts).allowed

    def step(
        self, move: Move, at: datetime, ours: _Side, theirs: _Side, number: int
    ) -> tuple[_Side, _Side] | None:
        """Both after the move; None where they answer it by different rows, or the mutant fails."""
        if move.event == "look":
            return self._lapsed(self.ours, ours, at), self._lapsed(self.theirs, theirs, at)
        one, one_rule = self._fold(self.ours, move, at, ours, number)
        try:
            other, other_rule = self._fold(self.theirs, move, at, theirs, number)
        except Exception:
            return None
        return (one, other) if one_rule == other_rule else None

    def _lapsed(self, table: Table, side: _Side, at: datetime) -> _Side:
        point, lapse = lapsed(table, side.point, at)
        if lapse is not None:
            self.fired.add((side.point.state, "lapse", YES))
        return _Side(point, side.last)

    def _fold(
        self, table: Table, move: Move, at: datetime, side: _Side, number: int
    ) -> tuple[_Side, str]:
        """As ``History`` folds a fact. The lapse begins no conversation there, nor here."""
        point = self._lapsed(table, side, at).point
        event: EventName = move.event  # type: ignore[assignment]  # all but looks are events
        facts = 0
        if event == "customer_message":
            facts = YES if move.word in table.policy.openers else 0
        elif event == "template":
            facts = REGISTERED | APPROVED
        elif event == "free_form":
            facts = free_form_facts(table, point, None)
        elif event == "send_failed":
            facts = YES if move.word == "131047" else 0
        answer = table.fire(point.state, event, facts)
        self.fired.add((point.state, event, facts))
        sends = event in ("template", "free_form")
        last = (number, answer.begins) if answer.begins is not None else side.last
        return _Side(applied(table, answer, point, at, sends=sends), last), answer.rule

    def differ(self, at: datetime, ours: _Side, theirs: _Side) -> bool:
        """Whether anything that an expectation can name is different at this instant."""
        try:
            shown: bool = self._shown(self.ours, at, ours) == self._shown(self.theirs, at, theirs)
        except Exception:  # the mutant shows a window without a conversation
            return True
        return not shown

    def _shown(self, table: Table, at: datetime, side: _Side) -> Any:
        point, last = self._lapsed(table, side, at)
        if point.window_end is not None and last is None:
            raise LookupError("an open window without a conversation")
        asked = free_form_facts(table, point, at)
        questions: list[tuple[EventName, int]] = [("free_form", asked)]
        questions += [("template", facts) for _, facts in _STATUSES]
        answers = []
        for event, facts in questions:
            self.fired.add((point.state, event, facts))
            answer = table.fire(point.state, event, facts)
            answers.append((answer.reason, answer.rule))
        end = point.window_end
        permits = end is not None and permits_free_form(table, point)
        return (point.state, end, permits, last if end is not None else None, answers)

    def key(self, at: datetime, ours: _Side, theirs: _Side) -> Any:
        """What decides all that may come, absolute time left out."""
        one, other = ours.point, theirs.point
        same = ours.last == theirs.last
        return (
            (one.state, one.replied, one.has_sent, self._left(at, one), ours.last is None),
            (other.state, other.replied, other.has_sent, self._left(at, other)),
            (one.window_end == other.window_end, same, theirs.last is None),
        )

    def _left(self, at: datetime, point: Point) -> timedelta | bool | None:
        """How far the end is: exact at the edges, else which side of the margin."""
        if point.window_end is None:
            return None
        left = point.window_end - at
        if left in (self.margin + MS, self.margin, MS):
            return left
        return left > self.margin


# -- what the search says of a mutant -------------------------------------------------------------


def differing(original: Policy, mutant: Policy) -> dict[Entry, frozenset[str]]:
    """The cases of the table that are answered differently, and in what."""
    ours, theirs = table_of(original).answers, table_of(mutant).answers
    changed: dict[Entry, frozenset[str]] = {}
    for (state, event), answers in ours.items():
        for facts, answer in enumerate(answers):
            other = theirs[state, event][facts]
            if answer is not None and other is not None:
                parts = _parts(answer, other)
                if parts:
                    changed[state, event, facts] = parts
    return changed


def _parts(answer: Answer, other: Answer) -> frozenset[str]:
    names = [each.name for each in fields(Answer) if each.name != "row"]
    return frozenset(n for n in names if getattr(answer, n) != getattr(other, n))


def why_equivalent(original: Policy, mutant: Policy, found: Found) -> str:
    """Why a search without a difference found none, in a sentence."""
    changed = differing(original, mutant)
    if not changed:
        if original.uncounted != mutant.uncounted:
            return "it changes only `uncounted`, which no expectation can name"
        return "every answer stays the same"
    met = {entry: parts for entry, parts in changed.items() if entry in found.fired}
    if not met:
        return f"never reached: {'; '.join(dict.fromkeys(map(_case, changed)))}"
    parts = frozenset[str]().union(*met.values())
    if parts == {"entered"}:
        return "it changes only since when the state stands, which no expectation can name"
    what = ", ".join(_PARTS[name] for name in _PARTS if name in parts)
    return f"{what} never shows: all {found.pairs} situations that facts can lead to were compared"


_PARTS: Final = {
    "to": "the state",
    "entered": "since when it stands",
    "begins": "the conversation begun",
    "window": "what happens to the window",
    "reply": "the reply noted",
    "reason": "the verdict",
    "rule": "the row",
}


def _case(entry: Entry) -> str:
    state, event, facts = entry
    said = [f.yes if facts >> i & 1 else f.no for i, f in enumerate(FACTS[event].values())]
    guard = f" ({', '.join(said)})" if said else ""
    return f"{event} in {state}{guard}"
