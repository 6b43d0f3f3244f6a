"""The tables of a store in SQLite, how they came to be, and the sentences for what goes wrong.

House rules:

* A version's script never changes once it was released; a new version adds a script that takes
  the tables from the one before to its own.
* ``application_id`` says that a file is a store of ours, ``user_version`` of which version.
* Facts and snapshots stand in the order of their key without a number of their own, so that an
  idle contact costs little; the log stands apart.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Final

from wa_fsm.stores import options
from wa_fsm.stores.base import (
    SCHEMA,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    from_millis,
    to_millis,
)
from wa_fsm.stores.sqlite_sql import BEGAN

APPLICATION: Final = 0x77614653  # "waFS"

_FIRST: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE facts (number TEXT NOT NULL, contact TEXT NOT NULL, role TEXT NOT NULL,"
    " id TEXT NOT NULL, at INTEGER NOT NULL, arrived INTEGER NOT NULL, ord INTEGER NOT NULL,"
    " data TEXT NOT NULL, opens_at INTEGER, PRIMARY KEY (number, contact, role, id)) WITHOUT ROWID",
    "CREATE INDEX facts_open ON facts (opens_at, number, contact, id) WHERE opens_at IS NOT NULL",
    "CREATE TABLE snapshots (number TEXT NOT NULL, contact TEXT NOT NULL, until INTEGER NOT NULL,"
    " snapshot TEXT NOT NULL, PRIMARY KEY (number, contact)) WITHOUT ROWID",
    "CREATE TABLE links (how TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL,"
    " PRIMARY KEY (how, a, b)) WITHOUT ROWID",
    "CREATE INDEX links_back ON links (how, b, a)",
    # `n` counts up, so that the greatest one tells whether a status was learnt.
    "CREATE TABLE statuses (n INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " language TEXT NOT NULL, status TEXT NOT NULL, at INTEGER NOT NULL,"
    " arrived INTEGER NOT NULL, ord INTEGER NOT NULL,"
    " UNIQUE (name, language, status, at, arrived, ord))",
    "CREATE TABLE log (id TEXT PRIMARY KEY, time INTEGER NOT NULL, number TEXT NOT NULL,"
    " contact TEXT NOT NULL, policy TEXT NOT NULL, version TEXT NOT NULL, message TEXT NOT NULL,"
    " allowed INTEGER NOT NULL, reason TEXT NOT NULL, rule TEXT NOT NULL, mode TEXT NOT NULL,"
    " asked_by TEXT NOT NULL, outcome TEXT NOT NULL, message_id TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX log_time ON log (time)",
    "CREATE INDEX log_contact ON log (contact, time)",
    "CREATE INDEX log_message ON log (message_id) WHERE message_id <> ''",
    "CREATE TABLE claims (number TEXT NOT NULL, contact TEXT NOT NULL, opener TEXT NOT NULL,"
    " until INTEGER NOT NULL, done INTEGER NOT NULL, PRIMARY KEY (number, contact, opener))"
    " WITHOUT ROWID",
    "CREATE INDEX claims_until ON claims (until)",
    "CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
)

MIGRATIONS: Final = (_FIRST,)
"""One script for each version: what takes the version before it to this one."""

assert len(MIGRATIONS) == SCHEMA


def must_be_there(uri: str) -> None:
    """Raises StoreRefused where a URI names no file, or an empty one.

    A misspelt path must not become a new, empty store, nor a file that has lost all that was in it.
    """
    path = options.file_of(uri)
    if not path:  # then the URI itself is wrong
        return
    new = "`wa-sim store init` makes a new store"
    if not os.path.exists(path):
        raise StoreRefused(f"`{path}` is not there; {new}")
    if not os.path.getsize(path):
        raise StoreRefused(f"`{path}` is empty; put a backup in its place, or {new}")


def prepare(con: sqlite3.Connection, path: str, began: datetime | None) -> None:
    """Make a new file a store, and an older store a current one, all or nothing.

    Args:
        con: a connection to the file.
        path: the file, for errors.
        began: when a new store begins; None: a file without tables must not become a store, because
            one that stands in the place of a store has lost what was in it.

    Raises:
        StoreRefused: it is another program's, or a newer program's.
        StoreUnavailable: it has no tables.
    """
    if _pragma(con, "application_id") == APPLICATION and version_of(con, path) == SCHEMA:
        return
    if began is None and _is_empty(con):
        raise StoreUnavailable(
            f"`{path}` is empty: put a backup in its place, or start this program again for a new"
            " store"
        )
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("BEGIN IMMEDIATE")
    try:
        if _pragma(con, "application_id") != APPLICATION:
            if not _is_empty(con) or _pragma(con, "user_version") != 0:
                raise StoreRefused(
                    f"`{path}` is another program's database; name another file for the store"
                )
            con.execute(f"PRAGMA application_id = {APPLICATION}")
        version = version_of(con, path)
        for script in MIGRATIONS[version:]:
            for statement in script:
                con.execute(statement)
        if version == 0 and began is not None:
            con.execute("INSERT INTO meta VALUES ('began', ?)", (to_millis(began),))
        con.execute(f"PRAGMA user_version = {SCHEMA}")
        con.execute("COMMIT")
    except BaseException:
        if con.in_transaction:
            con.execute("ROLLBACK")
        raise


def _is_empty(con: sqlite3.Connection) -> bool:
    return not con.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def version_of(con: sqlite3.Connection, path: str) -> int:
    """The version of a store's tables. Raises StoreRefused where it is newer than this program."""
    version = _pragma(con, "user_version")
    if version > SCHEMA:
        raise StoreRefused(
            f"`{path}` was written by a newer version of wa-fsm (schema {version}, this one knows"
            f" {SCHEMA}); upgrade this program"
        )
    return version


def beginning(rows: Sequence[tuple[int]], path: str) -> datetime:
    """When a store began, by the row that says so. Raises StoreUnavailable where there is none."""
    try:
        return from_millis(rows[0][0])
    except IndexError as error:
        raise StoreUnavailable(
            f"`{path}` does not say when it began: put a backup in its place"
        ) from error


def _pragma(con: sqlite3.Connection, name: str) -> int:
    return int(con.execute(f"PRAGMA {name}").fetchone()[0])


def flaws(con: sqlite3.Connection, path: str) -> list[str]:
    """What is wrong with a store's file, a sentence each."""
    found = [
        f"`{path}`: {line}" for (line,) in con.execute("PRAGMA integrity_check(20)") if line != "ok"
    ]
    if _pragma(con, "application_id") != APPLICATION:
        found.append(f"`{path}` is another program's database")
    version = _pragma(con, "user_version")
    if version != SCHEMA:
        found.append(f"`{path}` has schema {version}, this program writes {SCHEMA}")
    mode = con.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        found.append(f"`{path}` is in journal mode `{mode}`, not `wal`: readers block writers")
    there = _names(con)
    missing = sorted(_names_of_ours() - there)
    found += [f"`{path}`: the table or index `{name}` is missing" for name in missing]
    if "meta" in there and not con.execute(BEGAN).fetchone():
        found.append(f"`{path}` does not say when it began")
    return found


def _names(con: sqlite3.Connection) -> set[str]:
    ours = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    return {name for (name,) in con.execute(ours)}


def _names_of_ours() -> set[str]:
    """The tables and indexes of a store: what a new one has."""
    with closing(sqlite3.connect(":memory:")) as con:
        for script in MIGRATIONS:
            for statement in script:
                con.execute(statement)
        return _names(con)


_SENTENCES: Final = {
    sqlite3.SQLITE_FULL: "the disk is full: make room, the next call tries again",
    sqlite3.SQLITE_READONLY: "it is read-only: give this process the right to write to the file,"
    " its `-wal` and `-shm`, and its folder",
    sqlite3.SQLITE_PERM: "this process may not use it: give it the right to read and write",
    sqlite3.SQLITE_AUTH: "this process may not use it: give it the right to read and write",
    sqlite3.SQLITE_BUSY: "another program has kept it locked: end that program's transaction",
    sqlite3.SQLITE_LOCKED: "another program has kept it locked: end that program's transaction",
    sqlite3.SQLITE_PROTOCOL: "another program has kept it locked: end that program's transaction",
    sqlite3.SQLITE_CORRUPT: "it is damaged: put a backup in its place (and remove `-wal` and"
    " `-shm`), or export what can be read",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: put a backup in its place (and remove"
    " `-wal` and `-shm`), or name another file",
    sqlite3.SQLITE_IOERR: "reading or writing failed: look at the disk and the system's log",
}
BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary code of an error; 0 where it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def translated(error: Exception, path: str, *, opening: bool = False) -> StoreError:
    """An error of SQLite or of the system as ours: which file, what, and what to do."""
    if isinstance(error, TimeoutError):
        text = "it is busy: this call waited too long for its turn to write"
        return StoreUnavailable(f"cannot use `{path}`: {text}")
    if isinstance(error, OSError):
        return StoreUnavailable(f"cannot use `{path}`: {_of_system(error, path)}")
    assert isinstance(error, sqlite3.Error)
    code = code_of(error)
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreUnavailable(f"cannot open `{path}`: {_why_not(path)}")
    sentence = _SENTENCES.get(code, f"{error} (SQLite code {code})")
    if opening and code == sqlite3.SQLITE_NOTADB:
        return StoreRefused(f"cannot use `{path}`: {sentence}")
    return StoreUnavailable(f"cannot use `{path}`: {sentence}")


def _of_system(error: OSError, path: str) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _SENTENCES[sqlite3.SQLITE_FULL]
    if error.errno == errno.EROFS:
        return _SENTENCES[sqlite3.SQLITE_READONLY]
    if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR):
        return _why_not(path)
    return error.strerror or str(error)


def _why_not(path: str) -> str:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return f"the folder `{folder}` does not exist; make it first"
    if os.path.isdir(path):
        return "it is a folder; name a file in it"
    if not os.path.exists(path):
        return "the file is not there and cannot be made; look at the rights of its folder"
    return "this process may not; give it the right to read and write the file and its folder"
