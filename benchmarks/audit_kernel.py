"""The kernel alone, on sorted arrays in memory, against the same loop in C and Polars' windows."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from wa_sim.audit import codes, kernel
from wa_sim.audit.compiled import compiled, fixed
from wa_sim.audit.tables import Tables, tables_of

from benchmarks import audit_peers
from benchmarks.measure import Figure, Work, alternate, ratio, show
from wa_fsm import policies

SOURCE = """
#include <stdint.h>
void fold(const int64_t *starts, int64_t keys, const int64_t *at, const uint8_t *event,
          const uint8_t *after, const uint8_t *opens, const uint8_t *lapse, const uint8_t *asked,
          int64_t over, int64_t margin, uint8_t *rule, uint8_t *point, int64_t *opener) {
    for (int64_t key = 0; key < keys; key++) {
        int64_t here = 0, opened = -(1LL << 62);
        for (int64_t i = starts[key]; i < starts[key + 1]; i++) {
            int64_t now = at[i], inside = 0;
            if (here & 4) {
                if (now - opened >= over) here = lapse[here];
                else if (now - opened >= margin) inside = 1;
            }
            int64_t cell = here * EVENTS + event[i];
            rule[i] = asked[inside * 32 * EVENTS + cell];
            point[i] = (uint8_t)(here + inside * 32);
            opener[i] = opened;
            if (opens[cell]) opened = now;
            here = after[cell];
        }
    }
}
"""


@cache
def in_c() -> ctypes.CDLL:
    """The same loop, compiled by the compiler of this machine."""
    folder = Path(tempfile.mkdtemp(prefix="wa-fsm-kernel-"))
    (folder / "fold.c").write_text(SOURCE.replace("EVENTS", str(codes.EVENTS)))
    call = ["cc", "-O3", "-march=native", "-shared", "-fPIC", "-o", "fold.so", "fold.c"]
    subprocess.run(call, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "fold.so"))
    shutil.rmtree(folder)
    return library


def arrays(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Facts of contacts with ten each: where keys begin, instants, events."""
    random = np.random.default_rng(seed)
    gaps = random.lognormal(np.log(3600), 2.5, (count // 10, 10)) * 1000
    at = np.cumsum(gaps, axis=1).astype(np.int64).ravel()
    text, free = codes.INBOUND["text"], codes.SENT_AT + codes.FREE
    event = random.choice(np.array([text, free, free - 1], np.uint8), count, p=[0.5, 0.45, 0.05])
    return np.arange(0, count + 1, 10), at, event


def _numba(table: Tables, facts: tuple[np.ndarray, ...], room: tuple[np.ndarray, ...]) -> Work:
    tables = table.after.ravel(), table.starts.ravel(), table.lapse, table.asked.ravel()
    begins, *more = facts
    given = [fixed(array) for array in (begins.view(np.uint64), *more, *tables)]
    fold = compiled(kernel.fold)
    return lambda: fold(*given, table.over, table.margin, *room)


def _c(table: Tables, facts: tuple[np.ndarray, ...], room: tuple[np.ndarray, ...]) -> Work:
    tables = table.after.ravel(), table.starts.ravel(), table.lapse, table.asked.ravel()
    starts, at, event = (ctypes.c_void_p(array.ctypes.data) for array in facts)
    more = [ctypes.c_void_p(array.ctypes.data) for array in tables]
    out = [ctypes.c_void_p(array.ctypes.data) for array in room]
    keys, over, margin = (ctypes.c_int64(n) for n in (len(facts[0]) - 1, table.over, table.margin))
    fold = in_c().fold
    return lambda: (fold(starts, keys, at, event, *more, over, margin, *out), tables, facts)


def _rooms(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(count, np.uint8), np.zeros(count, np.uint8), np.zeros(count, np.int64)


def main(count: int = 4_000_000, rounds: int = 9) -> None:
    """One thread each; Polars takes what it wants."""
    table, facts = tables_of(policies.get("cloud-api")), arrays(count)
    starts, at, event = facts
    ours, theirs = _rooms(count), _rooms(count)
    free = event == codes.SENT_AT + codes.FREE
    frame = audit_peers.sorted_frame(starts, at, event == codes.INBOUND["text"], free)
    works = {"ours": _numba(table, facts, ours), "c": _c(table, facts, theirs),
             "polars": lambda: audit_peers.polars_windows(frame)}  # fmt: skip
    for work in works.values():
        work()
    for mine, its in zip(ours, theirs, strict=True):
        assert (mine == its).all()
    allowed = int((table.allows[ours[0][free]]).sum())
    assert allowed == audit_peers.polars_windows(frame)
    taken = alternate(works, rounds)
    rates = {name: count / float(np.median(seconds)) / 1e6 for name, seconds in taken.items()}
    mine = f"{rates['ours']:.0f} M/s"
    show(
        "2. The kernel alone, on sorted arrays in memory (processor time)",
        Figure("against the same loop in C", mine, f"{rates['c']:.0f} M/s C, -O3 -march=native",
               ratio(taken["ours"], taken["c"]), 3),
        Figure("against Polars, windows over the contact", mine,
               f"{rates['polars']:.1f} M/s Polars",
               ratio(taken["polars"], taken["ours"]), 6, most=False),
    )  # fmt: skip


if __name__ == "__main__":
    main()
