"""JSON: lines of objects, or one document that holds a list of them; in pieces, with positions."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from ..plain import Chunk, Reject
from .files import Log

if TYPE_CHECKING:
    import pyarrow as pa

PIECE: Final = 8 << 20
BATCH: Final = 1 << 14
_LONGEST: Final = 64 << 20  # bytes of a line that is looked at by itself
_TRIED: Final = 64  # lines whose values tell of what type a column is
_SHOWN: Final = 300
_BOM: Final = b"\xef\xbb\xbf"


Unit: TypeAlias = Literal["row", "line"]


class Record(NamedTuple):
    """One object and where it stands."""

    unit: Unit
    position: int
    row: Mapping[str, Any]
    raw: bytes


def read(log: Log, wanted: Sequence[str]) -> Iterator[Chunk | Reject]:
    """The rows, with those of the wanted columns that they have.

    Lines are read by Arrow, many at once, where each column is of one type; else one by one.

    Raises:
        OSError: it cannot be read.
    """
    if not _lines(log):
        yield from chunks(log, records(log), wanted)
        return
    for piece, line, through in pieces(log):
        quick = _quick(log, piece, line, wanted)
        found = chunks(log, _each(log, piece, line), wanted) if quick is None else [quick]
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
        document = json.loads(raw.decode("utf-8-sig"))
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


def chunks(
    log: Log, found: Iterator[Record | Reject], wanted: Sequence[str]
) -> Iterator[Chunk | Reject]:
    """Records as chunks of the wanted columns; what is not text becomes text, but for numbers."""
    while batch := list(islice(found, BATCH)):
        kept = [each for each in batch if isinstance(each, Record)]
        yield from (each for each in batch if isinstance(each, Reject))
        if kept:
            yield _chunk(log, kept, wanted)


def _chunk(log: Log, kept: Sequence[Record], wanted: Sequence[str]) -> Chunk:
    import pyarrow as pa

    made = {}
    for name in wanted:
        values = [_value(each.row, name) for each in kept]
        if any(value is not None for value in values):
            made[name] = _array(values)
    positions = [each.position for each in kept]
    steady = positions[-1] - positions[0] == len(positions) - 1
    rows = pa.RecordBatch.from_pydict(made or {wanted[0]: pa.nulls(len(kept), pa.string())})
    at = None if steady else pa.array(positions)
    return Chunk(log.name, kept[0].unit, positions[0], rows, at)


def _value(row: Mapping[str, Any], name: str) -> Any:
    found: Any = row.get(name)
    if found is None and "." in name:
        found = row
        for key in name.split("."):
            found = found.get(key) if isinstance(found, dict) else None
    return None if found == "" else found


def _array(values: list[Any]) -> pa.Array:
    """Numbers stay numbers where all are such; else every value is its text."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} or kinds == {float} or kinds == {int, float}:
        try:
            return pa.array(values, pa.int64() if kinds == {int} else pa.float64())
        except (pa.ArrowInvalid, OverflowError):
            pass
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else value.encode("utf-8", "replace").decode()
    return json.dumps(value)


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
        except ValueError:
            second = file.readline(_LONGEST).strip()
            return second.startswith(b"{") or not second
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
            row = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
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
