"""Rows of the plain form as events, for what is done with few of them: seeding, and scenarios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from wa_fsm.adapters.webhook_statuses import UNKNOWN_TEMPLATE
from wa_fsm.events import SendFailed
from wa_fsm.rows import REFUSAL_CODES

from ..seeding import Missing, Read, logged
from .columns import as_text, said, texts
from .encode import CODE_DIGITS, LONGEST, whole
from .instants import instants
from .plain import COLUMNS, FREE_FORM, UNCLASSIFIED, Chunk

if TYPE_CHECKING:
    import pyarrow as pa

POSITION: Final = "position"
_INSTANTS: Final = ("at", "arrived_at")
_TEXTS: Final = ("customer", "id")
_NAMES: Final = ("template", "language", "category")
_NUMBERED: Final = ("number", "error_code", *_NAMES)  # texts, or whole numbers
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def table_of(chunk: Chunk) -> pa.Table:
    """The rows of a chunk, wherever they are, with their positions as the column `position`."""
    import pyarrow as pa

    found = chunk.rows() if callable(chunk.rows) else chunk.rows
    batches = [found] if isinstance(found, pa.RecordBatch) else list(found)
    rows = _without_views(pa.Table.from_batches(batches))
    positions = chunk.positions
    if positions is None:
        positions = pa.array(range(chunk.first, chunk.first + rows.num_rows), pa.int64())
    return rows.append_column(POSITION, positions)


def _without_views(rows: pa.Table) -> pa.Table:
    """The same with plain texts for views, which Arrow cannot filter."""
    import pyarrow as pa

    for place, field in enumerate(rows.schema):
        if pa.types.is_string_view(field.type):
            rows = rows.set_column(place, field.name, rows.column(place).cast(pa.string()))
    return rows


def rows_of(chunk: Chunk) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a chunk as they are, each with its position."""
    for row in table_of(chunk).to_pylist():
        yield row.pop(POSITION), row


def events_of(rows: pa.Table) -> Iterator[tuple[int, Read | None]]:
    """Of each row of the plain form, from ``table_of``, its position and its events.

    Every value is read as the engine reads it. None: the engine rejects the row, or nobody knows
    what was sent; a send that was refused for the window was free-form.
    """
    names = [name for name in rows.column_names if name in (*COLUMNS, POSITION)]
    columns = [_values(name, rows.column(name).combine_chunks()) for name in names]
    for values in zip(*columns, strict=True):
        row = dict(zip(names, values, strict=True))
        yield row.pop(POSITION), _event(row)


def _values(name: str, column: pa.Array) -> Sequence[Any]:
    """A column as the engine reads it."""
    if name in _INSTANTS:
        return _instants(column)
    if name in _TEXTS:
        column, _ = texts(column, len(column), quick=False)
    values = said(column)
    if name in _NUMBERED:
        return [value if as_text(value) is None else as_text(value) for value in values]
    return values


def _instants(column: pa.Array) -> list[str | None]:
    """Instants as texts; one that is none is what is wrong with it, which is no instant either."""
    found = instants(column)
    told: list[str | None] = [
        None if missing else (_EPOCH + ms * _MS).isoformat()
        for ms, missing in zip(found.ms.tolist(), found.missing.tolist(), strict=True)
    ]
    for row, why in found.wrong.items():
        told[row] = why
    return told


def _event(row: Mapping[str, Any]) -> Read | None:
    told = {name: value for name, value in row.items() if value not in (None, "")}
    if not all(isinstance(told.get(name, ""), str) for name in _NAMES):
        return None
    if any(len(told.get(name, "").encode("utf-8", "replace")) > LONGEST for name in _TEXTS):
        return None
    unknown = False
    if told.get("direction") == "outbound":
        if "error_code" in told:
            told["error_code"] = whole(str(told["error_code"]))
        if len(told.get("error_code", "")) > CODE_DIGITS:
            return None
        kind = told.get("kind", UNCLASSIFIED)
        unknown = kind == UNCLASSIFIED
        if kind == FREE_FORM or unknown:
            told["kind"] = "text"
        if kind == "template":
            told.setdefault("template", UNKNOWN_TEMPLATE.name)
    try:
        read = logged(told)
    except (Missing, ValueError, TypeError):
        return None
    return None if unknown and not _refused(read) else read


def _refused(read: Read) -> bool:
    """Whether WhatsApp refused it for the window: so it was free-form, whoever knows it or not."""
    failed = read.events[-1]
    return isinstance(failed, SendFailed) and failed.code in REFUSAL_CODES
