"""Servers that drop connections, refuse them, or are restarted in the middle."""

import signal
import threading
import time

import pytest

from tests.stores.rows import NINE, SECOND, fact, facts_of, wrote
from wa_fsm.stores import StoreUnavailable


def _drop_all(place):
    """End every client's connection, as a failing network would."""
    if place.kind == "redis":
        place.server.say("CLIENT", "KILL", "TYPE", "normal")
    else:
        place.server.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )


def _again(work, patience=20.0):
    """What `work` gives once the store is there; how often it was not."""
    failures, until = 0, time.monotonic() + patience
    while True:
        try:
            return work(), failures
        except StoreUnavailable:
            failures += 1
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_dropped_connection(remote):
    """At most the call that meets it fails, and the next one connects anew by itself."""
    store = remote.open()
    for i in range(4):
        _, failures = _again(lambda i=i: wrote(store, fact(str(i))))
        assert failures <= 1
        _drop_all(remote)
    found, _ = _again(lambda: facts_of(store))
    assert found == {fact(str(i)) for i in range(4)}
    store.close()


def test_a_refused_connection(remote):
    """Without a server each call says so soon; once it is back the same store goes on."""
    store = remote.open()
    wrote(store, fact("1"))
    remote.server.stop()
    try:
        begun = time.monotonic()
        for call in (lambda: wrote(store, fact("2")), lambda: facts_of(store)):
            with pytest.raises(StoreUnavailable):
                call()
        with pytest.raises(StoreUnavailable) as refused:
            remote.open()
        assert time.monotonic() - begun < 30
        assert "only-for-tests" not in str(refused.value)  # no password in a message
    finally:
        remote.server.start()
    _again(lambda: wrote(store, fact("2")))
    assert facts_of(store) == {fact("1"), fact("2")}
    store.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_server_that_is_restarted_in_the_middle(remote, how):
    """Writers meet an error or none; all that was acknowledged is there afterwards."""
    store, acknowledged, stop = remote.open(), [], threading.Event()
    strange = []

    def work(name):
        i = 0
        while not stop.is_set():
            row = fact(f"{name}.{i}", NINE + i * SECOND)
            try:
                wrote(store, row)
                acknowledged.append(row)
                i += 1
            except StoreUnavailable:
                time.sleep(0.02)
            except Exception as error:
                strange.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    remote.server.stop(how)
    remote.server.start()
    before = len(acknowledged)
    until = time.monotonic() + 20
    while len(acknowledged) < before + 20 and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert strange == []
    assert len(acknowledged) >= before + 20
    assert set(acknowledged) <= facts_of(store)
    assert list(store.check()) == []
    store.close()
