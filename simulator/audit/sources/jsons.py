"""JSON: lines of objects, or one document that holds a list of them; in pieces, with positions."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from ...seeding import read_instant
from ..columns import NO_TEXT, as_text
from ..plain import Chunk, Reject
from .files import Log
from .mapping import INSTANTS, Columns, untranslated, wanted

if TYPE_CHECKING:
    import pyarrow as pa

PIECE: Final = 8 << 20
BATCH: Final = 1 << 14
_LONGEST: Final = 64 << 20  # bytes of a line that is looked at by itself
_TRIED: Final = 64  # lines whose values tell of what type a column is
_SHOWN: Final = 300
_BOM: Final = b"\xef\xbb\xbf"
_HIGH: Final = r"u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = r"u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPES: Final = re.compile(  # a backslash, a pair of surrogates; or half a pair
    rf"\\(?:\\|{_HIGH}\\{_LOW}|{_HIGH}|{_LOW})".encode()
)
_NESTED: Final = re.compile(  # a pair of them, however deep in quotes; or half a pair
    rf"\\(?:{_HIGH}\\+{_LOW}|{_HIGH}|{_LOW})".encode()
)
_HALF: Final = len(rb"\ud800")
_OF_SENDS: Final = ("status", "error_code")  # what they hold in other rows, nobody asks
_NO_INSTANT: Final = "expected ISO 8601 with a zone, or a number"

Unit: TypeAlias = Literal["row", "line"]


class Record(NamedTuple):
    """One object and where it stands."""

    unit: Unit
    position: int
    row: Mapping[str, Any]
    raw: bytes


def read(log: Log, columns: Columns) -> Iterator[Chunk | Reject]:
    """The rows, with the log's own columns that are wanted, as far as they have them.

    Lines are read by Arrow, many at once, where each column is of one type; else one by one.

    Raises:
        OSError: it cannot be read.
    """
    if not _lines(log):
        yield from chunks(log, records(log), columns)
        return
    for piece, line, through in pieces(log):
        quick = _quick(log, piece, line, wanted(columns))
        found = chunks(log, _each(log, piece, line), columns) if quick is None else [quick]
        for each in found:
            yield replace(each, through=through) if isinstance(each, Chunk) else each


def records(log: Log, inside: Sequence[str] = ()) -> Iterator[Record | Reject]:
    """The objects one by one.

    Args:
        log: a JSON file.
        inside: keys under which a document, or a line, may hold a list of them.

    Raises:
        OSError: it cannot be read.
    """
    if _lines(log):
        for piece, line, _ in pieces(log):
            for found in _each(log, piece, line):
                yield from _unfold(log, found, inside)
        return
    with log.open() as file:
        raw = file.read()
    try:
        document = json.loads(mended(raw, deep=False).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        yield Reject(log.name, "line", getattr(error, "lineno", 1), None, _why(error), None)
        return
    items = document if isinstance(document, list) else [document]
    yield from _listed(log, items, inside)


def _listed(log: Log, items: Sequence[Any], inside: Sequence[str]) -> Iterator[Record | Reject]:
    held = [_held(item, inside) for item in items]
    rows = [row for item, found in zip(items, held, strict=True) for row in found or [item]]
    for position, row in enumerate(rows, 1):
        if isinstance(row, dict):
            yield Record("row", position, row, json.dumps(row).encode())
        else:
            shown = json.dumps(row)[:_SHOWN]
            yield Reject(log.name, "row", position, None, "expected a JSON object", shown)


def _held(item: Any, inside: Sequence[str]) -> list[Any] | None:
    if isinstance(item, dict):
        for key in inside:
            if isinstance(item.get(key), list):
                return list(item[key])
    return None


def _unfold(log: Log, found: Record | Reject, inside: Sequence[str]) -> Iterator[Record | Reject]:
    held = None if isinstance(found, Reject) else _held(found.row, inside)
    if held is None or isinstance(found, Reject):
        yield found
        return
    for row in held:
        if isinstance(row, dict):
            yield found._replace(row=row)
        else:
            yield Reject(log.name, "line", found.position, None, "expected a JSON object", None)


def mended(raw: bytes, *, deep: bool = True) -> bytes:
    """JSON with U+FFFD for each escaped half of a surrogate pair, which is no text.

    That is as long, so positions stay.

    Args:
        raw: JSON.
        deep: also in its texts that are JSON themselves; then a text of a backslash and letters,
            which looks the same there, is changed too.
    """
    if rb"\u" not in raw:
        return raw
    escapes = _NESTED if deep else _ESCAPES
    return escapes.sub(lambda each: rb"\ufffd" if len(each[0]) == _HALF else each[0], raw)


# -- as chunks -----------------------------------------------------------------------------------


def chunks(
    log: Log, found: Iterator[Record | Reject], columns: Columns
) -> Iterator[Chunk | Reject]:
    """Records as chunks of the wanted columns; a value means the same whatever stands beside it."""
    taken = untranslated({n: each for n, each in columns.items() if n not in _OF_SENDS})
    while batch := list(islice(found, BATCH)):
        checked = [
            each if isinstance(each, Reject) else _checked(log, each, taken) for each in batch
        ]
        kept = [each for each in checked if isinstance(each, Record)]
        yield from (each for each in checked if isinstance(each, Reject))
        if kept:
            yield _chunk(log, kept, columns)


def _checked(log: Log, record: Record, taken: Mapping[str, str]) -> Record | Reject:
    """The record; a reject where a value that is taken as it is fits no plain column."""
    for own, name in taken.items():
        if type(record.row.get(own)) is str:
            continue
        value = _value(record.row, own)
        why = _unfit(value, name)
        if why is not None:
            shown = json.dumps(value)[:_SHOWN]
            return Reject(log.name, record.unit, record.position, name, why, shown)
    return record


def _unfit(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return None
    if name in INSTANTS:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        return None if fits else _NO_INSTANT
    return NO_TEXT if as_text(value) is None else None


def _chunk(log: Log, kept: Sequence[Record], columns: Columns) -> Chunk:
    import pyarrow as pa

    made, names = {}, wanted(columns)
    seconds = {columns[name].name for name in INSTANTS if not columns[name].unit}
    for name in names:
        values = [_value(each.row, name) for each in kept]
        if any(value is not None for value in values):
            made[name] = _array(values, seconds=name in seconds)
    positions = [each.position for each in kept]
    steady = positions[-1] - positions[0] == len(positions) - 1
    rows = pa.RecordBatch.from_pydict(made or {names[0]: pa.nulls(len(kept), pa.string())})
    at = None if steady else pa.array(positions)
    return Chunk(log.name, kept[0].unit, positions[0], rows, at)


def _value(row: Mapping[str, Any], name: str) -> Any:
    found: Any = row.get(name)
    if found is None and "." in name:
        found = row
        for key in name.split("."):
            found = found.get(key) if isinstance(found, dict) else None
    return None if found == "" or found != found else found  # the second: NaN, for what is missing


def _array(values: list[Any], *, seconds: bool) -> pa.Array:
    """Numbers stay numbers where all are of one sort; else every value is its text."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} or kinds == {float}:
        try:
            return pa.array(values, pa.int64() if kinds == {int} else pa.float64())
        except (pa.ArrowInvalid, OverflowError):
            pass
    return pa.array([_text(value, seconds=seconds) for value in values], pa.string())


def _text(value: Any, *, seconds: bool) -> str | None:
    """What a value is called where texts stand beside it; a number of seconds is an instant."""
    if value is None or isinstance(value, str):
        return value
    if seconds and isinstance(value, (int, float)):
        try:
            return read_instant(value).isoformat()
        except ValueError:
            pass  # the engine says so again, of its text
    return as_text(value) or json.dumps(value)


# -- lines ---------------------------------------------------------------------------------------


def _lines(log: Log) -> bool:
    """Whether every line is a value of its own, as far as the first line tells."""
    with log.open() as file:
        first = b""
        while not first.strip() and (line := file.readline(_LONGEST)):
            first = line.removeprefix(_BOM)
        if first.strip()[:1] == b"[":
            return False
        try:
            json.loads(first)
        except (ValueError, RecursionError):
            more = file.read(PIECE)
            second = more.partition(b"\n")[0].strip()
            whole = more[: more.rfind(b"\n") + 1]
            if not whole and len(more) == PIECE:
                return False  # no line of a log is as long as that
            return not second or (
                second.startswith(b"{") and not _is_document(first + (whole or more))
            )
    return True


def _is_document(lines: bytes) -> bool:
    """Whether lines are one document, or the beginning of one."""
    try:
        text = lines.decode("utf-8-sig").rstrip()
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text)
    except (ValueError, RecursionError):
        return False
    return True


def pieces(log: Log) -> Iterator[tuple[bytes, int, float]]:
    """Whole lines, many at once, how many lines stand before them, and how much is read then."""
    held, line = b"", 0
    with log.open() as file:
        while block := file.read(PIECE):
            held += block
            cut = held.rfind(b"\n") + 1
            if cut:
                piece, held = held[:cut], held[cut:]
                yield piece, line, log.through(file)
                line += piece.count(b"\n")
    if held.strip():
        yield held, line, 1.0


def _each(log: Log, piece: bytes, line: int) -> Iterator[Record | Reject]:
    for number, raw in enumerate(piece.split(b"\n"), line + 1):
        if not raw.strip():
            continue
        try:
            row = json.loads(
                mended(raw, deep=False).decode("utf-8-sig" if number == 1 else "utf-8")
            )
        except (ValueError, RecursionError) as error:
            yield _bad(log, number, raw, _why(error))
            continue
        if isinstance(row, dict):
            yield Record("line", number, row, raw)
        else:
            yield _bad(log, number, raw, "expected a JSON object")


def _bad(log: Log, number: int, raw: bytes, why: str) -> Reject:
    return Reject(log.name, "line", number, None, why, raw.decode("utf-8", "replace")[:_SHOWN])


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not in UTF-8, from byte {error.start + 1} of the row on"
    if isinstance(error, json.JSONDecodeError):
        return f"broken JSON: {error.msg} at column {error.colno}"
    return "JSON that is nested too deeply, or has too long a number"


def _quick(log: Log, piece: bytes, line: int, wanted: Sequence[str]) -> Chunk | None:
    """All lines by Arrow; None where one of them needs to be looked at by itself."""
    import pyarrow as pa
    import pyarrow.json as reader

    types = _types(piece, wanted)
    if types is None:
        return None
    try:
        rows = reader.read_json(
            io.BytesIO(piece.removeprefix(_BOM)),
            reader.ReadOptions(use_threads=False, block_size=len(piece) + 1),
            reader.ParseOptions(pa.schema(types), unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None  # which line it is, and what is wrong, is told line by line
    if rows.num_rows != piece.count(b"\n") + (not piece.endswith(b"\n")):
        return None  # a line is empty, or holds several objects
    (batch,) = rows.combine_chunks().to_batches()
    return Chunk(log.name, "line", line + 1, batch)


def _types(piece: bytes, wanted: Sequence[str]) -> list[tuple[str, pa.DataType]] | None:
    """The type of each column by the first lines; None where they do not agree."""
    import pyarrow as pa

    of = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    seen: dict[str, set[type]] = {}
    for raw in piece.split(b"\n", _TRIED)[:_TRIED]:
        try:
            row = json.loads(raw) if raw.strip() else {}
        except (ValueError, RecursionError):
            return None
        if not isinstance(row, dict):
            return None
        for name in wanted:
            if row.get(name) is not None:
                seen.setdefault(name, set()).add(type(row[name]))
    if any("." in name and name not in seen for name in wanted):
        return None
    found = {name: next(iter(kinds)) for name, kinds in seen.items() if len(kinds) == 1}
    if len(found) < len(seen) or set(found.values()) - of.keys():
        return None
    return [(name, of[found.get(name, str)]) for name in wanted]
