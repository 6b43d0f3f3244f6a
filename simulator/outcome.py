"""What came of a run: a value for each step, and how its instants are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from wa_fsm.decision import Decision
from wa_fsm.durations import format_duration
from wa_fsm.situation import Situation

from .scenario import Case, Step

if TYPE_CHECKING:
    from .search.probe import Probe


def stamp(value: datetime) -> str:
    """An instant as JSON carries it: UTC, three decimals, ``Z``."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """A value of an expectation as JSON carries it; what is `none` in a file is null."""
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, timedelta):
        return format_duration(value)
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not hold.

    Attributes:
        line: where it stands in the file.
        expect: its key.
        expected: what the file says.
        actual: what came.
        text: the same in a sentence.
    """

    line: int
    expect: str
    expected: Any
    actual: Any
    text: str


@dataclass(slots=True)
class Outcome:
    """What one step came to.

    Attributes:
        step: the step.
        rule: the row of its event; None for checkpoints and duplicates.
        duplicate: it repeated a delivery that had arrived before.
        decision: the verdict, where something was asked.
        situation: how the key stood at the step's arrival, the step included.
        failures: the expectations that did not hold.
    """

    step: Step
    rule: str | None
    duplicate: bool
    decision: Decision | None
    situation: Situation
    failures: list[Failure] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """One case, played.

    Attributes:
        case: what was played.
        outcomes: one for each step, in order.
        ran: gives the rule id of everything in the histories, lapses included.
        probes: the answers around its deadlines; None where nobody asked for them.
    """

    case: Case
    outcomes: list[Outcome]
    ran: Callable[[], Iterable[str]]
    probes: list[Probe] | None = None

    @property
    def fired(self) -> set[str]:
        """Every rule id that fired anywhere, lapses included."""
        return {outcome.rule for outcome in self.outcomes if outcome.rule} | set(self.ran())

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return not any(outcome.failures for outcome in self.outcomes)
