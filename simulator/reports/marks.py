"""One step of a case as plain values: what came, what was answered and by which clause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from wa_fsm.decision import Remedy, clock_text, in_zone, twice
from wa_fsm.describe import situation_text
from wa_fsm.policy import Policy
from wa_fsm.situation import Situation

from ..expectations import said
from ..outcome import Outcome, plain, stamp
from ..scenario import Step
from .text import actor, rule_text

REMEDIES: Final[Mapping[Remedy, str]] = {
    "send_approved_template": "send an approved template",
    "wait_for_customer_message": "wait for a message of the customer",
    "use_another_template": "use another template",
    "resume_template": "have the template resumed",
    "wait_for_approval": "wait for the template's approval",
    "register_template": "register the template",
    "wait_until_quiet_ends": "wait until the quiet time ends",
}
_WHO: Final = {
    "customer_message": "customer",
    "customer_call": "customer",
    "template": "business",
    "free_form": "business",
    "template_status": "platform",
    "send_failed": "platform",
    "checkpoint": "look",
}


def mark_of(index: int, outcome: Outcome, policy: Policy, zone: tzinfo) -> dict[str, Any]:
    """What there is to draw of a step, the `index`-th of its case; times in texts in `zone`."""
    step, decision, situation = outcome.step, outcome.decision, outcome.situation
    verdict = None if decision is None else "allowed" if decision.allowed else "refused"
    return {
        "index": index,
        "line": step.line,
        "at": stamp(step.at),
        "arrived_at": stamp(step.arrived),
        "local": local_text(step.arrived, zone),
        "late": step.arrived > step.at,
        "early": step.arrived < step.at,
        "duplicate": outcome.duplicate,
        "event": step.event,
        "kind": step.kind,
        "template": step.template,
        "id": step.id,
        "note": step.note,
        "who": "ask" if step.asked_only else _WHO[step.event],
        "label": label(outcome),
        "verdict": verdict,
        "reason": decision.reason if decision is not None else None,
        "rule": outcome.rule,
        **_clauses(outcome, policy),
        "text": decision.explain(zone) if decision is not None else _happened(outcome, zone),
        "allowed_kinds": list(decision.allowed_kinds) if decision is not None else [],
        "remedies": [REMEDIES[each] for each in decision.remedies] if decision is not None else [],
        "uncounted": list(decision.uncounted) if decision is not None else [],
        "error_code": decision.error_code if decision is not None else None,
        "state": situation.state,
        "state_text": situation_text(situation),
        "window_closes_at": instant_text(situation.window_closes_at),
        "free_form_until": instant_text(situation.free_form_until),
        "until": until_text(situation, zone),
        "expected": _expected(step),
        "failures": [
            {"line": f.line, "expect": f.expect, "expected": f.expected, "actual": f.actual,
             "text": f.text}
            for f in outcome.failures
        ],
    }  # fmt: skip


def label(outcome: Outcome) -> str:
    """The step in a few words: ``customer: text``."""
    return actor(outcome).removesuffix(f" ({outcome.step.contact} at {outcome.step.number})")


def _happened(outcome: Outcome, zone: tzinfo) -> str:
    """What a step that asks nothing came to, in a sentence."""
    step = outcome.step
    if step.event == "checkpoint":
        return f"Only a look: {situation_text(outcome.situation)}."
    text = label(outcome)
    if outcome.duplicate:
        text += ", again: a repeated delivery, no effect"
    if step.arrived != step.at:
        late = "arrived late" if step.arrived > step.at else "dated ahead of its arrival"
        text += f"; {late}, it happened at {clock_text(step.at, step.arrived, zone)}"
    return f"{text[0].upper()}{text[1:]}."


def _clauses(outcome: Outcome, policy: Policy) -> dict[str, Any]:
    """How well the rule is established, its words, and the clauses that it rests on."""
    rule, event = outcome.rule, outcome.step.event
    row = next((r for r in policy.complete_rows if (r.id, r.event) == (rule, event)), None)
    if row is not None:
        cites, standing, words = row.cites, row.standing, rule_text(row)
    elif outcome.decision is not None:
        cites, standing = outcome.decision.cites, outcome.decision.standing
        words = outcome.decision.own
    else:
        cites, standing, words = (), None, None
    clauses = [{"id": cite, "text": policy.sources.get(cite, "")} for cite in cites]
    return {"rule_text": words, "standing": standing, "clauses": clauses}


def _expected(step: Step) -> str | None:
    if step.expect is None or not step.expect.values:
        return None
    return "; ".join(f"{key}: {said(plain(value))}" for key, value in step.expect.values.items())


def instant_text(value: datetime | None) -> str | None:
    """An instant as JSON carries it, or nothing."""
    return None if value is None else stamp(value)


def local_text(value: datetime, zone: tzinfo) -> str:
    """An instant in a zone: date, time with three decimals, offset."""
    return in_zone(value, zone).isoformat(sep=" ", timespec="milliseconds")


def clock(local: datetime) -> str:
    """The time of day, as short as it can be told."""
    fine = "milliseconds" if local.microsecond else "seconds" if local.second else "minutes"
    return local.time().isoformat(fine) + twice(local)


def until_text(situation: Situation, zone: tzinfo) -> str | None:
    """The end of the open window, as people read it; None while none is open."""
    if situation.window_closes_at is None:
        return None
    local = in_zone(situation.window_closes_at, zone)
    return f"{local.date().isoformat()} {clock(local)}"
