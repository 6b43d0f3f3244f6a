"""Every reachable situation of a policy, against its invariants; or the shortest way to break one.

House rules:

* All that can be shown is reached by facts that come in order (``explore.py``), so these are tried,
  shortest first, with everything that can be asked at each instant.
* Time counts by regions: how far the window's end is, against the edges that the policy knows.
  ``docs/verify.md`` says why that is all, and why the search ends.
* The policy is asked through its own Table and fold. What is right is said by ``invariants.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from wa_fsm.decide import decide_in
from wa_fsm.decision import Conversation, State
from wa_fsm.engine import Answer
from wa_fsm.events import FreeForm, Template
from wa_fsm.policy import Policy
from wa_fsm.rows import EventName
from wa_fsm.situation import situation_at
from wa_fsm.table import Table, table_of
from wa_fsm.templates import Templates

from .explore import BEGIN, MS, NOWHERE, Entry, Moment, Move, Side, Stepper, facts_to_try
from .invariants import SAME_ANSWERS, Broken, Invariant, Scene, invariants_for
from .orders import disorder
from .trace import Claims, Trace, claims_of, kinds_to_try

_MOST: Final = 50_000  # situations; the shipped policies have some hundreds
_TEMPLATES: Final = Templates({"hello": "approved", "resting": "paused"})
_HELLO, _RESTING, _NOBODY = Template("hello"), Template("resting"), Template("nobody")
_TEXT: Final = FreeForm()
_LOOK: Final = Move("look")
NOT_SHOWN: Final = Broken({})
_RANKS: Final = {"customer_message": 0, "customer_call": 0, "send_failed": 1}


@dataclass(frozen=True, slots=True)
class Counterexample:
    """How an invariant is broken.

    Attributes:
        invariant: which.
        path: what happens, and when.
        broken: what should have been.
        talks: of each move of the path which move, from 1, began the conversation that should
            run after it; None: none should.
        note: what no scenario can show, in words.
    """

    invariant: Invariant
    path: tuple[Moment, ...] = ()
    broken: Broken = NOT_SHOWN
    talks: tuple[int | None, ...] = ()
    note: str = ""


@dataclass(slots=True)
class Verdict:
    """What came of it.

    Attributes:
        policy: which was verified.
        invariants: the names of those that were checked.
        situations: how many different ones there are.
        steps: how many ways from one to another were taken.
        answers: how many questions were asked.
        counterexample: the shortest; None where everything holds.
        steps_only: the shortest that a scenario's steps can bring about.
        unreached: ids of rows that no situation fires.
        stuck: reachable states that nothing leads out of.
        complete: everything was searched.
        faces: what is shown of each situation, by what tells situations apart.
    """

    policy: Policy
    invariants: tuple[str, ...] = ()
    situations: int = 0
    steps: int = 0
    answers: int = 0
    counterexample: Counterexample | None = None
    unreached: tuple[str, ...] = ()
    stuck: tuple[State, ...] = ()
    complete: bool = True
    faces: dict[Hashable, Hashable] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether all was searched and nothing is wrong."""
        whole = self.complete and self.counterexample is None
        return whole and not self.unreached and not self.stuck


def verify(policy: Policy, said: Policy | None = None) -> Verdict:
    """Search everything that can happen under a policy.

    Args:
        policy: to verify.
        said: what it claims to be; None: itself. A policy with a fault in it says what it should
            be, not what it is.
    """
    claims = claims_of(said or policy)
    if policy.refusals:  # they move nothing, and might hide what the rows allow
        policy = replace(policy, refusals=())
    verdict = _explored(policy, claims, any_fact=True)
    if verdict.counterexample is not None:
        shown = _explored(policy, claims, any_fact=False).counterexample
        verdict.counterexample = shown or verdict.counterexample
    elif (note := disorder(policy)) is not None:
        verdict.counterexample = Counterexample(SAME_ANSWERS, note=note)
    return verdict


class _Node(NamedTuple):
    """A situation on the way; `rank` orders facts of one instant, `parent` is how it came."""

    at: datetime
    side: Side
    trace: Trace
    rank: int
    depth: int
    parent: _Node | None
    move: Move


class _Ears:
    """The Table, and what it was asked."""

    __slots__ = ("answers", "fired", "policy", "quick")

    def __init__(self, table: Table) -> None:
        self.policy, self.answers, self.quick = table.policy, table.answers, table
        self.fired: set[Entry] = set()

    def fire(self, state: State, event: EventName, facts: int) -> Answer:
        """The kept answer; the question is noted."""
        self.fired.add((state, event, facts))
        answer = self.answers[state, event][facts]
        assert answer is not None
        return answer


def _explored(policy: Policy, claims: Claims, *, any_fact: bool) -> Verdict:
    search = _Search(policy, claims, any_fact=any_fact)
    verdict = search.verdict
    try:
        search.run()
    except _Found as found:
        verdict.counterexample = found.counterexample
    verdict.situations = len(search.seen)
    return verdict


class _Found(Exception):
    def __init__(self, counterexample: Counterexample) -> None:
        self.counterexample = counterexample


class _Search:
    def __init__(self, policy: Policy, claims: Claims, *, any_fact: bool) -> None:
        self.engine = _Ears(table_of(policy))
        self.stepper = Stepper(self.engine, self.engine.fired)
        self.policy, self.claims, self.any_fact = policy, claims, any_fact
        self.invariants = tuple(invariants_for(claims.name))
        names = (*(each.name for each in self.invariants), SAME_ANSWERS.name)
        self.verdict = Verdict(policy, names)
        self.moves = tuple(facts_to_try(kinds_to_try(policy, claims)))
        self.seen: set[Hashable] = set()
        self.left: dict[State, set[State]] = {}
        margins = {policy.margin, claims.margin}
        self.edges = edges_of(*margins)
        self.instants = [*self.edges, *(m / 2 // MS * MS for m in margins if m > 4 * MS)]

    def run(self) -> None:
        """Breadth first, so that the first violation is a shortest one."""
        start = _Node(BEGIN, NOWHERE, Trace(), -1, 0, None, _LOOK)
        self._check(start, start, None)
        waiting = deque([start])
        self.seen.add(self._key(start))
        while waiting:
            node = waiting.popleft()
            for move, at in self._successors(node):
                after, answer = self._step(node, move, at)
                self._check(node, after, answer)
                key = self._key(after)
                if key not in self.seen:
                    self.seen.add(key)
                    waiting.append(after)
            if len(self.seen) > _MOST:
                self.verdict.complete = False
                return
        self._graph()

    def _successors(self, node: _Node) -> Iterator[tuple[Move, datetime]]:
        for at in self._looks(node):
            yield _LOOK, at
        for move in self.moves:
            at = node.at
            if _RANKS.get(move.event, 2) < node.rank:
                at += self.stepper.pace
            if self.any_fact or self.stepper.may(move, at, node.side):
                yield move, at

    def _looks(self, node: _Node) -> list[datetime]:
        ends = {node.side.point.window_end, node.trace.ends(self.claims)} - {None}
        instants = {end - before for end in ends if end is not None for before in self.instants}
        later = sorted(at for at in instants if at > node.at)
        return later or [node.at + max(self.policy.window, self.claims.window)]

    def _step(self, node: _Node, move: Move, at: datetime) -> tuple[_Node, Answer | None]:
        depth, answer = node.depth + 1, None
        if move.event == "look":
            side, rank = self.stepper.lapsed(node.side, at), -1
        else:
            side, answer = self.stepper.fold(move, at, node.side, depth)
            rank = _RANKS.get(move.event, 2)
        trace = node.trace.after(self.claims, move, at, depth)
        return _Node(at, side, trace, rank, depth, node, move), answer

    def _check(self, before: _Node, node: _Node, answer: Answer | None) -> None:
        scene = self._scene(before, node, answer)
        self.verdict.steps += 1
        self.verdict.answers += 4
        states = self.left.setdefault(before.side.point.state, set())
        states.add(node.side.point.state)
        for invariant in self.invariants:
            broken = invariant.check(scene)
            if broken is not None:
                raise _Found(_counterexample(invariant, broken, node, self.claims))
        asked = (scene.free, scene.approved, scene.paused, scene.unknown)
        shown = tuple((each.reason, each.rule) for each in asked)
        self.verdict.faces.setdefault(face(scene.situation.point, node.at, self.edges), shown)

    def _scene(self, before: _Node, node: _Node, answer: Answer | None) -> Scene:
        engine, side, at = self.engine, node.side, node.at
        running, talk = None, None
        if side.point.window_end is not None and side.last is not None:
            talk, origin = side.last
            running = Conversation(f"talk-{talk}", origin, at)
        situation = situation_at(engine, side.point, at, running)
        was = self.stepper.lapsed(before.side, at).point if node.move.event != "look" else None
        return Scene(
            self.claims,
            at,
            node.move,
            node.depth,
            was or before.side.point,
            side.point,
            before.trace,
            node.trace,
            answer,
            situation,
            decide_in(engine, situation, _TEXT, _TEMPLATES),
            decide_in(engine, situation, _HELLO, _TEMPLATES),
            decide_in(engine, situation, _RESTING, _TEMPLATES),
            decide_in(engine, situation, _NOBODY, _TEMPLATES),
            talk,
        )

    def _key(self, node: _Node) -> Hashable:
        """What decides all that may come and be asked, absolute time left out."""
        point, last = node.side
        trace, ends = node.trace, node.trace.ends(self.claims)
        running = trace.is_open(self.claims, node.at)
        return (
            face(point, node.at, self.edges),
            region(ends, node.at, self.edges),
            (trace.opened is None, trace.origin, trace.replied, trace.sent, trace.waiting)
            if running or trace.waiting
            else trace.opened is None,
            (last is None, running and last is not None and last[0] == trace.talk),
            node.rank,
        )

    def _graph(self) -> None:
        """Rows that nothing fired, and states without a way out."""
        answers = self.engine.answers
        rules = {
            answer.rule for s, e, f in self.engine.fired if (answer := answers[s, e][f]) is not None
        }
        unreached = [row.id for row in self.policy.rows if row.id not in rules]
        self.verdict.unreached = tuple(unreached)
        self.verdict.stuck = tuple(state for state, to in self.left.items() if to <= {state})


def edges_of(*margins: timedelta) -> list[timedelta]:
    """How long before a window's end time alone may change something, and 1 ms to either side."""
    at = {timedelta(0), *margins}
    return sorted({edge + by for edge in at for by in (-MS, 0 * MS, MS)})


def region(end: datetime | None, at: datetime, edges: list[timedelta]) -> Hashable:
    """Where `at` lies against the edges before `end`: on one of them, or between which two."""
    if end is None:
        return None
    there = end - at
    return (there in edges, sum(edge < there for edge in edges))


def face(point: tuple[object, ...], at: datetime, edges: list[timedelta]) -> Hashable:
    """All of a fold that can be asked about, absolute time left out."""
    state, end, replied, has_sent, _ = point
    return (state, region(end, at, edges), replied, has_sent)  # type: ignore[arg-type]  # a Point


def _counterexample(
    invariant: Invariant, broken: Broken, node: _Node, claims: Claims
) -> Counterexample:
    nodes: list[_Node] = []
    here: _Node | None = node
    while here is not None and here.parent is not None:
        nodes.append(here)
        here = here.parent
    nodes.reverse()
    path = tuple(Moment(each.at, each.move) for each in nodes)
    talks = (e.trace.talk if e.trace.is_open(claims, e.at) else None for e in nodes)
    return Counterexample(invariant, path, broken, tuple(talks))
