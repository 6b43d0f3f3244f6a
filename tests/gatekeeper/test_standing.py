"""A brief look at a few rows says what a whole history of them says."""

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.strategies import CONTACT, NUMBER, gaps, policy_of, stories, wrote
from tests.gatekeeper.world import DAY, FREE, HOUR, NINE
from wa_fsm import CustomerMessage, History, policies
from wa_fsm.folds import folded
from wa_fsm.situation import conversation
from wa_fsm.standing import standing
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
    return partial(
        standing, table_of(policy), (NUMBER, CONTACT), rows_of(facts).raw, start
    ), history


def say_the_same(looked, history, now):
    assert looked(now, now) == (now, *history.standing(now))
    newest = history.newest
    later = now if newest is None or newest <= now else newest
    assert looked(now) == (later, *history.standing(later))


@given(stories(), st.data())
def test_a_brief_look_says_what_a_history_says(story, data):
    """At any instant, also one before the newest fact, of any facts that a store may keep."""
    looked, history = both(story)
    say_the_same(looked, history, story.at)
    say_the_same(looked, history, story.at - data.draw(gaps(story.rules)))


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
    _, _, ours = standing(table, (NUMBER, CONTACT), rows_of([fact]).raw, None, NINE)
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


def test_uncounted_messages_are_told_of_few_facts_too(anywhere):
    """A refusal names the reactions that might have opened a window, and no other message."""
    for kind, at, uncounted in (("text", NINE - 2 * DAY, ()), ("reaction", NINE, ("in.1",))):
        anywhere.gate.record(CustomerMessage("shop", kind, at, "in.1", kind))
        decision = anywhere.gate.check("shop", kind, FREE)
        assert (decision.allowed, decision.uncounted) == (False, uncounted)


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
