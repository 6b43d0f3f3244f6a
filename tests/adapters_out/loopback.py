"""A server on loopback that speaks Graph's ``/messages`` and Twilio's ``/Messages.json``.

It keeps a log of every request that reached it, so that a test can show that none did.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Seen:
    """One request that reached the server."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        if self.headers.get("content-type", "").startswith("application/x-www-form"):
            return {k: v[0] for k, v in parse_qs(self.raw.decode()).items()}
        return json.loads(self.raw) if self.raw else None


@dataclass
class Loopback:
    """The server.

    Attributes:
        log: what reached it.
        script: answers to give before the usual one: (status, body) or (status, body, headers),
            ``drop`` to cut the connection after reading, ``hang`` to say nothing until ``free`` is
            set.
        pages: what ``message_templates`` answers, by the cursor ``after``.
        wa_ids: the wa_id of a contact, where it is not the digits of ``to``.
        slow: how long an answer takes, in seconds.
    """

    log: list[Seen] = field(default_factory=list)
    script: deque[Any] = field(default_factory=deque)
    pages: dict[str, Any] = field(default_factory=dict)
    wa_ids: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    free: threading.Event = field(default_factory=threading.Event)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def __enter__(self) -> Loopback:
        graph = self

        class Handler(_Handler):
            server_state = graph

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.free.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def sends(self) -> list[Any]:
        """The bodies of what reached a door that sends."""
        return [seen.body for seen in self.log if seen.path.split("?")[0].endswith("essages")]

    def answer(self, seen: Seen) -> tuple[int, Any]:
        url = urlsplit(seen.path)
        if url.path.endswith("/message_templates"):
            after = parse_qs(url.query).get("after", [""])[0]
            return 200, self.pages[after]
        if url.path.endswith("/Messages.json"):
            return 201, {"sid": f"SM{next(self._ids):032x}", "status": "queued"}
        body = seen.body if seen.raw and seen.raw[:1] == b"{" else {}
        if not body.get("to") and not body.get("recipient"):
            return 200, {"success": True}
        name = str(body.get("to") or body["recipient"])
        contact = {"input": name}
        if body.get("to"):
            contact["wa_id"] = self.wa_ids.get(name, "".join(c for c in name if c.isdigit()))
        else:
            contact["user_id"] = name
        message = {"id": f"wamid.{next(self._ids):05}"}
        return 200, {
            "messaging_product": "whatsapp",
            "contacts": [contact],
            "messages": [message],
        }


def error(code: int, details: str = "said by the server") -> dict[str, Any]:
    """An error body as Graph writes it."""
    return {
        "error": {
            "message": f"(#{code}) Some title",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details},
            "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam",
        }
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: Loopback

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, raw)
        state = self.server_state
        state.log.append(seen)
        scripted = state.script.popleft() if state.script else None
        if scripted == "drop":
            self.close_connection = True
            return
        if scripted == "hang":
            state.free.wait(30)
        if state.slow:
            time.sleep(state.slow)
        answer = scripted if isinstance(scripted, tuple) else state.answer(seen)
        status, body, *more = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self._reply(status, content, *more)
        except (BrokenPipeError, ConnectionResetError):  # the client was killed meanwhile
            self.close_connection = True

    def _reply(self, status: int, content: bytes, more: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass
