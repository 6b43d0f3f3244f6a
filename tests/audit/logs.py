"""Random logs, drawn so that the awkward cases happen often; and chunks made of logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pyarrow as pa
from wa_sim.audit.plain import Chunk

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
MS = timedelta(milliseconds=1)
COLUMNS = (
    "at", "direction", "number", "customer", "kind", "template", "language", "id", "arrived_at",
    "status", "error_code", "category",
)  # fmt: skip
IDS = ("a", "B", "é", "\uffff", "𝔞", "ab", "wamid.long-enough-1", "wamid.long-enough-2")
INBOUND = ("text", "text", "text", "button", "reaction", "system", "edit", "call")
OUTBOUND = ("text", "text", "image", "template", "template", "free_form", "unclassified")
STATUSES = (None, None, "sent", "delivered", "read", "failed")
CODES = (131047, 470, 63016, 131026, 132015, None)
CATEGORIES = (None, "marketing", "utility", "authentication", "service", "marketing_lite")


def gaps(policy):
    """Lengths of time that come near every edge of a policy."""
    window, margin = policy.window, policy.margin
    edges = [timedelta(0), margin, window - margin, window]
    near = [edge + shift for edge in edges for shift in (-MS, timedelta(0), MS)]
    plain = [timedelta(0), timedelta(0), timedelta(0), MS, window / 8, window / 4, window / 3]
    return [cut(gap) for gap in (*plain, *plain, *near) if gap >= timedelta(0)]


def cut(length):
    return length - length % MS


def rows_of_key(random, policy, number, customer, size=12, arrivals=True, ids=0):
    """A few rows of one key: ties, repeats, late ones, clocks that are ahead, failures."""
    at, rows, lengths = NINE, [], gaps(policy)
    names = (*IDS, *(f"id.{number}" for number in range(ids)))
    for _ in range(random.randint(1, size)):
        at += random.choice(lengths)
        if rows and random.random() < 0.15:
            row = dict(random.choice(rows))
            if random.random() < 0.5:
                row["at"] += random.choice((-1, 1)) * random.choice(lengths)
            if row["direction"] == "outbound" and random.random() < 0.6:
                row["status"], row["error_code"] = outcome(random)
        elif random.random() < 0.5:
            row = dict.fromkeys(COLUMNS)
            row |= {"direction": "inbound", "kind": random.choice(INBOUND), "at": at}
            row |= {"id": random.choice(names)}
        else:
            row = dict.fromkeys(COLUMNS)
            row |= {"direction": "outbound", "kind": random.choice(OUTBOUND), "at": at}
            row |= {"id": random.choice(names), "category": random.choice(CATEGORIES)}
            if row["kind"] == "template":
                row |= {"template": random.choice(("hello", "offer", "nobody")),
                        "language": random.choice((None, "en_US", "de"))}  # fmt: skip
            row["status"], row["error_code"] = outcome(random)
        row |= {"number": number, "customer": customer}
        if arrivals and random.random() < 0.7:
            shift = random.choice((0, 0, 0, 1, 1, -1))
            row["arrived_at"] = row["at"] + shift * random.choice(lengths)
        rows.append(row)
    random.shuffle(rows)
    return rows


def outcome(random):
    status = random.choice(STATUSES)
    failed = status == "failed" or (status is None and random.random() < 0.2)
    return status, random.choice(CODES) if failed else None


def random_log(seed, policy, keys, size=12, arrivals=True, ids=0):
    """Rows of many keys, mixed; contacts are phone numbers, in several spellings, and names."""
    random, rows = Random(seed), []
    for each in range(keys):
        name = random.choice((str(491700000000 + each), f"+49 171 {each:08}", f"US.{each:012}"))
        number = random.choice(("106540352242922", "business"))
        rows += rows_of_key(random, policy, number, name, size, arrivals, ids)
    random.shuffle(rows)
    return rows


def chunks(log, size=None, file="log.parquet"):
    """The log as chunks of so many rows."""
    size = size or max(len(log), 1)
    for first in range(0, len(log), size):
        some = log[first : first + size]
        columns = {name: [row.get(name) for row in some] for name in COLUMNS}
        kinds = {"at": pa.timestamp("us", "UTC"), "arrived_at": pa.timestamp("us", "UTC"),
                 "error_code": pa.int64()}  # fmt: skip
        arrays = {n: pa.array(v, kinds.get(n, pa.string())) for n, v in columns.items()}
        through = min((first + size) / len(log), 1.0)
        yield Chunk(file, "row", first + 1, pa.RecordBatch.from_pydict(arrays), through=through)


def shown(log):
    """A log as text, for an assertion's message."""
    return "\n".join(json.dumps(row, default=str) for row in log)
