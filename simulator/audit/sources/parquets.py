"""Parquet: handed on as it lies there, a row group at a time, read when the engine wants it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from ..plain import Chunk
from .files import Log, NoLog

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH: Final = 1 << 18
AT_ONCE: Final = 1 << 17  # rows of a group that are read at once
_FEW_BYTES: Final = 3  # of a value, on average; a dictionary's places take less
LARGEST: Final = 1 << 20  # rows of a group that is read as a whole


def read(log: Log, wanted: Sequence[str] | None = None) -> Iterator[Chunk]:
    """The rows.

    Args:
        log: a Parquet file.
        wanted: the columns to read, as far as the file has them; None: all.

    Raises:
        NoLog: it is no Parquet file, or is gzipped.
        OSError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(log.path) as file:
            names = file.schema_arrow.names
            columns = [name for name in (names if wanted is None else wanted) if name in names]
            groups, whole, first = file.metadata.num_row_groups, file.metadata.num_rows, 1
            for group in range(groups):
                rows = file.metadata.row_group(group).num_rows
                through = (first - 1 + rows) / whole if whole else 1.0
                if rows <= LARGEST:
                    few = _few_valued(file.metadata.row_group(group), columns)
                    reads = partial(_group, log.path, group, columns, few)
                    import os
                    if os.environ.get("WA_RD"):
                        reads = partial(_polars, log.path, first - 1, rows, columns)
                    yield Chunk(log.name, "row", first, reads, through=through, size=rows)
                    first += rows
                    continue
                for batch in file.iter_batches(BATCH, row_groups=[group], columns=columns):
                    through = (first - 1 + batch.num_rows) / whole
                    yield Chunk(log.name, "row", first, batch, through=through)
                    first += batch.num_rows
    except pa.ArrowException as error:
        raise _broken(log, error) from None


def _few_valued(group: pq.RowGroupMetaData, columns: Sequence[str]) -> list[str]:
    """Columns of text with few different values, to be read as such: that is much quicker."""
    found = []
    for number in range(group.num_columns):
        column = group.column(number)
        small = column.total_uncompressed_size < _FEW_BYTES * column.num_values
        if column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page and small:
            found.append(column.path_in_schema)
    return [name for name in found if name in columns]


def _group(
    path: str, group: int, columns: Sequence[str], few: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, read_dictionary=list(few), memory_map=True) as file:
        yield from file.iter_batches(
            AT_ONCE, row_groups=[group], columns=list(columns), use_threads=False
        )


def _polars(path, first, rows, columns):
    import polars as pl
    frame = pl.scan_parquet(path).slice(first, rows).select(columns).collect()
    yield from frame.to_arrow(compat_level=pl.CompatLevel.newest()).to_batches()


def columns(log: Log) -> list[str]:
    """The names of its columns. Raises NoLog."""
    return list(schema(log).names)


def schema(log: Log) -> pa.Schema:
    """Its columns. Raises NoLog."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if log.packed:
        raise NoLog(f"{log.name}: Parquet inside gzip; unpack it, Parquet is compressed itself")
    try:
        return pq.read_schema(log.path)
    except pa.ArrowException as error:
        raise _broken(log, error) from None


def _broken(log: Log, error: Exception) -> NoLog:
    return NoLog(f"{log.name}: cannot be read as Parquet: {error}")
