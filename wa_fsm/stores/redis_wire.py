"""The way to a Redis server: its client, its scripts, its errors, and what it promises to keep."""

from __future__ import annotations

import hashlib
import os
import re
import select
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from wa_fsm.stores import options
from wa_fsm.stores.base import StoreError, StoreRefused, StoreUnavailable
from wa_fsm.stores.redis_scripts import GONE

CONNECT_TIMEOUT: Final = 5
ANSWER_TIMEOUT: Final = 15
OPTIONS: Final = "`durable`, `prefix`, `connect_timeout` or one of redis-py's"

_UNKNOWN: Final = re.compile(r"unexpected keyword argument '(\w+)'")


class _Line:
    """An open connection of redis-py's, and how to see at once that its server has ended it."""

    __slots__ = ("_poll", "connection")

    def __init__(self, connection: Any) -> None:  # as they are typed there
        connection.connect()
        self.connection = connection
        self._poll: select.poll | None = None
        if (socket := getattr(connection, "_sock", None)) is not None:
            self._poll = select.poll()
            self._poll.register(socket, select.POLLIN)

    def usable(self) -> bool:
        """Nothing waits to be read: a server that ended it would have said so."""
        if self._poll is not None and not self._poll.poll(0):
            return True
        with suppress(exceptions.RedisError, OSError):
            return not self.connection.can_read(timeout=0)
        return False

    def answer(self, command: Iterable[str | bytes | int]) -> Any:
        """What the server answers to a command."""
        self.connection.send_packed_command([_packed(command)], check_health=False)
        return self.connection.read_response()


def _packed(command: Iterable[str | bytes | int]) -> bytes:
    """A command as Redis reads it. redis-py's own way takes longer than the server does."""
    parts = [each if isinstance(each, bytes) else str(each).encode() for each in command]
    texts = [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
    return b"*%d\r\n%b" % (len(parts), b"".join(texts))


class Wire:
    """A server, as one store uses it.

    Args:
        uri: as redis-py takes it.
        prefix: of the store's keys; for errors.
        connect_timeout: in seconds.

    Attributes:
        where: the server's address, without secrets.

    Raises:
        ValueError: the URI cannot be read.
    """

    def __init__(self, uri: str, prefix: str, connect_timeout: float) -> None:
        self._prefix = prefix
        self._of: dict[int, deque[_Line]] = {}
        try:
            parts = urlsplit(uri)
            if parts.scheme != "unix" and "@" in parts.path:
                raise ValueError("a part of the password would be taken for the database")
            self.where = f"Redis at {parts.hostname or parts.path}:{parts.port or 6379}"
            self._secrets = [parts.password] if parts.password else []
            self._client = redis.Redis.from_url(
                uri,
                socket_connect_timeout=connect_timeout,
                socket_timeout=ANSWER_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
            # Answers are read as bytes here, whatever redis-py's option says.
            self._client.connection_pool.connection_kwargs["decode_responses"] = False
            self._connection()  # not before does redis-py see its options
        except (ValueError, TypeError, exceptions.RedisError) as error:
            options.refuse_unknown(_UNKNOWN.search(str(error)), uri, OPTIONS)
            # The text of others may repeat the URI, password and all.
            raise ValueError(
                "this redis:// URI cannot be read; expected redis://:PASSWORD@HOST:PORT/DATABASE"
                " (in a password write `@` as %40 and `/` as %2F)"
            ) from None

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """The client; redis-py's errors become ours. The client minds forks and closed sockets."""
        try:
            yield self._client
        except (exceptions.RedisError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreError:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        for secret in self._secrets:
            text = text.replace(secret, "***")
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
            return StoreUnavailable(f"{self.where} cannot be reached: {text}")
        if text.startswith(GONE):
            return StoreUnavailable(
                f"{self.where} has no store under `{self._prefix}` any more: put a backup in its"
                " place, or start this program again for a new store"
            )
        if text.startswith("WRONGTYPE"):
            return StoreRefused(f"{self.where} has other data under `{self._prefix}`: {text}")
        return StoreUnavailable(f"{self.where} failed: {text}")

    def run(self, script: str, keys: Sequence[str | bytes], values: Sequence[Any]) -> Any:
        """What a script gives; one round trip, unless the server does not know it yet.

        Scripts go over connections of our own: what redis-py's client does around each command
        takes as long as the server takes for it.
        """
        line, said = None, (len(keys), *keys, *values)
        try:
            line = self._take()
            try:
                found = line.answer((b"EVALSHA", _sha(script), *said))
            except exceptions.NoScriptError:
                found = line.answer((b"EVAL", script, *said))
        except BaseException as error:
            if line is not None:
                line.connection.disconnect()
            if not isinstance(error, (exceptions.RedisError, OSError)):
                raise
            raise self._failed(error) from error
        self._idle().append(line)
        return found

    def _idle(self) -> deque[_Line]:
        """Open connections that are not in use, of this process: none of its parent's."""
        return self._of.setdefault(os.getpid(), deque())

    def _take(self) -> _Line:
        idle = self._idle()
        while True:
            try:
                line = idle.pop()
            except IndexError:
                return _Line(self._connection())
            if line.usable():
                return line
            line.connection.disconnect()

    def _connection(self) -> Any:
        """A connection of our own. The pool would count it, and never let it go."""
        pool = self._client.connection_pool
        return pool.connection_class(**pool.connection_kwargs)

    def is_cluster(self) -> bool:
        """Whether keys are spread over several servers."""
        with self.client() as client:
            try:
                return bool(client.info("cluster").get("cluster_enabled"))
            except exceptions.NoPermissionError:
                return False

    def not_durable(self) -> Iterator[str]:
        """Why what the server acknowledges may be lost, a sentence each."""
        with self.client() as client:
            try:
                config = {**client.config_get("*append*"), **client.config_get("maxmemory*")}
            except exceptions.ResponseError:
                yield self._unknown_config()
                return
        lost = "so it may lose what it acknowledged"
        if config.get("appendonly") != "yes":
            yield f"{self.where} has appendonly = no, {lost}; set it to `yes`"
        if config.get("appendfsync") != "always":
            had = config.get("appendfsync")
            yield f"{self.where} has appendfsync = {had}, {lost}; set it to `always`"
        if config.get("no-appendfsync-on-rewrite") == "yes":
            yield (
                f"{self.where} has no-appendfsync-on-rewrite = yes, {lost} while it writes its log"
                " anew; set it to `no`"
            )
        policy = str(config.get("maxmemory-policy"))
        if config.get("maxmemory") not in (None, "0") and policy.startswith("allkeys"):
            yield f"{self.where} evicts keys by {policy}, {lost}; set it to `noeviction`"

    def _unknown_config(self) -> str:
        try:
            known = self._client.info("persistence")
        except exceptions.ResponseError:
            known = {}
        if known.get("aof_enabled") == 0:
            return f"{self.where} has appendonly = no, so it may lose what it acknowledged"
        return (
            f"{self.where} does not tell its appendfsync (CONFIG GET is forbidden), so it may "
            "lose what it acknowledged; grant it (`+config|get`)"
        )

    def close(self) -> None:
        """Close this process's connections. A later call opens them again."""
        idle = self._idle()
        with suppress(IndexError):  # other threads may take from it at the same time
            while True:
                idle.pop().connection.disconnect()
        self._client.close()


@cache
def _sha(script: str) -> bytes:
    """The name by which a server knows a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest().encode()
