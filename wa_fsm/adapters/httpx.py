"""Gates an httpx client: a transport that stands before the one that sends.

>>> client = httpx.Client(transport=GateTransport(gate))           # doctest: +SKIP
>>> client = httpx.AsyncClient(transport=AsyncGateTransport(gate)) # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Collection, Iterable
from typing import cast

import httpx

from wa_fsm.adapters.classify import Category, needs_body
from wa_fsm.adapters.door import AnyGate, Door, Ticket
from wa_fsm.adapters.graph import Answer, Graph

NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Errors of an attempt that never reached a server."""


class GateTransport(httpx.BaseTransport):
    """Decides each send of an ``httpx.Client``.

    Args:
        gate: by whom.
        inner: what sends; None: httpx's own transport.
        direct_send: the account may Direct Send: all categories of it, or these.
        encrypted: let ``messages_encrypted`` pass, though nobody here can read it.
    """

    def __init__(
        self,
        gate: AnyGate,
        inner: httpx.BaseTransport | None = None,
        *,
        direct_send: bool | Collection[Category] = False,
        encrypted: bool = False,
    ) -> None:
        self.door = Door(gate, Graph(direct_send=direct_send, encrypted=encrypted))
        self._inner = inner if inner is not None else httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send, or answer in WhatsApp's place."""
        url = str(request.url)
        if not needs_body(request.method, url, request.headers):
            return self._inner.handle_request(request)
        entered = self.door.enter(request.method, url, request.read())
        if entered is None:
            return self._inner.handle_request(request)
        if isinstance(entered, Answer):
            return _response(entered, request)
        try:
            response = self._inner.handle_request(request)
            content = _looked_at(response)
        except BaseException as error:
            entered.lost(left=not _never_left(self._inner, error))
            raise
        entered.came_back(response.status_code, content)
        return response

    def close(self) -> None:
        """Close what sends. The gate stays open."""
        self._inner.close()


class AsyncGateTransport(httpx.AsyncBaseTransport):
    """Decides each send of an ``httpx.AsyncClient``, and never blocks its event loop.

    Args:
        gate: by whom.
        inner: what sends; None: httpx's own transport.
        direct_send: the account may Direct Send: all categories of it, or these.
        encrypted: let ``messages_encrypted`` pass, though nobody here can read it.
    """

    def __init__(
        self,
        gate: AnyGate,
        inner: httpx.AsyncBaseTransport | None = None,
        *,
        direct_send: bool | Collection[Category] = False,
        encrypted: bool = False,
    ) -> None:
        self.door = Door(gate, Graph(direct_send=direct_send, encrypted=encrypted))
        self._inner = inner if inner is not None else httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, or answer in WhatsApp's place."""
        url = str(request.url)
        if not needs_body(request.method, url, request.headers):
            return await self._inner.handle_async_request(request)
        body, door = await request.aread(), self.door
        entered = await door.call(door.enter, request.method, url, body)
        if entered is None:
            return await self._inner.handle_async_request(request)
        if isinstance(entered, Answer):
            return _response(entered, request)
        try:
            response = await self._inner.handle_async_request(request)
            content = await _alooked_at(response)
        except BaseException as error:
            await self._lost(entered, error)
            raise
        await door.call(entered.came_back, response.status_code, content)
        return response

    async def _lost(self, ticket: Ticket, error: BaseException) -> None:
        left = not _never_left(self._inner, error)
        await self.door.call(ticket.lost, left=left)

    async def aclose(self) -> None:
        """Close what sends. The gate stays open."""
        await self._inner.aclose()


def _never_left(
    inner: httpx.BaseTransport | httpx.AsyncBaseTransport, error: BaseException
) -> bool:
    """Whether the message surely did not leave.

    Only httpx's own transports are believed: they try again where no connection came about, and
    nowhere else. Another may tell of its last attempt, and an attempt before it have left.
    """
    own = type(inner) in (httpx.HTTPTransport, httpx.AsyncHTTPTransport)
    return own and isinstance(error, NEVER_LEFT)


def _looked_at(response: httpx.Response) -> bytes:
    """The content of an answer that its client reads as if nobody had.

    Only what the client itself reads has an ``elapsed``, and can be streamed.
    """
    if response.is_stream_consumed:  # by the transport inside
        return response.read()
    try:
        raw = b"".join(cast(Iterable[bytes], response.stream))
    finally:
        cast(httpx.SyncByteStream, response.stream).close()
    response.stream = httpx.ByteStream(raw)
    return _decoded(response, raw)


async def _alooked_at(response: httpx.Response) -> bytes:
    if response.is_stream_consumed:
        return await response.aread()
    stream = cast(httpx.AsyncByteStream, response.stream)
    try:
        raw = b"".join([part async for part in cast(AsyncIterable[bytes], stream)])
    finally:
        await stream.aclose()
    response.stream = httpx.ByteStream(raw)
    return _decoded(response, raw)


def _decoded(response: httpx.Response, raw: bytes) -> bytes:
    if "content-encoding" not in response.headers:
        return raw
    try:
        return httpx.Response(200, headers=response.headers, content=raw).content
    except httpx.DecodingError:  # the client says so
        return raw


def _response(answer: Answer, request: httpx.Request) -> httpx.Response:
    stream = httpx.ByteStream(answer.content)
    return httpx.Response(answer.status, headers=answer.headers, stream=stream, request=request)
