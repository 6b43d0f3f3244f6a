"""How a log comes to Spark's workers.

Files are read by their source, as ever; where a source hands out how to read some rows, a worker
does that. What only Spark can resolve is read by Spark, which is slower: it makes every row a row.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import finalize

from ..encode import pieces as in_memory
from ..plain import Chunk, Reject
from ..sources import Columns, Log, NoLog
from ..sources.mapping import wanted
from ..sources.plain import lacks
from .reading import FILE, PLACE
from .wire import FILE_AT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_ROWS: Final = 1 << 18  # of a file that is put aside for the workers


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine is told of a log.

    Attributes:
        addresses: what only Spark can resolve, as ``s3a://bucket/folder``; it reads them itself.
        columns: of these.
        first: from the name of every file to the number of its first row; None: rows are
            numbered through.
    """

    addresses: tuple[str, ...]
    columns: Columns
    first: Mapping[str, int] | None


def divide(logs: Sequence[Log], source: str, columns: Columns) -> tuple[Told, list[Log]]:
    """What Spark reads, and the files that are read by their source.

    Raises:
        NoLog: an address of another source.
    """
    files = [replace(log, path=os.path.abspath(log.path)) for log in logs
             if not is_address(log.path)]  # fmt: skip
    addresses = tuple(log.path for log in logs if is_address(log.path))
    if source == "plain":
        first = {log.name: number << FILE_AT for number, log in enumerate(files)}
        return Told(addresses, columns, first), files
    if addresses:
        raise NoLog(f"{addresses[0]}: Spark reads plain Parquet only; name a file here")
    return Told((), columns, None), files


def is_address(path: str) -> bool:
    """Whether a path is one that only Spark can resolve."""
    return "://" in path


def address(path: str) -> Log:
    """Such a path as a log."""
    return Log(path, path, "parquet", packed=False, size=0)


def frames(told: Told, session: SparkSession) -> Iterator[Frame]:
    """A table for each address.

    Raises:
        NoLog: what stands there lacks a column that is needed.
    """
    number = len(told.first or ())
    for path in told.addresses:
        rows = session.read.parquet(path)
        lacks(address(path), told.columns, rows.columns)
        names = [name for name in wanted(told.columns) if name in rows.columns]
        by_file = rows.groupBy("_metadata.file_path").count().collect()
        sizes = dict(sorted((row.file_path, int(row["count"])) for row in by_file))
        files = {uri: (number + n, uri) for n, uri in enumerate(sizes)}
        number += len(files)
        yield Frame(_chosen(rows, names), files, sum(sizes.values()))


@dataclass(frozen=True, slots=True)
class Frame:
    """A table that Spark reads.

    Attributes:
        rows: the log's own columns that are wanted, and of each row its file and its place there.
        files: see ``reading.Native``.
        size: how many rows there are.
    """

    rows: DataFrame
    files: dict[str, tuple[int, str]]
    size: int


def _chosen(rows: DataFrame, names: Iterable[str]) -> DataFrame:
    from pyspark.sql.functions import col

    own = [col(f"`{name}`") for name in names]
    meta = col("_metadata.file_path").alias(FILE), col("_metadata.row_index").alias(PLACE)
    return rows.select(*own, *meta)


@dataclass(eq=False)
class Spool:
    """Puts what a source gives into files for Spark's workers: rows, or what reads them there.

    Attributes:
        begin: makes the folder, which all workers see; it is taken away with this.
        told: of the log.
        rejects: what the source itself rejected, each with its number in the log.
        paths: the files.
        rows: how many rows are in them.
    """

    begin: Callable[[], Path]
    told: Told
    rejects: list[tuple[int, Reject]]
    paths: list[str]
    rows: int = 0
    _folder: Path | None = None

    @classmethod
    def of(cls, pieces: Iterable[Chunk | Reject], begin: Callable[[], Path], told: Told) -> Spool:
        """Put all of a source's chunks there."""
        made = cls(begin, told, [], [])
        made._take(pieces)
        return made

    def _take(self, pieces: Iterable[Chunk | Reject]) -> None:
        numbers: dict[str, int] = {}
        some: list[tuple[Chunk, int]] = []
        size = 0
        for piece in pieces:
            by = "" if self.told.first is None else piece.file
            numbers.setdefault(by, (self.told.first or {}).get(by, 0))
            if isinstance(piece, Reject):
                self.rejects.append((numbers[by], piece))
                numbers[by] += 1
                continue
            whole = callable(piece.rows) and piece.size is not None  # a worker reads it
            for chunk in [piece] if whole else in_memory(piece):
                some.append((chunk, numbers[by]))
                more = (piece.size or 0) if callable(chunk.rows) else chunk.rows.num_rows
                numbers[by] += more
                size += more
                if size >= _ROWS:
                    self._write(some, size)
                    some, size = [], 0
        if some:
            self._write(some, size)

    def _write(self, chunks: list[tuple[Chunk, int]], size: int) -> None:
        if self._folder is None:
            self._folder = self.begin()
            finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / f"rows-{len(self.paths):06}.pickle"
        with path.open("wb") as file:
            pickle.dump(chunks, file, protocol=5)
        self.paths.append(os.path.abspath(path))
        self.rows += size
