"""PostgreSQL and Redis: one ``record`` and one ``check`` against the barest client's two calls.

The barest client makes one equally durable write and one read of one row, with the same driver, on
the same server, over loopback: for PostgreSQL one prepared upsert and one prepared select, for
Redis one HSET and one HGETALL. Both sides write a contact of which nothing is known, and ask about
one of which one fact is known. What is asked for is the time of the two together; that of each is
shown beside it. Round trips are counted by a proxy that stands between, apart from
the timing. Needs the servers' programs (``tests/servers.py``) and the extras.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.measure import Figure, alternate, micro, ratio, show
from tests.servers import PostgresServer, Proxy, RedisServer, Server
from wa_fsm import CustomerMessage, FreeForm
from wa_fsm.gatekeeper import Gatekeeper

ROUNDS, CALLS = 15, 100
CLIENTS, SECONDS = (1, 2, 4, 8), 2.0
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
NUMBER = "15550001111"
Step = Callable[[], object]


def contact(number: int) -> str:
    return f"49170{number % 10**9:09}"


def wamid(number: int) -> str:
    return f"wamid.HBgNNDkxNzAwMDAwMDAwMBUCABIYFDNBNzY{number:016X}AA=="


class Sides:
    """The same write and the same read, by the gatekeeper and by the barest client."""

    def __init__(self, uri: str) -> None:
        self.gate = Gatekeeper(policy="cloud-api", store=uri, now=lambda: START, log=False)
        first = random.SystemRandom().randrange(10**9)  # of each process others
        self._write, self._read = itertools.count(first), itertools.count(first)
        self._bare_write, self._bare_read = itertools.count(first), itertools.count(first)
        self.bare_write, self.bare_read = _bare(uri)

    def record(self) -> None:
        n = next(self._write)
        self.gate.record(CustomerMessage(NUMBER, contact(n), START, wamid(n)), START)

    def check(self) -> None:
        self.gate.check(NUMBER, contact(next(self._read)), FreeForm())

    def write(self) -> None:
        n = next(self._bare_write)
        self.bare_write(contact(n), wamid(n))

    def read(self) -> None:
        self.bare_read(contact(next(self._bare_read)))


def _bare(uri: str) -> tuple[Callable[[str, str], object], Callable[[str], object]]:
    return _bare_postgres(uri) if uri.startswith("postgresql") else _bare_redis(uri)


def _bare_postgres(uri: str) -> tuple[Callable[[str, str], object], Callable[[str], object]]:
    import psycopg

    connection = psycopg.connect(uri, autocommit=True, prepare_threshold=0)
    connection.execute(
        """create table if not exists bare (contact text primary key, at bigint, id text)"""
    )
    at = int(START.timestamp() * 1000)
    upsert = """insert into bare values (%s, %s, %s)
        on conflict (contact) do update set at = excluded.at, id = excluded.id"""

    def write(contact: str, id_: str) -> object:
        return connection.execute(upsert, (contact, at, id_))

    def read(contact: str) -> object:
        asked = "select at, id from bare where contact = %s"
        return connection.execute(asked, (contact,)).fetchone()

    return write, read


def _bare_redis(uri: str) -> tuple[Callable[[str, str], object], Callable[[str], object]]:
    import redis

    client = redis.Redis.from_url(uri.partition("?")[0])
    at = int(START.timestamp() * 1000)

    def write(contact: str, id_: str) -> object:
        return client.hset("bare:" + contact, id_, f"{at} text")

    def read(contact: str) -> object:
        return client.hgetall("bare:" + contact)

    return write, read


def trips(server: Server, uri: str) -> dict[str, float]:
    """Round trips of one call, on connections that are open."""
    with Proxy(server.port) as proxy:
        sides = Sides(proxy.through(uri))
        steps = {name: getattr(sides, name) for name in ("record", "check", "write", "read")}
        for step in steps.values():
            step()
            step()
        counted = {name: proxy.count(_many(step)) / CALLS for name, step in steps.items()}
        sides.gate.close()
    return counted


def _many(step: Step) -> Step:
    def work() -> None:
        for _ in range(CALLS):
            step()

    return work


def one_client(name: str, server: Server, uri: str) -> None:
    counted = trips(server, uri)
    sides = Sides(uri)
    steps = {each: getattr(sides, each) for each in ("record", "write", "check", "read")}
    for ahead in (sides.record, sides.write):  # so that whoever reads finds what it asks for
        _many(ahead)()
    taken = alternate({k: _many(v) for k, v in steps.items()}, ROUNDS, time.perf_counter)
    figures = []
    for ours, theirs in (("record", "write"), ("check", "read")):
        trip = counted[ours] / counted[theirs]
        figures += [
            Figure(
                f"{ours}: round trips", f"{counted[ours]:.2f}", f"{counted[theirs]:.2f}", trip, 1.3
            ),
            Figure(
                f"{ours}: time",
                micro(taken[ours], CALLS),
                f"{micro(taken[theirs], CALLS)} (bare {theirs})",
                ratio(taken[ours], taken[theirs]),
            ),
        ]
    both = [a + b for a, b in zip(taken["record"], taken["check"], strict=True)]
    bare = [a + b for a, b in zip(taken["write"], taken["read"], strict=True)]
    both_bare = f"{micro(bare, CALLS)} (write and read)"
    figures.append(Figure("both: time", micro(both, CALLS), both_bare, ratio(both, bare), 1.5))
    show(f"{name}: one client", *figures)
    sides.gate.close()


# -- several processes ---------------------------------------------------------------------------


def rate(uri: str, side: str, clients: int) -> float:
    """Pairs of a write and a read per second of so many processes together."""
    call = [sys.executable, "-m", "benchmarks.gatekeeper_servers", uri, side, str(SECONDS)]
    running = [
        subprocess.Popen(call, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        for _ in range(clients)
    ]
    for each in running:
        assert each.stdout is not None
        each.stdout.readline()  # it is ready
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    return sum(float(json.loads(each.communicate()[0])) for each in running)


def client(uri: str, side: str, seconds: float) -> None:
    """What one of the processes does."""
    sides = Sides(uri)
    steps = (sides.record, sides.check) if side == "ours" else (sides.write, sides.read)
    for step in steps:
        step()
    print("ready", flush=True)
    sys.stdin.readline()
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for step in steps:
            step()
        count += 1
    print(json.dumps(count / seconds))


def many_clients(name: str, uri: str) -> None:
    rates: dict[tuple[str, int], list[float]] = {}
    for turn in range(3):
        order = [(side, n) for side in ("ours", "bare") for n in CLIENTS]
        for key in order if turn % 2 == 0 else reversed(order):
            rates.setdefault(key, []).append(rate(uri, *key))
    most = max(CLIENTS)
    scale = {
        side: [b / a for a, b in zip(rates[side, 1], rates[side, most], strict=True)]
        for side in ("ours", "bare")
    }
    eight = {side: statistics.median(rates[side, most]) for side in ("ours", "bare")}
    show(
        f"{name}: {most} client processes against one",
        Figure(
            "gains by the clients, ours to the bare one's",
            f"{statistics.median(scale['ours']):.2f} x",
            f"{statistics.median(scale['bare']):.2f} x (bare)",
            ratio(scale["ours"], scale["bare"]),
            0.9,
            most=False,
        ),
        Figure(
            f"pairs a second with {most}, ours to the bare one's",
            f"{eight['ours']:.0f}/s",
            f"{eight['bare']:.0f}/s (bare)",
            ratio(rates["ours", most], rates["bare", most]),
            1 / 1.5,
            most=False,
        ),
    )
    print(f"  clients and server share {os.cpu_count()} processors; pairs a second")
    for side in ("ours", "bare"):
        curve = [f"{n}: {statistics.median(rates[side, n]):.0f}" for n in CLIENTS]
        print(f"  {side} by clients{'':<37} {', '.join(curve)}")


@contextmanager
def servers() -> Iterator[dict[str, Server]]:
    with PostgresServer() as postgres, RedisServer() as redis_server:
        yield {"PostgreSQL": postgres, "Redis": redis_server}


def run() -> None:
    """Print all figures; says so where a server is not installed."""
    missing = [each.__name__ for each in (PostgresServer, RedisServer) if not each.available()]
    if missing:
        print(f"\nnot measured, the programs are missing: {', '.join(missing)}")
        return
    with servers() as found:
        for name, server in found.items():
            uri = server.fresh_uri()
            one_client(name, server, uri)
            many_clients(name, uri)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        client(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    else:
        run()
