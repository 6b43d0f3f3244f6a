"""Logs in the plain form, or mapped to it: every row comes with its place, or is rejected there."""

from __future__ import annotations

import errno
import gzip
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
import pyarrow as pa
import pyarrow.parquet as pq
from wa_sim.audit.engine import audit
from wa_sim.audit.masking import Mask
from wa_sim.audit.plain import Chunk, Reject
from wa_sim.audit.rejects import Rejects
from wa_sim.audit.sources import BadMap, NoLog, csv_lines, csvs, find, jsons, parse_maps, read

from wa_fsm import policies

from .told import PLAIN_HEAD, told, written

ROW = "2026-03-01T15:00:00Z,inbound,15550001111,4915112345678,text,,m1,,\n"
PLAIN = {
    "at": "2026-03-01T15:00:00Z",
    "direction": "inbound",
    "number": "15550001111",
    "customer": "4915112345678",
    "kind": "text",
    "id": "m1",
}


def test_a_csv_row_has_the_line_on_which_it_begins(tmp_path: Path) -> None:
    """Empty lines, quotes and newlines inside quotes move no row from its line."""
    text = (
        PLAIN_HEAD
        + ROW
        + "\n\r\n"
        + ROW.replace("4915112345678", '"49 151,""12"')
        + ROW.replace("text,,", 'text,"two\nlines",')
        + ROW
    )
    rows, rejects, asides = told("plain", written(tmp_path, "a.csv", text))
    assert [position for position, _ in rows] == [2, 5, 6, 8]
    assert rows[0][1] == PLAIN
    assert rows[1][1]["customer"] == '49 151,"12'
    assert rows[2][1]["template"] == "two\nlines"
    assert (rejects, asides) == ([], {})


def test_a_csv_row_with_other_columns_than_the_header_is_rejected_with_its_line(
    tmp_path: Path,
) -> None:
    """A row with too few or too many fields is told with its line; the rows around it are read."""
    text = PLAIN_HEAD + ROW + "one,two\n" + ROW + ROW.replace(",,\n", ",,,,\n") + ROW
    rows, rejects, _ = told("plain", written(tmp_path, "a.csv", text))
    assert [position for position, _ in rows] == [2, 4, 6]
    assert rejects == [
        (3, "2 fields; expected 9, as in the header"),
        (5, "11 fields; expected 9, as in the header"),
    ]


def test_broken_quotes_cost_their_own_line(tmp_path: Path) -> None:
    """A quotation mark that is never closed, or stands inside a field, loses only its row."""
    text = (
        PLAIN_HEAD
        + ROW
        + ROW.replace("4915112345678", '"4915')
        + ROW
        + ROW.replace("4915112345678", '"49"15')
        + ROW
    )
    rows, rejects, _ = told("plain", written(tmp_path, "a.csv", text))
    assert [position for position, _ in rows] == [2, 4, 6]
    assert [position for position, _ in rejects] == [3, 5]


def test_a_quote_inside_an_unquoted_field_is_a_letter(tmp_path: Path) -> None:
    """`5" screen` is what it says."""
    text = PLAIN_HEAD + ROW.replace("text,,", 'text,5" screen,') + ROW
    rows, rejects, _ = told("plain", written(tmp_path, "a.csv", text))
    assert [row.get("template") for _, row in rows] == ['5" screen', None]
    assert rejects == []


@pytest.mark.parametrize("piece", [40, 333, 10_000])
@pytest.mark.parametrize(
    ("stray", "broken"), [('5" long', False), ('"abc', True), ('"a"b', True), ('"a""b', True)]
)
def test_two_stray_quotes_keep_the_rows_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stray: str, broken: bool, piece: int
) -> None:
    """Marks that begin no whole field are never a pair over lines; whole fields still join."""
    odd = ROW.replace("text,,", f"text,{stray},")
    joined = ROW.replace("text,,", 'text,"two, ""\n\nlines",')
    text = PLAIN_HEAD + (ROW + odd + ROW + joined + ROW) * 2 + odd + ROW
    path = written(tmp_path, "a.csv", text)
    monkeypatch.setattr(csvs, "PIECE", piece)
    rows, rejects, _ = told("plain", path)
    whole, strays = [2, 4, 5, 8, 9, 11, 12, 15, 17], [3, 10, 16]
    assert [position for position, _ in rows] == sorted(whole + ([] if broken else strays))
    assert [position for position, _ in rejects] == (strays if broken else [])
    assert [dict(rows)[position]["template"] for position in (5, 12)] == ['two, "\n\nlines'] * 2


def test_a_stray_quote_beside_a_field_of_two_lines_is_a_letter(tmp_path: Path) -> None:
    """A row may have both, before and behind; its line breaks are those inside its fields."""
    row = '2026-03-01T15:00:00Z,inbound,1" 5,"49\n15",text,5" x,"m\n""1",7",\r\n'
    rows, rejects, _ = told("plain", written(tmp_path, "a.csv", PLAIN_HEAD + row + row + ROW))
    own = {"number": '1" 5', "customer": "49\n15", "template": '5" x', "id": 'm\n"1'}
    assert rows == [(n, {**PLAIN, **own, "status": '7"'}) for n in (2, 5)] + [(8, PLAIN)]
    assert rejects == []


def test_bytes_that_are_no_utf8_cost_their_own_line(tmp_path: Path) -> None:
    """A row in another encoding is rejected; the others are read."""
    text = (PLAIN_HEAD + ROW + ROW + ROW).encode()
    bad = ROW.replace("4915112345678", "Jürgen").encode("latin-1")
    path = written(tmp_path, "a.csv", text + bad + ROW.encode())
    rows, rejects, _ = told("plain", path)
    assert [position for position, _ in rows] == [2, 3, 4, 6]
    assert rejects == [(5, "not in UTF-8, from byte 43 of the row on")]


@pytest.mark.parametrize("word", ["a\rb", "\u00e9\rb", "a\r"])
@pytest.mark.parametrize("other", ["", "x"])
def test_a_carriage_return_inside_a_field_is_a_letter(
    tmp_path: Path, word: str, other: str
) -> None:
    """It ends no row, wherever it stands, and whether its column is read or not."""
    head = PLAIN_HEAD.replace("template", other or "template")
    row = ROW.replace("text,,", f"text,{word},")
    path = written(tmp_path, "a.csv", (head + ROW + row + "one\r,two\r\n" + ROW).encode())
    rows, rejects, _ = told("plain", path)
    assert rows == [(2, PLAIN), (3, PLAIN if other else {**PLAIN, "template": word}), (5, PLAIN)]
    assert rejects == [(4, "2 fields; expected 9, as in the header")]


def test_a_header_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Line ends of old Macs, and quotation marks that do not fit, each in a sentence."""
    text = (PLAIN_HEAD + ROW + ROW).replace("\n", "\r")
    with pytest.raises(NoLog, match=r"mac\.csv:1: a carriage return stands inside the header"):
        told("plain", written(tmp_path, "mac.csv", text.encode()))
    with pytest.raises(NoLog, match=r"a\.csv:1: the quotation marks of the header do not fit"):
        told("plain", written(tmp_path, "a.csv", PLAIN_HEAD.replace("kind", '"ki\nnd"') + ROW))


def test_fields_may_be_long(tmp_path: Path) -> None:
    """A name or a field of 200,000 letters is no fault, and what is wrong beside it is told."""
    long = "x" * 200_000
    head, row = PLAIN_HEAD.replace("\n", f",{long}\n"), ROW.replace("\n", f",{long}\n")
    quoted = row.replace(long, f'"{long}"')
    text = head + row + f"one,{long}\n" + quoted + row.replace("text", '"te"xt') + row
    rows, rejects, _ = told("plain", written(tmp_path, "a.csv", text))
    assert rows == [(2, PLAIN), (4, PLAIN), (6, PLAIN)]
    assert rejects == [
        (3, "2 fields; expected 10, as in the header"),
        (5, "the quotation marks do not fit together"),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_known_by_the_header(tmp_path: Path, delimiter: str) -> None:
    """Tables of Excel in Europe, and tabs, are read too; so is a byte order mark."""
    text = "\ufeff" + (PLAIN_HEAD + ROW).replace(",", delimiter)
    rows, _, _ = told("plain", written(tmp_path, "a.csv", text))
    assert rows == [(2, PLAIN)]


@pytest.mark.parametrize("piece", [40, 100, 333, 1000])
def test_pieces_of_a_file_join_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Wherever a file is cut into pieces, rows and lines are the same."""
    quoted = ROW.replace("4915112345678", '"49\n15\n1"')
    text = PLAIN_HEAD + "".join((ROW + "\n" + quoted + "x\n") * 20)
    path = written(tmp_path, "a.csv", text)
    whole = told("plain", path)
    assert [position for position, _ in whole[0]][:4] == [2, 4, 8, 10]
    assert len(whole[0]) == 40
    assert len(whole[1]) == 20
    monkeypatch.setattr(csvs, "PIECE", piece)
    monkeypatch.setattr(csv_lines, "LONGEST", 10_000)
    assert told("plain", path) == whole


def test_json_lines_are_read_whatever_the_types(tmp_path: Path) -> None:
    """Numbers for names, instants as numbers, other keys and empty lines are all well."""
    row = {"at": 1772377200, "direction": "inbound", "number": 15550001111, "customer": "49",
           "kind": "text", "id": "a", "extra": {"x": [1]}}  # fmt: skip
    plain = {key: value for key, value in row.items() if key != "extra"}
    same = "".join(json.dumps(row) + "\n" for _ in range(3))
    rows, rejects, _ = told("plain", written(tmp_path, "same.jsonl", same))
    assert rows == [(1, plain), (2, plain), (3, plain)]
    other = json.dumps({**row, "at": "1772377200", "number": "15550001111"})
    mixed = f"{json.dumps(row)}\n\n{other}\n"
    rows, rejects, _ = told("plain", written(tmp_path, "mixed.jsonl", mixed))
    texts = {**plain, "at": "1772377200", "number": "15550001111"}
    assert rows == [(1, {**texts, "at": "2026-03-01T15:00:00+00:00"}), (3, texts)]
    assert rejects == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("customer", 4915112345678, "4915112345678"),
        ("customer", 4915112345678.0, "4915112345678"),
        ("id", 7.0, "7"),
        ("id", 10**30, str(10**30)),
        ("at", -5, "1969-12-31T23:59:55+00:00"),
        ("at", 1772377200.25, "2026-03-01T15:00:00.250000+00:00"),
        ("at", 1e-7, "1970-01-01T00:00:00+00:00"),
        ("at", 1e300, "1e+300"),
    ],
)
def test_a_value_of_json_means_the_same_beside_a_text(
    tmp_path: Path, name: str, value: Any, said: str
) -> None:
    """A number that stands beside texts is the text of what it is alone."""
    text = f"{json.dumps(PLAIN)}\n{json.dumps({**PLAIN, name: value})}\n"
    rows, rejects, _ = told("plain", written(tmp_path, "a.jsonl", text))
    assert rows == [(1, PLAIN), (2, {**PLAIN, name: said})]
    assert rejects == []


def test_what_is_no_number_in_json_is_no_value(tmp_path: Path) -> None:
    """NaN is what some writers put where nothing is; beside a text it is no text either."""
    given = [{**PLAIN, "template": "a"}, {**PLAIN, "template": math.nan}]
    text = "".join(json.dumps(row) + "\n" for row in given)
    rows, rejects, _ = told("plain", written(tmp_path, "a.jsonl", text))
    assert rows == [(1, {**PLAIN, "template": "a"}), (2, PLAIN)]
    assert rejects == []


@pytest.mark.parametrize("value", [{"wa_id": "49"}, ["49"], True, 1.5])
@pytest.mark.parametrize("name", ["at", "customer", "id", "number", "template"])
def test_json_that_is_no_text_costs_its_row(tmp_path: Path, name: str, value: Any) -> None:
    """Objects, lists and truths are no texts of what stands in them, whatever stands beside."""
    rows = [PLAIN, {**PLAIN, name: value}, {**PLAIN, "id": 3}]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = list(read("plain", find([str(path)])))
    if name == "at" and value == 1.5:
        assert not [each for each in found if isinstance(each, Reject)]
        return
    (reject,) = (each for each in found if isinstance(each, Reject))
    instant = "expected ISO 8601 with a zone, or a number"
    why = instant if name == "at" else "expected text, or a whole number"
    assert reject == Reject(str(path), "line", 2, name, why, json.dumps(value))
    assert [position for position, _ in told("plain", path)[0]] == [1, 3]


@pytest.mark.parametrize("value", [{"a": 1}, ["failed"], True, 1.5, 1e300])
@pytest.mark.parametrize("name", ["status", "error_code"])
@pytest.mark.parametrize("beside", [None, 3, "x"])
def test_what_only_sends_have_costs_no_customer_message(
    tmp_path: Path, name: str, value: Any, beside: Any
) -> None:
    """A status of what came in is not asked for, whatever stands beside; that of a send is."""
    send = {**PLAIN, "direction": "outbound", "kind": "free_form", "id": "m2", name: value}
    rows = [{**PLAIN, name: value}, send, {**PLAIN, "id": "m3", name: beside}]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    bad: list[Reject] = []
    audit(read("plain", find([str(path)])), [policies.get("cloud-api")], rejects=bad.append)
    assert [(each.position, each.column) for each in bad] == [(2, name)]


def test_words_may_stand_for_json_that_is_no_text(tmp_path: Path) -> None:
    """Where --map gives words, truths and objects are what they are written as."""
    rows = [{**PLAIN, "out": False, "tpl": None}, {**PLAIN, "out": True, "tpl": {"name": "a"}}]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    maps = ["direction=out:true=outbound;false=inbound,kind=tpl:=text;*=template"]
    found, rejects, _ = told("plain", path, columns=parse_maps(maps))
    assert [(row["direction"], row["kind"]) for _, row in found] == [
        ("inbound", "text"),
        ("outbound", "template"),
    ]
    assert rejects == []


def test_a_reject_of_a_mapped_column_has_its_plain_name(tmp_path: Path) -> None:
    """What is masked goes by the plain name, so a contact is never shown by another."""
    path = written(tmp_path, "a.jsonl", json.dumps({**PLAIN, "who": ["49"]}) + "\n")
    (reject,) = read("plain", find([str(path)]), parse_maps(["customer=who"]))
    assert isinstance(reject, Reject)
    assert reject.column == "customer"


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_half_a_surrogate_pair_is_an_unknown_letter(tmp_path: Path, form: str) -> None:
    """JSON may hold what is no text; a whole pair is left alone."""
    row = json.dumps(PLAIN).replace('"m1"', r'"\ud83d\ude00 \ud800 \uDC00x"')
    rows, rejects, _ = told("plain", written(tmp_path, "a", f"[{row}]" if form == "json" else row))
    assert rows == [(1, {**PLAIN, "id": "\U0001f600 \ufffd \ufffdx"})]
    assert rejects == []


@pytest.mark.parametrize("broken", ["", "{\n"])
def test_a_backslash_before_a_u_is_a_letter(tmp_path: Path, broken: str) -> None:
    """Ids that only look like halves of surrogate pairs stay apart, however they are read."""
    ids = [r"a\udead", r"a\udeaf", r"\ud83d\ude00"]
    text = "".join(json.dumps({**PLAIN, "id": each}) + "\n" for each in ids) + broken
    rows, _, _ = told("plain", written(tmp_path, "a.jsonl", text))
    assert [row["id"] for _, row in rows] == ids


def test_half_a_pair_after_a_backslash_is_an_unknown_letter(tmp_path: Path) -> None:
    """What stands before it is told apart from its own backslash, and from its other half."""
    row = json.dumps(PLAIN).replace('"m1"', r'"\\\ud800 \\ud83d\ude00 \ud83d\ude00\ude00"')
    rows, _, _ = told("plain", written(tmp_path, "a.jsonl", row))
    assert [row["id"] for _, row in rows] == ["\\\ufffd \\ud83d\ufffd \U0001f600\ufffd"]


def test_broken_json_lines_are_rejected_with_their_line(tmp_path: Path) -> None:
    """What is no object on a line of its own is told with its line."""
    row = json.dumps(PLAIN)
    text = f'{row}\n{{"at": \n[1]\n{row} {row}\n"x"\n{row}'.encode() + b'\n{"id": "\xff"}\n'
    rows, rejects, _ = told("plain", written(tmp_path, "a.jsonl", text))
    assert [position for position, _ in rows] == [1, 6]
    assert rejects == [
        (2, "broken JSON: Expecting value at column 8"),
        (3, "expected a JSON object"),
        (4, f"broken JSON: Extra data at column {len(row) + 2}"),
        (5, "expected a JSON object"),
        (7, "not in UTF-8, from byte 9 of the row on"),
    ]


@pytest.mark.parametrize("end", ["]}\n", "]}"])
def test_a_document_may_look_like_lines(tmp_path: Path, end: str) -> None:
    """Its first line is no value of its own, but with those after it."""
    rows = [json.dumps({**PLAIN, "id": str(n)}) for n in range(4)]
    path = written(tmp_path, "a.json", '{"messages": [' + ",\n".join(rows) + end)
    (log,) = find([str(path)])
    found = list(jsons.records(log, inside=("messages",)))
    assert [
        (each.position, each.row["id"]) for each in found if isinstance(each, jsons.Record)
    ] == [(n + 1, str(n)) for n in range(4)]


def test_a_document_may_have_a_line_as_long_as_no_log_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is looked at to tell a document from lines may end within its second line."""
    monkeypatch.setattr(jsons, "PIECE", 500)
    rows = [json.dumps({**PLAIN, "id": str(n)}) for n in range(20)]
    path = written(tmp_path, "a.json", '{"messages": [\n' + ",".join(rows) + "]}")
    (log,) = find([str(path)])
    found = list(jsons.records(log, inside=("messages",)))
    assert [each.row["id"] for each in found if isinstance(each, jsons.Record)] == [
        str(n) for n in range(20)
    ]


@pytest.mark.parametrize(
    "first", ['{"at": 1', '{"at": 1,', '{"at": [', '{"at": "x', "{", '{"a":' * 9000]
)
def test_a_broken_first_line_costs_its_own_row(tmp_path: Path, first: str) -> None:
    """However it breaks off, the lines after it are rows."""
    text = f"{first}\n" + (json.dumps(PLAIN) + "\n") * 3
    rows, rejects, _ = told("plain", written(tmp_path, "a.jsonl", text))
    assert [position for position, _ in rows] == [2, 3, 4]
    assert [position for position, _ in rejects] == [1]


def test_a_json_document_is_a_list_of_rows(tmp_path: Path) -> None:
    """One document over several lines is read too; its positions count rows."""
    text = json.dumps([PLAIN, 3, PLAIN], indent=1)
    rows, rejects, _ = told("plain", written(tmp_path, "a.json", text))
    assert rows == [(1, PLAIN), (3, PLAIN)]
    assert rejects == [(2, "expected a JSON object")]
    rows, rejects, _ = told("plain", written(tmp_path, "b.json", '[\n{"at": \n'))
    assert rows == []
    assert rejects == [(3, "broken JSON: Expecting value at column 1")]


@pytest.mark.parametrize("piece", [60, 500])
def test_pieces_of_json_lines_join_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Wherever a file is cut into pieces, rows and lines are the same."""
    lines = [json.dumps({**PLAIN, "id": f"m{n}"}) for n in range(30)]
    path = written(tmp_path, "a.jsonl", "\n".join(lines))
    whole = told("plain", path)
    assert [position for position, _ in whole[0]] == list(range(1, 31))
    monkeypatch.setattr(jsons, "PIECE", piece)
    assert told("plain", path) == whole


def parquet(path: Path, rows: list[dict[str, Any]], group: int = 2) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def test_parquet_goes_through_untouched_a_group_at_a_time(tmp_path: Path) -> None:
    """Positions count rows over all groups; columns that nobody asked for are left alone."""
    rows = [{**PLAIN, "id": f"m{n}", "other": n} for n in range(5)]
    path = parquet(tmp_path / "a.parquet", rows)
    found, rejects, _ = told("plain", path)
    assert found == [(n + 1, {**PLAIN, "id": f"m{n}"}) for n in range(5)]
    assert rejects == []
    chunks = list(read("plain", find([str(path)])))
    assert [chunk.through for chunk in chunks if isinstance(chunk, Chunk)] == [0.4, 0.8, 1.0]


def test_empty_groups_of_parquet_are_passed_over(tmp_path: Path) -> None:
    """A writer that had nothing to write may have written that."""
    table, path = pa.Table.from_pylist([PLAIN]), tmp_path / "a.parquet"
    with pq.ParquetWriter(path, table.schema) as writer:
        for rows in (table.slice(1), table, table.slice(1)):
            writer.write_table(rows)
    assert len(list(read("plain", find([str(path)])))) == 1
    assert told("plain", path) == ([(1, PLAIN)], [], {})


def test_files_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    """Names do not matter, gzip is unpacked, and how much of all is read is told."""
    first = written(tmp_path, "first", gzip.compress((PLAIN_HEAD + ROW).encode()))
    second = written(tmp_path, "second.txt", json.dumps(PLAIN))
    third = parquet(tmp_path / "third", [PLAIN])
    logs = find(map(str, (first, second, third)))
    assert [(log.form, log.packed) for log in logs] == [
        ("csv", True),
        ("json", False),
        ("parquet", False),
    ]
    rows, _, _ = told("plain", first, second, third)
    assert [row for _, row in rows] == [PLAIN, PLAIN, PLAIN]
    whole = [each.through for each in read("plain", logs) if isinstance(each, Chunk)]
    assert all(through is not None for through in whole)
    assert whole == sorted(whole, key=lambda through: through or 0)
    assert whole[-1] == 1.0


def test_folders_and_patterns_name_their_logs_once(tmp_path: Path) -> None:
    """A folder is searched for known endings, a pattern for what fits; nothing is read twice."""
    inner = tmp_path / "logs" / "march"
    inner.mkdir(parents=True)
    for name in ("b.csv", "a.jsonl.gz", "readme.md"):
        text = PLAIN_HEAD + ROW if name.endswith("csv") else json.dumps(PLAIN)
        packed = gzip.compress(text.encode()) if name.endswith("gz") else text
        written(inner, name, packed)
    found = find(
        [str(inner / "b.csv"), str(tmp_path / "logs"), str(tmp_path / "*" / "*" / "*.csv")]
    )
    assert [Path(log.path).name for log in found] == ["b.csv", "a.jsonl.gz"]


def test_what_is_no_file_is_no_log_of_a_folder(tmp_path: Path) -> None:
    """A pipe, which would be waited for, and links that go round; a log is read once."""
    log = written(tmp_path, "a.csv", PLAIN_HEAD + ROW)
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "self.csv").symlink_to(tmp_path / "self.csv")
    for path in (tmp_path, tmp_path / "**" / "*", tmp_path / "*.csv"):
        assert [os.path.realpath(each.path) for each in find([str(path)])] == [str(log)]
    with pytest.raises(NoLog, match=r"pipe\.jsonl` is no file"):
        find([str(tmp_path / "pipe.jsonl")])


@pytest.mark.parametrize("path", ["", "*", "gone.csv"])
def test_a_link_to_nothing_is_told(tmp_path: Path, path: str) -> None:
    """What it led to may be a part of the log, so it is not left out without a word."""
    written(tmp_path, "a.csv", PLAIN_HEAD + ROW)
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nothing.csv")
    with pytest.raises(NoLog, match=r"gone\.csv` is a link to a file that is not there"):
        find([str(tmp_path / path)])


def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands below it is not left out without a word."""
    shut = tmp_path / "logs" / "shut"
    shut.mkdir(parents=True)
    written(shut.parent, "a.csv", PLAIN_HEAD + ROW)
    scan = os.scandir

    def refused(path: Any) -> Any:
        if os.fspath(path) == str(shut):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError, match="shut"):
        find([str(shut.parent)])


def test_rejects_of_an_audit_are_no_log_of_a_folder(tmp_path: Path) -> None:
    """Neither the file of that name, which may be empty, nor one of another name."""
    log = written(tmp_path, "a.jsonl", json.dumps({"file": "a", "row": 1, **PLAIN}) + "\n")
    rejects = Rejects(str(tmp_path / "bad.jsonl"), Mask())
    rejects(Reject("b.csv", "line", 2, None, "not in UTF-8", "x"))
    rejects.keep()
    written(tmp_path, "audit-rejects.jsonl", "")
    assert [each.path for each in find([str(tmp_path)])] == [str(log)]
    named = find([str(tmp_path / "bad.jsonl")])
    assert [Path(each.path).name for each in named] == ["bad.jsonl"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nothing.csv", "no such file or folder: `{}`"),
        ("*.csv", "no file matches `{}`"),
        ("empty", "no log in the folder `{}`"),
    ],
)
def test_a_path_without_a_log_is_an_error(tmp_path: Path, path: str, why: str) -> None:
    """A misspelt path is never an empty audit."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoLog) as caught:
        find([str(tmp_path / path)])
    assert str(caught.value).startswith(why.format(tmp_path / path))


def test_a_lacking_column_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    """A table without a column that is needed is no log; the message says what to do."""
    path = written(tmp_path, "a.csv", (PLAIN_HEAD + ROW).replace("direction", "dir"))
    with pytest.raises(NoLog) as caught:
        told("plain", path)
    assert str(caught.value) == (
        f"{path.as_posix()}: the column `direction` is missing; there are at, dir, number, "
        "customer, kind, template, id, status, error_code. Say which one it is: "
        "--map direction=COLUMN"
    )
    one = [{key: value for key, value in PLAIN.items() if key != "kind"}]
    with pytest.raises(NoLog, match="the column `kind` is missing"):
        told("plain", parquet(tmp_path / "a.parquet", one))


def test_a_page_of_parquet_that_is_corrupt_is_told_with_its_rows(tmp_path: Path) -> None:
    """A file whose end is whole and whose middle is not: which file, and which of its rows."""
    path = tmp_path / "corrupt.parquet"
    ids = pa.array([f"wamid.{number:040}" for number in range(5000)])
    columns = {name: pa.array(["1"] * 5000) for name in ("at", "direction", "number", "kind")}
    pq.write_table(pa.table({**columns, "customer": ids, "id": ids}), path, row_group_size=2500)
    page = pq.ParquetFile(path).metadata.row_group(1).column(5).data_page_offset
    whole = bytearray(path.read_bytes())
    whole[page + 60 : page + 560] = b"\xff" * 500
    path.write_bytes(whole)
    first, second = (chunk.rows for chunk in read("plain", find([str(path)]))
                     if isinstance(chunk, Chunk) and callable(chunk.rows))  # fmt: skip
    assert list(first())
    with pytest.raises(NoLog, match=r"corrupt\.parquet: rows 2,501 to 5,000 cannot be read"):
        list(second())


def test_files_that_are_no_table_are_told(tmp_path: Path) -> None:
    """An empty file, a header twice the same, a broken Parquet: each in a sentence."""
    with pytest.raises(NoLog, match="it is empty; expected a header"):
        told("plain", written(tmp_path, "a.csv", "\n \n"))
    with pytest.raises(NoLog, match="the column `kind` stands there twice"):
        told("plain", written(tmp_path, "b.csv", PLAIN_HEAD.replace("template", "kind") + ROW))
    with pytest.raises(NoLog, match="cannot be read as Parquet"):
        told("plain", written(tmp_path, "c", b"PAR1 and then nonsense"))
    packed = gzip.compress((parquet(tmp_path / "d", [PLAIN])).read_bytes())
    with pytest.raises(NoLog, match="Parquet inside gzip"):
        told("plain", written(tmp_path, "d.gz", packed))


OWN = {"created": 1772377200123, "dir": "in", "who": {"phone": "49"}, "type": "", "key": "a"}
MAP = (
    "at=created:ms,direction=dir:in=inbound;out=outbound,number='155,5'",
    "customer=who.phone,kind=type:=text;call=call;*=image,id=key",
)


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_columns_can_be_mapped(tmp_path: Path, form: str) -> None:
    """Other names, words, units, nested fields and constants become the plain form."""
    rows = [OWN, {**OWN, "dir": "sideways", "type": "call"}, {**OWN, "type": "photo"}]
    path = tmp_path / "own.log"
    if form == "json":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    else:
        parquet(path, rows)
    found, rejects, _ = told("plain", path, columns=parse_maps(MAP))
    plain = found[0][1]
    assert plain.pop("at").isoformat(timespec="milliseconds") == "2026-03-01T15:00:00.123+00:00"
    assert plain == {
        "direction": "inbound", "number": "155,5", "customer": "49", "kind": "text", "id": "a",
    }  # fmt: skip
    assert [row["direction"] for _, row in found] == ["inbound", "sideways", "inbound"]
    assert [row["kind"] for _, row in found] == ["text", "call", "image"]
    assert rejects == []


def test_instants_in_seconds_with_a_fraction_keep_their_milliseconds(tmp_path: Path) -> None:
    """A number in seconds is an instant to the millisecond, whatever a float makes of it."""
    rows = [{**PLAIN, "at": 1772377200 + n / 1000} for n in range(1000)]
    path = parquet(tmp_path / "a.parquet", rows)
    found, _, _ = told("plain", path, columns=parse_maps(["at=at:s"]))
    millis = [row["at"].microsecond / 1000 for _, row in found]
    assert millis == list(range(1000))


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("n/a", "n/a"),
        ("1772377200123.0", "2026-03-01T15:00:00.123000+00:00"),
        ("-1.5e3", "1969-12-31T23:59:58.500000+00:00"),
        ("1e300", "1e300"),
        ("nan", "nan"),
        ("2026-03-01T15:00:00Z", "2026-03-01T15:00:00Z"),
    ],
)
def test_an_instant_that_is_no_number_costs_its_own_row(
    tmp_path: Path, form: str, other: str, said: str
) -> None:
    """The numbers beside it are still milliseconds; it stays what it is, for the engine to tell."""
    rows: list[dict[str, Any]] = [{**PLAIN, "at": 1772377200000}, {**PLAIN, "at": other}]
    path = tmp_path / "a.log"
    if form == "json":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif form == "parquet":
        parquet(path, [{**row, "at": str(row["at"])} for row in rows])
    else:
        lines = [",".join(PLAIN), *(",".join(map(str, row.values())) for row in rows), ""]
        path.write_text("\n".join(lines), "utf-8")
    found, rejects, _ = told("plain", path, columns=parse_maps(["at=at:ms"]))
    assert [row["at"] for _, row in found] == ["2026-03-01T15:00:00+00:00", said]
    assert rejects == []


def test_texts_of_parquet_may_be_numbers_of_milliseconds(tmp_path: Path) -> None:
    """Whatever type of text the reader chose."""
    path = parquet(tmp_path / "a.parquet", [{**PLAIN, "at": "1772377200123"}])
    found, _, _ = told("plain", path, columns=parse_maps(["at=at:ms"]))
    assert [row["at"].microsecond for _, row in found] == [123000]


@pytest.mark.parametrize("map_", ["kind=kind:x=text", "status=kind", "at=kind:ms"])
@pytest.mark.parametrize("value", [{"a": 1}, ["x"]])
def test_a_column_of_parquet_that_is_no_value_is_told(
    tmp_path: Path, map_: str, value: Any
) -> None:
    """A column of structs or lists is none of a log's; its name and its type are told."""
    path = parquet(tmp_path / "a.parquet", [{**PLAIN, "kind": value}])
    kind = r"struct<a: int64>" if isinstance(value, dict) else r"list<\w+: string>"
    with pytest.raises(NoLog, match=rf"a\.parquet: the column `kind` is of the type {kind}"):
        told("plain", path, columns=parse_maps([map_]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("at", "cannot read `at`; expected NAME=COLUMN"),
        ("at=", "cannot read `at=`; expected NAME=COLUMN"),
        ("when=created", "unknown column `when`; expected one of at, direction"),
        ("at=a,at=b", "the column `at` is mapped twice"),
        ("at=created:days", "unknown unit `days` of `at`; expected one of s, ms, us"),
        ("kind=type:text", "cannot read `text` in `kind=type:text`; expected WORD=PLAIN"),
        ("number='1", "the quotation mark in `number='1` is never closed"),
        ("number=''", "cannot read `number=''`; a constant stands in quotes"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_told(text: str, why: str) -> None:
    """A slip in --map is one sentence."""
    with pytest.raises(BadMap) as caught:
        parse_maps([text])
    assert str(caught.value).startswith(why)


@pytest.mark.parametrize("source", ["plain", "webhooks", "twilio"])
@pytest.mark.parametrize("size", [12, 400, -40])
def test_a_gzipped_log_that_is_cut_or_broken_is_told(
    tmp_path: Path, source: str, size: int
) -> None:
    """It ends in a sentence with its name; it is no log that ends early, and no interrupt."""
    lines = "".join(json.dumps(PLAIN | {"id": f"m{n * n}"}) + "\n" for n in range(2000))
    packed = bytearray(gzip.compress(lines.encode()))
    cut = written(tmp_path, "cut.jsonl.gz", bytes(packed[:size]))
    with pytest.raises(NoLog, match=r"cut\.jsonl\.gz: gzipped, .*it ends in the middle"):
        told(source, cut)
    packed[400:440] = bytes(40)
    broken = written(tmp_path, "broken.jsonl.gz", bytes(packed))
    with pytest.raises(NoLog, match=r"broken\.jsonl\.gz: gzipped, and cannot be unpacked"):
        told(source, broken)
