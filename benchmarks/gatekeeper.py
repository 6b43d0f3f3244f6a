"""The gatekeeper: in memory, on SQLite, among processes, with many contacts, beside engines."""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Figure, Rounds, Work, alternate, micro, ratio, show
from wa_fsm import CustomerMessage, FreeForm, Message, SendFailed, Sent, Template, policies
from wa_fsm.clock import ManualClock, system_clock
from wa_fsm.decision import Decision
from wa_fsm.folds import tidy
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.situation import conversation
from wa_fsm.stores import open_store
from wa_fsm.stores.base import from_millis, to_millis

LONG = os.environ.get("WA_FSM_LONG") == "1"
MANY = 1_000_000 if LONG else 50_000
FEW, SOME = 1_000, 10_000
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
BEGAN = START - timedelta(days=400)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NUMBER = "200100300400500"
STATUSES = {"hello": "approved", "sale": "paused"}
PROCESSES, SECONDS = 8, 4.0
GROWN = 1_200  # writes, after which the journal of each file no longer grows
WORST_WAIT, LEAST_SHARE = 250.0, 0.5


def contact(number: int) -> str:
    return f"4917{number:08}"


def wamid(number: int) -> str:
    return f"wamid.HBgNNDkxNzAwMDAwMDAwMBUCABIYFDNBNzY{number:016X}AA=="


# -- in memory -----------------------------------------------------------------------------------


class Sides:
    """The same contacts, known to gatekeepers and to the function by hand."""

    def __init__(self, contacts: int = FEW) -> None:
        policy = policies.get("cloud-api", margin="5m")
        self.clock = ManualClock(BEGAN)
        self.names = [contact(number) for number in range(contacts)]
        self.gates = {
            "log": self._gate(log=True),
            "no log": self._gate(log=False),
            "system clock": self._gate(log=False),
        }
        self.clock.move_to(START)
        self.gates["system clock"].now = system_clock
        self._ask = peers.by_hand(policy, Decision)
        self._statuses = peers.Statuses(STATUSES, any_approved=True)  # type: ignore[arg-type]  # they are statuses
        self._known: dict[tuple[str, str], peers.Known] = {}
        rng = random.Random(7)
        for number in range(contacts):
            self._tell(number, rng)

    def _gate(self, *, log: bool) -> Gatekeeper:
        return Gatekeeper(
            policy="cloud-api,margin=5m",
            store="memory://",
            templates=STATUSES,
            now=self.clock,
            log=log,
        )

    def _tell(self, number: int, rng: random.Random) -> None:
        """Nothing, a message, a template before or after it, or a refusal after it."""
        name, known = self.names[number], peers.Known()
        self._known[NUMBER, name] = known
        kind = rng.randrange(8)
        if kind == 0:
            return
        opener = START - rng.choice((5, 60, 1000, 1440, 1436, 3000)) * 60 * SECOND
        events: list[CustomerMessage | Sent | SendFailed] = []
        if kind != 1:
            known.opener = opener
            id_ = wamid(number)
            known.conversation = conversation(NUMBER, name, id_, "user", opener)
            events.append(CustomerMessage(NUMBER, name, opener, id_))
        if kind in (1, 2):
            known.template = opener + SECOND
            events.append(Sent(NUMBER, name, known.template, f"t{number}", Template("hello")))
        if kind == 3:
            known.refused = opener + 2 * SECOND
            events.append(Sent(NUMBER, name, known.refused, f"f{number}", FreeForm()))
            events.append(SendFailed(NUMBER, name, known.refused, f"f{number}", 131047))
        for gate in self.gates.values():
            gate.record(events, START)

    def by_hand(self, number: str, name: str, message: Message) -> Decision:
        answer: Decision = self._ask(
            self._known[number, name], self.clock(), message, self._statuses
        )
        return answer

    def agree(self) -> None:
        """All give the same Decision, whatever is asked."""
        for name in self.names:
            for message in (FreeForm(), Template("hello"), Template("sale"), Template("nobody")):
                ours = self.gates["no log"].check(NUMBER, name, message)
                theirs = self.by_hand(NUMBER, name, message)
                assert ours == theirs, f"\n{ours}\n{theirs}"

    def work(self, ask: Callable[[str, str, Message], object]) -> Work:
        names, message = self.names, FreeForm()

        def work() -> None:
            for name in names:
                ask(NUMBER, name, message)

        return work


def in_memory(rounds: int = 31) -> float:
    """``check`` against the function by hand; returns our µs for one."""
    sides = Sides()
    sides.agree()
    works = {name: sides.work(gate.check) for name, gate in sides.gates.items()}
    taken = alternate({"hand": sides.work(sides.by_hand), **works}, rounds)
    lines = (
        ("check, nothing kept of decisions", "no log", 3.0),
        ("check, each decision also kept in the log", "log", 3.0),
        ("check, nothing kept, by the system's clock", "system clock", None),
    )
    show(
        f"6. check in memory, {FEW} contacts",
        *(
            Figure(
                what,
                micro(taken[name], FEW),
                f"{micro(taken['hand'], FEW)} dict and ifs → the same Decision",
                ratio(taken[name], taken["hand"]),
                target,
            )
            for what, name, target in lines
        ),
    )
    return statistics.median(taken["no log"]) / FEW * 1e6


# -- SQLite, one process -------------------------------------------------------------------------


class Bare:
    """The barest program: one row for each contact, one durable write and one read."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(
            "CREATE TABLE bare (contact TEXT PRIMARY KEY, at INTEGER, id TEXT) WITHOUT ROWID"
        )

    def write(self, name: str, at: int, id_: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO bare VALUES (?, ?, ?)", (name, at, id_))

    def read(self, name: str) -> object:
        asked = "SELECT at, id FROM bare WHERE contact = ?"
        return self.connection.execute(asked, (name,)).fetchone()


class ByHand:
    """What any gate has to do: a row for each message, an index by time, and the same Decision.

    It knows a customer's messages and nothing else: no other events, no names of one contact, no
    repeats that came earlier, no snapshots, no other processes.
    """

    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute(
            "CREATE TABLE facts (number TEXT, contact TEXT, role TEXT, id TEXT, at INTEGER,"
            " arrived INTEGER, data TEXT, PRIMARY KEY (number, contact, role, id)) WITHOUT ROWID"
        )
        self._file.execute("CREATE INDEX by_time ON facts (at, number, contact, id)")
        self._ask = peers.by_hand(policies.get("cloud-api"), Decision)
        self._statuses = peers.Statuses({}, any_approved=False)

    def record(self, name: str, at: datetime, id_: str) -> None:
        when = to_millis(at)
        row = (NUMBER, name, "in", id_, when, when, "text")
        self._file.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def check(self, name: str, now: datetime, message: Message) -> Decision:
        asked = "SELECT role, at, data FROM facts WHERE number = ? AND contact = ?"
        known = peers.Known()
        rows = self._file.execute(asked, (NUMBER, name)).fetchall()
        opened = [at for role, at, _ in rows if role == "in"]
        if opened:
            known.opener = from_millis(max(opened))
        answer: Decision = self._ask(known, now, message, self._statuses)
        return answer


def _gate(path: str, **more: object) -> Gatekeeper:
    clock = ManualClock(BEGAN)
    store = open_store(f"sqlite:///{path}", clock)
    clock.move_to(START)
    return Gatekeeper(policy="cloud-api", store=store, now=clock, log=False, **more)  # type: ignore[arg-type]  # options of its


class Pairs:
    """A record and a check, a write and a read: each side on a file of its own."""

    def __init__(self, folder: str) -> None:
        self.gate, self._bare = _gate(f"{folder}/gate.db"), Bare(f"{folder}/bare.db")
        self._hand = ByHand(f"{folder}/hand.db")
        self._ids = itertools.count(1)
        self.waits: dict[str, list[float]] = {"record": [], "check": []}

    def ours(self, calls: int) -> None:
        message, record, check = FreeForm(), self.waits["record"], self.waits["check"]
        for _ in range(calls):
            n = next(self._ids)
            event = CustomerMessage(NUMBER, contact(n % SOME), START, wamid(n))
            begun = time.perf_counter()
            self.gate.record(event, START)
            written = time.perf_counter()
            self.gate.check(NUMBER, contact(n % SOME), message)
            check.append(time.perf_counter() - written)
            record.append(written - begun)

    def theirs(self, calls: int) -> None:
        at = to_millis(START)
        for _ in range(calls):
            n = next(self._ids)
            self._bare.write(contact(n % SOME), at, wamid(n))
            self._bare.read(contact(n % SOME))

    def by_hand(self, calls: int) -> None:
        message, hand = FreeForm(), self._hand
        for _ in range(calls):
            n = next(self._ids)
            hand.record(contact(n % SOME), START, wamid(n))
            assert hand.check(contact(n % SOME), START, message).allowed

    def batch(self) -> None:
        for _ in range(10):
            self.gate.record([_message(next(self._ids)) for _ in range(64)], START)

    def taken(self, rounds: int, calls: int) -> Rounds:
        works = {
            "ours": lambda: self.ours(calls),
            "hand": lambda: self.by_hand(calls),
            "bare": lambda: self.theirs(calls),
        }
        return alternate(works, rounds, time.perf_counter)


def on_sqlite(folder: str, rounds: int = 51, calls: int = 20) -> None:
    pairs = Pairs(folder)
    new = pairs.taken(rounds, calls)
    pairs.ours(GROWN)
    pairs.by_hand(GROWN)
    pairs.theirs(GROWN)
    grown = pairs.taken(rounds, calls)
    speed = [640 / seconds for seconds in alternate({"": pairs.batch}, 15, time.perf_counter)[""]]
    show(
        "7. SQLite, synchronous FULL, one process (by the wall)",
        *(
            Figure(
                f"{what} to the barest's, {which}",
                micro(taken[name], calls),
                f"{micro(taken['bare'], calls)} barest write and read",
                ratio(taken["bare"], taken[name]),
                target,
                most=False,
            )
            for which, taken in (("new files", new), ("grown", grown))
            for what, name, target in (
                ("a record and a check", "ours", 0.8),
                ("a gate's least, by hand,", "hand", None),
            )
        ),
        Figure(
            "events a second, 64 in a record, in thousands",
            f"{statistics.median(speed):.0f}/s",
            "",
            statistics.median(speed) / 1000,
            20,
            most=False,
        ),
    )
    for name, each in pairs.waits.items():
        print(f"  {name:<50} {_percentiles(each)}")
    pairs.gate.close()


def _message(number: int) -> CustomerMessage:
    return CustomerMessage(NUMBER, contact(number % SOME), START, wamid(number))


def _percentiles(waits: Sequence[float]) -> str:
    ranked = sorted(waits)
    marks = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    return ", ".join(
        f"{name} {ranked[min(len(ranked) - 1, int(part * len(ranked)))] * 1e6:.0f} µs"
        for name, part in marks
    )


# -- SQLite, several processes -------------------------------------------------------------------


def one_of_many(path: str, seconds: float) -> None:
    """What one process does: record until the time is over; tell how many, and the waits."""
    gate = _gate(path)
    number = itertools.count(os.getpid() << 32)
    gate.record(_message(next(number)), START)
    print("ready", flush=True)
    sys.stdin.readline()
    waits, end = [], time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        gate.record(_message(next(number)), START)
        waits.append(time.perf_counter() - begun)
    print(json.dumps(waits))


def among_processes(folder: str) -> None:
    call = [sys.executable, "-m", "benchmarks.gatekeeper", f"{folder}/many.db", str(SECONDS)]
    running = [
        subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    for each in running:
        assert each.stdout is not None
        each.stdout.readline()
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    waits = [json.loads(each.communicate()[0]) for each in running]
    counts = [len(each) for each in waits]
    worst = max(max(each) for each in waits) * 1000
    mean = statistics.mean(counts)
    show(
        f"8. SQLite, {PROCESSES} processes that record as fast as they can",
        Figure("the worst wait, in ms", f"{worst:.0f} ms", "", worst, WORST_WAIT),
        Figure(
            "the slowest process's share of the mean",
            f"{min(counts) / SECONDS:.0f}/s",
            f"{mean / SECONDS:.0f}/s mean, {sum(counts) / SECONDS:.0f}/s together",
            min(counts) / mean,
            LEAST_SHARE,
            most=False,
        ),
    )
    print(f"  {'record':<50} {_percentiles([wait for each in waits for wait in each])}")


# -- many contacts -------------------------------------------------------------------------------


def _life(number: int) -> list[CustomerMessage | Sent]:
    """A contact of a month ago: four messages and two templates within 25 days."""
    name, last = contact(number), START - 30 * DAY + (number % 1000) * SECOND
    found: list[CustomerMessage | Sent] = [
        CustomerMessage(NUMBER, name, last - days * DAY, wamid(number * 8 + days))
        for days in (0, 10, 15, 25)
    ]
    found += [
        Sent(NUMBER, name, last - days * DAY, wamid(number * 8 + days), Template("order_update"))
        for days in (9, 20)
    ]
    return found


def _filled(gate: Gatekeeper, contacts: int) -> None:
    for first in range(0, contacts, 500):
        some = range(first, min(first + 500, contacts))
        gate.seed([(_life(number), None) for number in some])


def memory_of(contacts: int) -> None:
    """Print the resident bytes that so many contacts took, and the µs of a check (a process)."""
    before = _resident()
    clock = ManualClock(BEGAN)
    gate = Gatekeeper(policy="cloud-api", store="memory://", now=clock, log=False)
    clock.move_to(START)
    for first in range(0, contacts, 500):
        some = range(first, min(first + 500, contacts))
        gate.record([_life(number)[0] for number in some], START)
    stored = _resident()
    print(json.dumps([stored - before, _p50(gate, contacts), _resident() - before]))


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:  # not on this system: the highest so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()


def _p50(gate: Gatekeeper, contacts: int, rounds: int = 5) -> float:
    """Of checks of the same number of contacts, however many there are beside them."""
    message, waits = FreeForm(), []
    names = [contact(number) for number in random.Random(3).sample(range(contacts), FEW)]
    for name in names:  # a contact's facts are folded when it is first asked about
        gate.check(NUMBER, name, message)
    for name in names * rounds:
        begun = time.perf_counter()
        gate.check(NUMBER, name, message)
        waits.append(time.perf_counter() - begun)
    return statistics.median(waits) * 1e6


def many_contacts(folder: str) -> None:
    shown = []
    memory = {n: _in_process("memory", str(n)) for n in (FEW, MANY)}
    shown += [
        Figure(
            f"memory://, p50 of a check with {MANY:,}, to {FEW:,}",
            f"{memory[MANY][1]:.1f} µs",
            f"{memory[FEW][1]:.1f} µs",
            memory[MANY][1] / memory[FEW][1],
            1.5,
        ),
        Figure("memory://, bytes for a contact", "", "", memory[MANY][0] / MANY),
    ]
    p50 = {}
    for contacts in (FEW, MANY):
        path = f"{folder}/{contacts}.db"
        gate = _gate(f"{path}?synchronous=normal")
        _filled(gate, contacts)
        full = os.path.getsize(path)
        for number, name in list(gate.store.keys()):  # a store is no dict
            tidy(gate.policy, gate.store, number, name)
        gate.store.compact()
        p50[contacts] = _p50(gate, contacts)
        gate.close()
    shown += [
        Figure(
            f"SQLite, p50 of a check with {MANY:,}, to {FEW:,}",
            f"{p50[MANY]:.0f} µs",
            f"{p50[FEW]:.0f} µs",
            p50[MANY] / p50[FEW],
            1.5,
        ),
        Figure(
            "SQLite, bytes for an idle contact, pruned",
            "",
            f"{full / MANY:.0f} before: six facts each",
            os.path.getsize(path) / MANY,
            400,
        ),
    ]
    show(f"9. {MANY:,} contacts", *shown)
    if not LONG:
        print("  WA_FSM_LONG=1 takes 1,000,000")


def _in_process(*arguments: str) -> list[float]:
    call = [sys.executable, "-m", "benchmarks.gatekeeper", *arguments]
    found: list[float] = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)
    return found


# -- beside engines ------------------------------------------------------------------------------


def beside_engines(ours: float, contacts: int = 100, calls: int = 200) -> None:
    from benchmarks.decision_points import ENGINES

    now = to_millis(START)
    ends = {contact(n): now + (n - 50) * 60_000 for n in range(contacts)}
    expected = {name: now < closes for name, closes in ends.items()}
    shown, missing = [], []
    for name, load in ENGINES.items():
        try:
            ask = load(ends)
        except ImportError:
            missing.append(name)
            continue
        assert {each: ask(each, now) for each in ends} == expected, name
        taken = alternate({"ask": _asking(ask, ends, now, calls)}, 7)
        each = statistics.median(taken["ask"]) / calls * 1e6
        shown.append(Figure(name, f"{ours:.1f} µs", f"{each:.0f} µs allowed or not", ours / each))
    show("10. As a decision point: our whole check, with its reason, beside engines", *shown)
    if missing:
        print(f"  not installed: {', '.join(missing)}")


def _asking(ask: Callable[[str, int], bool], ends: Mapping[str, int], now: int, calls: int) -> Work:
    names = list(itertools.islice(itertools.cycle(ends), calls))

    def work() -> None:
        for name in names:
            ask(name, now)

    return work


def main() -> None:
    ours = in_memory()
    with tempfile.TemporaryDirectory() as folder:
        on_sqlite(folder)
        among_processes(folder)
        many_contacts(folder)
    beside_engines(ours)
    try:
        from benchmarks import gatekeeper_servers
    except ImportError as error:
        print(f"\nPostgreSQL and Redis are not measured: {error}")
        return
    if "--no-servers" not in sys.argv:
        gatekeeper_servers.run()


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        memory_of(int(sys.argv[2]))
    elif len(sys.argv) == 3:
        one_of_many(sys.argv[1], float(sys.argv[2]))
    else:
        main()
