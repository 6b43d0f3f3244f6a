"""The way to a Redis server: its client, its scripts, its errors, and what it promises to keep."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from wa_fsm.stores.base import StoreError, StoreRefused, StoreUnavailable

CONNECT_TIMEOUT: Final = 5
ANSWER_TIMEOUT: Final = 15


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
        self._of: dict[int, deque[Any]] = {}  # redis-py's connections, as they are typed there
        try:
            parts = urlsplit(uri)
            self.where = f"Redis at {parts.hostname or parts.path}:{parts.port or 6379}"
            self._secrets = [parts.password] if parts.password else []
            self._client = redis.Redis.from_url(
                uri,
                socket_connect_timeout=connect_timeout,
                socket_timeout=ANSWER_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError):  # their text may repeat the URI, password and all
            raise ValueError(
                "this redis:// URI cannot be read; expected redis://:PASSWORD@HOST:PORT/DATABASE"
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
        if text.startswith("WRONGTYPE"):
            return StoreRefused(f"{self.where} has other data under `{self._prefix}`: {text}")
        return StoreUnavailable(f"{self.where} failed: {text}")

    def run(self, script: str, keys: Sequence[str | bytes], values: Sequence[Any]) -> Any:
        """What a script gives; one round trip, unless the server does not know it yet.

        Scripts go over connections of our own: what redis-py's client does around each command
        takes as long as the server takes for it.
        """
        connection = None
        try:
            connection = self._take()
            try:
                connection.send_command("EVALSHA", _sha(script), len(keys), *keys, *values)
                found = connection.read_response()
            except exceptions.NoScriptError:
                connection.send_command("EVAL", script, len(keys), *keys, *values)
                found = connection.read_response()
        except BaseException as error:
            if connection is not None:
                connection.disconnect()
            if not isinstance(error, (exceptions.RedisError, OSError)):
                raise
            raise self._failed(error) from error
        self._idle().append(connection)
        return found

    def _idle(self) -> deque[Any]:
        """Open connections that are not in use, of this process: none of its parent's."""
        return self._of.setdefault(os.getpid(), deque())

    def _take(self) -> Any:
        idle = self._idle()
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                made: Any = self._client.connection_pool.make_connection()
                made.connect()
                return made
            with suppress(exceptions.RedisError, OSError):
                if not connection.can_read(timeout=0):  # else the server has ended it
                    return connection
            connection.disconnect()

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
                config = {**client.config_get("append*"), **client.config_get("maxmemory*")}
            except exceptions.ResponseError:
                yield self._unknown_config()
                return
        lost = "so it may lose what it acknowledged"
        if config.get("appendonly") != "yes":
            yield f"{self.where} has appendonly = no, {lost}; set it to `yes`"
        if config.get("appendfsync") != "always":
            had = config.get("appendfsync")
            yield f"{self.where} has appendfsync = {had}, {lost}; set it to `always`"
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
                idle.pop().disconnect()
        self._client.close()


@cache
def _sha(script: str) -> str:
    """The name by which a server knows a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
