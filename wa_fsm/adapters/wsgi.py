"""WSGI: in front of Flask, Django or any other application, without importing one.

``app.wsgi_app = WebhookMiddleware(app.wsgi_app, gate=gate, app_secret=secret, path="/webhook")``

The whole body is read and verified, what it says is learnt, and only then the application gets
the same bytes. So the gate knows a message before the application answers it.
"""

from __future__ import annotations

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
    is_async,
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
        path: of the webhook, this one alone; wrap once more where its handler has another too.
        verify_token: answers the handshake of a subscription here; None leaves it to the
            application.
        number: the business number of deliveries that name none.
        account: the WhatsApp Business Account whose templates' statuses are learnt; None: any.
        max_body: in bytes.
        on_values: is given all values of a delivery once it is learnt.

    Raises:
        ValueError: an empty secret or token.
        TypeError: ``on_values``, or the gate's ``record``, is a coroutine function; that is for
            ASGI.
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
        if is_async(gate.record):
            raise TypeError("a gate with coroutines is for ASGI; give a `Gatekeeper`")
        if is_async(on_values):
            raise TypeError("a coroutine function is for ASGI; give `on_values` a plain one")
        self.app = app
        self._ear = Ear(gate, app_secret, path, verify_token, number, account, max_body, on_values)

    @property
    def counts(self) -> Counter[str]:
        """What became of deliveries since the start of this process."""
        return self._ear.counts

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        path = _text(environ.get("PATH_INFO", ""))
        if not self._ear.is_at(path, _text(environ.get("SCRIPT_NAME", "")) + path):
            return self.app(environ, start_response)
        answer = self._answer_to(environ)
        if answer is None:
            return self.app(environ, start_response)
        start_response(f"{answer.status} {answer.reason}", answer.headers)
        return [answer.body]

    def _answer_to(self, environ: Environ) -> Answer | None:
        """What is answered in the application's place; None: it gets the body that was read."""
        ear = self._ear
        body = _body(environ, ear.max_body)
        if body is None:
            ear.count("too_large")
            return TOO_LARGE
        _put_back(environ, body)
        method = environ.get("REQUEST_METHOD", "GET").upper()  # not every server does; Flask does
        if ear.is_delivery(method, body):
            return self._learn(body, environ.get(_HEADER))
        return ear.challenge(environ.get("QUERY_STRING", "")) if method == "GET" else None

    def _learn(self, body: bytes, header: str | None) -> Answer | None:
        ear = self._ear
        if not ear.verified(body, header):
            return FORGED
        arrived = ear.now()
        values = ear.values(body, arrived)
        if values is None:
            return None
        try:
            learn(ear, values, arrived)
        except StoreError:
            ear.count("not_stored")
            return STORE_DOWN
        ear.told(values)
        return None


def _put_back(environ: Environ, body: bytes) -> None:
    """Let the application read what was read here, and nothing else."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _body(environ: Environ, most: int) -> bytes | None:
    """The whole body; None where it is longer than `most`."""
    said = environ.get("CONTENT_LENGTH") or ""
    if said.isascii() and said.isdigit():
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
    """A path as its text: WSGI hands bytes over as Latin-1.

    What is no UTF-8 is left out, as Bottle does; whoever puts a mark there sees another path.
    """
    return value.encode("latin-1", "replace").decode("utf-8", "ignore")
