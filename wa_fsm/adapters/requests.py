"""Gates clients that use requests: an adapter for a session, or all sessions of the process.

>>> session.mount("https://", GateAdapter(gate))                   # doctest: +SKIP
>>> installed = install(gate)  # for clients that call `requests.post` # doctest: +SKIP
>>> installed.remove()                                             # doctest: +SKIP
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, cast

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from wa_fsm.adapters.bodies import Body
from wa_fsm.adapters.classify import Category, needs_body
from wa_fsm.adapters.door import AnyGate, Door
from wa_fsm.adapters.graph import Answer, Graph

_PATCHED = "_wa_fsm_gated"  # a mark on what `install` puts in place

# What is being sent, so that two gates in a row decide once. Not a mark on the request: threads
# may send one request at once, and then each makes a message.
# It is listed while it is being sent and no longer, wherever this context was copied to.
_going: ContextVar[list[requests.PreparedRequest]] = ContextVar("wa_fsm_going")

_Send = Callable[..., requests.Response]


class GateAdapter(BaseAdapter):
    """Decides each send of a ``requests.Session`` that it is mounted on.

    Args:
        gate: by whom.
        inner: what sends; None: requests' own adapter.
        direct_send: the account may Direct Send: all categories of it, or these.
        encrypted: let ``messages_encrypted`` pass, though nobody here can read it.
    """

    def __init__(
        self,
        gate: AnyGate,
        inner: BaseAdapter | None = None,
        *,
        direct_send: bool | Collection[Category] = False,
        encrypted: bool = False,
    ) -> None:
        super().__init__()
        self.door = Door(gate, Graph(direct_send=direct_send, encrypted=encrypted))
        self._inner = inner if inner is not None else HTTPAdapter()

    def __getattr__(self, name: str) -> Any:
        """Whatever else an adapter has, such as a ``poolmanager``: hooks ask for it."""
        if name == "_inner":  # not made yet
            raise AttributeError(name)
        return getattr(self._inner, name)

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send, or answer in WhatsApp's place."""
        # An adapter of another make may try again by itself, as one of urllib3's retries does.
        once = type(self._inner) is HTTPAdapter and _tries_once(self._inner)
        response = gated(self.door, self._inner.send, once, request, *args, **options)
        return _by(self, response)

    def close(self) -> None:
        """Close what sends. The gate stays open."""
        self._inner.close()


class install:  # noqa: N801  # read as a verb: `with install(gate):`
    """Decides each send of every ``requests`` session of this process, until it is removed.

    For clients that call ``requests.post`` themselves and let nobody at their session. It patches
    ``requests.adapters.HTTPAdapter.send``; ``remove``, or the end of the ``with`` block, puts back
    what was there.

    Args:
        gate: by whom.
        direct_send: the account may Direct Send: all categories of it, or these.
        encrypted: let ``messages_encrypted`` pass, though nobody here can read it.

    Raises:
        RuntimeError: it is installed already.
    """

    def __init__(
        self,
        gate: AnyGate,
        *,
        direct_send: bool | Collection[Category] = False,
        encrypted: bool = False,
    ) -> None:
        door = self.door = Door(gate, Graph(direct_send=direct_send, encrypted=encrypted))
        before = self._before = HTTPAdapter.send
        if hasattr(before, _PATCHED):
            raise RuntimeError("a gate is installed already; remove it first")

        def send(
            adapter: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **options: Any
        ) -> requests.Response:
            def inner(*inner_args: Any, **inner_options: Any) -> requests.Response:
                return before(adapter, *inner_args, **inner_options)

            response = gated(door, inner, _tries_once(adapter), request, *args, **options)
            return _by(adapter, response)

        setattr(send, _PATCHED, True)
        self._ours: Any = send
        HTTPAdapter.send = self._ours  # type: ignore[assignment, method-assign]  # its use

    def remove(self) -> None:
        """Put back what was there before. Doing it twice changes nothing.

        Raises:
            RuntimeError: somebody else patched it since; their patch goes first.
        """
        if HTTPAdapter.send is self._before:
            return
        if HTTPAdapter.send is not self._ours:
            raise RuntimeError("`HTTPAdapter.send` was patched again since; undo that first")
        HTTPAdapter.send = self._before  # type: ignore[method-assign]  # as it was

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


def gated(
    door: Door,
    send: _Send,
    once: bool,
    request: requests.PreparedRequest,
    *args: Any,
    **options: Any,
) -> requests.Response:
    """Decide one request, and let `send` send it, which makes one attempt only if `once`."""
    method, url = request.method or "GET", request.url or ""
    going = any(each is request for each in _going.get([]))
    if going or not needs_body(method, url, request.headers):
        return send(request, *args, **options)
    entered = door.enter(method, url, _body(request.body))
    if isinstance(entered, Answer):
        return _response(entered, request)
    here = [request]
    mark = _going.set(here)
    try:
        if entered is None:
            return send(request, *args, **options)
        try:
            response = send(request, *args, **options)
            content = cast(bytes, response.content)  # reads it, and keeps it for the caller
        except BaseException as error:
            entered.lost(left=not (once and _never_left(error)))
            raise
        entered.came_back(response.status_code, content)
        return response
    finally:
        here.clear()
        _going.reset(mark)


def _body(body: Any) -> Body:
    """The body where it can be looked at without using it up."""
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    return body if isinstance(body, (bytes, str)) else b"" if body is None else None


def _tries_once(adapter: BaseAdapter) -> bool:
    """Whether an error of this adapter's is that of its only attempt.

    urllib3 tries again by itself, even after the request has left, and tells of the last attempt
    only.
    """
    return isinstance(adapter, HTTPAdapter) and adapter.max_retries.total in (0, False)


def _never_left(error: BaseException) -> bool:
    """Whether no connection came about. A dropped one is a ``ConnectionError`` too."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    return type(cause).__name__ in ("NewConnectionError", "NameResolutionError")


def _by(adapter: BaseAdapter, response: requests.Response) -> requests.Response:
    """An answer by whose ``connection`` its hooks send again: that way leads by the gate too."""
    response.connection = cast(Any, adapter)
    return response


def _response(answer: Answer, request: requests.PreparedRequest) -> requests.Response:
    made = requests.Response()
    made.status_code, made.reason = answer.status, answer.reason
    made.headers = CaseInsensitiveDict(answer.headers)
    made.raw = HTTPResponse(
        io.BytesIO(answer.content),
        answer.headers,
        answer.status,
        reason=answer.reason,
        preload_content=False,
    )
    made.encoding = "utf-8"
    made.url, made.request = request.url or "", request
    return made
