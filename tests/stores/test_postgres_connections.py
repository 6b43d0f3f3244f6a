"""PostgreSQL's connections: what they have prepared, and many who keep house at once."""

import random
import threading
import time

import psycopg
import pytest

from tests.stores.faults import together
from tests.stores.fixtures import server_for
from tests.stores.rows import DAY, NINE, N, fact, facts_of, snapshot, wrote
from wa_fsm import CustomerMessage, FreeForm, SameContact
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores import StoreUnavailable, open_store


@pytest.fixture(scope="module")
def server():
    with server_for("postgres", "-c", "fsync=off") as started:
        yield started


@pytest.fixture
def plain(server):
    """The URI of a new database, as libpq takes it."""
    return server.fresh_uri()


@pytest.fixture
def uri(plain):
    return f"{plain}?durable=no"


@pytest.fixture
def store(uri):
    made = open_store(uri, lambda: NINE)
    yield made
    made.close()


# -- what a connection has prepared --------------------------------------------------------------


def _left_early(store, _):
    rows = store.keys()
    next(rows)
    rows.close()


def _folded_by_another(store, _):
    rows = [fact("in.1"), fact("in.2")]
    wrote(store, *rows)
    store.fold(N, "ana", snapshot(NINE + DAY), rows[:1])
    store.fold(N, "ana", snapshot(NINE + DAY), rows)


def _cancelled(store, plain):
    cancel = """select pg_cancel_backend(pid) from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database()"""

    def forget():
        with pytest.raises(StoreUnavailable, match="canceling statement"):
            store.forget(["bo"])

    with psycopg.connect(plain) as holder, psycopg.connect(plain, autocommit=True) as other:
        holder.execute("lock table wafsm_log in access exclusive mode")
        asking = threading.Thread(target=forget)
        asking.start()
        while asking.is_alive():
            other.execute(cancel)
            time.sleep(0.05)


def _discarded(store, _):
    with store._pool.connection() as connection:  # as a pooler does between two clients
        connection.execute("discard all", prepare=False)


def _forgot_one(store, _):
    with store._pool.connection() as connection:
        names = connection.execute("select name from pg_prepared_statements", prepare=False)
        one = min(name for (name,) in names if name.startswith("wafsm_"))
        connection.execute(f"deallocate {one}", prepare=False)


@pytest.mark.parametrize(
    "undo",
    [_left_early, _folded_by_another, _cancelled, _discarded, _forgot_one],
    ids=lambda f: f.__name__[1:],
)
def test_calls_work_on_after_the_server_forgot_what_was_prepared(store, plain, undo):
    """After each rollback psycopg gives up all prepared statements, ours among them."""
    wrote(store, fact("in.0", contact="zoe"))
    assert len(facts_of(store, "zoe")) == 1
    for _ in range(2):
        undo(store, plain)
        for _ in range(3):
            assert wrote(store, fact("in.0", contact="zoe")).repeated == 1
            assert len(facts_of(store, "zoe")) == 1


# -- many who keep house -------------------------------------------------------------------------


def test_threads_that_keep_house_on_the_same_contacts_never_fail(uri):
    """They record, ask, merge, tidy, prune, forget and stream, each as often as it likes."""
    names = [f"c{n}" for n in range(6)]
    gates = [Gatekeeper(policy="cloud-api", store=uri, now=lambda: NINE) for _ in range(2)]

    def left_early(gate):
        rows = gate.store.keys()
        next(rows, None)
        rows.close()

    def work(gate, seed):
        rng = random.Random(seed)
        calls = [
            lambda: gate.record(
                [
                    CustomerMessage(N, rng.choice(names), NINE - days * DAY, f"in.{rng.random()}")
                    for days in range(0, 30, 3)
                ]
            ),
            lambda: gate.check(N, rng.choice(names), FreeForm()),
            lambda: gate.record(SameContact(tuple(rng.sample(names, 2)))),
            lambda: gate.tidy(N, rng.choice(names)),
            lambda: [gate.tidy(*key) for key in iter(gate.store.keys())],
            lambda: gate.store.prune(NINE - DAY),
            lambda: gate.forget(rng.choice(names)),
            lambda: left_early(gate),
            lambda: list(gate.store.export()),
        ]
        for _ in range(60):
            rng.choice(calls)()

    together([lambda g=gate, s=seed: work(g, s) for seed, gate in enumerate(gates * 3)])
    for gate in gates:
        gate.flush()
        assert gate.decisions.lost == 0
        gate.close()


def test_two_who_compact_while_others_work_never_fail(uri):
    """Tables are written anew one after the other; whoever wants one of them waits."""
    store = open_store(uri, lambda: NINE)
    done = threading.Event()

    def compact():
        for _ in range(3):
            store.compact()

    def use(seed):
        for n in range(1000):
            if done.is_set():
                return
            wrote(store, fact(f"in.{seed}.{n}"))
            list(store.export())

    def compact_all():
        try:
            together([compact] * 2)
        finally:
            done.set()

    together([compact_all, lambda: use(1), lambda: use(2)])
    store.close()
