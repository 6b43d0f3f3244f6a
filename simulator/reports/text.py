"""``--format text``: for people. Failures teach: what was expected, what came, why, what else.

Nothing here knows of colours but by ``Style``; without them the text is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import click

from wa_fsm import SendFailed, policies
from wa_fsm.decision import clock_text, in_zone
from wa_fsm.describe import guard_text, situation_text
from wa_fsm.policy import Policy
from wa_fsm.rows import Row

from ..expectations import said
from ..mistakes import printable
from ..outcome import Failure, Outcome, Run
from ..scenario import Case, Step
from ..search.coverage import Coverage
from ..steps import TIMES
from .coverage import table

SPEAKS_OF = (
    "allowed speaks of window and template only, not of consent, marketing stops, blocks, "
    "limits, payment or quality"
)


@dataclass(frozen=True, slots=True)
class Style:
    """Colours, or none."""

    colour: bool = False

    def __call__(self, text: str, **how: str | bool) -> str:
        """The text, styled as ``click.style`` does, where colours are wanted."""
        return click.style(text, **how) if self.colour else text  # type: ignore[arg-type]  # fg, bold, dim only


PLAIN = Style()


def zone_of(case: Case) -> tzinfo:
    """In which zone this case's times are shown."""
    from wa_fsm.clock import zone  # local: pendulum is slow to import, and only people need it

    return zone(case.timezone) if case.timezone else case.start.tzinfo or UTC


def actor(outcome: Outcome) -> str:
    """The step in words."""
    step = outcome.step
    who = f"{step.contact} at {step.number}"
    what = step.kind or f"template `{step.template}`"
    status = step.facts[0].status if step.event == "template_status" else ""  # type: ignore[union-attr]  # by its event
    sends = f"business asks whether {what} may go" if step.asked_only else f"business: {what}"
    return {
        "customer_message": f"customer: {what} ({who})",
        "customer_call": f"customer: a call ({who})",
        "template": f"{sends} ({who})",
        "free_form": f"{sends} ({who})",
        "template_status": f"platform: template `{step.template}` is {status}",
        "send_failed": f"platform: {_failed(step)} ({who})",
        "checkpoint": f"checkpoint ({who})",
    }[step.event]


def _failed(step: Step) -> str:
    failed = [fact for fact in step.facts if isinstance(fact, SendFailed)]
    return " ".join(f"`{fact.message_id}` failed with {fact.code}" for fact in failed)


def explain_failures(run: Run, style: Style = PLAIN) -> str:
    """Every failed step of a run, explained."""
    lines: list[str] = []
    for outcome in run.outcomes:
        if outcome.failures:
            lines += explain_step(run.case, outcome, style)
    return "\n".join(lines) + "\n"


def explain_step(case: Case, outcome: Outcome, style: Style = PLAIN) -> Iterator[str]:
    """One failed step: where, what was expected, what came, by which rule, and what may go."""
    zone = zone_of(case)
    when = in_zone(outcome.step.arrived, zone).isoformat(sep=" ", timespec="milliseconds")
    yield printable(f"  {case.file}:{outcome.failures[0].line}: {when} {actor(outcome)}")
    yield from _side_by_side(outcome.failures, zone, style)
    yield from map(printable, _answered(case, outcome, zone))


def _answered(case: Case, outcome: Outcome, zone: tzinfo) -> Iterator[str]:
    situation = outcome.situation
    if outcome.rule is not None:
        yield from _rule(case.policy, outcome.rule, outcome.step.event)
    elif outcome.duplicate:
        yield "    rule      none: a delivery with this id had arrived before"
    if outcome.decision is not None:
        yield f"    why       {outcome.decision.explain(zone)}"
    window = ""
    if situation.window_closes_at is not None:
        window = f" until {clock_text(situation.window_closes_at, situation.at, zone)}"
    yield f"    state     {situation.state} ({situation_text(situation)}){window}"
    if outcome.decision is not None:
        kinds = " and ".join(outcome.decision.allowed_kinds).replace("_", "-")
        yield f"    may go    {kinds or 'nothing'}"
        if outcome.decision.remedies:
            yield f"    remedies  {', '.join(outcome.decision.remedies)}"
        if outcome.decision.uncounted:
            ids = ", ".join(outcome.decision.uncounted)
            yield f"    uncounted {ids}: would have allowed it, if reactions counted"


def _side_by_side(failures: Sequence[Failure], zone: tzinfo, style: Style) -> Iterator[str]:
    wanted = [printable(f"{f.expect}: {_shown(f.expect, f.expected, zone)}") for f in failures]
    width = max(len("expected"), *map(len, wanted))
    yield f"    {'expected':<{width}}  got"
    for failure, text in zip(failures, wanted, strict=True):
        got = printable(f"{failure.expect}: {_shown(failure.expect, failure.actual, zone)}")
        yield f"    {style(f'{text:<{width}}', fg='green')}  {style(got, fg='red')}"


def _shown(expect: str, value: Any, zone: tzinfo) -> str:
    """A value of an expectation; an instant in the zone of all the other times around it."""
    if expect in TIMES and value is not None:
        instant = in_zone(datetime.fromisoformat(value), zone)
        return instant.isoformat(sep=" ", timespec="milliseconds")
    return said(value)


def rule_text(row: Row) -> str:
    """When a row applies and what it answers, in one line."""
    verdict = f" → {row.verdict}" if row.verdict else ""
    guards = "; ".join(dict.fromkeys(guard_text(row, cell) for cell in row.cells))
    when = f"{row.event} ({guards})" if guards else row.event
    return f"{when}{verdict}"


def _rule(policy: Policy, rule: str, event: str) -> Iterator[str]:
    row = next((r for r in policy.complete_rows if (r.id, r.event) == (rule, event)), None)
    if row is not None:
        yield f"    rule      {rule}, {row.standing}: {rule_text(row)}"
        for cite in row.cites:
            yield f"    source    {policy.sources[cite]}"
    for own in policy.refusals:
        if own.id == rule:
            yield f"    rule      {rule}, ours: {own.said} → {own.reason}"
            yield f"    source    {own.text}"


def _bands(run: Run, style: Style) -> str:
    from .timeline import failing_bands  # local: only a failure needs it, and Rich with it

    return failing_bands(run, style)


def _probed(run: Run) -> str:
    """The answers around the deadlines, where they were asked for."""
    if not run.probes:
        return ""
    from ..search.probe import in_words

    start = run.case.start_utc
    return "".join(f"     {line}\n" for each in run.probes for line in in_words(each, start))


class TextReporter:
    """The report on a terminal.

    Args:
        style: colours or none.
        only_failures: say nothing of cases that passed.
    """

    def __init__(self, style: Style = PLAIN, *, only_failures: bool = False) -> None:
        self.style = style
        self.only_failures = only_failures

    def case(self, run: Run) -> str:
        """A line for what passed, an explanation for what did not."""
        case = run.case
        told = printable(f"{case.file}:{case.line} {case.name} [{case.policy.spec}]")
        if not run.passed:
            mark = self.style("FAIL", fg="red", bold=True)
            head = f"{mark} {told}\n"
            bands = _bands(run, self.style)
            return head + explain_failures(run, self.style) + bands + _probed(run)
        if self.only_failures:
            return ""
        ok = f"{self.style('ok', fg='green')}   {told}\n"
        return ok + _probed(run)

    def whole(
        self,
        parts: Sequence[str],
        passed: int,
        failed: int,
        names: Sequence[str],
        coverage: Coverage | None = None,
    ) -> str:
        """All parts and a summary."""
        count = passed + failed
        colour = "red" if failed else "green"
        total = f"{count} scenario{'' if count == 1 else 's'}: {passed} passed, {failed} failed"
        notes = "".join(
            f"note: `{name}` is not what WhatsApp enforces. {policies.caution(name)}\n"
            for name in names
            if policies.caution(name)
        )
        notes += f"note: {SPEAKS_OF}\n"
        covered = "" if coverage is None else f"\n{table(coverage)}"
        return "".join(parts) + self.style(total, fg=colour, bold=True) + "\n" + notes + covered
