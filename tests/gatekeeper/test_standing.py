"""A brief look at a few rows says what a whole history of them says."""

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.strategies import CONTACT, NUMBER, gaps, policy_of, stories, wrote
from tests.gatekeeper.world import DAY, HOUR, NINE
from wa_fsm import History, policies
from wa_fsm.situation import conversation
from wa_fsm.standing import Brief, folded
from wa_fsm.stores.base import event_of, fact_of
from wa_fsm.stores.memory import MemoryStore
from wa_fsm.stores.rows import FactRows, escaped, fact_values
from wa_fsm.table import table_of


def rows_of(facts):
    """Facts as a store gives them."""
    raw = []
    for number, contact, role, id_, at, arrived, order, data, opens in map(fact_values, facts):
        assert number == NUMBER
        raw.append((escaped(contact), role, escaped(id_), at, arrived, order, escaped(data), opens))
    return FactRows(NUMBER, raw)


def kept(givens):
    """What a store keeps of deliveries."""
    facts = {}
    for one in givens:
        fact = fact_of(one.event, CONTACT, one.arrived, one.order)
        key = (fact.role, fact.id)
        if key not in facts or fact.precedence < facts[key].precedence:
            facts[key] = fact
    return list(facts.values())


def both(story, start=None):
    """A brief look and a history, of the same facts."""
    policy, facts = policy_of(story.rules), kept(story.processing)
    history = History(policy, start=start)
    for fact in facts:
        history.add(event_of(fact, CONTACT), fact.arrived, fact.order)
    return Brief(table_of(policy), NUMBER, CONTACT, rows_of(facts), start), history


def say_the_same(brief, history, now):
    assert brief.newest == history.newest
    assert brief.standing(now) == history.standing(now)
    assert brief.at(now) == history.at(now)
    assert brief.last_opener(now) == history.last_opener(now)
    asks = brief.asks_would_allow
    assert (asks(now) if asks else ()) == history.would_allow(now)


@given(stories(), st.data())
def test_a_brief_look_says_what_a_history_says(story, data):
    """At any instant, also one before the newest fact, of any facts that a store may keep."""
    brief, history = both(story)
    say_the_same(brief, history, story.at)
    say_the_same(brief, history, story.at - data.draw(gaps(story.rules)))


@given(stories(), st.data())
def test_it_goes_on_from_a_snapshot(story, data):
    """With a snapshot before them too: what is older changes nothing."""
    _, history = both(story)
    start = history.snapshot(story.at - data.draw(gaps(story.rules)))
    say_the_same(*both(story, start), story.at)


def test_a_conversation_is_the_same_however_it_was_made():
    """Its id is made when asked for, and nobody can tell: not by `==`, a set, a copy or a text."""
    table = table_of(policies.get("cloud-api"))
    fact = fact_of(wrote(NINE), CONTACT, NINE, 0)
    _, ours = Brief(table, NUMBER, CONTACT, rows_of([fact]), None).standing(NINE)
    plain = conversation(NUMBER, CONTACT, "in.1", "user", NINE)
    other = conversation(NUMBER, CONTACT, "in.2", "user", NINE)
    assert ours is not plain
    assert [ours == plain, plain == ours] == [True, True]
    assert [ours == other, other == ours] == [False, False]
    assert ours != "conversation"
    assert {ours} == {plain}
    assert copy.deepcopy(ours) == pickle.loads(pickle.dumps(ours)) == plain
    assert (repr(ours), asdict(ours)) == (repr(plain), asdict(plain))
    with pytest.raises(FrozenInstanceError):
        ours.origin = "business"


def test_it_knows_when_nothing_can_be_uncounted():
    """Only where there is such a message does it say whom to ask."""
    table = table_of(policies.get("cloud-api"))
    for kind, asks in (("text", False), ("reaction", True)):
        fact = fact_of(wrote(NINE, kind=kind), CONTACT, NINE, 0)
        brief = Brief(table, NUMBER, CONTACT, rows_of([fact]), None)
        assert (brief.asks_would_allow is not None) == asks


@pytest.mark.parametrize("count", [1, 12, 13, 40])
def test_few_and_many_facts_are_told_alike(anywhere, count):
    """Where the brief look ends and the history begins cannot be seen in an answer."""
    for i in range(count):
        anywhere.wrote(NINE - i * HOUR, f"in.{i}")
    facts = anywhere.store.read("shop", "ana").facts
    history = folded(policies.get("cloud-api"), facts, "ana")
    for ahead in (0 * HOUR, HOUR, DAY):
        anywhere.clock.advance(ahead)
        now = anywhere.clock()
        assert anywhere.gate.window("shop", "ana") == history.at(now)


def test_what_a_store_of_ones_own_gives_is_folded_as_it_is(world):
    """A store that gives plain facts, and no rows to look at, is as good."""

    class Plain:
        def __init__(self):
            self.inner = MemoryStore(NINE)

        def read(self, number, contact):
            return self.inner.read(number, contact)

        def __getattr__(self, name):
            if name == "journal":
                raise AttributeError(name)
            return getattr(self.inner, name)

    gate = world.another()
    plain = type(gate)(policy="cloud-api", store=Plain(), now=world.clock, log=False)
    plain.record(wrote(NINE))
    assert plain.window(NUMBER, CONTACT).window_open
