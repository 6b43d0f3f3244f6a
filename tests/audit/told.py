"""What a source tells, as plain values that tests can compare."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from wa_sim.audit.plain import Chunk, Reject
from wa_sim.audit.sources import AS_NAMED, Aside, Columns, Found, Linked, find, read

PLAIN_HEAD = "at,direction,number,customer,kind,template,id,status,error_code\n"


def rows_of(chunk: Chunk) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a chunk with their positions; empty fields are left out."""
    found = chunk.rows() if callable(chunk.rows) else chunk.rows
    batches = [found] if isinstance(found, pa.RecordBatch) else list(found)
    rows = [
        {name: value for name, value in row.items() if value not in (None, "")}
        for batch in batches
        for row in batch.to_pylist()
    ]
    assert chunk.size in (None, len(rows))
    count = range(chunk.first, chunk.first + len(rows))
    positions = list(count) if chunk.positions is None else chunk.positions.to_pylist()
    return list(zip(positions, rows, strict=True))


def told(
    source: str, *paths: Path | str, columns: Columns = AS_NAMED
) -> tuple[list[tuple[int, dict[str, Any]]], list[tuple[int, str]], dict[str, int]]:
    """Rows with positions, rejects with positions, and what is set aside."""
    found = list(read(source, find(map(str, paths)), columns))
    return (
        [row for each in found if isinstance(each, Chunk) for row in rows_of(each)],
        [(each.position, each.why) for each in found if isinstance(each, Reject)],
        {each.why: each.count for each in summed(found)},
    )


def summed(found: Iterable[Found]) -> list[Aside]:
    counts: dict[str, int] = {}
    for each in found:
        if isinstance(each, Aside):
            counts[each.why] = counts.get(each.why, 0) + each.count
    return [Aside(why, count) for why, count in counts.items()]


def linked(source: str, *paths: Path) -> list[tuple[str, ...]]:
    """Whose names are one contact's."""
    found = read(source, find(map(str, paths)))
    return [each.names for each in found if isinstance(each, Linked)]


def written(folder: Path, name: str, text: str | bytes) -> Path:
    """A file of this content."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
