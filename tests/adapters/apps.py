"""Tiny applications behind the middlewares, and ways to call them without a server."""

from __future__ import annotations

import asyncio
import io
from typing import Any


class AsgiApp:
    """Notes what it is given, and what the gate knew at that moment."""

    def __init__(self, look: Any = None) -> None:
        self.bodies: list[bytes] = []
        self.saw: list[Any] = []
        self.scopes: list[str] = []
        self.look = look

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope["type"])
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        self.bodies.append(body)
        if self.look is not None:
            self.saw.append(self.look(body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"from the app"})


class WsgiApp:
    """The same for WSGI."""

    def __init__(self, look: Any = None) -> None:
        self.bodies: list[bytes] = []
        self.saw: list[Any] = []
        self.look = look

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        self.bodies.append(body)
        if self.look is not None:
            self.saw.append(self.look(body))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"from the app"]


def asgi(
    app: Any,
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/webhook",
    query: bytes = b"",
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    chunk: int | None = None,
    leave: bool = False,
    **more: Any,
) -> tuple[int | None, bytes]:
    """One request; the status (None: no answer) and the body of the answer."""
    given = headers.items() if isinstance(headers, dict) else headers or []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(key.lower().encode(), value.encode()) for key, value in given],
        **more,
    }
    size = chunk or len(body) or 1
    parts = [body[i : i + size] for i in range(0, len(body), size)] or [b""]
    events = [
        {"type": "http.request", "body": part, "more_body": leave or i < len(parts) - 1}
        for i, part in enumerate(parts)
    ]
    events.append({"type": "http.disconnect"})
    answer: list[Any] = []

    async def receive() -> Any:
        if len(events) == 1 and not leave:  # who waits for an answer does not go away
            await asyncio.Event().wait()
        return events.pop(0)

    async def send(event: Any) -> None:
        answer.append(event)

    asyncio.run(app(scope, receive, send))
    status = answer[0]["status"] if answer else None
    return status, b"".join(each.get("body", b"") for each in answer[1:])


def wsgi(
    app: Any,
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/webhook",
    query: str = "",
    headers: dict[str, str] | None = None,
    length: str | None = None,
    **more: Any,
) -> tuple[int, bytes]:
    """One request; the status and the body of the answer."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)) if length is None else length,
        "wsgi.input": io.BytesIO(body),
        **{
            f"HTTP_{key.upper().replace('-', '_')}": value for key, value in (headers or {}).items()
        },
        **more,
    }
    told: list[str] = []

    def start_response(status: str, headers: Any, *_: Any) -> None:
        told.append(status)

    answer = b"".join(app(environ, start_response))
    return int(told[0].split()[0]), answer
