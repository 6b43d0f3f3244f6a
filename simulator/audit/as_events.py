"""Rows of the plain form as events, for what is done with few of them: seeding, and scenarios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from wa_fsm.adapters.webhook_statuses import UNKNOWN_TEMPLATE

from ..seeding import Missing, Read, logged
from .plain import FREE_FORM, UNCLASSIFIED, Chunk

if TYPE_CHECKING:
    import pyarrow as pa

POSITION: Final = "position"
_TEXTS: Final = ("number", "customer", "id", "template", "language")


def table_of(chunk: Chunk) -> pa.Table:
    """The rows of a chunk, wherever they are, with their positions as the column `position`."""
    import pyarrow as pa

    found = chunk.rows() if callable(chunk.rows) else chunk.rows
    batches = [found] if isinstance(found, pa.RecordBatch) else list(found)
    rows = pa.Table.from_batches(batches)
    positions = chunk.positions
    if positions is None:
        positions = pa.array(range(chunk.first, chunk.first + rows.num_rows), pa.int64())
    return rows.append_column(POSITION, positions)


def rows_of(chunk: Chunk) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a chunk, each with its position."""
    for row in table_of(chunk).to_pylist():
        yield row.pop(POSITION), row


def event_of(row: Mapping[str, Any]) -> Read | None:
    """The events of a row. None: the engine rejects it, or nobody knows what was sent."""
    told = {name: _plain(value) for name, value in row.items() if value not in (None, "")}
    for name in _TEXTS:
        if name in told:
            told[name] = str(told[name])
    if told.get("direction") == "outbound":
        kind = told.get("kind", UNCLASSIFIED)
        if kind == UNCLASSIFIED:
            return None
        if kind == FREE_FORM:
            told["kind"] = "text"
        if kind == "template":
            told.setdefault("template", UNKNOWN_TEMPLATE.name)
    try:
        return logged(told)
    except (Missing, ValueError, TypeError):
        return None


def _plain(value: object) -> object:
    """An instant as ``logged`` reads it; one without a zone stays what is refused there."""
    return value.isoformat() if isinstance(value, datetime) else value
