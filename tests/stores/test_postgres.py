"""What is PostgreSQL's own: durability, schema, connections, round trips, locks and plans."""

import random
import signal
import time

import psycopg
import pytest

from tests.servers import PASSWORD, Proxy
from tests.stores.faults import fork_and_write, sentence, together, unavailable, unused_port
from tests.stores.fixtures import fresh_uri, server_for
from tests.stores.rows import (
    DAY,
    HOUR,
    NINE,
    N,
    became,
    claim,
    exported,
    fact,
    facts_of,
    logged,
    same,
    snapshot,
    status,
    wrote,
)
from wa_fsm import CustomerMessage, FreeForm
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores import StoreError, StoreRefused, open_store, postgres_sql
from wa_fsm.stores.base import SCHEMA, Batch


@pytest.fixture(scope="module")
def server():
    with server_for("postgres") as started:
        yield started


@pytest.fixture(scope="module")
def proxy(server):
    with Proxy(server.port) as made:
        yield made


@pytest.fixture
def uri(server):
    return server.fresh_uri()


STORES = []


def opened(uri):
    STORES.append(open_store(uri, lambda: NINE))
    return STORES[-1]


@pytest.fixture(autouse=True)
def _closed():
    """Every store of a test is closed after it."""
    yield
    while STORES:
        STORES.pop().close()


def sql(uri, statement):
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


# -- what is acknowledged is on disk -------------------------------------------------------------


@pytest.mark.parametrize("value", ["on", "local", "remote_apply"])
def test_a_server_that_waits_for_its_disk_is_taken(uri, value):
    """Every synchronous_commit but off writes to this server's disk first."""
    database = uri.rpartition("/")[2]
    sql(uri, f"alter database {database} set synchronous_commit = {value}")
    assert opened(uri).check() == []


def test_synchronous_commit_off_is_refused_with_a_sentence(uri):
    """At the start, and on a connection opened later; `?durable=no` takes it."""
    store = opened(uri)
    database = uri.rpartition("/")[2]
    sql(uri, f"alter database {database} set synchronous_commit = off")
    with pytest.raises(StoreRefused) as refused:
        opened(uri)
    assert "synchronous_commit = off" in sentence(refused.value)
    assert "durable=no" in sentence(refused.value)
    store.close()
    with pytest.raises(StoreRefused):
        wrote(store, fact())
    assert wrote(opened(uri + "?durable=no"), fact()).new == 1


def test_fsync_off_is_refused(tmp_path):
    """A server that never waits for its disk is no store."""
    quick = fresh_uri("postgres", tmp_path)
    with pytest.raises(StoreRefused, match="fsync = off"):
        opened(quick.replace("&durable=no", ""))


def test_check_tells_what_became_worse_since(uri):
    """`check` says it in a sentence, where the start had nothing to say."""
    store = opened(uri)
    sql(uri, "drop index wafsm_facts_key")
    sql(uri, "drop table wafsm_counts")
    assert store.check() == [
        "the table or index `wafsm_counts` is missing or invalid",
        "the table or index `wafsm_facts_key` is missing or invalid",
    ]


def test_a_store_that_has_lost_its_beginning_is_told(uri):
    """When it is opened, by every question and by `check`; nothing is made in its place."""
    store = opened(uri)
    sql(uri, "delete from wafsm_meta")
    for call in (
        lambda: opened(uri),
        lambda: store.read(N, "ana"),
        lambda: store.statuses(),
    ):
        assert "has lost its row in `wafsm_meta`: put a backup" in unavailable(call)
    assert ["has lost its row" in each for each in store.check()] == [True]


def test_a_store_that_is_not_there_is_not_made_unless_it_may_be(uri):
    """The database stays as it is; a store that is there is opened."""
    with pytest.raises(StoreRefused, match="has no store; `wa-sim store init` makes a new store"):
        open_store(uri, make=False)
    assert sql(uri, "select relname from pg_class where relname like 'wafsm%'") == []
    began = opened(uri).began
    STORES.append(open_store(uri, make=False))
    assert STORES[-1].began == began


# -- schema --------------------------------------------------------------------------------------


def test_a_newer_schema_is_refused_with_a_sentence(uri):
    """An older program does not touch what it does not know."""
    opened(uri)
    sql(uri, f"update wafsm_meta set version = {SCHEMA + 1}")
    with pytest.raises(StoreRefused) as refused:
        opened(uri)
    assert f"schema {SCHEMA + 1}" in sentence(refused.value)


def test_many_programs_may_begin_a_store_at_once(uri):
    """The first initialises it, the others wait and use it."""
    stores = together([lambda: opened(uri)] * 8)
    assert sum(wrote(store, fact()).new for store in stores) == 1


def test_an_older_schema_is_migrated_by_one_of_many(uri, monkeypatch):
    """Migration runs once, however many begin at the same time."""
    opened(uri)
    sql(uri, "update wafsm_meta set version = 0")
    steps = ("create table wafsm_migrated (once integer)",)
    monkeypatch.setitem(postgres_sql.MIGRATIONS, 0, steps)
    together([lambda: opened(uri)] * 4)
    assert sql(uri, "select version from wafsm_meta") == [(SCHEMA,)]


def test_a_user_without_the_right_to_create_is_refused(server, uri):
    """The sentence is the server's; nothing half-made is left."""
    database = uri.rpartition("/")[2]
    sql(uri, f"drop role if exists guest; create role guest login password '{PASSWORD}'")
    sql(uri, "revoke create on schema public from public")
    sql(uri, f"grant connect on database {database} to guest")
    with pytest.raises(StoreRefused, match="permission denied"):
        opened(uri.replace("//wa:", "//guest:"))
    assert sql(uri, "select to_regclass('wafsm_meta')") == [(None,)]


# -- round trips ---------------------------------------------------------------------------------


def test_every_call_of_the_hot_path_is_one_round_trip(proxy, uri):
    """A record, a check, a send with its log entry, a batch and a claim each ask once."""
    store = opened(proxy.through(uri))
    gate = Gatekeeper(policy="cloud-api", store=store, now=lambda: NINE)

    def batch():
        store.write(Batch([fact("in.1"), fact("out.1", role="out")], log=[logged()]))

    calls = {
        "record": lambda: gate.record(CustomerMessage(N, "ana", NINE, "in.1"), NINE),
        "check": lambda: gate.check(N, "ana", FreeForm()),
        "batch": batch,
        "claim": lambda: store.claim(claim(), NINE),
        "done": lambda: store.done(claim()),
    }
    for call in calls.values():
        call()  # opens the connection and prepares the statements
    assert {name: proxy.count(call) for name, call in calls.items()} == dict.fromkeys(calls, 1)


# -- connections ---------------------------------------------------------------------------------


def test_a_connection_cut_while_idle_is_not_even_noticed(proxy, uri):
    """A look at the socket costs no round trip, and the call opens another one."""
    store = opened(proxy.through(uri))
    wrote(store, fact("in.1"))
    proxy.cut()
    time.sleep(0.2)
    assert wrote(store, fact("in.2")).new == 1
    assert len(facts_of(store)) == 2


def test_an_answer_that_is_lost_is_an_error_and_repeating_it_changes_nothing(proxy, uri):
    """Whether it was written is not known to the caller; recording is idempotent."""
    store = opened(proxy.through(uri))
    wrote(store, fact("in.1"))
    proxy.cut_after_next = b"in.2"
    unavailable(lambda: wrote(store, fact("in.2")))
    assert wrote(store, fact("in.2")).repeated == 1


def test_after_a_restart_in_the_middle_the_next_call_works():
    """A stopped server is StoreUnavailable for as long as it is down, and no longer."""
    with server_for("postgres") as server:
        store = opened(server.uri)
        wrote(store, fact("in.1"))
        server.kill()
        assert "cannot be reached" in unavailable(lambda: wrote(store, fact("in.2")))
        assert "cannot be reached" in unavailable(lambda: store.read(N, "ana"))
        server.start()
        assert wrote(store, fact("in.2")).new == 1
        server.restart()
        assert {each.id for each in facts_of(store)} == {"in.1", "in.2"}


def test_a_refused_connection_is_one_sentence_without_the_password():
    """It names the address that was tried."""
    port = unused_port()
    asked = time.monotonic()
    text = unavailable(lambda: opened(f"postgresql://wa:{PASSWORD}@127.0.0.1:{port}/gate"))
    assert text.startswith(f"PostgreSQL at 127.0.0.1:{port}/gate cannot be reached: ")
    assert time.monotonic() - asked < 5


def test_a_wrong_password_is_told_without_it(server):
    """Nor does the right one appear."""
    wrong = server.uri.replace(PASSWORD, "wrong-password")
    assert "wrong-password" not in unavailable(lambda: opened(wrong))


def test_an_address_where_nobody_answers_is_given_up_soon():
    """`connect_timeout` bounds it; 192.0.2.1 is nobody's, by RFC 5737."""
    asked = time.monotonic()
    unavailable(lambda: opened("postgresql://wa@192.0.2.1:5432/gate?connect_timeout=2"))
    assert time.monotonic() - asked < 10


@pytest.mark.parametrize("rest", ["h:no-port:x/%zz", "[::1/x"])
def test_a_uri_that_cannot_be_read_is_a_value_error_without_the_password(rest):
    """The driver's own message may repeat the URI."""
    with pytest.raises(ValueError, match="cannot be read") as raised:
        opened(f"postgresql://wa:{PASSWORD}@{rest}")
    sentence(raised.value)


def test_an_option_that_the_driver_does_not_know_is_named():
    """And nothing else of the URI is; what may be a piece of the password is not, either."""
    with pytest.raises(ValueError, match=r"unknown option `durabel` .*`durable`, `pool`") as raised:
        opened(f"postgresql://wa:{PASSWORD}@h/x?durabel=no")
    sentence(raised.value)
    with pytest.raises(ValueError, match="cannot be read"):
        opened(f"postgresql://wa:1/a?{PASSWORD}=@h/x")


@pytest.mark.parametrize("option", ["durable=maybe", "pool=0", "pool=many"])
def test_an_option_that_is_none_is_a_value_error(uri, option):
    """Options are checked before anything is opened."""
    with pytest.raises(ValueError, match=option.partition("=")[0]):
        opened(f"{uri}?{option}")


def test_a_forked_child_opens_its_own_connections(uri):
    """Parent and child use one store object at once."""
    fork_and_write(uri)


def test_calls_wait_for_a_connection_and_streams_are_not_in_their_way(uri):
    """With one connection for calls, who reads a stream may make calls, and threads queue."""
    store = opened(f"{uri}?pool=1")
    wrote(store, *[fact(f"in.{n}", contact=f"c{n}") for n in range(20)])
    for number, contact in iter(store.keys()):
        assert store.read(number, contact).facts
    for row in store.export():
        wrote(store, fact("more", contact=f"{row!r:.30}"))
    together([lambda: store.read(N, "c1")] * 16)


def test_an_export_is_of_one_instant(uri):
    """What is learnt after its first row is in none of its parts."""
    store = opened(uri)

    def learn(n):
        row = [fact(f"in.{n}", contact=f"c{n}")]
        store.write(Batch(row, [same(f"c{n}", f"d{n}")], [status(f"t{n}")], counts={f"a{n}": 1}))
        store.write(Batch(log=[logged(f"l{n}", NINE + HOUR * n)]))
        store.fold(N, f"e{n}", snapshot(), [])
        store.claim(claim(f"in.{n}"), NINE)

    learn(1)
    before = exported(store)
    rows = store.export()
    found = [next(rows)]
    learn(2)
    assert sorted([*found, *rows], key=repr) == before
    assert len(exported(store)) == 2 * len(before) - 1


def test_a_stream_that_is_left_early_gives_its_connection_back(uri):
    """Its transaction ends, too."""
    store = opened(uri)
    wrote(store, *[fact(f"in.{n}", contact=f"c{n}") for n in range(5)])
    keys = store.keys()
    next(keys)
    keys.close()
    busy = "select count(*) from pg_stat_activity where state like 'idle in%'"
    assert sql(uri, f"{busy} and datname = current_database()") == [(0,)]


# -- locks and plans -----------------------------------------------------------------------------


def test_writers_of_the_same_rows_in_any_order_do_not_deadlock(uri):
    """Eight threads, the same facts and log rows, shuffled: the state is that of one writer."""
    facts = [
        fact(f"in.{n}", contact=f"c{n % 7}", arrived=NINE + HOUR * late, order=late)
        for n in range(40)
        for late in range(3)
    ]
    stores = [opened(uri) for _ in range(8)]

    def writer(seed, store):
        rng = random.Random(seed)
        for _ in range(10):
            some = rng.sample(facts, 60)
            outcomes = [became(f"m{n}", "delivered") for n in rng.sample(range(9), 5)]
            log = [logged(f"d{n}", message_id=f"m{n}") for n in rng.sample(range(9), 5)]
            store.write(Batch(some, log=log, outcomes=outcomes, counts={"a": 1, "b": 1}))

    together([lambda s=s, store=store: writer(s, store) for s, store in enumerate(stores)])
    wrote(stores[0], *facts)
    for n in range(7):
        assert all(each.order == 0 for each in facts_of(stores[0], f"c{n}"))
    assert dict(stores[0].counts()) == {"a": 80, "b": 80}


def test_a_batch_of_many_messages_takes_few_locks(uri):
    """The server has room for some thousands, which other programs need too."""
    store = opened(uri)
    names = [f"wamid.{n}" for n in range(5000)]
    taken = "select count(*) from pg_locks where locktype = 'advisory'"
    with psycopg.connect(uri) as connection:
        connection.execute(postgres_sql.MESSAGES, [names])
        assert connection.execute(taken).fetchone() == (256,)
        connection.rollback()
    store.write(Batch(log=[logged(f"d.{name}", message_id=name) for name in names]))
    store.write(Batch(outcomes=[became(name) for name in names]))
    assert {row.outcome for row in store.log()} == {"delivered"}


def test_a_deadlock_is_tried_again(uri):
    """Where another program locks rows in its own order, the write succeeds after it."""
    store = opened(uri)
    store.write(Batch(counts={"a": 1, "b": 1}))
    with psycopg.connect(uri) as other:
        other.execute("set deadlock_timeout = '10s'")
        other.execute("update wafsm_counts set count = 10 where name = 'b'")

        def lock_the_first():
            time.sleep(0.3)
            other.execute("update wafsm_counts set count = 10 where name = 'a'")
            other.commit()

        together([lambda: store.write(Batch(counts={"a": 1, "b": 1})), lock_the_first])
    assert dict(store.counts()) == {"a": 11, "b": 11}


def test_an_older_fold_never_takes_the_place_of_a_newer_one(uri):
    """Two who fold one contact at once: what the first has folded is not lost."""
    store = opened(uri)
    rows = [fact("in.1"), fact("in.2", at=NINE + HOUR)]
    wrote(store, *rows)
    store.fold(N, "ana", snapshot(NINE + DAY), rows)
    store.fold(N, "ana", snapshot(NINE), rows[:1])
    store.fold(N, "ana", snapshot(NINE + DAY, state="user_opened"), rows[:1])
    assert store.read(N, "ana").snapshot == snapshot(NINE + DAY)


def test_a_read_finds_its_rows_by_index_however_many_there_are(uri):
    """A plan made while the tables were empty must hold when they are large."""
    store = opened(uri)
    wrote(store, *[fact(f"in.{n}", contact=f"c{n}") for n in range(3000)])
    text = postgres_sql.READ
    for n in range(1, 5):
        text = text.replace("%s", f"${n}", 1)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(postgres_sql.SESSION)
        connection.execute(f"prepare r (text, text, text, text) as {text}")
        connection.execute(f"prepare one (text, text) as {postgres_sql.READ_ONE}")
        for asked in (f"r ('c1', '{N}', '{N}', '{N}')", f"one ('c1', '{N}')"):
            lines = connection.execute(f"explain execute {asked}").fetchall()
            plan = "\n".join(line for (line,) in lines)
            assert "wafsm_facts_key" in plan
            assert "wafsm_links_b" in plan
            assert "Seq Scan on wafsm" not in plan


# -- what is asked without a cursor --------------------------------------------------------------


def test_a_value_that_the_system_does_not_take_at_once(uri):
    """It goes out piece by piece, and comes back whole."""
    store = opened(uri)
    long = fact("in." + "é" * 6_000_000)
    assert [wrote(store, long).new, wrote(store, long).new] == [1, 0]
    assert facts_of(store) == {long}


class SoftLimitError(Exception):
    """As a worker raises it in the middle of a task that takes too long."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SoftLimitError])
@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.read(N, "ana"),
        lambda store: wrote(store, fact()),
        lambda store: store.write(Batch([fact(), fact("in.3")], counts={"sent": 1})),
    ],
)
def test_a_call_that_is_interrupted_leaves_nothing_half_asked(uri, kind, call):
    """The exception comes at once, its connection is not used again, and the store goes on."""

    def interrupt(*_):
        raise kind

    store = opened(uri)
    wrote(store, fact())
    kept = signal.signal(signal.SIGALRM, interrupt)
    with psycopg.connect(uri) as other:
        other.execute("lock table wafsm_facts in access exclusive mode")
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with pytest.raises(kind):
                call(store)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, kept)
    known = facts_of(
        store
    )  # what was asked for is there or not; of an interrupted call nobody knows
    assert known in ({fact()}, {fact(), fact("in.3")})
    assert store.counts() == ({"sent": 1} if len(known) > 1 else {})
    assert wrote(store, fact("in.2")).new == 1


def test_a_database_that_does_not_speak_utf8(uri):
    """What it can write it keeps; what it cannot is an error, and not the end of the store."""
    base = uri.rpartition("/")[0]
    sql(uri, "create database latin template template0 encoding latin1 lc_collate 'C' lc_ctype 'C'")
    store = opened(f"{base}/latin")
    wrote(store, fact("é", contact="Ærø"))
    assert [each.id for each in facts_of(store, "Ærø")] == ["é"]
    for _ in range(2):
        with pytest.raises(StoreError, match="LATIN1"):
            wrote(store, fact("☎"))
        with pytest.raises(StoreError, match="LATIN1"):
            store.write(Batch([fact("☎"), fact("in.2")]))
    assert wrote(store, fact("in.3", contact="Ærø")).new == 1
