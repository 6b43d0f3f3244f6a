"""Existing scenarios under two policies: which decisions change, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from wa_fsm.decision import Decision
from wa_fsm.policy import Policy

from ..outcome import Outcome
from ..reports.text import actor
from ..runner import run_case
from ..scenario import Case


@dataclass(frozen=True, slots=True)
class Changed:
    """A step that is decided differently.

    Attributes:
        case: where it stands.
        line: of the step.
        step: what is asked, in words.
        ours, theirs: the two decisions.
    """

    case: Case
    line: int
    step: str
    ours: Decision
    theirs: Decision


def changes(cases: Iterable[Case], ours: Policy, theirs: Policy) -> Iterator[Changed]:
    """Every decision of these cases that the two policies give differently.

    Under each policy only what it allows is sent, so what follows a refused send may differ too.
    """
    for case in cases:
        runs = [run_case(replace(case, policy=policy)) for policy in (ours, theirs)]
        for one, other in zip(runs[0].outcomes, runs[1].outcomes, strict=True):
            if one.decision is None or other.decision is None:
                continue
            if one.decision.reason != other.decision.reason:
                yield Changed(case, one.step.line, _step(one), one.decision, other.decision)


def _step(outcome: Outcome) -> str:
    step = outcome.step
    return actor(outcome).replace(f" ({step.contact} at {step.number})", "")


def line_of(changed: Changed, names: tuple[str, str]) -> str:
    """A change as a line of text."""
    sides = zip(names, (changed.ours, changed.theirs), strict=True)
    told = "; ".join(f"{name}: {_answer(decision)}" for name, decision in sides)
    return f"{changed.case.file}:{changed.line}: {changed.step}: {told} ({changed.case.name})"


def _answer(decision: Decision) -> str:
    return f"{'allowed' if decision.allowed else 'refused'} {decision.reason} ({decision.rule})"


def as_data(changed: Changed) -> dict[str, object]:
    """A change as plain values."""
    return {
        "file": changed.case.file,
        "line": changed.line,
        "name": changed.case.name,
        "step": changed.step,
        "decisions": [
            {"allowed": d.allowed, "reason": d.reason, "rule": d.rule}
            for d in (changed.ours, changed.theirs)
        ],
    }
