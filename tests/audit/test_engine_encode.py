"""Values of all kinds, and what is wrong with them; Parquet by both of its readers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from wa_sim.audit import groups
from wa_sim.audit.columns import ColumnError, Texts, few
from wa_sim.audit.encode import FEW, LONGEST, encode
from wa_sim.audit.engine import audit
from wa_sim.audit.plain import Chunk
from wa_sim.audit.sources import find, parquets, read
from wa_sim.audit.words import Words

from tests.audit import logs, reference
from wa_fsm import policies
from wa_fsm.identity import ANYWHERE, BETWEEN, canonical

POLICY = policies.get("cloud-api")
LATEST = int(POLICY.latest.timestamp() * 1000)
BOTH = pytest.mark.parametrize("quick", [False, True], ids=["plain", "compiled"])
T = 1_772_442_000  # 2026-03-02T09:00:00Z
GOOD = {
    "at": T, "direction": "inbound", "number": "1065403522", "customer": "491711234567",
    "kind": "text", "id": "a",
}  # fmt: skip
SENT = {**GOOD, "direction": "outbound"}


def encoded(columns, quick, first=1, positions=None):
    """What becomes of rows with these columns; Arrow chooses the types of lists."""
    rows = pa.RecordBatch.from_pydict(
        {n: v if isinstance(v, pa.Array) else pa.array(v) for n, v in columns.items()}
    )
    chunk = Chunk("log.csv", "line", first, rows, positions)
    return encode(chunk, Words(), LATEST, quick=quick)


@pytest.mark.parametrize("readers", ["polars", "arrow"])
@pytest.mark.parametrize("judge", ["truth", "known"])
def test_parquet_is_judged_as_the_same_rows_in_memory(tmp_path, monkeypatch, readers, judge):
    """Row groups read by Polars, or by Arrow where Polars is not there, give what History says."""
    if readers == "arrow":
        monkeypatch.setattr(parquets, "find_spec", lambda name: None)
    policy = policies.get("textbook", margin="1h")
    log = logs.random_log("parquet", policy, 300)
    batches = [chunk.rows for chunk in logs.chunks(log)]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_batches(batches), path, row_group_size=400)
    found = audit(read("plain", find([str(path)])), [policy], judge=judge, few=0)
    expected, repeats = reference.judged(log, policy, judge)
    assert expected == reference.judged_by_audit(found)
    assert repeats == found.totals.duplicates
    shown = {row["position"]: row for batch in found.sends() for row in batch.to_pylist()}
    for position, row in shown.items():
        for name in ("number", "id", "kind", "template", "language", "category"):
            given = log[position - 1][name]
            assert row[name] == (given if name != "kind" or given else "unclassified")
        assert canonical(log[position - 1]["customer"]) == row["customer"]


AT = {
    "seconds": pa.array([T], pa.timestamp("s", "UTC")),
    "milliseconds": pa.array([T * 1000], pa.timestamp("ms", "Europe/Berlin")),
    "microseconds": pa.array([T * 1_000_000 + 999], pa.timestamp("us", "UTC")),
    "nanoseconds": pa.array([T * 1_000_000_000 + 999_999], pa.timestamp("ns", "UTC")),
    "whole Unix seconds": pa.array([T]),
    "Unix seconds as float": pa.array([T + 0.0009]),
    "Unix seconds as text": pa.array([str(T)]),
    "ISO": pa.array(["2026-03-02T09:00:00Z"]),
    "ISO with an offset": pa.array(["2026-03-02T10:00:00.0009+01:00"]),
    "ISO of the other form": pa.array(["20260302T090000Z"]),
    "a dictionary": pa.array(["2026-03-02T09:00:00Z"]).dictionary_encode(),
    "a view": pa.array(["2026-03-02T09:00:00Z"], pa.string_view()),
}


@BOTH
@pytest.mark.parametrize("form", list(AT))
def test_forms_of_an_instant(form, quick):
    """Every form of an instant is read, and cut to whole milliseconds."""
    rows, rejects = encoded({**{n: [v] for n, v in GOOD.items()}, "at": AT[form]}, quick)
    assert [] == rejects
    assert [T * 1000] == (rows.when >> 2).tolist()


TEXTS = {
    "text": pa.array(["491711234567"]),
    "large text": pa.array(["491711234567"], pa.large_string()),
    "a view": pa.array(["491711234567"], pa.string_view()),
    "bytes": pa.array([b"491711234567"]),
    "a number": pa.array([491711234567]),
    "a whole float": pa.array([491711234567.0]),
    "a dictionary": pa.array(["491711234567"]).dictionary_encode(),
    "another spelling": pa.array(["+49 (171) 123-45.67"]),
}


@BOTH
@pytest.mark.parametrize("form", list(TEXTS))
def test_forms_of_a_name(form, quick):
    """A phone number is the same contact in every form and spelling."""
    rows, rejects = encoded({**{n: [v] for n, v in GOOD.items()}, "customer": TEXTS[form]}, quick)
    assert [] == rejects
    assert [1_491_711_234_567] == rows.key.tolist()


# What may stand in a phone number, and what is next to it.
STRANGE = [*ANYWHERE, *BETWEEN, *" -().x+é߿😀\u0660\uff11"] + [
    chr(ord(each) + step) for each in ANYWHERE + BETWEEN for step in (-1, 1)
]


def test_names_are_those_of_the_gatekeeper():
    """A name is a phone number exactly where `identity` says so, and the same number."""
    random, names = Random("names"), []
    for _ in range(20_000):
        head = random.choice(
            ["521", "54", "549", "55", "5511", "559", "49", "0", "00", "", "+", "+52"]
        )
        size = random.choice([5, 7, 8, 10, 11, 12, 12, 13, 13, 14, 15, 16, 24])
        name = (head + "".join(random.choice("0123456789") for _ in range(size)))[: size + 1]
        while random.random() < 0.4:
            cut = random.randrange(len(name) + 1)
            name = name[:cut] + random.choice(STRANGE) + name[cut:]
        names.append(name)
    columns = {n: [v] * len(names) for n, v in GOOD.items()} | {"customer": names}
    (quick, _), (plain, _) = encoded(columns, True), encoded(columns, False)
    phones = [key if key > 0 else 0 for key in quick.key.tolist()]
    assert [key if key > 0 else 0 for key in plain.key.tolist()] == phones
    for name, key in zip(names, phones, strict=True):
        assert not key or canonical(name) == str(key)[1:]
        assert key or canonical(name) == name


BAD = [
    ("at", {"at": None}, "the value is missing"),
    ("at", {"at": "2026-03-02T09:00:00"},
     "it has no zone; expected ISO 8601 with a zone, or Unix seconds"),
    ("at", {"at": "soon"}, "bad instant `soon`; expected ISO 8601 with a zone, or Unix seconds"),
    ("at", {"at": "1772442000123"},
     "bad instant `1772442000123`; it lies beyond the years 1 to 9999"),
    ("at", {"at": "9999-12-31T12:00:00Z"}, "a window from then would end after the year 9999"),
    ("direction", {"direction": "in"}, "expected `inbound` or `outbound`"),
    ("number", {"number": ""}, "the value is missing"),
    ("customer", {"customer": None}, "the value is missing"),
    ("customer", {"customer": "x" * (LONGEST + 1)}, "expected at most 32,767 bytes"),
    ("kind", {"kind": None}, "the value is missing"),
    ("id", {"id": ""}, "the value is missing"),
    ("arrived_at", {"arrived_at": "soon"},
     "bad instant `soon`; expected ISO 8601 with a zone, or Unix seconds"),
    ("status", {"direction": "outbound", "status": "queued"},
     "expected one of accepted, sent, delivered, read, played, failed"),
    ("error_code", {"direction": "outbound", "error_code": "E1"},
     "expected a whole number of at most 18 digits"),
    ("error_code", {"direction": "outbound", "error_code": "9" * 19},
     "expected a whole number of at most 18 digits"),
    ("error_code", {"direction": "outbound", "error_code": "9" * 5000},
     "expected a whole number of at most 18 digits"),
]  # fmt: skip


@BOTH
def test_a_code_may_be_written_with_a_decimal(quick):
    """As tables are written in which the codes of other rows are missing."""
    columns = {n: [v] * 2 for n, v in SENT.items()} | {"error_code": ["131047.0", "131047"]}
    rows, rejects = encoded(columns, quick)
    assert [] == rejects
    assert rows.meta[0] == rows.meta[1]


@BOTH
def test_what_is_wrong_is_told_with_its_place(quick):
    """Each bad value is a reject with position, column, reason and the value; the rest is kept."""
    log = []
    for _, change, _ in BAD:
        log += [{**GOOD, "at": str(T)}, {**GOOD, "at": str(T), **change}]
    names = (*GOOD, "arrived_at", "status", "error_code")
    columns = {name: pa.array([row.get(name) for row in log], pa.string()) for name in names}
    positions = pa.array([100 + 3 * row for row in range(len(log))])
    rows, rejects = encoded(columns, quick, positions=positions)
    assert len(BAD) == len(rows)
    told = [(each.position, each.column, each.why, each.raw) for each in rejects]
    assert told == [
        (100 + 3 * (2 * place + 1), column, why, raw and raw[:200])
        for place, (column, change, why) in enumerate(BAD)
        for raw in [change[column] or None]
    ]
    assert [100 + 6 * place for place in range(len(BAD))] == rows.position.tolist()


@BOTH
@pytest.mark.parametrize("value", [0.05, True])
def test_a_category_that_is_no_text_is_a_bad_row(quick, value):
    """It says nothing of the rows beside it."""
    columns = {name: [SENT[name]] * 2 for name in GOOD} | {"category": pa.array([None, value])}
    rows, rejects = encoded(columns, quick)
    assert ["category"] == [each.column for each in rejects]
    alone, _ = encoded({name: [SENT[name]] for name in GOOD}, quick)
    assert alone.meta.tolist() == rows.meta.tolist()


def no_utf8(kind):
    """A column of one text that is none."""
    made = pa.array([b"\xff"])
    return made if kind == pa.binary() else pa.StringArray.from_buffers(1, *made.buffers()[1:])


@BOTH
@pytest.mark.parametrize("kind", [pa.binary(), pa.string()], ids=str)
@pytest.mark.parametrize("name", ["customer", "id", *FEW])
def test_what_is_no_utf8_is_a_bad_row(quick, kind, name):
    """Whatever the file calls the type of its bytes, and whatever the column."""
    columns = {each: [value] for each, value in SENT.items()} | {name: no_utf8(kind)}
    _, rejects = encoded(columns, quick)
    assert [(name, "\\xff")] == [(each.column, each.raw) for each in rejects]


@BOTH
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()], ids=str)
def test_bytes_are_text(quick, kind):
    """Parquet without the mark of text has the same rows."""
    sent = SENT | {"kind": "template", "template": "sale", "language": "de", "status": "failed",
                   "error_code": "131047", "category": "utility"}  # fmt: skip
    texts = {name: [str(value)] for name, value in sent.items()}
    same = {name: pa.array([v[0].encode()], kind) for name, v in texts.items() if name != "at"}
    (expected, _), (found, rejects) = encoded(texts, quick), encoded({**texts, **same}, quick)
    assert [] == rejects
    assert expected.meta.tolist() == found.meta.tolist()
    assert expected.key.tolist() == found.key.tolist()


@BOTH
def test_no_number_is_no_value(quick):
    """What writers of Parquet put into empty cells is as empty as they are."""
    empty = {name: pa.array([float("nan")]) for name in ("template", "status", "error_code")}
    rows, rejects = encoded({name: [value] for name, value in SENT.items()} | empty, quick)
    assert (1, []) == (len(rows), rejects)


@BOTH
@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("value", [["sent"], {"is": "sent"}], ids=["a list", "a struct"])
def test_a_column_of_lists_is_told(quick, name, value):
    """It is the column that is wrong, and not each row: its name and its type are told."""
    with pytest.raises(ColumnError, match=f"log.csv: the column `{name}` is of the type "):
        encoded({each: [v] for each, v in SENT.items()} | {name: pa.array([value])}, quick)


@BOTH
@pytest.mark.parametrize("beside", [T, f"{T}.5", "2026-03-02T09:00:00Z"])
def test_nan_is_no_instant(quick, beside):
    """Whatever stands beside it; as some write a value that is missing."""
    values = pa.array([T + 0.5, float("nan")])
    if isinstance(beside, str):
        values = pa.array([beside, None])
    rows, rejects = encoded({n: [GOOD[n]] * 2 for n in GOOD} | {"arrived_at": values}, quick)
    assert (len(rows), rejects) == (2, [])
    times = {"at": pa.array([float(T), float("nan")])}
    _, rejects = encoded({n: [GOOD[n]] * 2 for n in GOOD} | times, quick)
    assert [("at", "the value is missing")] == [(each.column, each.why) for each in rejects]


@BOTH
def test_decimals_may_be_whole_numbers(quick):
    """As databases write them."""
    whole = pa.array([Decimal("491711234567"), Decimal("491711234567.5")])
    rows, rejects = encoded({n: [GOOD[n]] * 2 for n in GOOD} | {"customer": whole}, quick)
    assert [1_491_711_234_567] == rows.key.tolist()
    assert [("customer", "491711234567.5")] == [(each.column, each.raw) for each in rejects]


@BOTH
@pytest.mark.parametrize("column", ["at", "arrived_at"])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_an_instant_that_python_has_not_is_a_bad_row(quick, column, unit):
    """Arrow can hold it, and so can a file."""
    far = {"ms": 253_402_300_800_000, "us": 2**63 - 1}[unit]
    good = T * 1000 * (1000 if unit == "us" else 1)
    times = {column: pa.array([good, far], pa.timestamp(unit, "UTC"))}
    rows, rejects = encoded({name: [GOOD[name]] * 2 for name in GOOD} | times, quick)
    assert [(1, column, str(far))] == [(len(rows), each.column, each.raw) for each in rejects]
    assert "beyond the years 1 to 9999" in rejects[0].why


@BOTH
def test_a_kind_that_is_none_is_told_by_its_direction(quick):
    """Kinds of customers and of sends are told apart."""
    columns = {name: [GOOD[name], SENT[name]] for name in GOOD} | {"kind": ["template", "order"]}
    _, rejects = encoded(columns, quick)
    assert ["kind", "kind"] == [each.column for each in rejects]
    assert "customer's message: text" in rejects[0].why
    assert "of a send: text" in rejects[1].why


@BOTH
@pytest.mark.parametrize("column", ["at", "number", "customer", "kind", "id"])
def test_a_column_that_is_not_there(column, quick):
    """Without a column that is needed every row is rejected for it."""
    rows, rejects = encoded({n: [v] for n, v in GOOD.items() if n != column}, quick)
    assert [(column, "the value is missing", None)] == [(r.column, r.why, r.raw) for r in rejects]
    assert not len(rows)


def test_an_instant_without_a_zone_in_parquet():
    """A naive timestamp column rejects its rows, since nobody knows whose clock it was."""
    at = pa.array([T * 1000, None], pa.timestamp("ms"))
    columns = {n: [v, v] for n, v in GOOD.items()} | {"at": at}
    _, rejects = encoded(columns, True)
    assert ["it has no zone; expected ISO 8601 with a zone, or Unix seconds",
            "the value is missing"] == [each.why for each in rejects]  # fmt: skip


def test_two_names_of_one_hash_are_two_contacts():
    """Names are compared where their hashes are equal."""
    names = Texts.of(pa.array(["US.1", "US.2", "US.1"]))
    records = np.array([[-5, 40 + i, i << 32, 0] for i in range(3)], np.int64)
    ends = np.zeros((1, groups.PARTS + 1), np.int64)
    ends[0, 1:] = 3
    gathered, starts = np.empty((groups.HASH + 1, 3), np.int64), np.zeros(5, np.int64)
    keys = np.empty(3, np.int64)
    found = groups.gather(
        0, groups.PARTS, np.array([[records.ctypes.data, 4, 0, 0]]), ends, np.array([0]),
        np.array([names.where]), gathered, keys, starts,
    )  # fmt: skip
    assert 2 == found
    assert [0, 2, 3] == starts[:3].tolist()
    assert [0, 2, 1] == gathered[groups.ROW].tolist()
    assert [40, 42, 41] == gathered[groups.WHEN].tolist()
    assert [-5, -5] == keys[:2].tolist()


def test_an_instant_is_what_the_standard_library_reads():
    """Text that Arrow reads at once is read as `datetime.fromisoformat` reads it."""
    random, texts = Random("instants"), []
    for _ in range(2000):
        year, month, day = (
            random.choice([1, 1600, 1970, 2026, 9998]),
            *random.choices(range(2, 12), k=2),
        )
        clock = random.choices(range(24), k=3)
        at = datetime(year, month, day, *clock, random.randint(0, 999_999))
        spec = random.choice(["seconds", "milliseconds", "microseconds", "minutes"])
        zone = random.choice(["Z", "+00:00", "-03:30", "+05:45", "+01", "+0100"])
        texts.append(at.isoformat(random.choice("T "), spec) + zone)
    rows, _ = encoded({n: [v] * len(texts) for n, v in GOOD.items()} | {"at": texts}, True)
    for text, at in zip(texts, (rows.when >> 2).tolist(), strict=True):
        since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
        assert since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000 == at


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view()])
@pytest.mark.parametrize("shortest", [0, 13])
def test_texts_stay_where_they_were_read(kind, shortest):
    """Texts are told by where they stand; with the column gone they are still what they were."""
    random = Random("texts")
    values = ["".join(random.choices("añ€😀", k=random.randint(shortest, 30))) for _ in range(500)]
    column = pa.array(values, kind).slice(3, 400)
    texts, rows = Texts.of(column), np.array([0, 399, 7, 7])
    del column
    assert values[3:403] == texts.copied().to_pylist()
    assert [values[3 + row] for row in rows] == texts.take(rows).to_pylist()
    assert [len(value.encode()) for value in values[3:403]] == texts.lengths.tolist()


def test_few_values_in_views_with_none():
    """A column of views has each value once, and no value is the same as empty text."""
    values = ["sent", None, "", "a value that is longer than a view", "sent", None]
    found = few(pa.array([*values, "other"], pa.string_view()).slice(0, 6), 6)
    assert [value or None for value in values] == [found.values[n] for n in found.places]
