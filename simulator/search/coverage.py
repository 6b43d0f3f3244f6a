"""What scenarios cover of a policy: rows, guard outcomes, edges, clauses.

House rules:

* What there is to cover is read from the policy's whole document, every option on. What belongs
  to an option counts only where a case has that option on.
* A *row* is covered when it fired: asked, or happened.
* A *guard outcome* is one fact, true or false, of one event in one state whose rows look at it.
* An *edge* is an instant one millisecond before, at, or one millisecond after a deadline at which
  a step looks: the window's end in each state with a window, and, where there is a margin, its
  beginning in each state that it guards, where a free-form message must be asked about or sent.
* A *clause* is covered when a row that cites it fired, or a case names it as its requirement.
* Two policies that are called the same but come from two files are two.
* What was counted can be merged, so that any number of processes counts the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from wa_fsm import policies
from wa_fsm.decision import State
from wa_fsm.events import FreeForm
from wa_fsm.policy import Policy
from wa_fsm.rows import FACTS, STATES, EventName, Row
from wa_fsm.table import table_of

from ..outcome import Outcome, Run
from ..policy_file import seen_from
from ..runner import Asked

MS: Final = timedelta(milliseconds=1)
WINDOW_END: Final = "window end"
MARGIN: Final = "margin"
_SIDES: Final = {-MS: "1ms before", 0 * MS: "at", MS: "1ms after"}
MEASURES: Final = ("rows", "guards", "edges", "clauses")


class Guard(NamedTuple):
    """One outcome of one guard."""

    event: EventName
    state: State
    fact: str
    value: bool

    def __str__(self) -> str:
        fact = FACTS[self.event][self.fact]
        return f"{self.event} in {self.state}: {fact.yes if self.value else fact.no}"


class Edge(NamedTuple):
    """One side of one deadline."""

    deadline: str
    state: State
    side: str

    def __str__(self) -> str:
        return f"{self.side} the {self.deadline} in {self.state}"


Thing: TypeAlias = str | Guard | Edge


class Whose(NamedTuple):
    """What makes two policies one to count: all options of one document.

    Attributes:
        name: of the policy.
        base: the shipped policy that it is or extends.
        file: where a user's policy was read from.
    """

    name: str
    base: str
    file: str


@dataclass(slots=True)
class Hits:
    """What was covered of one policy, and what there is; by measure.

    Attributes:
        there: what there is to cover, in the order of the document.
        hit: what was covered.
        requirements: how many cases name each requirement.
    """

    there: dict[str, tuple[Thing, ...]]
    hit: dict[str, set[Thing]]
    requirements: Counter[str] = field(default_factory=Counter)

    def missing(self, measure: str) -> list[Thing]:
        """What was not covered."""
        return [thing for thing in self.there[measure] if thing not in self.hit[measure]]

    def covered(self, measure: str) -> int:
        """How many were."""
        return len(self.there[measure]) - len(self.missing(measure))

    def percent(self, measure: str) -> float:
        """The share that was covered; all of nothing is 100."""
        there = len(self.there[measure])
        return 100 * self.covered(measure) / there if there else 100.0


@dataclass(slots=True)
class Coverage:
    """What was covered of each policy."""

    counted: dict[Whose, Hits] = field(default_factory=dict)

    @property
    def whose(self) -> dict[str, Whose]:
        """By the policy's name; where several are called the same, their files are named too."""
        names = Counter(whose.name for whose in self.counted)
        return {
            whose.name if names[whose.name] == 1 else _with_file(whose): whose
            for whose in self.counted
        }

    @property
    def of(self) -> dict[str, Hits]:
        """What was covered, by the same names."""
        return {name: self.counted[whose] for name, whose in self.whose.items()}

    def add(self, run: Run, heard: Iterable[Asked]) -> None:
        """Count one case.

        Args:
            run: what came of it.
            heard: everything that its steps fired, from ``run_case``.
        """
        policy = run.case.policy
        whose = Whose(policy.name, policy.base, policy.file)
        if whose not in self.counted:
            self.counted[whose] = _nothing(policy)
        hits = self.counted[whose]
        fired = list(heard)
        hits.hit["rows"] |= {*run.fired, *_rules(policy, fired)} & set(hits.there["rows"])
        hits.hit["guards"] |= {*_guards(policy, fired), *_still_open(run)} & set(
            hits.there["guards"]
        )
        hits.hit["edges"] |= _edges(run) & set(hits.there["edges"])
        cited = {cite for row in _document(policy) if row.id in hits.hit["rows"]
                 for cite in row.cites}  # fmt: skip
        hits.hit["clauses"] |= (cited | set(run.case.requirement)) & set(hits.there["clauses"])
        hits.requirements.update(set(run.case.requirement))

    def take(self, other: Coverage) -> None:
        """Count what another counted, too."""
        for whose, theirs in other.counted.items():
            nothing = Hits(theirs.there, {m: set() for m in MEASURES})
            ours = self.counted.setdefault(whose, nothing)
            for measure in MEASURES:
                ours.hit[measure] |= theirs.hit[measure]
            ours.requirements.update(theirs.requirements)

    def below(self, least: float) -> Iterator[str]:
        """Each measure of each policy that does not reach `least` percent, as a sentence."""
        for name, hits in sorted(self.of.items()):
            for measure in MEASURES:
                share = hits.percent(measure)
                if share < least:
                    yield (
                        f"coverage of {name}: {measure} at {share:.1f} %, below the {least:g} % "
                        "that are asked for"
                    )


def _with_file(whose: Whose) -> str:
    return f"{whose.name} ({seen_from(whose.file) if whose.file else whose.base})"


def _document(policy: Policy) -> tuple[Row, ...]:
    return policy.document or policy.rows


def _nothing(policy: Policy) -> Hits:
    rows = _document(policy)
    there: dict[str, tuple[Thing, ...]] = {
        "rows": tuple(row.id for row in rows),
        "guards": tuple(_possible_guards(rows)),
        "edges": tuple(_possible_edges(rows)),
        "clauses": tuple(sorted({cite for row in rows for cite in row.cites})),
    }
    return Hits(there, {measure: set() for measure in MEASURES})


def _possible_guards(rows: tuple[Row, ...]) -> Iterator[Guard]:
    mentioned = {
        (row.event, state, name)
        for row in rows
        for cell in row.cells
        for state in cell.in_states
        for name, _ in cell.wants
    }
    for event, facts in FACTS.items():
        for state in STATES:
            for name in facts:
                if (event, state, name) in mentioned:
                    yield Guard(event, state, name, False)
                    yield Guard(event, state, name, True)


def _possible_edges(rows: tuple[Row, ...]) -> Iterator[Edge]:
    for deadline, fact in ((WINDOW_END, "window_over"), (MARGIN, "inside_margin")):
        states = {
            state
            for row in rows
            for cell in row.cells
            for state in cell.in_states
            if (fact, True) in cell.wants
        }
        for state in STATES:
            if state in states:
                yield from (Edge(deadline, state, side) for side in _SIDES.values())


def _rules(policy: Policy, fired: Iterable[Asked]) -> Iterator[str]:
    table = table_of(policy)
    return (table.fire(*asked).rule for asked in fired)


def _guards(policy: Policy, fired: Iterable[Asked]) -> Iterator[Guard]:
    """Every fact of what was fired, true or false; those of options that are off left out."""
    on = policy.flags | ({"margin"} if policy.margin else frozenset())
    for state, event, facts in fired:
        for bit, (name, fact) in enumerate(FACTS[event].items()):
            if fact.option is None or fact.option in on:
                yield Guard(event, state, name, bool(facts >> bit & 1))


def _still_open(run: Run) -> Iterator[Guard]:
    """A lapse that has not come fires nothing: a look at an open window is that."""
    for outcome in run.outcomes:
        if outcome.situation.window_open:
            yield Guard("lapse", outcome.situation.state, "window_over", False)


def _edges(run: Run) -> set[Edge]:
    """The edges at which a step looks, by the window that stood before it and after it."""
    margin = run.case.policy.margin
    stood: dict[tuple[str, str], tuple[State, datetime]] = {}
    found: set[Edge] = set()
    for outcome in run.outcomes:
        key = (outcome.step.number, outcome.step.contact)
        now, after = outcome.step.arrived, _window(outcome)
        for state, end in filter(None, (stood.get(key), after)):
            found |= _near(WINDOW_END, state, now - end)
            if margin and isinstance(outcome.step.message, FreeForm):
                found |= _near(MARGIN, state, now - (end - margin))
        if after is not None:
            stood[key] = after
    return found


def _window(outcome: Outcome) -> tuple[State, datetime] | None:
    closes = outcome.situation.window_closes_at
    return None if closes is None else (outcome.situation.state, closes)


def _near(deadline: str, state: State, past: timedelta) -> set[Edge]:
    return {Edge(deadline, state, _SIDES[past])} if past in _SIDES else set()


def names_of(coverage: Coverage) -> list[str]:
    """The policies that were counted, the shipped ones in their order first."""
    shipped = [name for name in policies.NAMES if name in coverage.of]
    return [*shipped, *sorted(coverage.of.keys() - set(shipped))]
