"""WSGI: in front of Flask, Django or any other application, without importing one.

``app.wsgi_app = WebhookMiddleware(app.wsgi_app, gate=gate, app_secret=secret, path="/webhook")``

The whole body is read and verified, what it says is learnt, and only then the application gets
the same bytes. So the gate knows a message before the application answers it.
"""

from __future__ import annotations

import inspect
import io
from collections import Counter
from collections.abc import Callable, Iterable
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
    learn,
)
from wa_fsm.stores.base import StoreError

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

_HEADER = "HTTP_" + SIGNATURE.upper().replace("-", "_")


class WebhookMiddleware:
    """Verifies deliveries of WhatsApp, learns them, and hands them on untouched.

    It answers as the middleware for ASGI does.

    Args:
        app: the application.
        gate: a Gatekeeper.
        app_secret: the app's secret, or several. Take it from the environment.
        path: of the webhook.
        verify_token: answers the handshake of a subscription here; None leaves it to the
            application.
        number: the business number of deliveries that name none.
        max_body: in bytes.
        on_values: is given all values of a delivery once it is learnt.

    Raises:
        ValueError: an empty secret or token.
        TypeError: a gate whose ``record`` is a coroutine function; that is for ASGI.
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
        max_body: int = MAX_BODY,
        on_values: OnValues | None = None,
    ) -> None:
        if inspect.iscoroutinefunction(gate.record):
            raise TypeError("a gate with coroutines is for ASGI; give a `Gatekeeper`")
        self.app = app
        self._ear = Ear(gate, app_secret, path, verify_token, number, max_body, on_values)

    @property
    def counts(self) -> Counter[str]:
        """What became of deliveries since the start of this process."""
        return self._ear.counts

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        path = _text(environ.get("PATH_INFO", ""))
        if not self._ear.is_at(path, _text(environ.get("SCRIPT_NAME", "")) + path):
            return self.app(environ, start_response)
        refused: Answer | None = None
        method = environ.get("REQUEST_METHOD", "GET")
        if method == "POST":
            refused = self._delivery(environ)
        elif method == "GET":
            refused = self._ear.challenge(environ.get("QUERY_STRING", ""))
        if refused is None:
            return self.app(environ, start_response)
        start_response(f"{refused.status} {refused.reason}", refused.headers)
        return [refused.body]

    def _delivery(self, environ: Environ) -> Answer | None:
        """Learn a delivery and put its body back; or what is answered in its place."""
        ear = self._ear
        body = _body(environ, ear.max_body)
        if body is None:
            ear.count("too_large")
            return TOO_LARGE
        if not ear.verified(body, environ.get(_HEADER)):
            return FORGED
        arrived = ear.now()
        values = ear.values(body, arrived)
        try:
            learn(ear, values, arrived)
        except StoreError:
            ear.count("not_stored")
            return STORE_DOWN
        ear.told(values)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return None


def _body(environ: Environ, most: int) -> bytes | None:
    """The whole body; None where it is longer than `most`."""
    said = environ.get("CONTENT_LENGTH") or ""
    if said.isdigit():
        length = int(said[:20])
        if length > most:
            return None
    elif environ.get("wsgi.input_terminated"):  # the server marks the end itself: chunked bodies
        length = most + 1
    else:
        return b""
    parts, size = [], 0
    while size < length:
        part = environ["wsgi.input"].read(length - size)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return None if size > most else b"".join(parts)


def _text(value: str) -> str:
    """A path as its text: WSGI hands bytes over as Latin-1."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")
