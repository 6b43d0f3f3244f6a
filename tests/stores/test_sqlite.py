"""What is particular to the store in a file."""

import multiprocessing
import os
import random
import signal
import sqlite3
import string
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.stores.rows import (
    DAY,
    NINE,
    N,
    claim,
    fact,
    facts_of,
    logged,
    same,
    snapshot,
    status,
    wrote,
)
from wa_fsm.clock import ManualClock
from wa_fsm.stores import StoreRefused, StoreUnavailable, open_store, sqlite_pool, sqlite_schema
from wa_fsm.stores.base import Batch, Began, KeySnapshot
from wa_fsm.stores.sqlite import SqliteStore
from wa_fsm.stores.turns import Turnstile

NOW = ManualClock(NINE)
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gate.db"


@pytest.fixture
def gate(path):
    store = SqliteStore(str(path), NOW)
    yield store
    store.close()


def raw(path, *statements):
    connection = sqlite3.connect(path, isolation_level=None)
    found = [connection.execute(statement).fetchall() for statement in statements]
    connection.close()
    return found


# -- opening -------------------------------------------------------------------------------------


def test_uris(tmp_path, monkeypatch):
    """Three strokes and a name: relative; four: absolute. Percent signs are decoded."""
    monkeypatch.chdir(tmp_path)
    for uri, name in [
        ("sqlite:///one.db", "one.db"),
        (f"sqlite:///{tmp_path}/two.db?synchronous=normal", "two.db"),
        ("sqlite:///a%20b%3Fc.db", "a b?c.db"),
    ]:
        store = open_store(uri, NOW)
        wrote(store, fact())
        store.close()
        assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x.db",
        "sqlite:///:memory:",
        "sqlite:///x/",
        "sqlite:///x.db?synchronous=off",
        "sqlite:///x.db?cache=1",
    ],
)
def test_uris_that_name_no_file(uri):
    """A URI without a file or with an unknown option is an error of the caller's."""
    with pytest.raises(ValueError, match=r"sqlite|synchronous"):
        open_store(uri, NOW)


def test_a_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    """Who changes the folder later keeps the same store."""
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///gate.db", NOW)
    monkeypatch.chdir("/")
    wrote(store, fact())
    store.close()
    assert facts_of(store) == {fact()}
    store.close()


@pytest.mark.parametrize(("synchronous", "level"), [("full", 2), ("normal", 1)])
def test_durability(path, synchronous, level):
    """The journal is WAL, and each connection syncs as the URI says."""
    store = SqliteStore(str(path), NOW, synchronous)
    assert store._pool.rows("PRAGMA synchronous") == [(level,)]
    assert store._pool.rows("PRAGMA journal_mode") == [("wal",)]
    store.close()


def test_another_programs_database_is_refused(path):
    """A database that is not ours is neither used nor changed."""
    raw(path, "CREATE TABLE t (x)")
    with pytest.raises(StoreRefused, match="another program's"):
        SqliteStore(str(path), NOW)
    assert raw(path, "SELECT name FROM sqlite_master") == [[("t",)]]


def test_a_newer_schema_is_refused(gate, path):
    """An older program leaves a newer store alone, and says what to do."""
    gate.close()
    raw(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreRefused, match=r"schema 99.*upgrade"):
        SqliteStore(str(path), NOW)


def test_a_schema_that_became_newer_is_refused(gate, path, monkeypatch):
    """A program that was running while another one migrated does not go on with a new file."""
    wrote(gate, fact())
    other = path.with_name("other.db")
    SqliteStore(str(other), NOW).close()
    raw(other, "PRAGMA user_version = 99")
    os.replace(other, path)
    gate._pool.here().look_again = 0.0  # as when the hundredth of a second is over
    with pytest.raises(StoreRefused, match="newer version"):
        gate.read(N, "ana")


def test_statuses_of_another_file_have_another_number(gate, path):
    """Where a file with as many statuses takes the place of one, they are read anew."""
    gate.write(Batch(statuses=[status()]))
    first = gate.read(N, "ana").statuses
    other = SqliteStore(str(path.with_name("other.db")), NOW)
    other.write(Batch(statuses=[status(status="paused")]))
    other.close()
    gate._pool.upkeep("PRAGMA wal_checkpoint(TRUNCATE)")  # else its log stands beside the new file
    os.replace(path.with_name("other.db"), path)
    gate._pool.here().look_again = 0.0  # as when the hundredth of a second is over
    assert gate.read(N, "ana").statuses != first
    assert [row.status for row in gate.statuses()[1]] == ["paused"]


def test_an_import_of_another_process_moves_the_beginning(gate, path):
    """Of a stranger nobody can tell what came before the beginning, so it is read anew."""
    other = SqliteStore(str(path), NOW)
    other.load([Began(NINE - 9 * DAY)])
    other.close()
    gate.read(N, "stranger")
    assert gate.began == NINE - 9 * DAY


def test_an_empty_file_may_become_a_new_store(path):
    """At the start of a program: so may a file that was made to hold the name."""
    path.touch()
    store = SqliteStore(str(path), NOW)
    assert wrote(store, fact()).new == 1
    store.close()


def test_an_older_schema_is_migrated_forward(gate, path, monkeypatch):
    """Each version's script runs once, in order, all or nothing; rows stay."""
    wrote(gate, fact())
    gate.close()
    more = (
        *sqlite_schema.MIGRATIONS,
        ("CREATE TABLE extra (x)",),
        ("INSERT INTO extra VALUES (7)",),
    )
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", more)
    monkeypatch.setattr(sqlite_schema, "SCHEMA", 3)
    for _ in range(2):
        store = SqliteStore(str(path), NOW)
        assert facts_of(store) == {fact()}
        assert store.began == NINE
        store.close()
    assert raw(path, "SELECT x FROM extra", "PRAGMA user_version") == [[(7,)], [(3,)]]


def test_a_migration_that_fails_leaves_the_old_schema(gate, path, monkeypatch):
    """A script that breaks off changes nothing."""
    gate.close()
    more = (*sqlite_schema.MIGRATIONS, ("CREATE TABLE extra (x)", "nonsense"))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "MIGRATIONS", more)
        patch.setattr(sqlite_schema, "SCHEMA", 2)
        with pytest.raises(StoreUnavailable):
            SqliteStore(str(path), NOW)
    store = SqliteStore(str(path), NOW)
    assert list(store.check()) == []
    store.close()


def test_check_names_what_is_wrong(gate, path):
    """`check` tells of another journal mode and of another schema."""
    gate.close()
    raw(path, "PRAGMA journal_mode = DELETE", "PRAGMA user_version = 0", "DELETE FROM meta")
    found = sqlite_schema.flaws(sqlite3.connect(path), "x")
    assert [word in " ".join(found) for word in ("schema 0", "delete", "began")] == [True] * 3


@pytest.mark.parametrize(("kind", "name"), [("TABLE", "counts"), ("INDEX", "log_time")])
def test_check_names_what_is_missing(gate, path, kind, name):
    """A store without one of its tables or indexes is not sound."""
    raw(path, f"DROP {kind} {name}")
    assert list(gate.check()) == [f"`{path}`: the table or index `{name}` is missing"]


def test_a_store_that_has_lost_its_beginning_is_told(gate, path):
    """When it is opened, by a question that hangs on it and by `check`."""
    raw(path, "DELETE FROM meta")
    for call in (lambda: SqliteStore(str(path), NOW), lambda: gate.read(N, "stranger")):
        with pytest.raises(StoreUnavailable, match="does not say when it began: put a backup"):
            call()
    assert list(gate.check()) == [f"`{path}` does not say when it began"]


def test_a_store_that_is_not_there_is_not_made_unless_it_may_be(gate, path):
    """Neither a file nor one of those beside it; a store that is there is opened."""
    other = path.with_name("other.db")
    before = set(path.parent.iterdir())
    with pytest.raises(StoreRefused, match="is not there; `wa-sim store init` makes a new store"):
        open_store(f"sqlite:///{other}", make=False)
    assert set(path.parent.iterdir()) == before
    store = open_store(f"sqlite:///{path}", make=False)
    assert store.began == gate.began
    store.close()


# -- threads and processes -----------------------------------------------------------------------


def test_threads_write_together(gate):
    """What threads write at once goes into few transactions, and each gets its own count."""
    counts, commits = [], []
    work = gate._pool.write_alone
    gate._pool.write_alone = lambda *args: (commits.append(1), time.sleep(0.002), work(*args))[-1]

    def run(name):
        for i in range(10):
            counts.append(wrote(gate, fact(f"{name}.{i}"), fact("same")).new)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == len(facts_of(gate)) == 161
    assert len(commits) < 100


def test_one_bad_batch_does_not_take_others_with_it(gate):
    """Of batches that go together only the one at fault fails."""
    errors, start = [], threading.Barrier(8)

    def run(i):
        start.wait()
        try:
            gate.write(Batch([fact(str(i))], log=[logged()] if i % 2 else [logged(time=None)]))
        except TypeError as error:
            errors.append(error)

    with gate._pool.threads():  # so that all of them wait
        threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        while len(gate._pool.here().waiting) < 8:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert {row.id for row in facts_of(gate)} == {"1", "3", "5", "7"}
    assert len(errors) == 4


def _child(store, results):
    wrote(store, fact("child"))
    results.put((len(facts_of(store)), store._pool.here().pid))
    store.close()


def test_a_forked_child_has_connections_of_its_own(gate):
    """A store that was opened before a fork works in both, and neither disturbs the other."""
    wrote(gate, fact("parent"))
    results = FORK.Queue()
    child = FORK.Process(target=_child, args=(gate, results))
    child.start()
    seen, pid = results.get(timeout=30)
    child.join()
    wrote(gate, fact("after"))
    assert (seen, pid, child.exitcode) == (2, child.pid, 0)
    assert {row.id for row in facts_of(gate)} == {"parent", "child", "after"}
    assert list(gate.check()) == []


def _told_in_turn(store, turn, results):
    for number in range(3):
        turn.get(timeout=30)
        wrote(store, fact(f"child.{number}"))
        results.put(number)


def test_a_child_loses_nothing_when_its_parent_has_done(gate):
    """Whoever closes the file last, elsewhere, tidies its journal away: not one that is in use."""
    path = gate._pool.path
    wrote(gate, fact("parent"))
    turn, results = FORK.Queue(), FORK.Queue()
    child = FORK.Process(target=_told_in_turn, args=(gate, turn, results))
    child.start()
    gate.close()
    for number in range(3):
        turn.put(number)
        assert results.get(timeout=30) == number
        other = SqliteStore(path, NOW)
        assert len(facts_of(other)) == number + 2
        other.close()
    child.join()
    assert len(facts_of(SqliteStore(path, NOW))) == 4


def test_a_fork_waits_for_what_other_threads_are_at(gate):
    """A connection in use would go over to the child, with locks that it does not have."""
    begun, go_on, used = threading.Event(), threading.Event(), []

    def work(con):
        used.append(con)
        begun.set()
        go_on.wait(30)
        return con.execute("SELECT 1").fetchone()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(gate._pool.read, work)
        begun.wait(30)
        threading.Timer(0.05, go_on.set).start()
        sqlite_pool._fork_comes()
        assert reading.done()
        assert used[0] not in sqlite_pool._OPEN
        assert reading.result() == (1,)


def _busy(path, seconds, start, results):
    store = SqliteStore(path, NOW)
    name, count, worst = str(os.getpid()), 0, 0.0
    start.wait()
    end = time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        wrote(store, fact(f"{name}.{count}", contact=name))
        worst = max(worst, time.monotonic() - before)
        count += 1
    results.put((count, worst))
    store.close()


def _contest(path):
    """How many writes each of eight processes made, and the longest that one of them waited."""
    results, start = FORK.Queue(), FORK.Barrier(8)
    workers = [FORK.Process(target=_busy, args=(path, 2.0, start, results)) for _ in range(8)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    return [count for count, _ in found], max(worst for _, worst in found)


def test_processes_get_fair_turns(gate, path):
    """Eight processes write without pause: none waits for 250 ms, none gets under half the mean.

    The disk belongs to others as well, who may stop it for longer: so it may be tried again.
    """
    written = 0
    for _ in range(3):
        counts, worst = _contest(str(path))
        written += sum(counts)
        if worst < 0.25:
            break
    assert worst < 0.25
    assert min(counts) >= sum(counts) / len(counts) / 2
    assert sum(1 for _ in gate.openers(NINE - DAY, NINE)) == written


def test_a_program_that_keeps_the_file_locked(gate, path, monkeypatch):
    """A lock that another program does not give up is an error in time, and then it is over."""
    monkeypatch.setattr("wa_fsm.stores.sqlite_pool.PATIENCE", 0.2)
    wrote(gate, fact("1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        wrote(gate, fact("2"))
    assert facts_of(gate) == {fact("1")}
    other.execute("ROLLBACK")
    other.close()
    wrote(gate, fact("2"))
    assert len(facts_of(gate)) == 2


def _stops_in_its_turn(path, inside):
    def work(_):
        inside.set()
        os.kill(os.getpid(), signal.SIGSTOP)

    store = SqliteStore(path, NOW)
    store._pool.in_turn(work)
    wrote(store, fact("afterwards"))
    store.close()


def test_a_process_that_is_stopped_in_its_turn(gate, path, monkeypatch):
    """Others wait for it no longer than they have patience, and go on as soon as it does."""
    wrote(gate, fact("1"))
    inside = FORK.Event()
    other = FORK.Process(target=_stops_in_its_turn, args=(str(path), inside))
    other.start()
    inside.wait()
    os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
    with monkeypatch.context() as patch:
        patch.setattr("wa_fsm.stores.sqlite_pool.PATIENCE", 0.05)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="waited too long for its turn"):
                wrote(gate, fact("2"))
    assert facts_of(gate) == {fact("1")}
    os.kill(other.pid, signal.SIGCONT)
    wrote(gate, fact("2"))
    other.join()
    assert facts_of(gate) == {fact("1"), fact("2"), fact("afterwards")}
    assert other.exitcode == 0


def test_a_turn_that_nobody_waits_for_any_more_is_let_go(path):
    """Who gave up does not keep others waiting when the turn comes to it at last."""
    first, second, third = (Turnstile(str(path)) for _ in range(3))
    first.enter(1)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            second.enter(0.01)
    first.leave()
    third.enter(30)
    with pytest.raises(TimeoutError):
        second.enter(0.01)
    third.leave()
    second.enter(30)
    second.leave()
    for each in (first, second, third):
        each.close()


def test_a_turn_comes_to_who_waits(path):
    """And when it comes while one waits it is there at once, time after time."""
    first, second = Turnstile(str(path)), Turnstile(str(path))
    for _ in range(20):
        first.enter(30)
        waiting = threading.Thread(target=second.enter, args=(30,))
        waiting.start()
        while not second._stand_in.waits:
            time.sleep(0.0001)
        first.leave()
        waiting.join()
        with pytest.raises(TimeoutError):
            first.enter(0.001)
        second.leave()
    for each in (first, second):
        each.close()


def test_streams_keep_no_lock(gate):
    """A stream that nobody reads to its end neither locks the file nor keeps a connection."""
    wrote(gate, *(fact(str(i), NINE + timedelta(milliseconds=i)) for i in range(50)))
    for stream in (gate.export(), gate.keys(), gate.log(), gate.openers(NINE - DAY, NINE + DAY)):
        next(stream, None)
        wrote(gate, fact("more"))
        stream.close()
    gate.compact()
    assert list(gate.check()) == []


# -- space, and erasing --------------------------------------------------------------------------


def _wamid(dice):
    return "wamid.HBgN" + "".join(dice.choices(string.ascii_letters + string.digits, k=50))


def test_an_idle_contact_takes_at_most_400_bytes(gate, path):
    """One fact and its snapshot, with ids as they are in life, after `compact`."""
    dice, rows, count = random.Random(7), [], 4000
    for _ in range(count):
        at = NINE + timedelta(milliseconds=dice.randrange(10**10))
        contact = f"4915{dice.randrange(10**9):09}"
        learnt = at + timedelta(seconds=2)
        rows.append(fact(_wamid(dice), at, contact, arrived=learnt))
        rows.append(KeySnapshot(N, contact, snapshot(at - 7 * DAY, since=at - 30 * DAY)))
    gate.load(rows)
    gate.compact()
    assert os.path.getsize(path) / count <= 400


def test_forgotten_names_are_overwritten(gate, path):
    """After `forget` neither the file nor its journal holds the name or the ids."""
    dice = random.Random(7)
    secret, ids = "4915112345678", [_wamid(dice) for _ in range(40)]
    for i, id_ in enumerate(ids):
        others = [fact(_wamid(dice), NINE, f"49151{dice.randrange(10**8):08}") for _ in range(50)]
        wrote(gate, *others, fact(id_, NINE + timedelta(hours=i), secret))
        wrote(gate, fact(id_, NINE + timedelta(hours=i), secret, arrived=NINE))
        gate.write(Batch(log=[logged(str(i), NINE, secret, message_id=id_)]))
    gate.write(Batch(links=[same(secret, "US.1349")]))
    gate.claim(claim(ids[0], contact=secret), NINE)
    old = [row for row in facts_of(gate, secret) if row.id in ids[:10]]
    gate.fold(N, secret, snapshot(), old)
    assert gate.forget([secret, "US.1349"]) == 30 + 40 + 1 + 1 + 1
    gate.close()
    left = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert [text for text in (secret, "US.1349", *ids) if text.encode() in left] == []
