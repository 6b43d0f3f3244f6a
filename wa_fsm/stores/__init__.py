"""Stores by their URI: ``memory://``, ``sqlite:///path``, ``postgresql://…``, ``redis://…``."""

from __future__ import annotations

import re
from typing import Final

from wa_fsm.clock import Clock, system_clock
from wa_fsm.stores.base import Store, StoreError, StoreRefused, StoreUnavailable

_SCHEME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*")

__all__ = ["Store", "StoreError", "StoreRefused", "StoreUnavailable", "open_store"]


def open_store(uri: str, now: Clock = system_clock, *, make: bool = True) -> Store:
    """The store of this URI, initialised where it is new.

    Args:
        uri: ``memory://``; ``sqlite:///relative.db`` or ``sqlite:////absolute.db``, with
            ``?synchronous=normal`` for those who accept losing the last moments in a loss of
            power; ``postgresql://…``; ``redis://…`` (``?durable=no`` for tests).
        now: the clock that says when a new store begins.
        make: whether a store that is not there is made. (``memory://`` is always a new one.)

    Raises:
        ValueError: no such kind of store.
        StoreUnavailable: it cannot be reached.
        StoreRefused: it must not be used as it is, or is not there and must not be made.
    """
    scheme, separator, _ = uri.partition("://")
    if scheme == "memory":
        from wa_fsm.stores.memory import MemoryStore

        return MemoryStore(now())
    began = now if make else None
    if scheme == "sqlite":
        from wa_fsm.stores.sqlite import SqliteStore
        from wa_fsm.stores.sqlite_schema import must_be_there

        if not make:
            must_be_there(uri)
        return SqliteStore.from_uri(uri, now)
    if scheme in ("postgresql", "postgres"):
        from wa_fsm.stores.postgres import PostgresStore

        return PostgresStore.from_uri(uri, began)
    if scheme in ("redis", "rediss", "unix"):
        from wa_fsm.stores.redis import RedisStore

        return RedisStore.from_uri(uri, began)
    # The rest of a URI is never repeated: it may hold a password.
    what = (
        f"`{scheme}://`" if separator and _SCHEME.fullmatch(scheme) else "a URI without SCHEME://"
    )
    raise ValueError(
        f"no store for {what}; expected memory://, sqlite:///PATH, postgresql://… or redis://…"
    )
