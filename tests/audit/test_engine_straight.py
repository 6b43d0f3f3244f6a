"""The short way from a chunk to records: it gives what the long way gives, or stands aside."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from random import Random
from threading import Event

import numpy as np
import pyarrow as pa
import pytest
from wa_sim.audit import kinds, reading, straight
from wa_sim.audit.columns import VIEW, few, values_of
from wa_sim.audit.compiled import fixed
from wa_sim.audit.encode import LONGEST, encode
from wa_sim.audit.engine import audit
from wa_sim.audit.judged import Threads
from wa_sim.audit.packed import unpacked
from wa_sim.audit.words import Words

from tests.audit import logs, reference
from wa_fsm import policies

LONG = bool(os.environ.get("WA_FSM_LONG"))
POLICY = policies.get("textbook", margin="1h")
LATEST = int(POLICY.latest.timestamp() * 1000)
IDS = {
    "of any length": lambda id_: id_,
    "that begin alike": lambda id_: f"wamid.HBgM{id_}",
    "of one length": lambda id_: f"wamid.{sum(map(ord, id_)):09}",
}


def phones(seed, keys=60, ids="of any length"):
    """A random log of contacts that are phone numbers, in several spellings."""
    log = logs.random_log(seed, POLICY, keys)
    for row in log:
        name = row["customer"]
        row["customer"] = f"5255{name[-8:]}" if name.startswith("US.") else name
        row["id"] = IDS[ids](row["id"])
    return log


def chunk_of(log):
    """The log as Polars gives it: texts are views."""
    (chunk,) = logs.chunks(log)
    rows = chunk.rows
    columns = {
        name: column.cast(pa.string_view()) if pa.types.is_string(column.type) else column
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    }
    return replace(chunk, rows=pa.RecordBatch.from_pydict(columns))


def told(rows):
    """All that is known of some rows."""
    arrived = rows.instants() if rows.arrived is None else rows.arrived
    columns = rows.key, rows.when, arrived, rows.meta, rows.hash
    _, positions = rows.where(np.arange(len(rows)))
    return [*(column.tolist() for column in columns), positions.tolist()]


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("without", [None, "arrived_at", "category"])
def test_the_short_way_gives_what_the_long_way_gives(monkeypatch, ids, without):
    """Every number of every row, for slices whose ids begin with more or less of the same."""
    monkeypatch.setattr(straight, "AT_ONCE", 7)
    for seed in range(30):
        chunk = chunk_of(phones(seed, 12, ids))
        if without is not None:
            chunk = chunk_of([{**row, without: None} for row in phones(seed, 12, ids)])
        words = Words()
        long, rejects = encode(chunk, words, LATEST)
        assert not rejects
        short = straight.straight(chunk, words, LATEST)
        assert short is not None
        parts, first, last = short
        wide = [unpacked(part) for part in parts]
        columns = zip(*map(told, wide), strict=True)
        assert told(long) == [list(chain(*column)) for column in columns]
        ids_of = [some.ids.copied().to_pylist() for some in wide]
        assert long.ids.copied().to_pylist() == list(chain(*ids_of))
        instants = long.instants()
        assert (int(instants.min()), int(instants.max())) == (first, last)


BEYOND = timedelta(days=5 * 366)
ODD = {
    "a name that is no phone number": {"customer": "US.1"},
    "no name": {"customer": None},
    "an empty name": {"customer": ""},
    "no id": {"id": None},
    "an empty id": {"id": ""},
    "an id that is too long": {"id": "x" * (LONGEST + 1)},
    "no instant": {"at": None},
    "a word that means nothing": {"direction": "sideways"},
    "a status that means nothing": {"direction": "outbound", "status": "gone"},
    "a business number that is missing": {"number": None},
    "instants that lie years apart": {"at": logs.NINE + BEYOND},
    "arrivals that lie years apart": {"arrived_at": logs.NINE + BEYOND},
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_unusual_goes_the_long_way(odd):
    """One such row, and the short way leaves all to the other."""
    log = phones("odd", 20)
    assert straight.straight(chunk_of(log), Words(), LATEST) is not None
    log[len(log) // 2] = {**log[len(log) // 2], **ODD[odd]}
    assert straight.straight(chunk_of(log), Words(), LATEST) is None


def test_texts_that_are_no_views_and_too_many_kinds_go_the_long_way():
    """Plain columns are for the long way; so is a chunk with more kinds than a record can tell."""
    log = phones("kinds", 20)
    (plain,) = logs.chunks(log)
    assert straight.straight(plain, Words(), LATEST) is None
    many = [{**log[0], "category": f"category {n % 200}", "template": f"{n}"} for n in range(5000)]
    assert straight.straight(chunk_of(many), Words(), LATEST) is None
    assert straight.straight(chunk_of(many[:4000]), Words(), LATEST) is not None


def test_an_id_that_begins_otherwise_is_found():
    """The sample says how ids begin; one that was not in it does not."""
    log = [dict(row, id=f"wamid.{n:06}") for n, row in enumerate(phones("sample", 80) * 3)]
    for odd in ("w", "wamid/000001", "other.000001"):
        log[2 * len(log) // kinds._SAMPLE + 1]["id"] = odd
        (part,), _, _ = straight.straight(chunk_of(log), Words(), LATEST)
        assert [row["id"] for row in log] == part.ids.copied().to_pylist()


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("judge", ["truth", "known"])
def test_the_short_way_is_judged_as_history_does(monkeypatch, ids, judge):
    """Many slices, wide and narrow records mixed: each send, repeat and tie as History has it."""
    monkeypatch.setattr(reading, "_SMALL", 1)
    monkeypatch.setattr(straight, "AT_ONCE", 50)
    taken, write = [], kinds.write

    def counted(*args):
        taken.append(len(args[8]))
        return write(*args)

    monkeypatch.setattr(kinds, "write", counted)
    for seed in range(150 if LONG else 3):
        log = phones(f"history {seed}", 120, ids)
        half = len(log) // 2
        (wide,) = logs.chunks(log[:half])
        narrow = chunk_of(log[half:])
        found = audit([wide, replace(narrow, first=half + 1)], [POLICY], judge=judge, few=0)
        expected, repeats = reference.judged(log, POLICY, judge)
        assert expected == reference.judged_by_audit(found)
        assert repeats == found.totals.duplicates
        shown = {row["position"]: row["id"] for b in found.sends() for row in b.to_pylist()}
        assert all(log[position - 1]["id"] == id_ for position, id_ in shown.items())
    assert sum(taken) >= 300


@pytest.mark.parametrize("judge", ["truth", "known"])
def test_narrow_records_go_to_disk_as_they_were(monkeypatch, judge):
    """What was read before memory ran out is written with the rest."""
    monkeypatch.setattr(reading, "_SMALL", 1)
    random, logs_ = Random("disk"), [phones(f"disk {n}", 60, "that begin alike") for n in range(4)]
    whole = [row for log in logs_ for row in log]
    chunks, first = [], 1
    for log in logs_:
        chunks.append(replace(chunk_of(log), first=first))
        first += len(log)
    size = random.randint(20_000, 40_000)
    found = audit(chunks, [POLICY], judge=judge, few=0, memory=size, buckets=4)
    assert found.held.spill is not None
    expected, repeats = reference.judged(whole, POLICY, judge)
    assert expected == reference.judged_by_audit(found)
    assert repeats == found.totals.duplicates


def column_of(random, size, nulls, numbers):
    """Some values, of which so many of a hundred are none, seen from within a longer column."""
    known = [1, -2, 131026] if numbers else ["", "text", "image"]
    known = known[: random.randint(1, 3)]
    values = [None if random.randrange(100) < nulls else random.choice(known) for _ in range(size)]
    return pa.array(values, pa.int64() if numbers else pa.string_view())[random.randrange(20) :]


@pytest.mark.parametrize("nulls", [0, 3, 50, 97, 100])
@pytest.mark.parametrize("seed", range(4))
def test_rows_of_one_kind_are_those_with_the_same_values(seed, nulls):
    """Whatever bit of a byte the first row's is, and however many blocks of rows there are."""
    random = Random(seed)
    columns = [column_of(random, 3100, nulls, numbers) for numbers in (0, 1, 0, 0)]
    columns = [column[: min(map(len, columns))] for column in columns]
    found, count = np.zeros(len(columns[0]), np.uint16), 1
    for column in columns:
        width = VIEW if pa.types.is_string_view(column.type) else 8
        count = kinds.divide(*values_of(column, width), found, count)
    example = np.zeros(count, np.int64)
    kinds.examples(fixed(found), example)
    rows = list(zip(*(column.to_pylist() for column in columns), strict=True))
    assert rows == [rows[example[kind]] for kind in found.tolist()]
    assert len(set(found.tolist())) == len(set(rows))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_is_shared_comes_in_order(count):
    """Also where several threads share at once and each is busy, so that nobody can help."""
    threads = Threads(count)
    inner = partial(threads.share, lambda number: number * number)
    found = list(threads.map(lambda first: list(inner(range(first, first + 5))), range(8)))
    threads.close()
    assert found == [[number**2 for number in range(first, first + 5)] for first in range(8)]


def test_what_is_shared_fails_as_it_would_alone():
    """And what has not begun is left alone."""
    threads, begun, go = Threads(2), [], Event()

    def work(number):
        begun.append(number)
        if number == 0:
            raise ValueError("no such thing")

    busy = [threads.begin(lambda _: go.wait(60), None) for _ in range(2)]
    with pytest.raises(ValueError, match="no such thing"):
        list(threads.share(work, range(9)))
    go.set()
    for each in busy:
        assert each()
    threads.close()
    assert begun == [0]


def test_a_column_without_rows_has_no_values():
    """Nothing is read where there is nothing."""
    found = few(pa.array([], pa.string_view()), 0)
    assert found.values == [None]
    assert len(found.places) == 0
