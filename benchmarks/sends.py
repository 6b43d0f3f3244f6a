"""A gated send: what the gate adds to an httpx send, in durable writes.

A gated send reads the contact's facts, decides, and writes the send to the disk before the client
sees the answer. The least that any gate must pay is that one write; so the figure is what the gate
adds, as a multiple of it. The write is done by hand, in another SQLite file on the same disk with
the same settings: a fact and a log entry in one transaction, and nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median

import httpx

from benchmarks.measure import Figure, alternate, less, ratio, show
from wa_fsm import CustomerMessage
from wa_fsm.adapters.httpx import GateTransport
from wa_fsm.clock import system_clock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores.base import Batch, Fact, LogRow

NUMBER = "106540352242922"
CONTACTS = 512
SENDS = 40
ROUNDS = 15
TARGET = 1.5

_SCHEMA = """
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table facts (number text, contact text, role text, id text, at int, arrived int,
        ord int, data text, opens int, primary key (number, contact, role, id)) without rowid;
    create table log (id text primary key, time int, number text, contact text, policy text,
        version text, message text, allowed int, reason text, rule text, mode text, asked text,
        outcome text, message_id text);
"""


@contextmanager
def server() -> Iterator[str]:
    """A server that answers as Graph does, in a process of its own."""
    call = [sys.executable, "-m", "benchmarks.sends", "serve"]
    running = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        yield f"http://127.0.0.1:{running.stdout.readline().strip()}"
    finally:
        running.terminate()
        running.wait()
        running.stdout.close()


async def serve() -> None:
    ids = itertools.count(1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                to = json.loads(await reader.readexactly(length))["to"]
                contact = {"input": to, "wa_id": to}
                message = {"id": f"wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI1RjQy{next(ids):012}"}
                said = json.dumps({"contacts": [contact], "messages": [message]}).encode()
                size = f"Content-Length: {len(said)}\r\n\r\n".encode()
                kind = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                writer.write(kind + size + said)
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


class _ByHand:
    """One equally durable write, and nothing more than that."""

    def __init__(self, path: Path) -> None:
        self.file = sqlite3.connect(path, isolation_level=None)
        self.file.executescript(_SCHEMA)
        self._ids = itertools.count(1)

    def write(self) -> None:
        n = next(self._ids)
        contact, now = f"1650555{n % CONTACTS:04}", 1_772_442_000_000 + n
        self.keep(contact, now, f"wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI1RjQy{n:012}")

    def keep(self, contact: str, now: int, wamid: str) -> None:
        fact = (NUMBER, contact, "out", wamid, now, now, 0, "text", now)
        said = ("cloud-api", "0123456789ab", "free_form text", 1, "window_open", "M8", "enforce")
        row = (f"run {wamid}", now, NUMBER, contact, *said, "sending", "sent", wamid)
        self.file.execute("begin immediate")
        self.file.execute("insert into facts values (?,?,?,?,?,?,?,?,?)", fact)
        self.file.execute("insert into log values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)
        self.file.execute("commit")

    def close(self) -> None:
        self.file.close()


class _Barest(httpx.BaseTransport):
    """The least that a gate must do: who is it, when did they write, and then that write.

    It knows text messages to one name, and answers that say yes: no other doors, errors, retries,
    templates, policies or modes.
    """

    def __init__(self, path: Path) -> None:
        self._inner, self._hand = httpx.HTTPTransport(), _ByHand(path)
        wrote = int(time.time() * 1000) - 3_600_000
        for n in range(CONTACTS):
            fact = (NUMBER, f"1650555{n:04}", "in", f"wamid.in{n}", wrote, wrote, 0, "text", wrote)
            self._hand.file.execute("insert into facts values (?,?,?,?,?,?,?,?,?)", fact)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        to, now = json.loads(request.read())["to"], int(time.time() * 1000)
        asked = "select role, at from facts where number = ? and contact = ?"
        known = self._hand.file.execute(asked, (NUMBER, to)).fetchall()
        if now - max(at for role, at in known if role == "in") >= 86_400_000:
            return httpx.Response(400)
        response = self._inner.handle_request(request)
        content = b"".join(response.iter_raw())
        self._hand.keep(to, now, json.loads(content)["messages"][0]["id"])
        return httpx.Response(200, headers=response.headers, content=content)

    def close(self) -> None:
        self._hand.close()


class _ByStore:
    """The same two rows by the store itself."""

    def __init__(self, gate: Gatekeeper) -> None:
        self._store, self._now = gate.store, gate.now()
        self._ids = itertools.count(1)

    def write(self) -> None:
        n, now = next(self._ids), self._now
        wamid = f"wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI1RjQz{n:012}"
        contact = f"1650556{n % CONTACTS:04}"
        fact = Fact(NUMBER, contact, "out", wamid, now, now, 0, "text", now)
        said = ("cloud-api", "0123456789ab", "free_form text", True, "window_open", "M8", "enforce")
        row = LogRow(f"run-{n}", now, NUMBER, contact, *said, "sending", "sent", wamid)
        self._store.write(Batch([fact], log=[row]))


class _Sender:
    def __init__(self, url: str, client: httpx.Client) -> None:
        self._url, self._client = f"{url}/v24.0/{NUMBER}/messages", client
        self._turn = itertools.count()

    def send(self) -> None:
        to = f"1650555{next(self._turn) % CONTACTS:04}"
        body = {
            "messaging_product": "whatsapp",
            "to": to,
            "type": "text",
            "text": {"body": "Your order 12345 has shipped."},
        }
        if self._client.post(self._url, json=body).status_code != 200:
            raise RuntimeError("a send that was to be timed has failed")


def _gate(path: Path) -> Gatekeeper:
    gate = Gatekeeper(policy="cloud-api", store=f"sqlite:///{path}")
    wrote = system_clock() - timedelta(hours=1)
    gate.record(
        CustomerMessage(NUMBER, f"1650555{n:04}", wrote, f"wamid.in{n}") for n in range(CONTACTS)
    )
    return gate


def _times(work: object, count: int) -> None:
    assert callable(work)
    for _ in range(count):
        work()


def run(rounds: int = ROUNDS, folder: str | None = None) -> list[Figure]:
    """Measure on the disk of `folder`; None: where temporary files are."""
    with server() as url, tempfile.TemporaryDirectory(dir=folder) as made:
        place = Path(made)
        hand = _ByHand(place / "hand.db")
        with (
            _gate(place / "gate.db") as gate,
            httpx.Client() as bare,
            httpx.Client(transport=GateTransport(gate)) as gated,
            httpx.Client(transport=_Barest(place / "least.db")) as least,
        ):
            store = _ByStore(gate)
            plain, behind = _Sender(url, bare), _Sender(url, gated)
            barest = _Sender(url, least)
            taken = alternate(
                {
                    "ungated": lambda: _times(plain.send, SENDS),
                    "gated": lambda: _times(behind.send, SENDS),
                    "barest": lambda: _times(barest.send, SENDS),
                    "write": lambda: _times(hand.write, SENDS),
                    "store": lambda: _times(store.write, SENDS),
                },
                rounds,
                time.perf_counter,
            )
        hand.close()
    added = less(taken["gated"], taken["ungated"])
    least = less(taken["barest"], taken["ungated"])
    write = f"{_each(taken['write'])} one durable write by hand"
    return [
        Figure(
            "what the gate adds to an httpx send (SQLite)",
            _each(added),
            write,
            ratio(added, taken["write"]),
            TARGET,
        ),
        Figure(
            "the same",
            _each(added),
            f"{_each(taken['store'])} the same rows by the store itself",
            ratio(added, taken["store"]),
        ),
        Figure(
            "the least that a gate by hand adds",
            _each(least),
            write,
            ratio(least, taken["write"]),
        ),
        Figure(
            "a gated httpx send in all",
            _each(taken["gated"]),
            f"{_each(taken['ungated'])} an ungated one",
            ratio(taken["gated"], taken["ungated"]),
        ),
    ]


def _each(taken: list[float]) -> str:
    return f"{median(taken) / SENDS * 1e6:.0f} µs"


def main() -> None:
    show("sends", *run())


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
