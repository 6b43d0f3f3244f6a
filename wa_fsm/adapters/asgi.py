"""ASGI: in front of Starlette, FastAPI or any other application, without importing one.

``app = WebhookMiddleware(app, gate=gate, app_secret=secret, path="/webhook")``

The whole body is read and verified, what it says is learnt, and only then the application gets
the same bytes. So the gate knows a message before the application answers it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, TypeAlias

from wa_fsm.adapters.signature import SecretsLike
from wa_fsm.adapters.webhook_ear import (
    FORGED,
    MAX_BODY,
    SIGNATURE,
    STORE_DOWN,
    TOO_LARGE,
    Answer,
    Ear,
    OnValues,
    Recorder,
    learn_async,
)
from wa_fsm.stores.base import StoreError

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


_MOST_LAYERS = 32  # of middlewares between this one and the application
_LARGE = 64 * 1024  # from here on reading takes longer than the loop should wait


class WebhookMiddleware:
    """Verifies deliveries of WhatsApp, learns them, and hands them on untouched.

    A POST to the path, and any other request there that has a body, is answered here only where
    it does not go on: 403 for a signature that does not fit, 413 for a body that is too large, 503
    where the store cannot take it, so that WhatsApp delivers it again. Everything else goes to the
    application, also a signed body that is no JSON.

    Args:
        app: the application.
        gate: a Gatekeeper (called in a thread, so that it never blocks the loop), or one whose
            ``record`` is a coroutine function or returns what can be awaited.
        app_secret: the app's secret, or several. Take it from the environment.
        path: of the webhook, this one alone; wrap once more where its handler has another too.
        verify_token: answers the handshake of a subscription here; None leaves it to the
            application.
        number: the business number of deliveries that name none.
        account: the WhatsApp Business Account whose templates' statuses are learnt; None: any.
        max_body: in bytes.
        on_values: is given all values of a delivery once it is learnt, in the event loop. What it
            returns is awaited if it can be, also a task; the application waits meanwhile.

    Raises:
        ValueError: an empty secret or token.
    """

    def __init__(
        self,
        app: App,
        *,
        gate: Recorder,
        app_secret: SecretsLike,
        path: str = "/webhook",
        verify_token: str | bytes | None = None,
        number: str | None = None,
        account: str | None = None,
        max_body: int = MAX_BODY,
        on_values: OnValues | None = None,
    ) -> None:
        self.app = app
        self._ear = Ear(gate, app_secret, path, verify_token, number, account, max_body, on_values)

    @property
    def counts(self) -> Counter[str]:
        """What became of deliveries since the start of this process."""
        return self._ear.counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http" or not self._ear.is_at(*_paths(scope, self.app)):
            await self.app(scope, receive, send)
            return
        body = await self._body(scope, receive)
        if body is None:
            return
        answer = body if isinstance(body, Answer) else await self._answer_to(scope, body)
        if answer is not None:
            await _answer(send, answer)
        elif isinstance(body, bytes):
            await self.app(scope, _again(body, receive), send)

    async def _answer_to(self, scope: Scope, body: bytes) -> Answer | None:
        """What is answered in the application's place."""
        method = scope["method"].upper()  # not every server does, and Django does
        if self._ear.is_delivery(method, body):
            return await self._learn(body, _header(scope, SIGNATURE.encode()))
        return self._ear.challenge(scope.get("query_string", b"")) if method == "GET" else None

    async def _body(self, scope: Scope, receive: Receive) -> bytes | Answer | None:
        """All of it; None where the client went away before its end."""
        most = self._ear.max_body
        length = _header(scope, b"content-length") or b"0"
        parts, size = [], 0
        while True:
            if size > most or (length.isdigit() and int(length[:20]) > most):
                self._ear.count("too_large")
                return TOO_LARGE
            event = await receive()
            if event["type"] == "http.disconnect":
                return None
            part = event.get("body", b"")
            size += len(part)
            parts.append(part)
            if not event.get("more_body", False) and size <= most:
                return b"".join(parts)

    async def _learn(self, body: bytes, header: bytes | None) -> Answer | None:
        ear = self._ear
        if not ear.verified(body, header):
            return FORGED
        arrived = ear.now()
        if len(body) > _LARGE:
            values = await asyncio.to_thread(ear.values, body, arrived)
        else:
            values = ear.values(body, arrived)
        if values is None:
            return None
        try:
            await learn_async(ear, values, arrived)
        except StoreError:
            ear.count("not_stored")
            return STORE_DOWN
        await ear.told_async(values)
        return None


def _paths(scope: Scope, app: App) -> set[str]:
    """The path, and what it may be above and below the places where the application is mounted.

    Servers differ in whether the path holds the root, and frameworks in how they take it away.
    """
    path = scope["path"]
    paths = {path}
    for root in filter(None, (scope.get("root_path"), *_own_roots(app))):
        paths |= {root + path, path.split(root, 1)[-1]}
    return paths


def _own_roots(app: object) -> Iterator[str]:
    """The roots that applications put into the scope by themselves: ``FastAPI(root_path=…)``."""
    for _ in range(_MOST_LAYERS):
        root = getattr(app, "root_path", None)
        if isinstance(root, str):
            yield root
        app = getattr(app, "app", None)
        if app is None:
            return


def _header(scope: Scope, name: bytes) -> bytes | None:
    """A header; several of one name are one, as a proxy would join them."""
    found = [value for key, value in scope["headers"] if key.lower() == name]
    return b",".join(found) if found else None


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the application the body, and then whatever else comes."""
    given = False

    async def once() -> Event:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


async def _answer(send: Send, answer: Answer) -> None:
    headers = [(key.encode(), value.encode()) for key, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
