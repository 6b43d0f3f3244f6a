"""``CloudApiSender``: sends by Meta's Cloud API, for those who have no client. Needs httpx.

House rules:

* Decided again before each attempt: waiting can carry a message over the end of its window.
* Tried again is only what WhatsApp itself refused as transient, or what never reached it. After
  silence nobody knows whether the message left, so it is not sent twice: ``OutcomeUnknown``.
* The token comes from the environment, and stands in no log, representation or exception.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from wa_fsm.adapters.bearer import BASE_URL, Bearer, address_of, client, id_of_path
from wa_fsm.adapters.classify import Category, Misfit, NotASend, Send
from wa_fsm.adapters.door import Door, Ticket
from wa_fsm.adapters.graph import Failed, Graph, Outcome, Unknown, Went, addressed, outcome_of
from wa_fsm.adapters.httpx import NEVER_LEFT
from wa_fsm.adapters.pace import PairRate, Seconds, Sleep, back_off
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.identity import canonical
from wa_fsm.sending import SendRefused
from wa_fsm.stores.base import StoreError

MediaKind = Literal["image", "video", "audio", "document", "sticker"]


class SendError(Exception):
    """WhatsApp refused the message, and not for now only, or too often.

    Attributes:
        code: WhatsApp's, where it gave one.
        status: of HTTP; 0 where WhatsApp was not reached.
        text: what it said.
        left: whether any attempt reached WhatsApp.
    """

    def __init__(self, failed: Failed, left: bool) -> None:
        super().__init__(failed.text or f"HTTP {failed.status}")
        self.code, self.status, self.text = failed.code, failed.status, failed.text
        self.left = left

    def __reduce__(self) -> tuple[Any, ...]:
        """So that it comes through from another process."""
        failed = Failed(self.status, self.code, self.text)
        return type(self), (failed, self.left), self.__dict__


class OutcomeUnknown(Exception):
    """The request left and no clear answer came: only the message's status can tell."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What WhatsApp took.

    Attributes:
        id: the wamid.
        wa_id: the contact's name in the answer, or an empty text.
        accepted: ``message_status``, such as ``held_for_quality_assessment``, or an empty text.
        tries: how many requests it took.
    """

    id: str
    wa_id: str
    accepted: str
    tries: int


class CloudApiSender:
    """Sends as one business number.

    Args:
        gate: decides before each attempt, and learns what became of it.
        number: the phone_number_id.
        base_url: with the version.
        token: None: the environment variable ``WHATSAPP_TOKEN``.
        direct_send: the account may Direct Send: all categories of it, or these.
        tries: how many requests a message may take.
        transport: of httpx, for tests and proxies.
        timeout: for one request, in seconds.
        clock: seconds that only ever grow.
        sleep: waits for some seconds.
        jitter: see ``back_off``.

    Raises:
        ValueError: there is no token, `number` is no id, `base_url` is no address, or `tries` is
            less than one.
    """

    def __init__(
        self,
        gate: Gatekeeper,
        number: str,
        *,
        base_url: str = BASE_URL,
        token: str | None = None,
        direct_send: bool | Collection[Category] = False,
        tries: int = 5,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        clock: Seconds = time.monotonic,
        sleep: Sleep = time.sleep,
        jitter: Seconds = random.random,
    ) -> None:
        if tries < 1:
            raise ValueError(f"`tries` is at least 1, got {tries}")
        self.number = number
        self._url = f"{address_of(base_url)}/{id_of_path(number)}/messages"
        self._door, self._tries = Door(gate, Graph(direct_send=direct_send)), tries
        self._pair = PairRate(clock, sleep)
        self._sleep, self._jitter = sleep, jitter
        self._bearer = Bearer(token)
        self._client = client(auth=self._bearer, transport=transport, timeout=timeout)

    def __repr__(self) -> str:
        return f"CloudApiSender(number={self.number!r})"

    # -- what may be sent ------------------------------------------------------------------------

    def text(self, to: str, body: str, *, preview_url: bool = False, **more: Any) -> SentMessage:
        """A text. All of these raise as ``send`` does, and put `more` beside the type."""
        return self._to(to, "text", {"body": body, "preview_url": preview_url}, more)

    def media(
        self,
        to: str,
        kind: MediaKind,
        *,
        id: str | None = None,  # noqa: A002  # Meta's word
        link: str | None = None,
        caption: str | None = None,
        filename: str | None = None,
        **more: Any,
    ) -> SentMessage:
        """An image, video, audio, document or sticker, by the id of an upload or by a link."""
        if (id is None) == (link is None):
            raise ValueError("a medium is sent by `id` or by `link`, and by one of them only")
        given = {"id": id, "link": link, "caption": caption, "filename": filename}
        return self._to(to, kind, {k: v for k, v in given.items() if v is not None}, more)

    def interactive(self, to: str, interactive: Mapping[str, Any], **more: Any) -> SentMessage:
        """Buttons, a list, a flow: the object that Meta's API calls ``interactive``."""
        return self._to(to, "interactive", dict(interactive), more)

    def template(
        self,
        to: str,
        name: str,
        language: str,
        components: Sequence[Mapping[str, Any]] = (),
        **more: Any,
    ) -> SentMessage:
        """A template, with the components that fill it."""
        said: dict[str, Any] = {"name": name, "language": {"code": language}}
        if components:
            said["components"] = list(components)
        return self._to(to, "template", said, more)

    def reaction(self, to: str, message_id: str, emoji: str, **more: Any) -> SentMessage:
        """A reaction to a message; an empty emoji takes it back."""
        return self._to(to, "reaction", {"message_id": message_id, "emoji": emoji}, more)

    def _to(self, to: str, kind: str, said: Any, more: Mapping[str, Any]) -> SentMessage:
        return self.send({**addressed(to), "type": kind, kind: said, **more})

    # -- sending ---------------------------------------------------------------------------------

    def send(
        self,
        body: Mapping[str, Any],
        *,
        leaving: Callable[[], None] | None = None,
        failed: Callable[[Failed], None] | None = None,
    ) -> SentMessage:
        """Send one message: the body of a request to ``messages``.

        Args:
            body: with ``to`` or ``recipient``, ``type`` and what belongs to it.
            leaving: is called right before each request.
            failed: is told of each request that surely brought nothing about.

        Raises:
            SendRefused: by the gate, before an attempt; nothing left.
            StoreUnavailable: the gate could not decide; nothing left.
            SendError: WhatsApp refused it.
            OutcomeUnknown: it may have left.
            ValueError: the body is no message.
        """
        body = {"messaging_product": "whatsapp", "recipient_type": "individual", **body}
        found = self._door.dialect.classify("POST", self._url, body)
        if isinstance(found, NotASend):
            raise ValueError(f"this sends no message: {found.why}")
        request, left = self._client.build_request("POST", self._url, json=body), False
        attempt = partial(self._attempt, found, body, request, leaving)
        for tries in range(1, self._tries + 1):
            outcome = self._in_turn(found, attempt) if isinstance(found, Send) else attempt()
            if isinstance(outcome, Went):
                wa_id = outcome.names[0] if outcome.names else ""
                return SentMessage(outcome.id, wa_id, outcome.accepted, tries)
            if isinstance(outcome, Unknown):
                raise OutcomeUnknown(outcome.why)
            if failed is not None:
                failed(outcome)
            left = left or _reached(outcome)
            if not outcome.transient or tries == self._tries:
                raise SendError(outcome, left)
            self._sleep(back_off(outcome.code, tries, self._jitter))
        raise AssertionError("the loop ends by itself")

    def _in_turn(self, found: Send, attempt: Callable[[], Outcome]) -> Outcome:
        """An attempt at its place in the pair rate, which only what left uses up."""
        contact = canonical(found.names[0])
        self._pair.wait(self.number, contact)
        try:
            outcome = attempt()
        except (SendRefused, StoreError):
            self._pair.back(self.number, contact)
            raise
        if not _reached(outcome):
            self._pair.back(self.number, contact)
        return outcome

    def _attempt(
        self,
        found: Send | Misfit,
        body: Mapping[str, Any],
        request: httpx.Request,
        leaving: Callable[[], None] | None,
    ) -> Outcome:
        ticket = self._door.ticket(found, body)
        try:
            if leaving is not None:
                leaving()
        except BaseException:
            self._settle(ticket, Failed(0, None, "held back"))
            raise
        try:
            response = self._client.send(request)
        except NEVER_LEFT as error:
            text = f"WhatsApp was not reached: {type(error).__name__}"
            transient = not isinstance(error, httpx.UnsupportedProtocol)
            return self._settle(ticket, Failed(0, None, text, transient))
        except BaseException as error:
            outcome = self._settle(ticket, Unknown(type(error).__name__))
            if isinstance(error, httpx.HTTPError):
                return outcome
            raise
        outcome = outcome_of(response.status_code, response.content)
        if isinstance(outcome, Failed):
            outcome = replace(outcome, text=self._bearer.without(outcome.text))
        return self._settle(ticket, outcome)

    @staticmethod
    def _settle(ticket: Ticket | None, outcome: Outcome) -> Outcome:
        if ticket is not None:
            ticket.settle(outcome)
        return outcome

    def close(self) -> None:
        """Let go of the connections. The gate stays open."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _reached(outcome: Outcome) -> bool:
    """Whether the request may have reached WhatsApp."""
    return not isinstance(outcome, Failed) or outcome.status != 0
