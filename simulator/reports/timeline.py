"""A case as a timeline for a terminal: what came when, what was answered, how it then stood."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime, tzinfo

from wa_fsm import policies
from wa_fsm.decision import in_zone
from wa_fsm.describe import situation_text
from wa_fsm.situation import Situation

from ..outcome import Outcome, Run
from .text import PLAIN, SPEAKS_OF, Style, actor, zone_of

_STATE_COLOURS = {
    "closed": "white",
    "user_opened": "green",
    "business_opened": "yellow",
    "expired": "red",
}
_WIDTH = 80


def timeline(run: Run, style: Style = PLAIN) -> str:
    """The whole case, a part for each number and contact."""
    case, zone = run.case, zone_of(run.case)
    lines = [f"{case.name} [{case.policy.spec}]"]
    keys = dict.fromkeys((o.step.number, o.step.contact) for o in run.outcomes)
    for number, contact in keys:
        own = [o for o in run.outcomes if (o.step.number, o.step.contact) == (number, contact)]
        day = in_zone(own[0].step.arrived, zone)
        lines += ["", f"{contact} at {number}, times in {case.timezone or day.isoformat()[-6:]}"]
        lines += _one(own, zone, style)
    lines += ["", *textwrap.wrap(f"note: {SPEAKS_OF}", _WIDTH, subsequent_indent="  ")]
    if policies.caution(case.policy.base):
        caution = policies.caution(case.policy.base)
        caution = f"note: `{case.policy.base}` is not what WhatsApp enforces. {caution}"
        lines += textwrap.wrap(caution, _WIDTH, subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def _one(outcomes: list[Outcome], zone: tzinfo, style: Style) -> Iterator[str]:
    shown_day, before = None, None
    for outcome in outcomes:
        now = outcome.step.arrived
        if before is not None:
            yield from _lapse(before, now, zone, style)
        day = in_zone(now, zone).date()
        if day != shown_day:
            yield f"  {day.isoformat()}"
            shown_day = day
        yield from _step(outcome, zone)
        if before is None or _changed(before, outcome.situation):
            yield from _stands(outcome.situation, zone, style)
        before = outcome.situation


def _changed(before: Situation, after: Situation) -> bool:
    return (before.state, before.window_closes_at, before.replied) != (
        after.state,
        after.window_closes_at,
        after.replied,
    )


def _lapse(before: Situation, now: datetime, zone: tzinfo, style: Style) -> Iterator[str]:
    ends = before.window_closes_at
    if ends is not None and ends <= now:
        bar = style("┊", fg=_STATE_COLOURS["expired"])
        yield f"  {_clock(ends, zone)}  {bar} the window ends ({in_zone(ends, zone).date()})"


def _step(outcome: Outcome, zone: tzinfo) -> Iterator[str]:
    step, decision = outcome.step, outcome.decision
    text = actor(outcome).replace(f" ({step.contact} at {step.number})", "")
    if outcome.duplicate:
        text += ", again: a repeated delivery, no effect"
    elif outcome.rule is not None and decision is None:
        text += f" ({outcome.rule})"
    yield f"  {_clock(step.arrived, zone)}  {text}"
    if step.arrived != step.at:
        late = "late" if step.arrived > step.at else "early: dated ahead"
        yield f"{'':16}arrived {late}, it happened at {_stamp(step.at, step.arrived, zone)}"
    if decision is not None:
        mark = "✓" if decision.allowed else "✗"
        lines = _wrapped(f"{mark} {decision.explain(zone)} ({decision.rule})")
        yield from (f"{'':16}{line}" for line in lines)
        if decision.uncounted:
            ids = ", ".join(decision.uncounted)
            yield f"{'':16}  (not counted: {ids}; it would have allowed it)"


def _stands(situation: Situation, zone: tzinfo, style: Style) -> Iterator[str]:
    text = situation_text(situation)
    if situation.window_closes_at is not None:
        text += f" until {_stamp(situation.window_closes_at, situation.at, zone)}"
    bar = style("┃", fg=_STATE_COLOURS[situation.state])
    for line in textwrap.wrap(f"{situation.state}: {text}", _WIDTH - 18):
        yield f"{'':16}{bar} {line}"


def _clock(value: datetime, zone: tzinfo) -> str:
    return in_zone(value, zone).time().isoformat("milliseconds")


def _stamp(value: datetime, beside: datetime, zone: tzinfo) -> str:
    shown, near = in_zone(value, zone), in_zone(beside, zone)
    text = shown.time().isoformat("milliseconds").removesuffix(".000")
    return text if shown.date() == near.date() else f"{shown.date().isoformat()} {text}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - 16, subsequent_indent="  ")
