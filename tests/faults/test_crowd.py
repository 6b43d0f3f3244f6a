"""Eight processes write the same contacts, shuffled and repeated: the end is that of one."""

import random
from datetime import timedelta

import pytest

from tests.faults.crowd import LONG, NOW, Child
from tests.stores.rows import DAY, NINE, SECOND, N, fact, known
from wa_fsm import History, policies
from wa_fsm.folds import folded
from wa_fsm.stores import open_store
from wa_fsm.stores.base import Batch

PROCESSES, CONTACTS, REPEATS = 8, 100, 3
EVENTS = 10_000 if LONG else 150


def deliveries():
    """Each event as it arrives three times, a second apart: only the first arrival counts."""
    dice = random.Random(1)
    made = []
    for i in range(PROCESSES * EVENTS):
        role = dice.choice(("in", "in", "out", "fail"))
        at = NINE + timedelta(minutes=dice.randrange(60 * 24 * 30))
        contact = f"c{i % CONTACTS}"
        made += [fact(f"m.{i}", at, contact, role=role, arrived=at + k * SECOND) for k in range(3)]
    return made


@pytest.fixture(scope="module")
def expected():
    """What one writer that takes them in order ends with."""
    store = open_store("memory://", NOW)
    for row in deliveries():
        store.write(Batch([row]))
    return store


def _write(uri, rows, seed, say):
    dice = random.Random(seed)
    store = open_store(uri, NOW)
    while rows:
        size = dice.randint(1, 64 if LONG else 12)
        part, rows = rows[:size], rows[size:]
        written = store.write(Batch(part, counts={"rows": len(part)}))
        say(written.new)
    store.close()


def test_all_end_in_the_state_of_one_in_order(place, expected):
    """No lost update, no deadlock, nothing locked: the same rows, openers, states and counts."""
    rows = deliveries()
    random.Random(2).shuffle(rows)
    place.open().close()
    children = [
        Child(lambda say, n=n: _write(place.uri, rows[n::PROCESSES], n, say))
        for n in range(PROCESSES)
    ]
    new = 0
    for child in children:
        new += sum(int(line) for line in child.lines(len(rows), patience=3600 if LONG else 120))
        assert child.join() == 0
    store = place.open()
    assert new == len(rows) / REPEATS
    assert dict(store.counts()) == {"rows": len(rows)}
    for i in range(CONTACTS):
        assert known(store, f"c{i}") == known(expected, f"c{i}")
    span = (NINE - DAY, NINE + 40 * DAY)
    assert list(store.openers(*span)) == list(expected.openers(*span))
    assert list(store.check()) == []
    policy = policies.get("cloud-api")
    for i in range(3):
        one: History = folded(policy, store.read(N, f"c{i}").facts, "c")
        assert one.at(NINE + 30 * DAY) == folded(policy, expected.read(N, f"c{i}").facts, "c").at(
            NINE + 30 * DAY
        )
    store.close()
