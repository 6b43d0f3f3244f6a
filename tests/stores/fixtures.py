"""Stores to test: each kind by a URI of its own, on real servers that are started once."""

from __future__ import annotations

import atexit
import itertools
from functools import cache
from pathlib import Path

import psycopg
import pytest

from tests.servers import PostgresServer, RedisServer, Server
from wa_fsm.stores import Store, open_store

KINDS = ("memory", "sqlite", "postgres", "redis")
DURABLE = ("sqlite", "postgres", "redis")
_SERVERS: dict[str, type[Server]] = {"postgres": PostgresServer, "redis": RedisServer}
# What a store does is the same on a server that does not wait for its disk, and quicker to test.
_QUICK = {
    "postgres": ("-c", "fsync=off", "-c", "full_page_writes=off"),
    "redis": ("--appendfsync", "no"),
}
_files = itertools.count(1)


def server_for(kind: str, *options: str) -> Server:
    """A new server for this kind of store, not started."""
    made = _SERVERS[kind]
    if not made.available():
        pytest.skip(f"no programs for {kind}: apt-get install -y postgresql redis-server")
    return made(*options)


@cache
def _quick(kind: str) -> Server:
    server = server_for(kind, *_QUICK[kind]).start()
    atexit.register(server.close)
    return server


def fresh_uri(kind: str, folder: Path) -> str:
    """The URI of a new, empty store."""
    if kind == "memory":
        return "memory://"
    if kind == "sqlite":
        return f"sqlite:///{folder}/gate{next(_files)}.db"
    server = _quick(kind)
    if kind == "redis":
        return f"{server.fresh_uri()}&durable=no"
    schema = f"t{next(_files)}"  # a database of its own for each test takes a second
    _sql(server.uri).execute(f"create schema {schema}")
    return f"{server.uri}?options=-csearch_path%3D{schema}&durable=no"


@cache
def _sql(uri: str) -> psycopg.Connection:
    connection = psycopg.connect(uri, autocommit=True)
    atexit.register(connection.close)
    return connection


def opened(uri: str, now) -> Store:
    """A store that is ready for use."""
    return open_store(uri, now)
