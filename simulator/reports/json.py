"""``--format json``, version 1: fields may be added, never renamed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wa_fsm import SendFailed

from ..outcome import Outcome, Run, stamp
from ..scenario import Step
from ..search.coverage import Coverage
from ..search.probe import Probe
from .coverage import as_json


def _stamp(value: Any) -> str | None:
    return None if value is None else stamp(value)


def _id(step: Step) -> str:
    """The message's id; of a failure the failed message's."""
    failed = [fact.message_id for fact in step.facts if isinstance(fact, SendFailed)]
    return failed[0] if failed else step.id


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """One step."""
    step, decision, situation = outcome.step, outcome.decision, outcome.situation
    running = situation.conversation
    return {
        "line": step.line,
        "at": stamp(step.at),
        "arrived_at": stamp(step.arrived),
        "number": step.number,
        "contact": step.contact,
        "id": _id(step),
        "event": step.event,
        "kind": step.kind,
        "template": step.template,
        "duplicate": outcome.duplicate,
        "asked_only": step.asked_only,
        "allowed": decision.allowed if decision is not None else None,
        "reason": decision.reason if decision is not None else None,
        "rule": outcome.rule,
        "standing": decision.standing if decision is not None else None,
        "error_code": decision.error_code if decision is not None else None,
        "allowed_kinds": list(decision.allowed_kinds) if decision is not None else [],
        "remedies": list(decision.remedies) if decision is not None else [],
        "uncounted": list(decision.uncounted) if decision is not None else [],
        "state": situation.state,
        "window_open": situation.window_open,
        "window_closes_at": _stamp(situation.window_closes_at),
        "free_form_until": _stamp(situation.free_form_until),
        "conversation": None
        if running is None
        else {
            "id": running.id,
            "origin": running.origin,
            "opened_at": stamp(running.opened_at),
        },
        "failures": [
            {"expect": f.expect, "expected": f.expected, "actual": f.actual, "text": f.text}
            for f in outcome.failures
        ],
    }


def run_json(run: Run) -> dict[str, Any]:
    """One case."""
    case = run.case
    return {
        "file": case.file,
        "line": case.line,
        "name": case.name,
        "policy": case.policy.spec,
        "passed": run.passed,
        "steps": [outcome_json(outcome) for outcome in run.outcomes],
        **({} if run.probes is None else {"probes": [probe_json(each) for each in run.probes]}),
    }


def probe_json(probe: Probe) -> dict[str, Any]:
    """The answers before, at and after one deadline."""
    deadline = probe.deadline
    return {
        "at": stamp(deadline.at),
        "deadline": deadline.what,
        "number": deadline.number,
        "contact": deadline.contact,
        "edge": probe.is_edge,
        "free_form": [_answer(outcome) for outcome in probe.text],
        "template": probe.template[0].step.template if probe.template else None,
        "template_answers": [_answer(outcome) for outcome in probe.template],
    }


def _answer(outcome: Outcome) -> dict[str, Any]:
    decision = outcome.decision
    assert decision is not None
    return {"allowed": decision.allowed, "reason": decision.reason, "rule": outcome.rule}


class JsonReporter:
    """The machine-readable report.

    Args:
        only_failures: leave out cases that passed; they are counted all the same.
    """

    def __init__(self, *, only_failures: bool = False) -> None:
        self.only_failures = only_failures

    def case(self, run: Run) -> str:
        """One line of the list of scenarios."""
        if self.only_failures and run.passed:
            return ""
        return json.dumps(run_json(run), ensure_ascii=False)

    def whole(
        self,
        parts: Sequence[str],
        passed: int,
        failed: int,
        names: Sequence[str],
        coverage: Coverage | None = None,
    ) -> str:
        """The document; a scenario to a line, so that it can be read and compared by eye."""
        head = f'{{"format": 1, "passed": {passed}, "failed": {failed},\n "scenarios": ['
        more = "" if coverage is None else f',\n "coverage": {as_json(coverage)}'
        return head + ",\n  ".join(parts) + f"]{more}}}\n"
