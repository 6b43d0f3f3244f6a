"""Gates a Twilio client: an HTTP client that stands before the one that sends.

>>> client = Client(sid, token, http_client=GateHttpClient(gate))              # doctest: +SKIP
>>> client = Client(sid, token, http_client=AsyncGateHttpClient(gate))         # doctest: +SKIP

Twilio sends SMS by the same door: only messages to ``whatsapp:`` are decided. Under Twilio the
business number is the phone number in ``From`` (or the MessagingServiceSid), and a template is
known by its ContentSid.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from typing import Any, Final, Self

from requests.exceptions import ConnectTimeout
from twilio.http import AsyncHttpClient, HttpClient  # type: ignore[import-untyped]  # twilio has no types
from twilio.http.async_http_client import AsyncTwilioHttpClient  # type: ignore[import-untyped]  # twilio has no types
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]  # twilio has no types
from twilio.http.response import Response  # type: ignore[import-untyped]  # twilio has no types

from wa_fsm.adapters.bodies import Body
from wa_fsm.adapters.classify import Classified, Misfit, NotASend, Send
from wa_fsm.adapters.door import AnyGate, Door
from wa_fsm.adapters.graph import NOT_NOW, Answer, Failed, Outcome, Unknown, Went
from wa_fsm.decision import RE_ENGAGEMENT, Decision
from wa_fsm.events import FreeForm, Template

OUTSIDE_WINDOW: Final = 63016
NO_SUCH_TEMPLATE: Final = 63027
INVALID_PARAMETER: Final = 21211
UNAVAILABLE: Final = 20503
_WHATSAPP: Final = "whatsapp:"
_MORE: Final = "https://www.twilio.com/docs/errors/"


class Twilio:
    """How Twilio speaks.

    Args:
        session_content: ContentSids that are no templates but content for an open window, such as
            a list picker: they are judged as free-form messages.
    """

    def __init__(self, session_content: Collection[str] = ()) -> None:
        self._session_content = frozenset(session_content)

    def classify(self, method: str, url: str, body: Body) -> Classified:
        """What a request of Twilio's client would send."""
        path = url.partition("?")[0].rstrip("/")
        if method.upper() != "POST" or not path.endswith(("/Messages.json", "/Messages")):
            return NotASend("no message is created")
        if not isinstance(body, Mapping):
            return Misfit("unreadable_body", "the fields of the message cannot be read")
        to = str(body.get("To") or "").strip()
        if not to.lower().startswith(_WHATSAPP):
            return NotASend("no message on WhatsApp")
        sender = str(body.get("From") or body.get("MessagingServiceSid") or "").strip()
        number, name = _plain(sender), _plain(to)
        if not number or not name:
            return Misfit("unrecognised_send", "it names no sender or no recipient", number)
        content = body.get("ContentSid")
        if content and str(content) not in self._session_content:
            return Send(number, (name,), Template(str(content)), "template")
        return Send(number, (name,), FreeForm("interactive" if content else "text"), "text")

    def refusal(self, decision: Decision, detail: str = "") -> Answer:
        """A refusal as Twilio would give it: 63016 for the window, 63027 for a template."""
        if decision.reason == "store_unavailable":
            return self.unavailable()
        code = INVALID_PARAMETER
        if decision.error_code is not None:
            window = decision.error_code == RE_ENGAGEMENT
            code = OUTSIDE_WINDOW if window else NO_SUCH_TEMPLATE
        details = f" ({detail})" if detail else ""
        return _error(400, code, f"{decision.reason}: {decision.text}{details} [local-gate]")

    def unavailable(self) -> Answer:
        """What is said when the store is down."""
        return _error(503, UNAVAILABLE, f"store_unavailable: {NOT_NOW} [local-gate]")

    def outcome(self, status: int, content: bytes) -> Outcome:
        """What an answer of Twilio says of the message."""
        try:
            read = json.loads(content)
        except (ValueError, RecursionError):
            read = None
        fields: Mapping[str, Any] = read if isinstance(read, dict) else {}
        if 200 <= status < 300:
            sid = fields.get("sid")
            return Went(sid) if isinstance(sid, str) and sid else Unknown("no sid", False)
        code = fields.get("code")
        if isinstance(code, int):
            transient = status >= 500 or status == 429
            return Failed(status, code, str(fields.get("message") or ""), transient)
        if status >= 500 and status != 503:
            return Unknown(f"HTTP {status} without a word of Twilio")
        return Failed(status, None, f"HTTP {status}", status in (408, 429, 503))


class GateHttpClient(HttpClient):  # type: ignore[misc]  # twilio has no types
    """Decides each WhatsApp message of a ``twilio.rest.Client``.

    Args:
        gate: by whom.
        inner: what sends; None: Twilio's own client.
        session_content: see ``Twilio``.
    """

    def __init__(
        self,
        gate: AnyGate,
        inner: HttpClient | None = None,
        *,
        session_content: Collection[str] = (),
    ) -> None:
        self._inner = inner if inner is not None else TwilioHttpClient()
        super().__init__(*_kept(self._inner, is_async=False))
        self.door = Door(gate, Twilio(session_content))

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        *args: Any,
        **options: Any,
    ) -> Response:
        """Send, or answer in Twilio's place."""
        entered = self.door.enter(method, uri, data or {})
        if entered is None:
            return self._inner.request(method, uri, params, data, *args, **options)
        if isinstance(entered, Answer):
            return _response(entered)
        try:
            response = self._inner.request(method, uri, params, data, *args, **options)
        except BaseException as error:
            entered.lost(left=not isinstance(error, ConnectTimeout))
            raise
        entered.came_back(response.status_code, response.text.encode())
        return response


class AsyncGateHttpClient(AsyncHttpClient):  # type: ignore[misc]  # as above
    """Decides each WhatsApp message of a ``twilio.rest.Client`` with asyncio; never blocks it.

    Args:
        gate: by whom.
        inner: what sends; None: Twilio's own client, which is made inside a running loop.
        session_content: see ``Twilio``.
    """

    def __init__(
        self,
        gate: AnyGate,
        inner: AsyncHttpClient | None = None,
        *,
        session_content: Collection[str] = (),
    ) -> None:
        self._inner = inner if inner is not None else AsyncTwilioHttpClient()
        super().__init__(*_kept(self._inner, is_async=True))
        self.door = Door(gate, Twilio(session_content))

    async def close(self) -> None:
        """Close what sends. The gate stays open."""
        await self._inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        *args: Any,
        **options: Any,
    ) -> Response:
        """Send, or answer in Twilio's place."""
        door = self.door
        entered = await door.call(door.enter, method, url, data or {})
        if entered is None:
            return await self._inner.request(method, url, params, data, *args, **options)
        if isinstance(entered, Answer):
            return _response(entered)
        try:
            response = await self._inner.request(method, url, params, data, *args, **options)
        except BaseException:
            await door.call(entered.lost)
            raise
        content = response.text.encode()
        await door.call(entered.came_back, response.status_code, content)
        return response


def _kept(inner: HttpClient, *, is_async: bool) -> tuple[logging.Logger, bool, float | None]:
    """What Twilio's base class keeps; a client of the user's own may never have called that."""
    logger = getattr(inner, "logger", None) or logging.getLogger("twilio.http_client")
    return logger, is_async, getattr(inner, "timeout", None)


def _plain(name: str) -> str:
    return name[len(_WHATSAPP) :] if name.lower().startswith(_WHATSAPP) else name


def _error(status: int, code: int, message: str) -> Answer:
    body = {"code": code, "message": message, "more_info": f"{_MORE}{code}", "status": status}
    return Answer(status, json.dumps(body).encode())


def _response(answer: Answer) -> Response:
    return Response(answer.status, answer.content.decode(), answer.headers)
