"""The audit says what the simulator's machine says, at every question of the shipped scenarios."""

from __future__ import annotations

from itertools import groupby

import pytest
from wa_sim import files
from wa_sim.audit.engine import audit
from wa_sim.audit.plain import Registry
from wa_sim.runner import run_case
from wa_sim.scenario import load_file

from tests.audit import logs
from wa_fsm import CustomerCall, FreeForm, SendFailed, Sent, TemplateStatus

CASES = [case for found in files.shipped() for case in load_file(found.path, found.display)]
LAST = "\U0010ffff"  # an id that stands after all others: what is asked comes after what was sent


def row_of(event, arrived):
    """What happened, as a row of a log."""
    row = dict.fromkeys(logs.COLUMNS)
    row |= {"number": event.number, "at": event.at, "arrived_at": arrived, "id": event.id}
    if isinstance(event, Sent):
        return row | {"direction": "outbound", "status": "sent"} | message(event.message)
    kind = "call" if isinstance(event, CustomerCall) else event.kind
    return row | {"direction": "inbound", "kind": kind}


def message(value):
    if isinstance(value, FreeForm):
        return {"kind": value.kind}
    return {"kind": "template", "template": value.name, "language": value.language}


def failure_of(event, arrived, sent):
    """A failure, as another row of the send's id; none where nothing was sent."""
    return [
        row | {"status": "failed", "error_code": event.code, "arrived_at": arrived}
        for row in sent[:] if row["id"] == event.message_id and row["direction"] == "outbound"
    ][:1]  # fmt: skip


def questions(case):
    """Of each question: what happened before it, the message, what the machine said, templates."""
    rows, changes, asked = {}, [], []
    for number, outcome in enumerate(run_case(case).outcomes):
        step = outcome.step
        key, now = (step.number, step.contact), step.arrived
        before = rows.setdefault(key, [])
        if outcome.decision is not None:
            sent = Sent(*key, now, LAST, step.message)
            asked.append((len(changes), number, [*before, row_of(sent, now)], outcome.decision))
            if outcome.decision.allowed and not step.asked_only:
                before.append(row_of(Sent(*key, now, step.id, step.message), now))
        for event in step.facts:
            if isinstance(event, TemplateStatus):
                changes.append((event, now))
            elif isinstance(event, SendFailed):
                before += failure_of(event, now, before)
            else:
                before.append(row_of(event, now))
    return asked, changes


def known(changes):
    """Template statuses as a registry has them, in the order of learning."""
    return tuple(event for event, _ in changes)


@pytest.mark.parametrize("few", [10**9, 0], ids=["plain", "compiled"])
def test_every_question_of_the_shipped_scenarios(few):
    """Each question, put as one more send of a log with what happened before it, is the same."""
    count = 0
    for case in CASES:
        asked, changes = questions(case)
        for learnt, some in groupby(asked, key=lambda question: question[0]):
            registry = Registry(case.templates, case.categories, known(changes[:learnt]))
            log, expected = [], []
            for _, number, rows, decision in some:
                log += [row | {"customer": f"{case.name} {number}"} for row in rows]
                shown = (decision.allowed, decision.reason, decision.rule, decision.state,
                         decision.window_closes_at)  # fmt: skip
                expected.append((decision.at, shown))
            found = audit(logs.chunks(log), [case.policy], registry=registry, few=few, threads=1)
            actual = [
                (row["at"], (row["allowed"], row["reason"], row["rule"], row["state"],
                             row["window_closes_at"]))
                for batch in found.sends() for row in batch.to_pylist() if row["id"] == LAST
            ]  # fmt: skip
            assert expected == actual, case.name
            count += len(expected)
    assert count > 800
