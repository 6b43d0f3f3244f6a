"""What Spark costs: the same audit here and on Spark with the same cores; one executor and two.

Both read the same Parquet files. Spark is begun before, and both have their compiled code. It is
the clock on the wall that counts, since the work is in other processes. How long a session takes
to begin is told apart.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from wa_sim.audit.engine import audit
from wa_sim.audit.sources import AS_NAMED, find, read
from wa_sim.audit.spark import audit as on_spark
from wa_sim.audit.spark.logs import address as as_address
from wa_sim.audit.spark.logs import divide
from wa_sim.audit.spark.session import session

from wa_fsm import policies

CORES = 2
WAYS = {
    "local": (f"local[{CORES}]", "in one process"),
    "reads": (f"local[{CORES}]", "which reads the files itself"),
    "1": ("local-cluster[1,1,2048]", "1 executor"),
    "2": ("local-cluster[2,1,2048]", "2 executors"),
}
FILES = 8
PER_CONTACT = 10
QUARTER = 90 * 86_400_000
BEGIN = 1_772_438_400_000


def generate(folder: Path, rows: int, heavy: float) -> list[str]:
    """Shuffled rows of many contacts, 2 % repeats; `heavy` of them are of one contact."""
    random, paths = np.random.default_rng(7), []
    for number in range(FILES):
        size = rows // FILES
        at = BEGIN + random.integers(0, QUARTER, size)
        contact = random.integers(0, max(rows // PER_CONTACT, 1), size)
        contact[random.random(size) < heavy] = 0
        ids = random.integers(0, 1 << 62, size)
        again = random.integers(0, size, size // 50)
        copies = random.integers(0, size, size // 50)
        for column in (at, contact, ids):
            column[copies] = column[again]
        draw = ids % 100
        kinds = pa.DictionaryArray.from_arrays(
            pa.array(np.digitize(draw, [48, 90]).astype(np.int32)), ["text", "image", "template"]
        )
        directions = pa.DictionaryArray.from_arrays(
            pa.array((draw >= 40).astype(np.int32)), ["inbound", "outbound"]
        )
        digits = pa.array(491_700_000_000 + contact).cast(pa.string())
        rest = {
            "number": pa.array(["106540352242922"] * size).dictionary_encode(),
            "status": pa.array(["delivered"] * size).dictionary_encode(),
        }
        table = pa.table({
            "at": pa.array(at, pa.timestamp("ms", "UTC")), "direction": directions,
            "customer": digits, "kind": kinds, **rest,
            "id": pa.compute.binary_join_element_wise(
                "wamid.HBgMNDkxNzAwMDAwMDAw", pa.array(ids).cast(pa.string()), ""
            ),
        })  # fmt: skip
        paths.append(str(folder / f"{number}.parquet"))
        pq.write_table(table, paths[-1], row_group_size=max(size // 2, 1))
    return paths


def begin(master: str) -> Any:
    """A session, and the seconds until it is there."""
    begun = time.perf_counter()
    made = session(master)
    return made, time.perf_counter() - begun


def ours() -> dict[int, list[str]]:
    """This process and all that it has begun: what the kernel tells of each, from its number."""
    told = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            told[int(stat.parent.name)] = stat.read_text().rpartition(")")[2].split()
    mine = {os.getpid()}
    while more := {pid for pid, fields in told.items() if int(fields[1]) in mine} - mine:
        mine |= more
    return {pid: told[pid] for pid in mine if pid in told}


def processor() -> float:
    """The seconds of processor time of this process and all that it has begun, which still run."""
    ticks = (int(tick) for fields in ours().values() for tick in fields[11:13])
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def largest() -> float:
    """The most memory, in GiB, that one of Spark's Python workers ever had."""
    most = 0
    for pid in ours():
        with contextlib.suppress(OSError):
            if b"pyspark" in Path(f"/proc/{pid}/cmdline").read_bytes():
                status = Path(f"/proc/{pid}/status").read_text()
                most = max(most, int(status.partition("VmHWM:")[2].split()[0]))
    return most / (1 << 20)


def timed(name: str, asked: Any, work: Any) -> tuple[float, float, Any]:
    """Medians of some rounds after one that does not count (wall, processor), and what came."""
    walls, used, found = [], [], work()
    for _ in range(asked.rounds):
        begun, before = time.perf_counter(), processor()
        found = work()
        walls.append(time.perf_counter() - begun)
        used.append(processor() - before)
    wall, cpu = statistics.median(walls), statistics.median(used)
    print(f"{name:28} {wall:6.2f} s, {asked.rows / wall / 1e6:5.2f} M rows/s; "
          f"{cpu:6.2f} s of processor time", flush=True)  # fmt: skip
    return wall, cpu, found


def told_of(took: dict[str, tuple[float, float]]) -> None:
    """What the figures come to."""
    wall, cpu = took["embedded"]
    for name, said in (("local", "overhead"), ("reads", "the same where Spark reads")):
        if name in took:
            print(f"{said}: {took[name][0] / wall:.1f}x embedded by the wall, "
                  f"{took[name][1] / cpu:.1f}x by processor time")  # fmt: skip
    if {"1", "2"} <= took.keys():
        gain = took["1"][0] / took["2"][0]
        print(f"from 1 executor to 2: {gain:.2f}x as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--heavy", type=float, default=0.0, help="share of one contact, 0 to 1")
    parser.add_argument("--only", nargs="*", choices=WAYS, default=WAYS, help="ways of Spark")
    asked = parser.parse_args()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    policy = [policies.get("cloud-api")]
    with tempfile.TemporaryDirectory() as folder:
        logs = find(generate(Path(folder), asked.rows, asked.heavy))
        told, files = divide(logs, "plain", AS_NAMED)
        address, _ = divide([as_address(Path(folder).as_uri())], "plain", AS_NAMED)

        def here(threads: int) -> Any:
            return audit(read("plain", logs), policy, threads=threads, few=0).totals

        def there(way: str) -> Any:
            source = ([], address) if way == "reads" else (read("plain", files), told)
            found = on_spark(source[0], policy, source[1])
            found.close()
            return found.totals

        print(f"{asked.rows:,} rows, {asked.heavy:.0%} of them of one contact, {CORES} cores")
        timed("embedded, 1 thread", asked, lambda: here(1))
        took: dict[str, tuple[float, float]] = {}
        *both, expected = timed(f"embedded, {CORES} threads", asked, lambda: here(CORES))
        took["embedded"] = both[0], both[1]
        for way in asked.only:
            master, name = WAYS[way]
            spark, starting = begin(master)
            print(f"a session of {master} begins in {starting:.1f} s", flush=True)
            *both, found = timed(f"Spark, {name}", asked, partial(there, way))
            took[way] = both[0], both[1]
            if way != "reads":  # its files have other names
                assert found == expected, "Spark counts something else"
            print(f"the largest of its Python workers had {largest():.2f} GiB", flush=True)
            spark.stop()
        told_of(took)


if __name__ == "__main__":
    main()
