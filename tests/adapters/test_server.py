"""The ASGI middleware under a real server: concurrent signed, forged, repeated, late deliveries."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import uvicorn

from tests.adapters.told import NINE, NUMBER, SECRET, delivery, gatekeeper, message, sign
from wa_fsm import FreeForm
from wa_fsm.adapters.asgi import WebhookMiddleware
from wa_fsm.stores.base import StoreUnavailable

PEOPLE = 40


class App:
    """Answers each delivery, noting whether the gate knew its first sender."""

    def __init__(self, gate: Any) -> None:
        self.gate = gate
        self.knew: list[bool] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                event = await receive()
                await send({"type": f"{event['type']}.complete"})
                if event["type"] == "lifespan.shutdown":
                    return
        event = await receive()
        body = event["body"]
        self.bodies.append(body)
        who = body.partition(b'"wa_id": "')[2].partition(b'"')[0].decode()
        facts = await asyncio.to_thread(lambda: self.gate.history(NUMBER, who).facts)
        self.knew.append(bool(facts))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"taken"})


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The application on a free port of this machine."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            until = time.monotonic() + 20
            while not server.started:
                assert thread.is_alive(), "the server ended by itself"
                assert time.monotonic() < until, "the server does not start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def phone(person: int) -> str:
    return f"49155501{person:02}"


def deliveries(rng: random.Random) -> list[tuple[str, bytes, str, bool]]:
    """What is delivered: whose, the body, its signature, whether it is genuine."""
    made = []
    for person in range(PEOPLE):
        late = timedelta(hours=30) if person % 4 == 3 else timedelta(minutes=person)
        first = message(f"wamid.{person}.1", NINE - late, phone(person))
        second = message(f"wamid.{person}.2", NINE - late, phone(person + PEOPLE))
        body = delivery(first, second)
        made += [(phone(person), body, sign(body), True)] * rng.randint(1, 4)  # repeated
        forged = delivery(message(f"wamid.f{person}", NINE, phone(person + 50)))
        made.append((phone(person + 50), forged, sign(forged, "another"), False))
        made.append((phone(person + 50), forged, sign(body), False))  # a signature of another body
    rng.shuffle(made)
    return made


async def post_all(url: str, made: list[tuple[str, bytes, str, bool]]) -> list[int]:
    limits = httpx.Limits(max_connections=16)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        calls = [
            client.post("/webhook", content=body, headers={"X-Hub-Signature-256": header})
            for _, body, header, _ in made
        ]
        return [answer.status_code for answer in await asyncio.gather(*calls)]


def test_under_a_real_server() -> None:
    """Genuine deliveries are learnt once, before the application sees them; forged ones never."""
    gate = gatekeeper(NINE)
    app = App(gate)
    middleware = WebhookMiddleware(app, gate=gate, app_secret=["old-secret", SECRET])
    made = deliveries(random.Random(5))
    with served(middleware) as url:
        statuses = asyncio.run(post_all(url, made))
    genuine = [real for *_, real in made]
    assert statuses == [200 if real else 403 for real in genuine]
    assert len(app.bodies) == sum(genuine)
    assert all(app.knew)
    assert middleware.counts == {"learnt": sum(genuine), "forged": len(made) - sum(genuine)}
    for person in range(PEOPLE):
        for who in (phone(person), phone(person + PEOPLE)):
            assert len(gate.history(NUMBER, who).facts) == 1, who
            decision = gate.check(NUMBER, who, FreeForm())
            assert decision.allowed is (person % 4 != 3), who
    for person in range(30, PEOPLE):
        assert gate.history(NUMBER, phone(person + 50)).facts == ()


def test_a_store_that_fails_now_and_then_loses_nothing() -> None:
    """Whatever was answered 503 is delivered again, and in the end everything is known."""
    gate = gatekeeper(NINE)
    real, rng = gate.store.write, random.Random(3)
    lock = threading.Lock()

    def write(batch: Any) -> Any:
        with lock:
            fails = rng.random() < 0.5
        if fails:
            raise StoreUnavailable("now and then")
        return real(batch)

    gate.store.write = write  # type: ignore[method-assign]
    app = App(gate)
    left = [each for each in deliveries(random.Random(8)) if each[3]]
    rounds = 0
    with served(WebhookMiddleware(app, gate=gate, app_secret=SECRET)) as url:
        while left:
            statuses = asyncio.run(post_all(url, left))
            assert set(statuses) <= {200, 503}
            left = [each for each, status in zip(left, statuses, strict=True) if status == 503]
            rounds += 1
            assert rounds < 50
    assert rounds > 1
    assert all(app.knew)
    for person in range(PEOPLE):
        assert len(gate.history(NUMBER, phone(person)).facts) == 1
