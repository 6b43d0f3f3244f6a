"""Rows that are made one by one, for sources whose own rows say things in other words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from wa_fsm.events import instant

from ...seeding import read_instant
from ..as_events import rows_of
from ..encode import CODE_DIGITS, whole
from ..plain import Chunk, Reject
from . import csvs, jsons, parquets
from .files import Log
from .jsons import Record

__all__ = [
    "Again",
    "Aside",
    "Bad",
    "Linked",
    "Record",
    "Row",
    "as_chunk",
    "code_of",
    "convert",
    "inner",
    "instant_of",
    "named",
    "records",
    "text_of",
]

BATCH: Final = 1 << 14
_NO_WORD: Final = re.compile("[^a-z0-9]")
_SHOWN: Final = 300
_ENCODED: Final = 2  # so often at most an object is the text of itself


class Row(NamedTuple):
    """One row of the plain form."""

    at: datetime
    direction: str
    number: str
    customer: str
    kind: str
    id: str
    template: str | None = None
    language: str | None = None
    arrived_at: datetime | None = None
    status: str | None = None
    error_code: int | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Rows that say when it was learnt that a send failed, which stands in a row before.

    To the engine they are repeats of that row; to whoever reads the report they are none.

    Attributes:
        count: how many.
    """

    count: int


@dataclass(frozen=True, slots=True)
class Aside:
    """Something in a log that is not judged, and why.

    Attributes:
        why: the reason, which counts are told by.
        count: how many.
    """

    why: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Linked:
    """Names that a log shows to be one contact's; its rows have the last of them.

    Attributes:
        names: two or more.
    """

    names: tuple[str, ...]


class Bad(ValueError):
    """A row that cannot be read.

    Attributes:
        column: which of the plain columns is at fault; None: none alone.
    """

    def __init__(self, column: str | None, why: str) -> None:
        super().__init__(why)
        self.column = column


def records(log: Log, inside: Sequence[str] = ()) -> Iterator[Record | Reject]:
    """The rows of a file of any form, each a mapping.

    Args:
        log: the file.
        inside: keys under which a JSON document may hold a list of rows.
    """
    if log.form == "json":
        yield from jsons.records(log, inside)
        return
    if log.form == "parquet":
        parquets.columns(log)
    for found in csvs.read(log) if log.form == "csv" else parquets.read(log):
        if isinstance(found, Reject):
            yield found
            continue
        for position, row in rows_of(found):
            yield Record(found.unit, position, row, b"")


def convert(
    log: Log,
    found: Iterator[Record | Reject],
    read: Callable[[Record], Row | Aside],
) -> Iterator[Chunk | Reject | Aside]:
    """Every record by `read`; what it raises as ``Bad`` becomes a reject."""
    while batch := list(islice(found, BATCH)):
        rows: list[Row] = []
        positions: list[int] = []
        unit: jsons.Unit = "row"
        for each in batch:
            made = each if isinstance(each, Reject) else _made(log, each, read)
            if isinstance(made, Row):
                assert isinstance(each, Record)
                unit = each.unit
                rows.append(made)
                positions.append(each.position)
            else:
                yield made
        if rows:
            yield as_chunk(log.name, unit, positions, rows)


def _made(log: Log, record: Record, read: Callable[[Record], Row | Aside]) -> Row | Aside | Reject:
    try:
        return read(record)
    except Bad as bad:
        raw = record.raw or json.dumps(record.row, default=str).encode()
        said = raw.decode("utf-8", "replace")[:_SHOWN]
        return Reject(log.name, record.unit, record.position, bad.column, str(bad), said)


def as_chunk(file: str, unit: jsons.Unit, positions: Sequence[int], rows: Sequence[Row]) -> Chunk:
    """Rows as a chunk of Arrow."""
    import pyarrow as pa

    types: dict[str, Any] = dict.fromkeys(Row._fields, pa.string())
    types |= dict.fromkeys(("at", "arrived_at"), pa.timestamp("ms", "UTC"))
    types["error_code"] = pa.int64()
    columns = {name: [getattr(row, name) for row in rows] for name in Row._fields}
    for name in ("at", "arrived_at"):
        columns[name] = [None if at is None else instant(at) for at in columns[name]]
    batch = pa.RecordBatch.from_pydict(
        {name: pa.array(column, types[name]) for name, column in columns.items()}
    )
    return Chunk(file, unit, positions[0], batch, pa.array(positions, pa.int64()))


# -- fields --------------------------------------------------------------------------------------


def named(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same row by names in small letters without punctuation; empty values are None."""
    return {
        _NO_WORD.sub("", str(name).lower()): None if value == "" else value
        for name, value in row.items()
    }


def text_of(row: Mapping[str, Any], *names: str, known: str | None = None) -> str:
    """The first of these fields that has something in it, as text.

    Args:
        row: from ``named``.
        names: of the fields.
        known: what stands in where all are empty; None: that is bad.
    """
    for name in names:
        value = row.get(name)
        if value is not None:
            return value if isinstance(value, str) else _plain(value)
    if known is None:
        raise Bad(None, f"the field `{names[0]}` is missing")
    return known


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, (bool, dict, list)) else str(value)


def code_of(row: Mapping[str, Any], name: str) -> int | None:
    """A whole number of a bearable length; None where there is none, or 0."""
    text = whole(text_of(row, name, known=""))
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise Bad("error_code", f"`{name}` is a whole number, got `{text}`")
    if len(text) > CODE_DIGITS:
        raise Bad(
            "error_code", f"`{name}` has {len(text):,} digits; expected {CODE_DIGITS} at most"
        )
    return int(text) or None


def instant_of(column: str, value: object) -> datetime:
    """An instant in ISO 8601 with a zone, or Unix seconds; also as a database shows UTC."""
    if isinstance(value, datetime) and value.tzinfo is None:
        raise Bad(column, f"`{value}` has no time zone; expected an instant with one")
    if isinstance(value, str) and value.endswith(" UTC"):
        value = f"{value.removesuffix(' UTC')}Z"
    try:
        return instant(value) if isinstance(value, datetime) else read_instant(value)
    except ValueError as error:
        raise Bad(column, str(error)) from None


def inner(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that is an object, or the text of one; an empty one where it is neither.

    A database may hold the text of an object as a JSON text, so its export has it encoded twice.
    """
    value = row.get(name)
    for _ in range(_ENCODED):
        if isinstance(value, str):
            try:
                value = json.loads(jsons.mended(value.encode(), deep=False))
            except (ValueError, RecursionError):
                return {}
    return value if isinstance(value, dict) else {}
