"""A full disk, a file that may not be written, a broken one, a missing one; and then recovery."""

import os
import resource
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import pytest

from tests.faults.crowd import NOW, Child
from tests.stores.rows import NINE, SECOND, N, fact, facts_of, wrote
from wa_fsm.stores import StoreRefused, StoreUnavailable
from wa_fsm.stores.sqlite import SqliteStore


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch):
    """Whether the file is the same is looked at by each call, and not after some time only."""
    monkeypatch.setattr("wa_fsm.stores.sqlite_pool.LOOK", 0)


@pytest.fixture
def small(tmp_path):
    """A folder with little room, and what makes room."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
        more = ["mount", "-o", "remount,size=64m", str(tmp_path)]
        yield tmp_path, partial(subprocess.run, more, check=True)
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
    else:  # without the right to mount: no file may grow beyond this
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        make_room = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
        yield tmp_path, make_room
        make_room()


def test_a_full_disk(small):
    """It is said so, what was acknowledged stays, and with room again it goes on."""
    folder, make_room = small
    store = SqliteStore(str(folder / "gate.db"), NOW)
    acknowledged = []

    def fill():
        for i in range(100_000):
            rows = [fact(f"{i}.{j}", NINE + i * SECOND, contact=f"c{i % 9}") for j in range(20)]
            wrote(store, *rows)
            acknowledged.extend(rows)

    with pytest.raises(StoreUnavailable, match=r"gate\.db`.*(disk is full|failed)"):
        fill()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            wrote(store, *(fact("x" * 500 + str(i)) for i in range(2000)))
    there = set().union(*(facts_of(store, f"c{i}") for i in range(9)))
    assert there == set(acknowledged)
    assert facts_of(store) == set()
    make_room()
    wrote(store, fact("after"))
    assert facts_of(store) == {fact("after")}
    assert list(store.check()) == []
    store.close()


def _as_nobody(work):
    """What `work` says as a user who is not root."""

    def run(say):
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        work(say)

    child = Child(run)
    said = child.lines(100)
    assert child.join() == 0
    return said


@pytest.fixture
def public():
    """A folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="wa-fsm-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def test_a_file_that_may_not_be_written(public):
    """Reading goes on; writing says what to do, and goes on once it may."""
    path = public / "gate.db"
    store = SqliteStore(str(path), NOW)
    wrote(store, fact("1"))
    store.close()
    path.chmod(0o444)
    if os.geteuid() == 0:
        for each in public.iterdir():
            os.chown(each, 65534, 65534)

    def work(say):
        store = SqliteStore(str(path), NOW)
        say(len(facts_of(store)))
        try:
            wrote(store, fact("2"))
        except StoreUnavailable as error:
            say(error)
        for each in public.iterdir():  # SQLite gives its journal the rights of the file
            each.chmod(0o666)
        wrote(store, fact("2"))
        say(len(facts_of(store)))

    said = _as_nobody(work)
    assert said[0] == "1"
    assert "gate.db" in said[1]
    assert "read-only" in said[1]
    assert said[2:] == ["2"]


def test_a_folder_that_may_not_be_written(public):
    """A store that cannot be opened says which file, and what to do."""
    public.chmod(0o555)

    def work(say):
        try:
            SqliteStore(str(public / "gate.db"), NOW)
        except StoreUnavailable as error:
            say(error)

    (said,) = _as_nobody(work)
    assert str(public / "gate.db") in said


def test_a_missing_folder(tmp_path):
    """The folder is named, and made by whoever reads that."""
    path = tmp_path / "none" / "gate.db"
    with pytest.raises(StoreUnavailable, match=rf"folder `{path.parent}` does not exist"):
        SqliteStore(str(path), NOW)
    path.parent.mkdir()
    SqliteStore(str(path), NOW).close()


def test_a_folder_is_no_file(tmp_path):
    """Nor is a folder a store."""
    with pytest.raises(StoreUnavailable, match=str(tmp_path)):
        SqliteStore(str(tmp_path), NOW)


def test_a_file_that_is_no_database(tmp_path):
    """Something else of that name is refused and left as it is."""
    path = tmp_path / "gate.db"
    path.write_text("a diary\n" * 1000)
    with pytest.raises(StoreRefused, match=r"no SQLite database"):
        SqliteStore(str(path), NOW)
    assert path.read_text() == "a diary\n" * 1000


@pytest.fixture
def filled(tmp_path):
    """A store of many pages, and a copy of its file."""
    store = SqliteStore(str(tmp_path / "gate.db"), NOW)
    for i in range(20):
        wrote(store, *(fact(f"{i}.{j}", contact=f"c{i}") for j in range(100)))
    store.compact()
    store.close()
    shutil.copy(tmp_path / "gate.db", tmp_path / "backup.db")
    yield store, tmp_path
    store.close()


def _broken(path, where, length):
    with path.open("r+b") as file:
        file.seek(where)
        file.write(os.urandom(1) * length)


@pytest.mark.parametrize(("where", "length"), [(0, 4096), (4096, 200_000), (100, 3000)])
def test_a_broken_file(filled, where, length):
    """It is said so, nobody is told of an empty store, and a backup put back is used at once."""
    store, folder = filled
    path = folder / "gate.db"
    _broken(path, where, length)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"gate\.db`.*(damaged|no SQLite)"):
            [store.read(N, f"c{i}") for i in range(20)]
    assert len(store.check()) > 0
    for leftover in ("gate.db-wal", "gate.db-shm"):
        (folder / leftover).unlink(missing_ok=True)
    os.replace(folder / "backup.db", path)
    assert len(facts_of(store, "c7")) == 100
    wrote(store, fact("after"))
    assert list(store.check()) == []


def test_a_file_that_was_exchanged_while_in_use(filled):
    """Connections to the old file are not used any more: nothing is written where nobody reads."""
    store, folder = filled
    assert facts_of(store) == set()  # a connection is open now
    store._pool.upkeep("PRAGMA wal_checkpoint(TRUNCATE)")
    os.replace(folder / "backup.db", folder / "gate.db")
    for leftover in ("gate.db-wal", "gate.db-shm"):
        (folder / leftover).unlink(missing_ok=True)
    wrote(store, fact("after"))
    store.close()
    again = SqliteStore(str(folder / "gate.db"), NOW)
    assert facts_of(again) == {fact("after")}
    again.close()


def test_an_exchange_is_seen_soon(filled, monkeypatch):
    """Not by each call, because that takes time; a hundredth of a second later it is."""
    store, folder = filled
    now = [100.0]
    monkeypatch.setattr("wa_fsm.stores.sqlite_pool.LOOK", 0.01)
    monkeypatch.setattr("wa_fsm.stores.sqlite_pool.monotonic", lambda: now[0])
    wrote(store, fact("only in the old one", contact="c7"))
    store._pool.upkeep("PRAGMA wal_checkpoint(TRUNCATE)")
    os.replace(folder / "backup.db", folder / "gate.db")
    for leftover in ("gate.db-wal", "gate.db-shm"):
        (folder / leftover).unlink(missing_ok=True)
    found = []
    for _ in range(2):
        found.append(len(facts_of(store, "c7")))
        now[0] += 0.01
    assert found == [101, 100]


def test_a_file_that_has_gone(filled):
    """A file that was moved away is not begun anew in silence; put back, it is used again."""
    store, folder = filled
    path = folder / "gate.db"
    os.replace(path, folder / "away.db")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="has gone"):
            wrote(store, fact())
    assert not path.exists()
    os.replace(folder / "away.db", path)
    assert len(facts_of(store, "c7")) == 100


def test_an_empty_file_in_the_place_of_a_store(filled):
    """It is never an empty store, it stays as it is, and a backup put back is used at once."""
    store, folder = filled
    path = folder / "gate.db"
    for leftover in ("gate.db-wal", "gate.db-shm"):
        (folder / leftover).unlink(missing_ok=True)
    (folder / "new.db").touch()
    os.replace(folder / "new.db", path)
    calls = [lambda: store.read(N, "c7"), lambda: wrote(store, fact()), lambda: [*store.export()]]
    for call in calls * 2:
        with pytest.raises(StoreUnavailable, match=r"gate\.db` is empty: put a backup in its"):
            call()
    assert ["is empty" in each for each in store.check()] == [True]
    assert path.stat().st_size == 0
    os.replace(folder / "backup.db", path)
    assert len(facts_of(store, "c7")) == 100


def test_a_store_that_was_cut_to_nothing(filled):
    """The file is the same one, and what was in it has gone: that is said, too."""
    store, folder = filled
    assert facts_of(store) == set()  # a connection is open now
    store.close()
    os.truncate(folder / "gate.db", 0)
    for call in (lambda: store.read(N, "c7"), lambda: wrote(store, fact())):
        with pytest.raises(StoreUnavailable):
            call()


def test_a_log_file_that_is_cut_off(tmp_path):
    """Half of the last transaction in the journal: it is as if it had never been begun."""
    path = tmp_path / "gate.db"
    store = SqliteStore(str(path), NOW)
    wrote(store, fact("1"))
    size = os.path.getsize(f"{path}-wal")
    wrote(store, *(fact(f"2.{i}") for i in range(50)))
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    store.close()
    os.truncate(f"{copy}-wal", size + 100)
    again = SqliteStore(str(copy), NOW)
    assert facts_of(again) == {fact("1")}
    assert list(again.check()) == []
    again.close()
