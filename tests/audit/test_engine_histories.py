"""The audit says what History and `decide` say, decision by decision, on random logs."""

from __future__ import annotations

import os

import pytest
from wa_sim.audit.engine import audit

from tests.audit import logs, reference
from wa_fsm import policies
from wa_fsm.table import table_of

SPECS = (
    "cloud-api",
    "textbook",
    "cloud-api,margin=5m,reactions_open_window=true",
    "textbook,margin=6h,response_restarts_window=true",
    "textbook,window=12s,margin=1ms,response_restarts_window=true",
    "cloud-api,window=12s,margin=11999ms",
)
LONG = bool(os.environ.get("WA_FSM_LONG"))
HISTORIES = 100_000 if LONG else 1_200  # for each way to judge
KEYS = 200  # of one log
LOGS = -(-HISTORIES // (KEYS * len(SPECS)))
PLAIN, COMPILED = 10**9, 0


@pytest.mark.parametrize("judge", ["truth", "known"])
@pytest.mark.parametrize("spec", SPECS)
def test_every_decision_is_that_of_history_and_of_the_machine(spec, judge):
    """Late, repeated, disordered, tied and failed: each decision is History's, and the machine's.

    The machine is the live one of `transitions`: it answers at every step of a History's fold, and
    at every question.
    """
    policy = policies.from_spec(spec)
    for number in range(LOGS):
        log = logs.random_log(f"{spec} {number}", policy, KEYS)
        expected, repeats = reference.judged(log, policy, judge)
        live, _ = reference.judged(log, policy, judge, engine=table_of(policy).machine)
        assert expected == live
        for few in (PLAIN, COMPILED):
            found = audit(logs.chunks(log, 997), [policy], judge=judge, few=few, threads=2)
            actual = reference.judged_by_audit(found)
            either = expected.keys() | actual.keys()
            different = {n: (log[n], expected.get(n), actual.get(n)) for n in either
                         if expected.get(n) != actual.get(n)}  # fmt: skip
            assert {} == different, few
            assert repeats == found.totals.duplicates
            assert len(expected) == found.totals.sends


@pytest.mark.parametrize("judge", ["truth", "known"])
@pytest.mark.parametrize("spec", SPECS[1:4])
@pytest.mark.parametrize("few", [PLAIN, COMPILED], ids=["plain", "compiled"])
def test_long_histories(spec, judge, few):
    """A contact with many messages, of which many tie and repeat, is judged as any other."""
    policy = policies.from_spec(spec)
    log = logs.random_log(spec, policy, 6, size=900, ids=400)
    found = audit(logs.chunks(log, 997), [policy], judge=judge, few=few)
    expected, repeats = reference.judged(log, policy, judge)
    assert expected == reference.judged_by_audit(found)
    assert repeats == found.totals.duplicates


@pytest.mark.parametrize("few", [PLAIN, COMPILED], ids=["plain", "compiled"])
@pytest.mark.parametrize("spec", SPECS[:2])
def test_without_arrivals_both_judges_agree(spec, few):
    """Where nobody wrote down arrivals, what was known is what happened."""
    policy = policies.from_spec(spec)
    log = logs.random_log(spec, policy, KEYS, arrivals=False)
    truth, known = (
        audit(logs.chunks(log), [policy], judge=judge, few=few) for judge in ("truth", "known")
    )
    assert reference.judged_by_audit(truth) == reference.judged_by_audit(known)
    assert truth.totals == known.totals
