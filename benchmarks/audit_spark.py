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


def processor() -> float:
    """The seconds of processor time of this process and all that it has begun, which still run."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
            used[int(stat.parent.name)] = sum(map(int, fields[11:13]))
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(used.get(pid, 0) for pid in ours) / os.sysconf("SC_CLK_TCK")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--heavy", type=float, default=0.0, help="share of one contact, 0 to 1")
    asked = parser.parse_args()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    policy = [policies.get("cloud-api")]
    with tempfile.TemporaryDirectory() as folder:
        logs = find(generate(Path(folder), asked.rows, asked.heavy))
        told, files = divide(logs, "plain", AS_NAMED)
        address, _ = divide([as_address(Path(folder).as_uri())], "plain", AS_NAMED)

        def here(threads: int) -> Any:
            return audit(read("plain", logs), policy, threads=threads, few=0).totals

        def there() -> Any:
            found = on_spark(read("plain", files), policy, told)
            found.close()
            return found.totals

        def by_spark() -> Any:
            found = on_spark([], policy, address)
            found.close()
            return found.totals

        print(f"{asked.rows:,} rows, {asked.heavy:.0%} of them of one contact, {CORES} cores")
        timed("embedded, 1 thread", asked, lambda: here(1))
        wall, cpu, expected = timed(f"embedded, {CORES} threads", asked, lambda: here(CORES))
        took: dict[str, list[float]] = {}
        for name, master in (
            ("local", f"local[{CORES}]"),
            ("1 executor", "local-cluster[1,1,2048]"),
            ("2 executors", "local-cluster[2,1,2048]"),
        ):
            spark, starting = begin(master)
            print(f"a session of {master} begins in {starting:.1f} s", flush=True)
            *took[name], found = timed(f"Spark, {name}", asked, there)
            assert found == expected, "Spark counts something else"
            if name == "local":
                *took["reads"], _ = timed("Spark reads the files itself", asked, by_spark)
            spark.stop()
        for name, said in (("local", "overhead"), ("reads", "the same where Spark reads")):
            there_wall, there_cpu = took[name]
            print(f"{said}: {there_wall / wall:.1f}x embedded by the wall, "
                  f"{there_cpu / cpu:.1f}x by processor time")  # fmt: skip
        gain = took["1 executor"][0] / took["2 executors"][0]
        print(f"from 1 executor to 2: {gain:.2f}x as fast")


if __name__ == "__main__":
    main()
