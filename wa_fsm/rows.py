"""The words a decision table is written in: facts, guards, effects, cells, rows, deadlines.

House rules:

* A row says: in these states, when this event comes and this guard holds, this is the verdict
  (when asked) and this is the effect (when it happened). One row may hold in several cells.
* A guard is a list of facts, each wanted true or false. The facts that an event brings are listed
  in ``FACTS``; every state × event × outcome of those facts has exactly one row. A cell that no
  row names is ``N0``: no effect. Rows are therefore complete and never overlap (``policy.py``
  checks it). Only a lapse may be left unsaid while it has not come: that is ``N0`` too.
* A fact may belong to an option. While the option is off the fact is never true: rows that want
  it are not in the policy that is made, and what wants its absence is left unsaid.
* Nothing here runs: the machine (``machine.py``) is built from these rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast, get_args

from wa_fsm.decision import Origin, Reason, Standing, State

EventName: TypeAlias = Literal[
    "customer_message",
    "customer_call",
    "template",
    "free_form",
    "lapse",
    "send_failed",
    "template_status",
]
WindowEffect: TypeAlias = Literal["keeps", "starts", "ends"]

STATES: Final[tuple[State, ...]] = get_args(State)
EVENTS: Final[tuple[EventName, ...]] = get_args(EventName)
INITIAL: Final[State] = "closed"
SENDS: Final[tuple[EventName, ...]] = ("template", "free_form")
REFUSAL_CODES: Final = frozenset({131047, 470, 63016})


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is true or false when an event comes, as people say it."""

    yes: str
    no: str
    option: str | None = None


FACTS: Final[Mapping[EventName, Mapping[str, Fact]]] = MappingProxyType(
    {
        "customer_message": {"opener_kind": Fact("an opener kind", "no opener kind")},
        "customer_call": {},
        "template": {
            "registered": Fact("registered", "not registered"),
            "approved": Fact("approved", "not approved"),
        },
        "free_form": {
            "replied": Fact("the customer has replied", "the customer has not replied"),
            "first_send": Fact(
                "the first send of this conversation",
                "not the first send of this conversation",
                option="response_restarts_window",
            ),
            "inside_margin": Fact("inside the margin", "outside the margin", option="margin"),
        },
        "lapse": {"window_over": Fact("now ≥ window end", "now < window end")},
        "send_failed": {
            "window_refusal": Fact("refused for the window", "another code"),
        },
        "template_status": {},
    }
)
_IMPLIES: Final[Mapping[str, str]] = {"approved": "registered"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a row does when its event happened.

    Attributes:
        to: the next state; None stays. Naming the same state again says that it begins anew.
        begins: begin a conversation of this origin.
        window: ``starts`` opens or restarts it at the event's ``at``; ``ends`` shuts it.
        reply: from now on the customer has replied in this conversation.
    """

    to: State | None = None
    begins: Origin | None = None
    window: WindowEffect = "keeps"
    reply: bool = False


NO_EFFECT: Final = Effect()


@dataclass(frozen=True, slots=True)
class Cell:
    """The states in which a row holds, under which guard, and what it does there.

    Attributes:
        states: state names separated by spaces, or ``any``.
        guard: fact names separated by commas, each may be preceded by ``not``; empty: always.
        effect: what happens.
    """

    states: str
    guard: str = ""
    effect: Effect = NO_EFFECT

    @property
    def in_states(self) -> tuple[State, ...]:
        """The states as a tuple. An unknown one is left in: the policy's check reports it."""
        return (
            STATES if self.states == "any" else cast(tuple[State, ...], tuple(self.states.split()))
        )

    @property
    def wants(self) -> tuple[tuple[str, bool], ...]:
        """The guard as pairs of fact and wanted value."""
        terms = [term.strip() for term in self.guard.split(",") if term.strip()]
        return tuple((term.removeprefix("not "), not term.startswith("not ")) for term in terms)

    def holds(self, facts: Mapping[str, bool]) -> bool:
        """Whether the guard holds for these facts."""
        return all(facts.get(name, False) is wanted for name, wanted in self.wants)


@dataclass(frozen=True, slots=True)
class Row:
    """One rule.

    Attributes:
        id: such as ``T15``.
        event: what comes.
        cells: where it holds, and what it does there.
        verdict: the reason given when a send is asked about; None for what is not asked.
        cites: numbered clauses or names of sources, see ``Policy.sources``.
        standing: how well it is established.
        note: what the table's words do not say.
    """

    id: str
    event: EventName
    cells: tuple[Cell, ...]
    cites: tuple[str, ...]
    standing: Standing = "documented"
    verdict: Reason | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant that makes a fact true: `fact` holds from ``window end - before`` on.

    Attributes:
        fact: the fact's name.
        before: how long before the window's end.
        inclusive: whether the fact already holds at that very instant.
    """

    fact: str
    before: timedelta = timedelta(0)
    inclusive: bool = True

    def passed(self, now: datetime, window_end: datetime) -> bool:
        """Whether the fact holds at `now` for a window that ends at `window_end`."""
        edge = window_end - self.before if self.before else window_end
        return now >= edge if self.inclusive else now > edge


def outcomes(event: EventName) -> Iterator[dict[str, bool]]:
    """Every possible combination of an event's facts."""
    names = tuple(FACTS[event])
    for values in product((False, True), repeat=len(names)):
        facts = dict(zip(names, reversed(values), strict=True))
        if all(facts[needs] for name, needs in _IMPLIES.items() if facts.get(name)):
            yield facts


def bits(event: EventName, facts: Mapping[str, bool]) -> int:
    """The same combination as a number: the first fact is the lowest bit."""
    return sum(1 << i for i, name in enumerate(FACTS[event]) if facts[name])


def with_options(rows: tuple[Row, ...], on: frozenset[str]) -> tuple[Row, ...]:
    """The rows of a policy in which only the options `on` are on."""
    made = []
    for row in rows:
        off = {
            name for name, fact in FACTS[row.event].items() if fact.option and fact.option not in on
        }
        cells = tuple(_without(cell, off) for cell in row.cells if not _needs(cell, off))
        if cells:
            made.append(
                Row(row.id, row.event, cells, row.cites, row.standing, row.verdict, row.note)
            )
    return tuple(made)


def _needs(cell: Cell, off: set[str]) -> bool:
    return any(wanted and name in off for name, wanted in cell.wants)


def _without(cell: Cell, off: set[str]) -> Cell:
    if not any(name in off for name, _ in cell.wants):
        return cell
    kept = [name if wanted else f"not {name}" for name, wanted in cell.wants if name not in off]
    return Cell(cell.states, ", ".join(kept), cell.effect)
