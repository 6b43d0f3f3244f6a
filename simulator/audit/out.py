"""``--out FILE``: sends that were judged, as Parquet, CSV or JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..outcome import stamp
from ..outputs import is_stream
from .masking import Mask

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS: Final = (".parquet", ".csv", ".jsonl")
_Batches: TypeAlias = "Iterable[pa.RecordBatch]"


def write_sends(path: str, batches: _Batches, mask: Mask) -> int:
    """Write a table of sends; the file takes its place when all is written.

    Args:
        path: its ending, one of ``ENDINGS``, says the form.
        batches: the sends; at least one, of no send where there is none, for the columns.
        mask: how contacts are shown.

    Returns:
        How many sends were written.

    Raises:
        OSError: it cannot be written.
    """
    stream = is_stream(path)
    part = path if stream else f"{os.path.realpath(path)}.part"
    write = {".parquet": _parquet, ".csv": _csv, ".jsonl": _lines}[Path(path).suffix]
    try:
        count = write(part, (mask.table(rows) for rows in batches))
        if not stream:
            os.replace(part, os.path.realpath(path))
    except BaseException:
        if not stream:
            with suppress(OSError):
                os.unlink(part)
        raise
    return count


def _parquet(part: str, batches: _Batches) -> int:
    import pyarrow.parquet as pq

    return _all(batches, lambda schema: pq.ParquetWriter(part, schema))


def _csv(part: str, batches: _Batches) -> int:
    import pyarrow.csv as pc

    return _all(batches, lambda schema: pc.CSVWriter(part, schema))


def _all(batches: _Batches, opened: Callable[[pa.Schema], Any]) -> int:
    writer, count = None, 0
    try:
        for rows in batches:
            plain = _without_dictionaries(rows)
            if writer is None:
                writer = opened(plain.schema)
            if rows.num_rows:
                writer.write_batch(plain)
            count += rows.num_rows
    finally:
        if writer is not None:
            writer.close()
    return count


def _without_dictionaries(rows: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in rows.columns]
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names)


def _lines(part: str, batches: _Batches) -> int:
    count = 0
    with open(part, "w", encoding="utf-8") as file:
        for rows in batches:
            for row in rows.to_pylist():
                file.write(json.dumps(as_data(row), ensure_ascii=False) + "\n")
            count += rows.num_rows
    return count


def as_data(row: dict[str, Any]) -> dict[str, Any]:
    """A send as JSON carries it."""
    return {name: stamp(v) if isinstance(v, datetime) else v for name, v in row.items()}
