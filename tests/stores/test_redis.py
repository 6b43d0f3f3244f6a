"""What is Redis's own: durability, scripts, schema, connections and round trips."""

import time

import pytest
import redis

from tests.servers import PASSWORD, Proxy
from tests.stores.faults import fork_and_write, sentence, together, unavailable, unused_port
from tests.stores.fixtures import server_for
from tests.stores.rows import (
    DAY,
    HOUR,
    NINE,
    N,
    claim,
    fact,
    facts_of,
    logged,
    snapshot,
    status,
    wrote,
)
from wa_fsm import CustomerMessage, FreeForm
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores import StoreError, StoreRefused, open_store, redis_scripts
from wa_fsm.stores.base import SCHEMA, Batch, Began, Claimed, Count


@pytest.fixture(scope="module")
def server():
    with server_for("redis") as started:
        yield started


@pytest.fixture(scope="module")
def proxy(server):
    with Proxy(server.port) as made:
        yield made


@pytest.fixture
def uri(server):
    return server.fresh_uri()


@pytest.fixture
def client(server):
    with redis.Redis.from_url(server.uri) as made:
        yield made


@pytest.fixture
def config(client):
    """Change settings; they are put back."""
    before = {}

    def change(name, value):
        before.setdefault(name, client.config_get(name)[name])
        client.config_set(name, value)

    yield change
    for name, value in before.items():
        client.config_set(name, value)


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


def prefix(uri):
    return uri.rpartition("prefix=")[2]


# -- what is acknowledged is on disk -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"), [("appendonly", "no"), ("appendfsync", "everysec"), ("appendfsync", "no")]
)
def test_a_server_that_may_lose_what_it_acknowledged_is_refused(uri, config, name, value):
    """With a sentence; `check` of an open store says it, and `?durable=no` takes it."""
    store = opened(uri)
    config(name, value)
    with pytest.raises(StoreRefused) as refused:
        opened(uri)
    assert f"{name} = {value}" in sentence(refused.value)
    assert "durable=no" in sentence(refused.value)
    assert [f"{name} = {value}" in each for each in store.check()] == [True]
    assert wrote(opened(uri + "&durable=no"), fact()).new == 1


def test_a_server_that_evicts_keys_is_refused(uri, config):
    """A full memory must refuse writes and not forget facts."""
    config("maxmemory-policy", "allkeys-lru")
    opened(uri)  # there is no limit yet
    config("maxmemory", "100mb")
    with pytest.raises(StoreRefused, match="allkeys-lru"):
        opened(uri)


def test_a_full_memory_is_unavailable_and_recovers(uri, config):
    """`noeviction` refuses the write; nothing is half-written."""
    store = opened(uri)
    config("maxmemory", "1")
    assert "failed" in unavailable(lambda: wrote(store, fact()))
    config("maxmemory", "0")
    assert wrote(store, fact()).new == 1


@pytest.mark.parametrize("info", ["+info", "-info"])
def test_where_the_settings_are_forbidden_it_is_refused_with_a_sentence(uri, client, info):
    """That the log is on can be known from INFO; that each write waits for the disk cannot."""
    client.execute_command(
        "ACL", "SETUSER", "guest", "reset", "on", f">{PASSWORD}", "~*", "+@all", "-config", info
    )
    guest = uri.replace("redis://:", "redis://guest:")
    with pytest.raises(StoreRefused) as refused:
        opened(guest)
    assert "config|get" in sentence(refused.value)
    assert wrote(opened(guest + "&durable=no"), fact()).new == 1


def test_what_was_acknowledged_is_there_after_a_kill():
    """`kill -9` of the server, and the store goes on by itself."""
    with server_for("redis") as server:
        store = opened(server.uri)
        for n in range(20):
            wrote(store, fact(f"in.{n}"))
        server.kill()
        assert "cannot be reached" in unavailable(lambda: wrote(store, fact("lost")))
        assert "cannot be reached" in unavailable(lambda: store.read(N, "ana"))
        server.start()
        assert {each.id for each in facts_of(store)} == {f"in.{n}" for n in range(20)}
        assert wrote(store, fact("in.20")).new == 1
        server.restart()
        assert wrote(store, fact("in.21")).new == 1


# -- schema --------------------------------------------------------------------------------------


def test_a_newer_schema_is_refused_with_a_sentence(uri, client):
    """An older program does not touch what it does not know."""
    opened(uri)
    client.hset(prefix(uri) + "meta", "version", SCHEMA + 1)
    with pytest.raises(StoreRefused) as refused:
        opened(uri)
    assert f"schema {SCHEMA + 1}" in sentence(refused.value)


def test_an_older_schema_is_migrated(uri, client, monkeypatch):
    """By one script, which writes the version."""
    opened(uri)
    client.hset(prefix(uri) + "meta", "version", SCHEMA - 1)
    script = "return redis.call('HINCRBY', ARGV[1] .. 'meta', 'version', 1)"
    monkeypatch.setitem(redis_scripts.MIGRATIONS, SCHEMA - 1, script)
    opened(uri)
    assert client.hget(prefix(uri) + "meta", "version") == str(SCHEMA).encode()


def test_many_programs_may_begin_a_store_at_once(uri):
    """They agree on when it began."""
    stores = together([lambda: opened(uri)] * 8)
    assert sum(wrote(store, fact()).new for store in stores) == 1
    assert {store.began for store in stores} == {NINE}


def test_other_data_under_our_keys_are_refused(uri, client):
    """They are left as they are."""
    client.set(prefix(uri) + "meta", "somebody else's")
    with pytest.raises(StoreRefused, match="other data"):
        opened(uri)
    assert client.get(prefix(uri) + "meta") == b"somebody else's"


def test_a_cluster_is_refused():
    """Scripts make keys of what they find, which a cluster forbids."""
    with (
        server_for(
            "redis", "--cluster-enabled", "yes", "--cluster-port", str(unused_port())
        ) as server,
        pytest.raises(StoreRefused, match="Cluster"),
    ):
        opened(server.uri)


def test_two_prefixes_are_two_stores(server):
    """Also where one begins as the other does, and with any characters."""
    first, second = server.fresh_uri(), server.fresh_uri() + "x%20%2A%00"
    wrote(opened(first), fact())
    assert facts_of(opened(second)) == set()
    assert list(opened(second).keys()) == []


# -- scripts and round trips ---------------------------------------------------------------------


def test_scripts_that_the_server_has_forgotten_are_sent_again(uri, client):
    """SCRIPT FLUSH, a restart and a failover all forget them; no call fails for that."""
    store = opened(uri)
    wrote(store, fact("in.1"))
    client.script_flush()
    assert wrote(store, fact("in.2")).new == 1
    client.script_flush()
    assert len(facts_of(store)) == 2
    client.script_flush()
    assert store.claim(claim(), NINE)


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
        call()  # opens the connection and loads the scripts
    assert {name: proxy.count(call) for name, call in calls.items()} == dict.fromkeys(calls, 1)


def test_content_decides_by_bytes_where_all_else_is_equal(uri):
    """Lua's own comparison would follow the server's locale."""
    store = opened(uri)
    for data in ("b", "B", "é", "a"):
        wrote(store, fact(data=data))
    assert {each.data for each in facts_of(store)} == {"B"}


# -- connections ---------------------------------------------------------------------------------


def test_a_connection_cut_while_idle_is_not_even_noticed(proxy, uri):
    """The driver looks at its socket before it writes."""
    store = opened(proxy.through(uri))
    wrote(store, fact("in.1"))
    proxy.cut()
    time.sleep(0.2)
    assert wrote(store, fact("in.2")).new == 1


def test_any_number_of_connections_may_be_lost(client, uri):
    """A server that closes them, hour after hour, uses up nothing."""
    store = opened(uri)
    for number in range(120):
        wrote(store, fact(f"in.{number}"))
        client.client_kill_filter(_type="normal", skipme=True)
    assert len(facts_of(store)) == 120


def test_answers_are_read_as_bytes_whatever_the_uri_says(uri):
    """``decode_responses`` is for those who use redis-py themselves."""
    store = opened(f"{uri}{'&' if '?' in uri else '?'}decode_responses=true")
    wrote(store, fact("in.1"))
    assert [row.id for row in store.read(N, "ana").facts] == ["in.1"]
    assert list(store.check()) == []


def test_a_call_that_lost_its_answer_is_not_sent_twice(proxy, uri):
    """Facts would bear it, counters would not."""
    store = opened(proxy.through(uri))
    store.write(Batch([fact("in.1")], counts={"sent": 1}))
    proxy.cut_after_next = b"in.2"
    unavailable(lambda: store.write(Batch([fact("in.2")], counts={"sent": 1})))
    assert wrote(store, fact("in.2")).repeated == 1
    assert store.counts() == {"sent": 2}


def test_a_refused_connection_is_one_sentence_without_the_password():
    """It names the address that was tried."""
    port = unused_port()
    asked = time.monotonic()
    text = unavailable(lambda: opened(f"redis://:{PASSWORD}@127.0.0.1:{port}/0"))
    assert text.startswith(f"Redis at 127.0.0.1:{port} cannot be reached: ")
    assert time.monotonic() - asked < 5


def test_a_wrong_password_is_told_without_it(server):
    """Nor does the right one appear."""
    wrong = server.uri.replace(PASSWORD, "wrong-password")
    assert "wrong-password" not in unavailable(lambda: opened(wrong))


@pytest.mark.parametrize("rest", ["h:no-port/0", "[::1/0"])
def test_a_uri_that_cannot_be_read_is_a_value_error_without_the_password(rest):
    """The driver's own message may repeat the URI."""
    with pytest.raises(ValueError, match="cannot be read") as raised:
        opened(f"redis://:{PASSWORD}@{rest}")
    sentence(raised.value)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
def test_an_option_that_the_driver_does_not_know_is_named(scheme):
    """And nothing else of the URI is; what may be a piece of the password is not, either."""
    with pytest.raises(ValueError, match=r"unknown option `durabel` .*`durable`, `pref") as raised:
        opened(f"{scheme}://:{PASSWORD}@h/0?durabel=no")
    sentence(raised.value)
    with pytest.raises(ValueError, match="cannot be read"):
        opened(f"{scheme}://:1?{PASSWORD}=@h/0")


@pytest.mark.parametrize("option", ["protocol=x", "socket_timeout=x", "db=x"])
def test_a_value_that_the_driver_does_not_take_is_a_value_error(option):
    """At once, and not by the first call."""
    with pytest.raises(ValueError, match="cannot be read"):
        opened(f"redis://:{PASSWORD}@h/0?{option}")


def test_a_forked_child_opens_its_own_connections(uri):
    """Parent and child use one store object at once."""
    fork_and_write(uri)


def test_threads_share_a_store(uri):
    """Each takes a connection of its own from the pool."""
    store = opened(uri)

    def work(n):
        for k in range(20):
            wrote(store, fact(f"in.{n}.{k}"))
            assert fact(f"in.{n}.{k}") in facts_of(store)

    together([lambda n=n: work(n) for n in range(8)])
    assert len(facts_of(store)) == 160


def test_an_older_fold_never_takes_the_place_of_a_newer_one(uri):
    """Two who fold one contact at once: what the first has folded is not lost."""
    store = opened(uri)
    rows = [fact("in.1"), fact("in.2", at=NINE + HOUR)]
    wrote(store, *rows)
    store.fold(N, "ana", snapshot(NINE + DAY), rows)
    store.fold(N, "ana", snapshot(NINE), rows[:1])
    store.fold(N, "ana", snapshot(NINE + DAY, state="user_opened"), rows[:1])
    assert store.read(N, "ana").snapshot == snapshot(NINE + DAY)


def test_a_forgotten_person_leaves_no_key_behind(uri, client):
    """Neither the names nor the ids of that person occur anywhere."""
    store = opened(uri)
    store.write(Batch([fact("secret.1", contact="ana")], log=[logged(contact="ana")]))
    store.claim(claim(contact="ana"), NINE)
    store.fold(N, "ana", snapshot(), [])
    assert store.forget(["ana"]) == 4
    names = set(client.scan_iter(prefix(uri) + "*"))
    assert names == {(prefix(uri) + name).encode() for name in ("meta", "numbers")}


def test_a_log_that_is_not_synced_while_it_is_rewritten_is_not_durable(uri, config):
    """For as long as the server writes its log anew it would acknowledge what is not on disk."""
    config("no-appendfsync-on-rewrite", "yes")
    with pytest.raises(StoreRefused, match="no-appendfsync-on-rewrite = yes"):
        opened(uri)


def test_a_server_that_was_emptied_is_told(uri, client):
    """Nothing is learnt into what is no store, and the sentence says what to do."""
    store = opened(uri)
    client.flushall()
    for call in (
        lambda: store.read(N, "ana"),
        lambda: wrote(store, fact()),
        lambda: store.write(Batch([fact()], log=[logged("1")])),
    ):
        assert "has no store under `" in unavailable(call)
    assert client.dbsize() == 0
    opened(uri)
    assert wrote(store, fact()).new == 1


def test_nothing_is_read_from_a_server_that_was_emptied_nor_written_to_it(uri, client):
    """A reminder worker must not believe that no window ends, nor an export that it is whole."""
    store = opened(uri)
    client.flushall()
    for call in (
        lambda: list(store.openers(NINE - DAY, NINE)),
        lambda: list(store.log()),
        lambda: list(store.log(N, ["ana"])),
        lambda: list(store.keys()),
        lambda: store.links(["ana"]),
        lambda: store.counts(),
        lambda: store.statuses(),
        lambda: list(store.export()),
        lambda: store.claim(claim(), NINE),
        lambda: store.done(claim()),
        lambda: store.fold(N, "ana", snapshot(), []),
        lambda: store.prune(NINE),
        lambda: store.forget(["ana"]),
        lambda: store.load([Began(NINE)]),
        lambda: store.load([Claimed(claim(), done=True)]),
        lambda: store.load([Count("sent", 1)]),
    ):
        assert "has no store under `" in unavailable(call)
    assert client.dbsize() == 0


def test_an_export_ends_with_an_error_where_the_server_is_emptied_meanwhile(uri, client):
    """What follows is missing, and nobody shall take the rest for all."""
    store = opened(uri)
    wrote(store, *(fact(f"in.{n}", contact=f"c{n}") for n in range(5)))
    rows = store.export()
    next(rows)
    client.flushall()
    assert "has no store under `" in unavailable(lambda: list(rows))


def test_a_store_that_is_not_there_is_not_made_unless_it_may_be(uri, client):
    """The server stays as it is; a store that is there is opened."""
    with pytest.raises(StoreRefused, match=r"has no store under `.*`wa-sim store init` makes"):
        open_store(uri, make=False)
    assert list(client.scan_iter(prefix(uri) + "*")) == []
    began = opened(uri).began
    STORES.append(open_store(uri, make=False))
    assert STORES[-1].began == began


def test_a_replica_is_read_and_check_says_what_it_is(server, uri):
    """A program that starts while its server is a replica checks; writes fail with a sentence."""
    wrote(opened(uri), fact())
    options = ("--replicaof", f"127.0.0.1 {server.port}", "--masterauth", PASSWORD)
    with server_for("redis", *options) as replica:
        there = uri.replace(f":{server.port}/", f":{replica.port}/")
        store = _again(lambda: open_store(there, make=False))
        assert [f.id for f in facts_of(store)] == ["in.1"]
        assert [type(row).__name__ for row in store.export()] == ["Began", "Fact"]
        assert ["is a replica and takes no writes" in each for each in store.check()] == [True]
        assert "read only" in unavailable(lambda: wrote(store, fact("in.2")))
        store.close()


def _again(work):
    """What `work` gives once the replica has all from its server."""
    until = time.monotonic() + 20
    while True:
        try:
            return work()
        except StoreError:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_statuses_of_an_older_copy_have_another_number(uri, client):
    """After a failover to a server that lacks the newest status, another one is seen as such."""
    store = opened(uri)
    store.write(Batch(statuses=[status()]))
    first = store.read(N, "ana").statuses
    prefix = store._prefix
    client.delete(f"{prefix}statuses")
    client.hdel(f"{prefix}meta", "statuses")
    store.write(Batch(statuses=[status(status="paused")]))
    assert store.read(N, "ana").statuses == store.statuses()[0] != first


@pytest.mark.parametrize("password", ["12/sscret", "a@b/sscret"])
def test_a_password_that_is_not_escaped_is_not_shown(password):
    """A part of it would be taken for the address."""
    with pytest.raises(ValueError, match="%2F") as caught:
        open_store(f"redis://:{password}@127.0.0.1:6379/0")
    assert "sscret" not in str(caught.value)
