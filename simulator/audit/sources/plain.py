"""``--source plain``: logs whose columns are the plain ones, or are mapped to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ...mistakes import printable
from ..masking import Mask
from ..plain import REQUIRED, Chunk, Reject
from . import csvs, jsons, parquets
from .files import Log, NoLog
from .mapping import Columns, plain, wanted

if TYPE_CHECKING:
    import pyarrow as pa


def read(logs: Sequence[Log], columns: Columns) -> Iterator[Chunk | Reject]:
    """The rows of these logs in the plain form.

    Raises:
        NoLog: a file lacks a column that is needed, or has one of a type that cannot be read.
        OSError: a file cannot be read.
    """
    for log in logs:
        for found in _read(log, columns):
            if isinstance(found, Reject):
                yield found
            elif callable(found.rows):
                yield replace(found, rows=partial(_later, log.name, columns, found.rows))
            else:
                yield replace(found, rows=_plain(log.name, columns, found.rows))


def _later(
    file: str, columns: Columns, rows: Callable[[], Iterable[pa.RecordBatch]]
) -> Iterator[pa.RecordBatch]:
    return (_plain(file, columns, batch) for batch in rows())


def _plain(file: str, columns: Columns, rows: pa.RecordBatch) -> pa.RecordBatch:
    try:
        return plain(columns, rows)
    except NoLog as none:
        raise NoLog(f"{file}: {none}") from None


def _read(log: Log, columns: Columns) -> Iterator[Chunk | Reject]:
    names = wanted(columns)
    if log.form == "csv":
        lacks(log, columns, csvs.columns(log))
        yield from csvs.read(log, names)
    elif log.form == "json":
        yield from jsons.read(log, columns)
    else:
        lacks(log, columns, parquets.columns(log))
        yield from parquets.read(log, names)


def lacks(log: Log, columns: Columns, there: Sequence[str]) -> None:
    """Refuse a file without a column that is needed. Raises NoLog."""
    for name in REQUIRED:
        own = columns[name].name
        if own and own not in there and own.partition(".")[0] not in there:
            # Without a line of names it is data that stands there, of contacts perhaps.
            shown = printable(Mask().numbers(", ".join(there)))
            called = f"`{own}`" if own == name else f"`{own}`, which is to be `{name}`,"
            raise NoLog(
                f"{log.name}: the column {called} is missing; there are {shown}. "
                f"Say which one it is: --map {name}=COLUMN"
            )
