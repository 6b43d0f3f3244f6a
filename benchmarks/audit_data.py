"""A log to measure with: conversations of contacts named by phone number, shuffled.

Each contact's messages come in bursts: most follow each other within minutes, some within hours,
a tenth after days. So most replies fall inside the window and many do not. One send in a hundred
failed, for reasons that say nothing of the window. Two rows in a hundred
are repeats that arrived later, one in a hundred arrives hours late, the order is random.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUMBER = "106540352242922"
START = 1_767_225_600_000  # 2026-01-01 in Unix milliseconds
ALPHABET = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8
)
ID = b"wamid.HBgMNDkxNTEx"  # what ids of one business have in common, in part
TAIL = 22
EACH = 10  # messages of a contact, repeats included


def path_of(count: int, part: int = 0) -> Path:
    """The Parquet file with so many rows, made where it is not there yet."""
    path = Path(tempfile.gettempdir()) / f"wa-fsm-audit-{count}-{part}-v2.parquet"
    if not path.exists():
        beside = path.with_suffix(".part")
        pq.write_table(table(count, part), beside)
        beside.rename(path)
    return path


def table(count: int, part: int) -> pa.Table:
    """The rows. Parts have the same contacts, and follow each other in time."""
    random = np.random.default_rng(part)
    repeats = count // 50
    fresh = count - repeats
    contacts = count // EACH
    who = np.sort(random.integers(0, contacts, fresh))
    gaps = random.lognormal(np.log(300), 1.5, fresh)
    hours, days = random.random(fresh) < 0.25, random.random(fresh) < 0.1
    gaps[hours] = random.lognormal(np.log(8 * 3600), 1, hours.sum())
    gaps[days] = random.lognormal(np.log(3 * 86400), 1, days.sum())
    begins = np.flatnonzero(np.diff(who, prepend=-1))
    gaps[begins] = random.uniform(0, 30 * 86400, len(begins))
    whole = np.cumsum(gaps)
    since = np.repeat(whole[begins] - gaps[begins], np.diff(np.append(begins, fresh)))
    inbound = random.random(fresh) < 0.5
    at = START + part * 90 * 86_400_000 + ((whole - since) * 1000).astype(np.int64)
    at[inbound] -= at[inbound] % 1000  # webhooks tell whole seconds
    arrived = at + random.integers(0, 3000, fresh)
    late = random.random(fresh) < 0.01
    arrived[late] += random.integers(3600, 72 * 3600, late.sum()) * 1000
    template = ~inbound & (random.random(fresh) < 0.1)
    failed = ~inbound & (random.random(fresh) < 0.01)
    rows = np.concatenate([np.arange(fresh), random.choice(fresh, repeats, replace=False)])
    arrived = np.concatenate([arrived, arrived[rows[fresh:]] + 5000])
    order = random.permutation(count)
    rows, arrived = rows[order], arrived[order]
    out, form = ~inbound[rows], template[rows]
    pictures = out & ~form & (random.random(count) < 0.1)
    return pa.table(
        {
            "at": pa.array(at[rows]).cast(pa.timestamp("ms", "UTC")),
            "arrived_at": pa.array(arrived).cast(pa.timestamp("ms", "UTC")),
            "direction": _words(out, ["inbound", "outbound"]),
            "number": _words(np.zeros(count), [NUMBER]),
            "customer": _phones(who[rows]),
            "kind": _words(np.where(form, 2, pictures), ["text", "image", "template"]),
            "template": _words(np.where(form, 1 + who[rows] % 20, 0), [None, *_templates()]),
            "id": _ids(random, fresh, rows),
            "status": _words(np.where(out, 1 + failed[rows], 0), [None, "delivered", "failed"]),
            "error_code": pa.array(np.full(count, 131026), mask=~(out & failed[rows])),
        }
    )


def _templates() -> list[str]:
    return [f"offer_{number}" for number in range(20)]


def _words(places: np.ndarray, words: list[str | None]) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(places.astype(np.int64)))


def _phones(who: np.ndarray) -> pa.Array:
    """Twelve digits, which tell nothing of the order."""
    numbers = 491_500_000_000 + (who.astype(np.uint64) * np.uint64(7_919_999_981)) % 1_000_000_007
    digits = np.empty((len(who), 12), np.uint8)
    for place in range(11, -1, -1):
        digits[:, place] = numbers % 10 + 48
        numbers //= 10
    return _texts(digits)


def _ids(random: np.random.Generator, count: int, rows: np.ndarray) -> pa.Array:
    made = np.empty((count, len(ID) + TAIL), np.uint8)
    made[:, : len(ID)] = np.frombuffer(ID, np.uint8)
    made[:, len(ID) :] = ALPHABET[random.integers(0, 64, (count, TAIL), np.uint8)]
    return _texts(made[rows])


def _texts(letters: np.ndarray) -> pa.Array:
    count, width = letters.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    data = pa.py_buffer(np.ascontiguousarray(letters).reshape(-1))
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), data)
