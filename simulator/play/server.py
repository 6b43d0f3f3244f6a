"""The HTTP around ``Answers``: files of the page, questions by POST, and nothing for anybody else.

House rules:

* It listens on 127.0.0.1 only, and answers only who calls it by that name or ``localhost``: a page
  of another site that has its own name pointed here (DNS rebinding) is refused by its ``Host``.
* A question needs the token that only our own page was given, and no ``Origin`` but our own.
* The page may load nothing from anywhere else, and nobody may frame it.
* Nothing is kept in caches.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NoReturn

from .. import web
from .answers import Answers
from .form import BadRequest

LOOPBACK: Final = "127.0.0.1"
_HTTP: Final = 80
LARGEST: Final = 2_000_000  # bytes of a question: a scenario of some ten thousand steps
TOKEN: Final = "X-Play-Token"
_PATIENCE: Final = 30.0  # seconds for the rest of a request that has begun
_DEEP: Final = "the question is nested too deep"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HTML: Final = "text/html; charset=utf-8"
_PARTS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" '
    'fill="#2458a6"/><path d="M8 3.5V8l3 2" fill="none" stroke="#fff" stroke-width="1.6"/></svg>'
)
SCRIPTS: Final = ("play-story.js", "play-view.js", "play-acts.js", "play-files.js", "play.js")
STYLES: Final = ("base.css", "play.css")


class Refused(Exception):
    """A request that is not answered, with the status and a sentence that says why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class PlayServer(ThreadingHTTPServer):
    """Listens from when it is made; ``serve_forever`` answers.

    Args:
        answers: what is asked of it.
        port: 0 takes any that is free.

    Attributes:
        token: what a question must carry.
        url: of the page.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, answers: Answers, port: int = 0) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.answers = answers
        self.token = secrets.token_urlsafe(24)
        taken = self.server_address[1]
        self.url = f"http://{LOOPBACK}:{taken}/"
        names = (LOOPBACK, "localhost")
        bare = names if taken == _HTTP else ()  # a browser leaves the usual port out
        self.hosts = frozenset([*(f"{name}:{taken}" for name in names), *bare])
        page = web.read("play.html").replace("{{token}}", self.token)
        self.pages: Mapping[str, tuple[str, bytes]] = {
            "/": (_HTML, page.encode()),
            "/icon.svg": ("image/svg+xml", _ICON.encode()),
            **{f"/{name}": (_kind(name), _part(name)) for name in (*STYLES, *SCRIPTS)},
            "/timeline.js": (_kind(".js"), web.timeline_script().encode()),
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no news; anything else is a fault of ours."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def _kind(name: str) -> str:
    return _PARTS[name[name.rindex(".") :]]


def _part(name: str) -> bytes:
    return web.read(name).encode()


class _Handler(BaseHTTPRequestHandler):
    server: PlayServer
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server_version = "wa-sim"
    sys_version = ""

    def do_GET(self) -> None:
        """The page and its parts."""
        try:
            self._known()
            found = self.server.pages.get(self.path.partition("?")[0])
            if found is None:
                raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here; the page is at /")
        except Refused as why:
            self._refuse(why)
            return
        self._send(HTTPStatus.OK, *found)

    def do_HEAD(self) -> None:
        """The same without a body."""
        self.do_GET()

    def do_POST(self) -> None:
        """A question."""
        try:
            self._known()
            self._ours()
            ask = self.server.answers.asks.get(self.path.removeprefix("/api/"))
            if ask is None or not self.path.startswith("/api/"):
                raise Refused(HTTPStatus.NOT_FOUND, "nothing is asked here")
            asked = self._question()
            try:
                answer = ask(asked)
            except BadRequest as bad:
                raise Refused(HTTPStatus.BAD_REQUEST, str(bad)) from None
            except RecursionError:
                raise Refused(HTTPStatus.BAD_REQUEST, _DEEP) from None
        except Refused as why:
            self._refuse(why)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as fault:
            self._fail(fault)
        else:
            self._json(HTTPStatus.OK, answer)

    # -- who asks, and what ----------------------------------------------------------------------

    def _known(self) -> None:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, f"this page is only at {self.server.url}")
        for origin in self.headers.get_all("Origin") or []:
            scheme, _, host = origin.partition("://")
            if scheme != "http" or host.lower() not in self.server.hosts:
                raise Refused(HTTPStatus.FORBIDDEN, "pages of other sites may not ask")

    def _ours(self) -> None:
        if not secrets.compare_digest(
            (self.headers.get(TOKEN) or "").encode(errors="replace"), self.server.token.encode()
        ):
            raise Refused(HTTPStatus.FORBIDDEN, "this page is of an earlier start; load it anew")
        if not self.headers.get("Origin"):
            raise Refused(HTTPStatus.FORBIDDEN, "a question has an origin")

    def _question(self) -> dict[str, Any]:
        """The body as a mapping. Reads nothing that is too large or has no length."""
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a question is application/json")
        told = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (told.isascii() and told.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "a question says how long it is")
        if len(told) > 12 or int(told) > LARGEST:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a question has at most {LARGEST} bytes"
            )
        body = self.rfile.read(int(told))
        try:
            asked = json.loads(body.decode(), parse_constant=_no_number)
        except UnicodeDecodeError:
            raise Refused(HTTPStatus.BAD_REQUEST, "the question is no UTF-8") from None
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"the question is no JSON: {error}") from None
        except RecursionError:
            raise Refused(HTTPStatus.BAD_REQUEST, _DEEP) from None
        if not isinstance(asked, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the question is no mapping")
        return asked

    # -- answers -----------------------------------------------------------------------------------

    def _refuse(self, why: Refused) -> None:
        self.close_connection = True  # its body may not have been read
        self._json(why.status, {"error": str(why)})

    def _fail(self, fault: Exception) -> None:
        import traceback

        traceback.print_exception(fault)
        text = f"wa-sim itself failed: {type(fault).__name__}: {fault}"
        self.close_connection = True
        self._json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": text})

    def _json(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        body = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        self._send(status, "application/json; charset=utf-8", body)

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses by itself: a request that it cannot read, an unknown method."""
        self.close_connection = True
        self.request_version = self.protocol_version  # so that it has a status and headers
        self._json(HTTPStatus(code), {"error": message or HTTPStatus(code).phrase})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Say nothing: the terminal belongs to whoever started it."""


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"`{word}` is no number")
