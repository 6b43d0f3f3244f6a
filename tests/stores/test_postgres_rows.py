"""What PostgreSQL's statements leave behind where several were at work at once."""

import random
import threading

import psycopg
import pytest

from tests.stores.faults import together
from tests.stores.fixtures import server_for
from tests.stores.rows import DAY, HOUR, NINE, N, became, fact, logged, snapshot, status, wrote
from wa_fsm.stores import StoreError, StoreUnavailable, open_store
from wa_fsm.stores.base import Batch, LogRow


@pytest.fixture(scope="module")
def server():
    with server_for("postgres", "-c", "fsync=off") as started:
        yield started


@pytest.fixture
def plain(server):
    """The URI of a new database, as libpq takes it."""
    return server.fresh_uri()


@pytest.fixture
def store(plain):
    made = open_store(f"{plain}?durable=no", lambda: NINE)
    yield made
    made.close()


# -- a fold whose contact is forgotten meanwhile -------------------------------------------------


def test_a_fold_after_a_forget_leaves_nothing_of_the_contact(store):
    """What was read before the contact was erased is not written after it."""
    rows = [fact("in.1"), fact("in.2")]
    wrote(store, *rows)
    store.fold(N, "ana", snapshot(NINE - DAY), [])
    store.forget(["ana"])
    store.fold(N, "ana", snapshot(NINE), rows)
    assert list(store.keys()) == []


def test_a_fold_that_waits_for_a_forget_leaves_nothing_of_the_contact(store, plain):
    """Whichever of them locks the rows first."""
    rows = [fact("in.1"), fact("in.2")]
    wrote(store, *rows)
    with psycopg.connect(plain) as other:
        other.execute("delete from wafsm_facts")

        def end():
            waits = "select from pg_stat_activity where wait_event_type = 'Lock'"
            with psycopg.connect(plain, autocommit=True) as watching:
                while watching.execute(waits).fetchone() is None:
                    pass
            other.commit()

        together([lambda: store.fold(N, "ana", snapshot(NINE), rows), end])
    assert list(store.keys()) == []


def test_a_fold_of_what_is_partly_there_still_counts(store):
    """A fact that an earlier delivery took the place of meanwhile does not stop it."""
    rows = [fact("in.1"), fact("in.2", order=2)]
    wrote(store, *rows)
    wrote(store, fact("in.2", order=1))
    store.fold(N, "ana", snapshot(NINE), rows)
    assert store.read(N, "ana").snapshot == snapshot(NINE)


# -- statuses of templates -----------------------------------------------------------------------


def test_the_number_of_statuses_grows_by_steps_that_nobody_knows(store):
    """So a store that another took the place of is told apart, though as much was learnt."""

    def step(name):
        before, _ = store.statuses()
        assert store.write(Batch(statuses=[status(name)])).new == 1
        assert store.write(Batch(statuses=[status(name)])).new == 0
        return store.statuses()[0] - before

    steps = [step(f"t{n}") for n in range(4)]
    assert min(steps) > 0
    assert len(set(steps)) > 1
    assert store.read(N, "ana").statuses == store.statuses()[0]


# -- outcomes ------------------------------------------------------------------------------------


def test_of_several_outcomes_in_one_batch_the_first_says_when_and_of_whom(store):
    """As it is where they come one by one: only the outcome changes."""
    first = became(outcome="delivered")
    failed = became(outcome="failed 131047", contact="bo", arrived=NINE + HOUR)
    store.write(Batch(outcomes=[first, failed]))
    kept = [row for row in store.export() if isinstance(row, LogRow)]
    assert kept == [first._replace(outcome="failed 131047")]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_stricter_isolation_of_the_database_loses_no_outcome(plain, level):
    """A decision and what became of its message, learnt at once, always meet."""
    name = plain.rpartition("/")[2]
    with psycopg.connect(plain, autocommit=True) as other:
        other.execute(f"alter database {name} set default_transaction_isolation = '{level}'")
    stores = [open_store(f"{plain}?durable=no", lambda: NINE) for _ in range(2)]
    both = threading.Barrier(2)

    def write(store, batch):
        both.wait()
        store.write(batch)

    for n in range(60):
        sent = Batch(log=[logged(f"d.{n}", message_id=f"out.{n}", outcome="sent")])
        told = Batch(outcomes=[became(f"out.{n}", "failed 131047")])
        together([lambda b=sent: write(stores[0], b), lambda b=told: write(stores[1], b)])
    rows = [row for row in stores[0].export() if isinstance(row, LogRow)]
    assert [row.outcome for row in rows] == ["failed 131047"] * 60
    for store in stores:
        store.close()


# -- what no index takes -------------------------------------------------------------------------


def test_a_name_too_long_for_an_index_is_an_error_and_not_a_store_out_of_reach(store):
    """To call again is of no use, and the next write is as good as ever."""
    long = "".join(chr(random.randrange(33, 1000)) for _ in range(4000))
    with pytest.raises(StoreError, match="index row size") as raised:
        store.write(Batch(log=[logged(contact=long)]))
    assert not isinstance(raised.value, StoreUnavailable)
    store.write(Batch(log=[logged()]))
    assert list(store.log()) == [logged()]
