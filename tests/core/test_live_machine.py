"""The live `transitions` machine and the Table are one and the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.strategies import learn, learnt, messages, policy_of, statuses, stories
from wa_fsm import Templates, decide, policies
from wa_fsm.decide import decide_in
from wa_fsm.machine import Machine
from wa_fsm.rows import EVENTS, STATES, bits, outcomes
from wa_fsm.table import Table, table_of

EVERYTHING = [policies.everything(name) for name in policies.NAMES]
PLAIN = [policies.get(name) for name in policies.NAMES]
CELLS = [
    (state, event, bits(event, facts))
    for state in STATES
    for event in EVENTS
    for facts in outcomes(event)
]


@pytest.mark.parametrize("policy", [*PLAIN, *EVERYTHING], ids=lambda policy: policy.spec)
def test_each_kept_answer_is_a_fresh_firing(policy):
    """Every answer in the Table is what a machine made anew says."""
    fresh, table = Machine(policy), Table(policy)
    fired = {cell: fresh.fire(*cell) for cell in CELLS}
    assert fired == {cell: table.fire(*cell) for cell in CELLS}


@given(stories())
def test_live_fold_stands_where_the_table_stands(story):
    """A history folded by the live machine is in the same situation."""
    policy = policy_of(story.rules)
    live, _ = learnt(policy, story.processing, table_of(policy).machine)
    quick, _ = learnt(policy, story.processing)
    assert live.at(story.at) == quick.at(story.at)


@given(stories())
def test_live_fold_fires_the_same_rows(story):
    """A history folded by the live machine fires the same rows with the same effects."""
    policy = policy_of(story.rules)
    live, _ = learnt(policy, story.processing, table_of(policy).machine)
    quick, _ = learnt(policy, story.processing)
    assert list(live.answers(story.at)) == list(quick.answers(story.at))


@given(stories())
def test_live_fold_marks_the_same_deliveries(story):
    """Duplicates, rows and flags of each delivery are the same by the live machine."""
    policy = policy_of(story.rules)
    _, live = learnt(policy, story.processing, table_of(policy).machine)
    _, quick = learnt(policy, story.processing)
    shown = [
        {o: (d.rule, d.duplicate, d.against_policy) for o, d in deliveries.items()}
        for deliveries in (live, quick)
    ]
    assert shown[1] == shown[0]


@given(stories(), messages(), st.data())
def test_live_decision_is_the_tables(story, message, data):
    """The live machine, asked in the same situation, decides the same as the Table."""
    policy = policy_of(story.rules)
    machine = table_of(policy).machine
    templates = learn(Templates(), data.draw(statuses(story.rules)))
    live, _ = learnt(policy, story.processing, machine)
    quick, _ = learnt(policy, story.processing)
    decided = decide_in(machine, live.at(story.at), message, templates, live.would_allow)
    assert decide(policy, quick, message, story.at, templates) == decided


@pytest.mark.parametrize("policy", PLAIN, ids=lambda policy: policy.name)
def test_table_holds_the_machine_that_filled_it(policy):
    """The machine that one may step is that of the Table's policy."""
    assert table_of(policy).machine.policy is table_of(policy).policy


def test_table_is_made_once_for_each_version():
    """Equal policies share one Table."""
    first = table_of(policies.get("textbook", margin="5m"))
    assert first is table_of(policies.from_spec("textbook,margin=5m"))


@pytest.mark.parametrize("policy", PLAIN, ids=lambda policy: policy.name)
def test_table_refuses_facts_that_exclude_each_other(policy):
    """A template that is approved but not registered cannot come."""
    approved_only = 2
    with pytest.raises(LookupError, match="cannot come"):
        Table(policy).fire("closed", "template", approved_only)
