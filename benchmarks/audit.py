"""The audit: from a Parquet file to its counts, against the best queries by hand, and its memory.

With ``WA_FSM_LONG=1`` 10 million messages of a million contacts, and 100 million for the memory;
else a fifth of that. Peers have to agree in what they count before they are timed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

os.environ.setdefault("POLARS_MAX_THREADS", str(os.cpu_count() or 1))
# As `wa-sim audit` has it, see ``sources/parquets.py``; the queries by hand gain by it, too.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1")

from wa_sim.audit.engine import audit
from wa_sim.audit.plain import Totals
from wa_sim.audit.sources import find, read

from benchmarks import audit_data, audit_kernel, audit_peers
from benchmarks.measure import Figure, Rounds, Work, alternate, ratio, show
from wa_fsm import policies

LONG = bool(os.environ.get("WA_FSM_LONG"))
COUNT = 10_000_000 if LONG else 2_000_000
PARTS = 10  # files of COUNT rows for the memory, in the long form
GIB = 1 << 30
# Rates of a like machine, in million messages a second, and how near a peer has to come.
REFERENCE = {"DuckDB": 2.2, "Polars": 2.7}


def judged(paths: list[Path], *, judge: str = "truth", memory: int = 8 * GIB) -> Totals:
    """The counts of these files by ours."""
    logs = find([str(path) for path in paths])
    found = audit(read("plain", logs), [policies.get("cloud-api")], judge=judge, memory=memory)
    return found.totals


def _works(path: Path) -> dict[str, Work]:
    duck = {name: partial(audit_peers.duckdb_query, name, path) for name in audit_peers._DUCKDB}
    polars = {name: partial(query, path) for name, query in audit_peers.POLARS.items()}
    return {
        "ours": lambda: judged([path]),
        "ours, known": lambda: judged([path], judge="known"),
        **duck,
        **polars,
        "packed": partial(audit_peers.polars_packed, path),
        "floor": partial(audit_peers.floor, path),
    }


def _agree(path: Path, works: dict[str, Work]) -> None:
    """Everyone counts the same before anyone is timed."""
    totals = judged([path])
    verdicts = totals.verdicts[0]
    ours = verdicts.allowed, sum(verdicts.refused.values())
    for name, work in works.items():
        if name.startswith(("DuckDB", "Polars", "packed")):
            theirs = work()
            assert ours == theirs, f"{name} counts {theirs}, we count {ours}"


def reading(count: int = COUNT, rounds: int = 5 if LONG else 3) -> None:
    """From a file to the counts."""
    path = audit_data.path_of(count)
    works = _works(path)
    _agree(path, works)
    wall = alternate(works, rounds, time.perf_counter)
    rates = {name: count / median(seconds) / 1e6 for name, seconds in wall.items()}
    peers = {name: rate for name, rate in rates.items() if name.startswith(("DuckDB", "Polars"))}
    best = max(peers, key=lambda name: peers[name])
    show(
        f"1. {count:,} messages from Parquet to counts, all processors (clock on the wall)",
        *(_against(name, wall, rates, 2 if name == best else None) for name in peers),
        _against("packed", wall, rates, None, "Polars, one number of 64 bits"),
        _against("floor", wall, rates, None, "the floor: Polars reads, and sorts contact and at"),
        Figure("judged by what was known", f"{rates['ours, known']:.2f} M/s",
               f"{rates['ours']:.2f} M/s by all facts", ratio(wall["ours, known"], wall["ours"])),
        *_vouched(rates),
    )  # fmt: skip


def _against(
    name: str, wall: Rounds, rates: dict[str, float], target: float | None, said: str = ""
) -> Figure:
    what = f"against {said or name}"
    value = ratio(wall[name], wall["ours"])
    theirs = f"{rates[name]:.2f} M/s"
    return Figure(what, f"{rates['ours']:.2f} M/s", theirs, value, target, most=False)


def _vouched(rates: dict[str, float]) -> list[Figure]:
    """Whether the peers are as quick here as they should be on a like machine."""
    made = []
    for engine, reference in REFERENCE.items():
        rate = max(r for name, r in rates.items() if name.startswith(engine))
        theirs = f"{reference:.1f} M/s reference of a like machine"
        made.append(Figure(f"{engine}, the best of its queries", f"{rate:.2f} M/s", theirs,
                           rate / reference, 0.8, most=False))  # fmt: skip
    return made


# -- memory --------------------------------------------------------------------------------------


def _peak(count: int, parts: int, memory: int) -> tuple[float, float]:
    """GiB at most in a process of its own that judges so many files, and its seconds."""
    call = [sys.executable, "-m", "benchmarks.audit", "peak", *map(str, (count, parts, memory))]
    said = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
    peak, seconds = said.split()
    return float(peak), float(seconds)


def _peak_here(count: int, parts: int, memory: int) -> None:
    paths = [audit_data.path_of(count, part) for part in range(parts)]
    begun = time.perf_counter()
    judged(paths, memory=memory)
    taken = time.perf_counter() - begun
    status = Path("/proc/self/status").read_text()  # `getrusage` has what the parent took, too
    print(int(status.partition("VmHWM:")[2].split()[0]) / (1 << 20), taken)


def memory(count: int = COUNT) -> None:
    """What rows take, and that they need not."""
    parts = PARTS if LONG else 2
    for part in range(parts):
        audit_data.path_of(count, part)
    bare, _ = _peak(20_000, 1, 8 * GIB)
    inside, _ = _peak(count, 1, 32 * GIB)
    outside, seconds = _peak(count, parts, 2 * GIB if LONG else GIB // 8)
    rows = count * parts
    each = (inside - bare) * GIB / count
    rate = rows / seconds
    show(
        "3. Memory: the peak of a whole process",
        Figure("a row in memory", f"{each:.0f} bytes", f"{bare:.2f} GiB without rows", inside),
        Figure(f"{rows:,} messages on disk, GiB", f"{rate / 1e6:.2f} M/s", f"{seconds:.0f} s",
               outside, 4),
    )  # fmt: skip
    print(f"  600 million at this rate: {600e6 / rate / 60:.0f} minutes, the same memory")


def main() -> None:
    """All of it."""
    reading()
    audit_kernel.main()
    memory()


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        _peak_here(*map(int, sys.argv[2:]))
    else:
        main()
