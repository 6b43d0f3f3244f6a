"""What both middlewares do between a request and the application: verify, read, learn.

House rules:

* What is not signed teaches nothing and goes nowhere. What an application might take for a
  delivery must be signed: in doubt about a path or a method, it is one.
* What is signed is learnt before the application sees it, and then handed on untouched.
* What is signed and cannot be stored is not taken in: WhatsApp keeps it and delivers it again.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import posixpath
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlparse

from wa_fsm.adapters.signature import Secrets, SecretsLike, Token, is_challenge
from wa_fsm.adapters.webhooks import (
    Learnt,
    Unrecognised,
    Value,
    WebhookError,
    learnt,
    parse_webhook,
)

SIGNATURE: Final = "x-hub-signature-256"
MAX_BODY: Final = 4 * 1024 * 1024
"""WhatsApp sends up to 3 MB; the rest is slack."""

OnValues: TypeAlias = Callable[[Sequence[Value]], object]

_log: Final = logging.getLogger("wa_fsm.webhooks")


class Recorder(Protocol):
    """What learns: a Gatekeeper, or one whose methods are coroutines."""

    def record(self, events: Iterable[Learnt], arrived: datetime | None = None) -> Any:
        """Learn what happened; durable when it returns."""


class Answer(NamedTuple):
    """What is answered in the application's place."""

    status: int
    reason: str
    text: str

    @property
    def headers(self) -> list[tuple[str, str]]:
        """As plain text that no browser takes for anything else."""
        return [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(self.body))),
            ("x-content-type-options", "nosniff"),
        ]

    @property
    def body(self) -> bytes:
        """The text in bytes."""
        return self.text.encode("utf-8", "replace")


FORGED: Final = Answer(403, "Forbidden", "the signature does not fit\n")
TOO_LARGE: Final = Answer(413, "Content Too Large", "the body is too large\n")
STORE_DOWN: Final = Answer(503, "Service Unavailable", "not taken in; deliver it again\n")
WRONG_TOKEN: Final = Answer(403, "Forbidden", "the verify token does not fit\n")


class Ear:
    """The settings of a middleware, and its counts.

    Args:
        gate: who learns.
        app_secret: the app's secret, or several.
        path: of the webhook.
        verify_token: for the handshake; None leaves it to the application.
        number: as in ``parse_webhook``.
        account: as in ``parse_webhook``.
        max_body: in bytes.
        on_values: is given the values of each delivery that was learnt.

    Attributes:
        counts: how many deliveries were ``learnt``, ``forged``, ``too_large``, ``not_json`` or
            ``not_stored``, and how many values were ``unrecognised`` or ``left_out``.
    """

    def __init__(
        self,
        gate: Recorder,
        app_secret: SecretsLike,
        path: str,
        verify_token: str | bytes | None,
        number: str | None,
        account: str | None,
        max_body: int,
        on_values: OnValues | None,
    ) -> None:
        self.gate = gate
        self.secrets = Secrets(app_secret)
        self.path = _plain(path)
        self.token = None if verify_token is None else Token(verify_token)
        self.number = number
        self.account = account
        self.max_body = max_body
        self.counts: Counter[str] = Counter()
        self._on_values = on_values
        self._lock = threading.Lock()

    def is_at(self, *paths: str) -> bool:
        """Whether a router could take one of these paths for the webhook's."""
        return self.path in map(_plain, paths)

    def is_delivery(self, method: str, body: bytes) -> bool:
        """Whether a request to the path must be signed.

        WhatsApp posts. But many handlers take every method, and some take the method from a
        header, so nothing that could be read as a delivery goes to them unsigned.
        """
        return method == "POST" or bool(body)

    def count(self, what: str, by: int = 1) -> None:
        """Count something."""
        with self._lock:
            self.counts[what] += by

    def challenge(self, query: str | bytes) -> Answer | None:
        """The answer to a handshake; None where it is none, or is left to the application."""
        if self.token is None or not is_challenge(query):
            return None
        challenge = self.token.answer(query)
        return WRONG_TOKEN if challenge is None else Answer(200, "OK", challenge)

    def verified(self, body: bytes, header: str | bytes | None) -> bool:
        """Whether WhatsApp sent this body."""
        fits = self.secrets.signed(body, header)
        if not fits:
            self.count("forged")
        return fits

    def now(self) -> datetime | None:
        """When a delivery arrives, by the gate's clock."""
        inner = getattr(self.gate, "gate", None)  # the one that an AsyncGatekeeper calls
        clock = getattr(self.gate, "now", None) or getattr(inner, "now", None)
        found = clock() if callable(clock) else None
        return found if isinstance(found, datetime) else None

    def values(self, body: bytes, arrived: datetime | None) -> list[Value] | None:
        """What a body holds; None where it is no JSON, which is the application's affair."""
        try:
            return parse_webhook(body, number=self.number, account=self.account, arrived=arrived)
        except WebhookError as error:
            self.count("not_json")
            _log.warning("a signed delivery cannot be read: %s", error)
            return None

    def left_out(self, event: Learnt, error: Exception) -> None:
        """The gate takes the others of a delivery, and not this one."""
        self.count("left_out")
        _log.error("an event cannot be learnt: %s: %s", type(event).__name__, type(error).__name__)

    def told(self, values: Sequence[Value]) -> None:
        """All was learnt: count, and tell whoever wants to hear."""
        self._count_learnt(values)
        if self._on_values is not None and values:
            try:
                if _is_lost(self._on_values(values)):
                    _log.error("`on_values` returned a coroutine, which only ASGI can await")
            except Exception:  # a listener's fault must not cost the application its delivery
                _log.exception("`on_values` failed")

    async def told_async(self, values: Sequence[Value]) -> None:
        """As ``told``; what the listener returns is awaited if it can be."""
        self._count_learnt(values)
        if self._on_values is not None and values:
            try:
                heard = self._on_values(values)
                if inspect.isawaitable(heard):
                    await heard
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise  # we are meant ourselves, and not only what the listener waited for
                _log.exception("`on_values` was cancelled")
            except Exception:  # as above
                _log.exception("`on_values` failed")

    def _count_learnt(self, values: Sequence[Value]) -> None:
        self.count("learnt")
        unknown = [value for value in values if isinstance(value, Unrecognised)]
        if unknown:
            self.count("unrecognised", len(unknown))
            _log.info("not recognised: %s at %s", unknown[0].what, unknown[0].path)


def learn(ear: Ear, values: Sequence[Value], arrived: datetime | None) -> None:
    """Record what there is to learn of one delivery, all of it or nothing.

    Raises:
        StoreError: nothing was learnt.
        TypeError: nor was it, as ``record`` has to be awaited.
    """
    events = learnt(values)
    if not events:
        return
    try:
        _record(ear, events, arrived)
    except ValueError:  # one of them cannot be, which must not cost the others
        for event in events:
            try:
                _record(ear, [event], arrived)
            except ValueError as error:
                ear.left_out(event, error)


def _record(ear: Ear, events: Sequence[Learnt], arrived: datetime | None) -> None:
    if _is_lost(ear.gate.record(events, arrived)):
        raise TypeError("the gate's `record` returned a coroutine; a gate of those is for ASGI")


async def learn_async(ear: Ear, values: Sequence[Value], arrived: datetime | None) -> None:
    """As ``learn``, in the event loop and without blocking it. Raises StoreError."""
    events = learnt(values)
    if not events:
        return
    try:
        await _record_async(ear, events, arrived)
    except ValueError:
        for event in events:
            try:
                await _record_async(ear, [event], arrived)
            except ValueError as error:
                ear.left_out(event, error)


async def _record_async(ear: Ear, events: Sequence[Learnt], arrived: datetime | None) -> None:
    record = ear.gate.record
    if is_async(record):
        await record(events, arrived)
        return
    done = await asyncio.to_thread(record, events, arrived)
    if inspect.isawaitable(done):  # a plain function around a coroutine function, as decorators are
        await done


def is_async(call: object) -> bool:
    """Whether it is a coroutine function, or an object that is called like one."""
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)


def _is_lost(returned: object) -> bool:
    """Whether a call has only made what somebody would have to await."""
    if inspect.iscoroutine(returned):
        returned.close()  # else Python warns of it too, somewhere and some time later
    return inspect.isawaitable(returned)


def _plain(path: str) -> str:
    """A path as the most generous router reads it.

    Some take away slashes at either end or in between, some do not mind the case, Quart takes a
    whole URL, and a pattern that ends in ``$``, as Starlette's do, also fits before a line's end.
    Two paths that any of them takes for one must be one here: a request that is verified for
    nothing costs nothing.
    """
    if not path.startswith("/"):
        with suppress(ValueError):  # as in `http://[`, which is nobody's path
            path = urlparse(path).path
    return posixpath.normpath("/" + path.strip("/\n")).casefold()
