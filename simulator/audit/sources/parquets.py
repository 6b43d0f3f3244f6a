"""Parquet: handed on as it lies there, a row group at a time, read when the engine wants it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
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
        NoLog: it is no Parquet file, is gzipped, or has one of these columns twice.
        OSError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(log.path) as file:
            names = file.schema_arrow.names
            columns = [name for name in (names if wanted is None else wanted) if name in names]
            for name in columns:
                if names.count(name) > 1:
                    raise NoLog(f"{log.name}: the column `{name}` stands there twice")
            quick = find_spec("polars") is not None and _is_plain(file.schema_arrow, columns)
            groups, whole, first = file.metadata.num_row_groups, file.metadata.num_rows, 1
            for group in range(groups):
                rows = file.metadata.row_group(group).num_rows
                if not rows:
                    continue
                through = (first - 1 + rows) / whole if whole else 1.0
                if rows <= LARGEST:
                    reads = partial(_group, _Place(log, group, first - 1, rows), columns, quick)
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


@dataclass(frozen=True, slots=True)
class _Place:
    """A row group of a file: its number, its first row from 0, how many there are."""

    log: Log
    group: int
    first: int
    rows: int


def _is_plain(schema: pa.Schema, columns: Sequence[str]) -> bool:
    """Whether these columns are of types that Polars and Arrow read alike."""
    import pyarrow as pa

    checks = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_timestamp, pa.types.is_integer,
        pa.types.is_floating,
    )  # fmt: skip
    kinds = [schema.field(name).type for name in columns]
    return all(any(check(kind) for check in checks) for kind in kinds)


def _group(place: _Place, columns: Sequence[str], quick: bool) -> Iterator[pa.RecordBatch]:
    """The rows of a group; by Polars, which reads texts in half the time, where it can."""
    if quick:
        # Memory of one group is taken for the next. To give it back and ask for it again costs more
        # than to read. Polars' allocator looks at this once, when it is loaded.
        os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1")
        import polars as pl

        try:
            # Not in parallel: the engine's threads each read a group, and would wait for another's.
            found = pl.scan_parquet(place.log.path, glob=False, parallel="none")
            rows = found.slice(place.first, place.rows)
            frame = rows.select(columns).collect(engine="in-memory")
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            pass  # Arrow says what is wrong, or does not mind
        else:
            yield from frame.to_arrow(compat_level=pl.CompatLevel.newest()).to_batches()
            return
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(place.log.path, memory_map=True) as file:
            few = _few_valued(file.metadata.row_group(place.group), columns)
        with pq.ParquetFile(place.log.path, read_dictionary=few, memory_map=True) as file:
            yield from file.iter_batches(
                AT_ONCE, row_groups=[place.group], columns=list(columns), use_threads=False
            )
    except (pa.ArrowException, OSError) as error:  # the second where a page is corrupt
        where = f"rows {place.first + 1:,} to {place.first + place.rows:,}"
        raise NoLog(f"{place.log.name}: {where} cannot be read as Parquet: {error}") from None


def columns(log: Log) -> list[str]:
    """The names of its columns. Raises NoLog."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if log.packed:
        raise NoLog(f"{log.name}: Parquet inside gzip; unpack it, Parquet is compressed itself")
    try:
        return list(pq.read_schema(log.path).names)
    except pa.ArrowException as error:
        raise _broken(log, error) from None


def _broken(log: Log, error: Exception) -> NoLog:
    return NoLog(f"{log.name}: cannot be read as Parquet: {error}")
