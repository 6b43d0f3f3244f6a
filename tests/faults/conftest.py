"""Stores that are durable, on servers that may be broken."""

import pytest

from tests.faults.crowd import NOW
from tests.stores.fixtures import DURABLE, fresh_uri, server_for
from wa_fsm.stores import open_store


class Place:
    """Where a durable store is.

    Attributes:
        kind: of the store.
        uri: of it.
        server: that it is on; None for a file.
    """

    def __init__(self, kind, folder, server):
        self.kind, self.server = kind, server
        self.uri = fresh_uri(kind, folder) if server is None else server.fresh_uri()

    def open(self):
        return open_store(self.uri, NOW)


@pytest.fixture(scope="module")
def servers():
    """Durable servers of this module, each started when it is first asked for."""
    started = {}

    def get(kind):
        if kind == "sqlite":
            return None
        if kind not in started:
            started[kind] = server_for(kind).start()
        return started[kind]

    yield get
    for server in started.values():
        server.close()


@pytest.fixture(params=DURABLE)
def place(request, tmp_path, servers):
    return Place(request.param, tmp_path, servers(request.param))


@pytest.fixture(params=["postgres", "redis"])
def remote(request, tmp_path, servers):
    """A store on a server."""
    return Place(request.param, tmp_path, servers(request.param))
