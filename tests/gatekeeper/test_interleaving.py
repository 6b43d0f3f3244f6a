"""Two gatekeepers over one store, any interleaving: each answer is that of the facts before it."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gatekeeper.world import FREE, HELLO, NINE
from wa_fsm import CustomerMessage, History, SendFailed, Sent, decide, policies
from wa_fsm.stores.base import event_of, fact_of

STEP = timedelta(hours=7)
POLICIES = ("cloud-api", "textbook")


@st.composite
def steps(draw):
    """What one of two gatekeepers does: records of few ids at few instants, and questions."""
    made = []
    for _ in range(draw(st.integers(1, 10))):
        who = draw(st.integers(0, 1))
        at = NINE + draw(st.integers(-4, 4)) * STEP
        id_ = draw(st.sampled_from("12"))
        what = draw(st.sampled_from(("in", "out", "fail", "check", "check", "tick")))
        message = draw(st.sampled_from((FREE, HELLO)))
        made.append((who, what, at, id_, message))
    return made


def _event(what, contact, at, id_, message):
    if what == "in":
        return CustomerMessage("shop", contact, at, f"in.{id_}")
    if what == "out":
        return Sent("shop", contact, at, f"out.{id_}", message)
    return SendFailed("shop", contact, at, f"out.{id_}", 131047)


def _kept(facts, fact):
    """The facts of one contact, of which the least of each id stays."""
    key = (fact.role, fact.id)
    if key not in facts or fact.precedence < facts[key].precedence:
        facts[key] = fact


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(POLICIES), steps())
def test_each_answer_is_that_of_the_facts_before_it(anywhere, policy, done):
    """Whoever records and whoever asks: the answer is that of History and decide."""
    anywhere.count = getattr(anywhere, "count", 0) + 1
    contact = f"c{anywhere.count}"
    rules = policies.get(policy)
    gates = [anywhere.another(policy, log=False) for _ in range(2)]
    facts = {}
    for who, what, at, id_, message in done:
        now = anywhere.clock()
        if what == "tick":
            anywhere.clock.advance(STEP)
        elif what == "check":
            history = History(rules)
            for fact in facts.values():
                history.add(event_of(fact, contact), fact.arrived, fact.order)
            asked = max(now, history.newest or now)
            expected = decide(rules, history, message, asked, {"hello": "approved"})
            assert replace(gates[who].check("shop", contact, message)) == expected
        else:
            event = _event(what, contact, at, id_, message)
            gates[who].record(event)
            _kept(facts, fact_of(event, contact, now, 0))
