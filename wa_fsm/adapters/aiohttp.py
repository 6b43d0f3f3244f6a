"""Gates an aiohttp client: a client middleware.

>>> session = aiohttp.ClientSession(middlewares=(gate_middleware(gate),))  # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from aiohttp import (
    BytesPayload,
    ClientConnectorError,
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ConnectionTimeoutError,
    StreamReader,
)
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_reqrep import RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy

from wa_fsm.adapters.classify import Category, needs_body
from wa_fsm.adapters.door import AnyGate, Door
from wa_fsm.adapters.graph import Answer, Graph

_NEVER_LEFT = (ClientConnectorError, ConnectionTimeoutError)


def gate_middleware(
    gate: AnyGate,
    *,
    direct_send: bool | Collection[Category] = False,
    encrypted: bool = False,
) -> ClientMiddlewareType:
    """A middleware that decides each send of an ``aiohttp.ClientSession``, and never blocks.

    Args:
        gate: by whom.
        direct_send: the account may Direct Send: all categories of it, or these.
        encrypted: let ``messages_encrypted`` pass, though nobody here can read it.
    """
    door = Door(gate, Graph(direct_send=direct_send, encrypted=encrypted))

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        url = str(request.url)
        if not needs_body(request.method, url, request.headers):
            return await handler(request)
        entered = await door.call(door.enter, request.method, url, await _body(request))
        if entered is None:
            return await handler(request)
        if isinstance(entered, Answer):
            return _Local(entered, request)
        try:
            response = await handler(request)
            content = await response.read()
        except BaseException as error:
            left = not isinstance(error, _NEVER_LEFT)
            await door.call(entered.lost, left=left)
            raise
        await door.call(entered.came_back, response.status, content)
        response.content = _stream(content)
        return response

    return middleware


async def _body(request: ClientRequest) -> bytes | None:
    """The body where it can be looked at without using it up."""
    body = request.body
    if isinstance(body, BytesPayload):
        return bytes(await body.as_bytes())
    return body if isinstance(body, bytes) else None


def _stream(content: bytes) -> StreamReader:
    """The content for a client that reads it piece by piece."""
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), len(content) + 1, loop=loop)
    stream.feed_data(content)
    stream.feed_eof()
    return stream


class _Local(ClientResponse):
    """An answer that came from no connection. aiohttp has no public way to make one."""

    def __init__(self, answer: Answer, request: ClientRequest) -> None:
        # Not the base's: that one wants a connection. What it keeps closed stays closed.
        self.method = request.method
        self._real_url = self._url = request.url
        self.status, self.reason = answer.status, answer.reason
        self._body, self.content = answer.content, _stream(answer.content)
        headers = CIMultiDictProxy(CIMultiDict(answer.headers))
        self._headers = headers
        self._raw_headers = tuple((k.encode(), v.encode()) for k, v in answer.headers.items())
        self._cache: dict[str, Any] = {}
        self._traces = []
        self._loop = asyncio.get_running_loop()
        self._request_info = RequestInfo(
            request.url, request.method, CIMultiDictProxy(CIMultiDict(request.headers)), request.url
        )

    async def read(self) -> bytes:
        """The content, however often, released or not."""
        assert self._body is not None
        return self._body

    def release(self) -> Any:
        """Nothing to let go of."""
        return _Done()

    def close(self) -> None:
        """Nothing to close."""

    async def wait_for_close(self) -> None:
        """Nothing to wait for."""


class _Done:
    def __await__(self) -> Any:
        return iter(())
