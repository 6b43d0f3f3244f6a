"""Stepping one policy through facts that come in order: what every search is made of.

House rules:

* A history is a fold over facts in the order of ``at``, whatever the order in which they were
  learnt; so all that can ever be shown is reached by facts that come in order. A policy is stepped
  through them with the product's own table and fold (``table.py``, ``situation.py``).
* Two points that differ only in absolute time go on alike: what counts is how far the window's
  end is, by the edges that the policy knows (``docs/verify.md`` has the argument).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from wa_fsm.decision import Origin, State
from wa_fsm.engine import Answer, Engine
from wa_fsm.events import CUSTOMER_KINDS
from wa_fsm.policy import Policy
from wa_fsm.rows import EventName
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

MS: Final = timedelta(milliseconds=1)
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES: Final = (("unknown", 0), ("paused", REGISTERED), ("approved", REGISTERED | APPROVED))

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


class Side(NamedTuple):
    """Where a policy stands; `last` is what began the latest conversation."""

    point: Point
    last: tuple[int, Origin] | None


NOWHERE: Final = Side(START, None)


def facts_to_try(kinds: Iterable[str]) -> Iterator[Move]:
    """Every fact that can come, customer messages of these kinds only."""
    yield from (Move("customer_message", kind) for kind in kinds)
    yield from (Move("customer_call"), Move("template"), Move("free_form"))
    yield from (Move("send_failed", "131047"), Move("send_failed", "131026"))


def kinds_apart(ours: Policy, theirs: Policy) -> list[tuple[str, ...]]:
    """The customer kinds, those together that neither policy tells from one another."""
    groups: dict[tuple[bool, bool], list[str]] = {}
    for kind in CUSTOMER_KINDS:
        groups.setdefault((kind in ours.openers, kind in theirs.openers), []).append(kind)
    return [tuple(kinds) for kinds in groups.values()]


def looks(policy: Policy) -> list[Move]:
    """The instants at which time alone may change something, and the one before each."""
    befores = {policy.margin + MS, policy.margin, MS, timedelta(0)}
    return [Move("look", before=before) for before in sorted(befores, reverse=True)]


class Stepper:
    """One policy, stepped as ``History`` folds.

    Args:
        table: the policy's answers.
        fired: takes every case of the table that is fired.

    Attributes:
        pace: how far apart facts come where nothing else says it.
        roomy: enough of them fit into a window; else not all that fits is tried.
    """

    def __init__(self, table: Engine, fired: set[Entry]) -> None:
        self.table, self.fired = table, fired
        self.margin = table.policy.margin
        room = table.policy.window - self.margin
        self.pace = timedelta(seconds=1) if room >= timedelta(minutes=10) else MS
        self.roomy = room >= 100 * self.pace

    def when(self, move: Move, now: datetime, side: Side, *, free: bool) -> datetime | None:
        """When a move comes; None where time cannot pass to there. `free`: nothing came now."""
        if move.event != "look":
            return now if free else now + self.pace
        end = side.point.window_end
        return end - move.before if end is not None and end - move.before > now else None

    def may(self, move: Move, at: datetime, side: Side) -> bool:
        """Whether a scenario's step can bring this about: only what is allowed is sent."""
        if move.event != "free_form":
            return True
        point, _ = lapsed(self.table, side.point, at)
        facts = free_form_facts(self.table, point, at)
        return self.table.fire(point.state, "free_form", facts).allowed

    def lapsed(self, side: Side, at: datetime) -> Side:
        """The same at `at`, when only time has passed."""
        point, lapse = lapsed(self.table, side.point, at)
        if lapse is not None:
            self.fired.add((side.point.state, "lapse", YES))
        return Side(point, side.last)

    def fold(self, move: Move, at: datetime, side: Side, number: int) -> tuple[Side, Answer]:
        """After a fact. The lapse begins no conversation in ``History``, nor here."""
        table = self.table
        point = self.lapsed(side, at).point
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
        return Side(applied(table, answer, point, at, sends=sends), last), answer

    def shown(self, at: datetime, side: Side) -> Any:
        """Everything that an expectation can name at this instant."""
        table = self.table
        point, last = self.lapsed(side, at)
        if point.window_end is not None and last is None:
            raise LookupError("an open window without a conversation")
        asked = free_form_facts(table, point, at)
        questions: list[tuple[EventName, int]] = [("free_form", asked)]
        questions += [("template", facts) for _, facts in STATUSES]
        answers = []
        for event, facts in questions:
            self.fired.add((point.state, event, facts))
            answer = table.fire(point.state, event, facts)
            answers.append((answer.reason, answer.rule))
        end = point.window_end
        permits = end is not None and permits_free_form(table, point)
        return (point.state, end, permits, last if end is not None else None, answers)


def left(at: datetime, point: Point, margin: timedelta) -> timedelta | bool | None:
    """How far the window's end is: exact at the edges, else which side of the margin."""
    if point.window_end is None:
        return None
    there = point.window_end - at
    if there in (margin + MS, margin, MS):
        return there
    return there > margin
