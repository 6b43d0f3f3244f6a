"""``kill -9`` at any moment: what was acknowledged is there, and nothing is half-written."""

import itertools
import random
import time

from tests.faults.crowd import LONG, NOW, Child
from tests.stores.rows import NINE, SECOND, N, fact, logged
from wa_fsm.stores import open_store
from wa_fsm.stores.base import Batch

KILLS = 200 if LONG else 10


def _writer(uri, name, say):
    store = open_store(uri, NOW)
    for i in itertools.count():
        id_, at = f"{name}.{i:06}", NINE + i * SECOND
        facts = [fact(f"in.{id_}", at, name), fact(f"out.{id_}", at, name, role="out")]
        store.write(Batch(facts, log=[logged(id_, at, name, message_id=f"out.{id_}")]))
        say(id_)


def _whole(store, name):
    """The ids that are there, each with all that was written with it."""
    facts = store.read(N, name).facts
    ids = [{f.id.partition(".")[2] for f in facts if f.role == role} for role in ("in", "out")]
    ids.append({row.id for row in store.log(names=[name])})
    assert ids[0] == ids[1] == ids[2]
    return ids[0]


def test_what_was_acknowledged_is_there(place):
    """Processes are killed while they write; each restart finds all that they acknowledged."""
    dice = random.Random(place.kind)
    store = place.open()
    for kill in range(KILLS):
        name = f"w{kill}"
        child = Child(lambda say, name=name: _writer(place.uri, name, say))
        said = child.lines(dice.randrange(1, 12))
        time.sleep(dice.random() * 0.005)
        said += child.kill()
        again = place.open()
        there = _whole(again, name)
        assert set(said) <= there
        assert len(there) <= len(said) + 1
        if kill % 10 == 9:
            assert list(again.check()) == []
        again.close()
    assert list(store.check()) == []
    store.close()


def test_others_go_on(place):
    """A process that is killed takes neither the turn nor a lock with it."""
    dice = random.Random(place.kind)
    first = Child(lambda say: _writer(place.uri, "stays", say))
    for kill in range(KILLS // 4):
        other = Child(lambda say, name=f"goes{kill}": _writer(place.uri, name, say))
        other.lines(dice.randrange(1, 9))
        time.sleep(dice.random() * 0.003)
        other.kill()
        first.lines(3, patience=10)
    first.kill()
