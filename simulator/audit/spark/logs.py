"""What Spark reads by itself, and how the rest of a log comes to its workers."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from weakref import finalize

from ..encode import pieces as in_memory
from ..plain import Chunk, Reject
from ..sources import Columns, Log, NoLog
from ..sources.mapping import wanted
from ..sources.parquets import schema
from ..sources.plain import lacks
from .reading import FILE, PLACE
from .wire import FILE_AT

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_STRANGE: Final = frozenset("*?[]{}\\")  # Spark would look for other files
_HIDDEN: Final = ("_", ".")  # Spark leaves out files whose names begin so
_ROWS: Final = 1 << 18  # of a file that is put aside for the workers


@dataclass(frozen=True, slots=True)
class Told:
    """A log as the engine takes it: what Spark reads, what others have read, and how long it is.

    Attributes:
        native: the files that Spark reads, each with its number in the call.
        addresses: what only Spark can resolve, as ``s3a://bucket/folder``.
        columns: of these.
        first: from the name of every other file to the number of its first row; None: rows are
            numbered through.
    """

    native: tuple[tuple[int, Log], ...]
    addresses: tuple[str, ...]
    columns: Columns
    first: Mapping[str, int] | None


def divide(logs: Sequence[Log], source: str, columns: Columns) -> tuple[Told, list[Log]]:
    """Which files Spark reads, and which are read by their source.

    Raises:
        NoLog: a file lacks a column that is needed, or is no Parquet.
    """
    files = [log for log in logs if not is_address(log.path)]
    addresses = tuple(log.path for log in logs if is_address(log.path))
    if source != "plain":
        if addresses:
            raise NoLog(f"{addresses[0]}: Spark reads plain Parquet only; name a file here")
        return Told((), (), columns, None), files
    native = []
    for number, log in enumerate(files):
        if log.form == "parquet" and _readable(log, columns):
            native.append((number, log))
    chosen = {log.name for _, log in native}
    rest = [log for log in files if log.name not in chosen]
    first = {log.name: number << FILE_AT for number, log in enumerate(files)}
    return Told(tuple(native), addresses, columns, first), rest


def is_address(path: str) -> bool:
    """Whether a path is one that only Spark can resolve."""
    return "://" in path


def address(path: str) -> Log:
    """Such a path as a log."""
    return Log(path, path, "parquet", packed=False, size=0)


def _readable(log: Log, columns: Columns) -> bool:
    """Whether Spark reads the same in it as Arrow does."""
    found = schema(log)
    lacks(log, columns, found.names)
    folded = [name.lower() for name in found.names]
    if len(folded) != len(set(folded)):
        return False
    if _STRANGE & set(os.path.abspath(log.path)) or Path(log.path).name.startswith(_HIDDEN):
        return False
    return all(_same(found.field(name).type) for name in wanted(columns) if name in found.names)


def _same(kind: pa.DataType) -> bool:
    import pyarrow as pa

    is_ = pa.types
    if is_.is_dictionary(kind):
        kind = kind.value_type
    if is_.is_timestamp(kind):
        return kind.unit in ("ms", "us")
    if is_.is_struct(kind):
        return all(_same(field.type) for field in kind)
    signed = is_.is_signed_integer(kind)
    text = is_.is_string(kind) or is_.is_large_string(kind)
    return bool(signed or text or is_.is_float64(kind) or is_.is_boolean(kind))


def frames(told: Told, session: SparkSession) -> Iterator[Frame]:
    """Tables that Spark reads, with their files: one for each kind of file, and each address.

    Raises:
        NoLog: what stands at an address lacks a column that is needed.
    """
    import pyarrow.parquet as pq

    kinds: dict[Any, list[tuple[int, Log]]] = {}
    for number, log in told.native:
        found = schema(log)
        names = [name for name in wanted(told.columns) if name in found.names]
        kind = tuple((name, str(found.field(name).type)) for name in names)
        kinds.setdefault(kind, []).append((number, log))
    for kind, logs in kinds.items():
        by_path = {os.path.abspath(log.path): (number, log.name) for number, log in logs}
        rows = session.read.parquet(*by_path)
        size = sum(pq.read_metadata(path).num_rows for path in by_path)
        yield Frame(_chosen(rows, [name for name, _ in kind]), Files(by_path), size)
    number = max((first >> FILE_AT for first in (told.first or {}).values()), default=-1) + 1
    for path in told.addresses:
        rows = session.read.parquet(path)
        lacks(address(path), told.columns, rows.columns)
        names = [name for name in wanted(told.columns) if name in rows.columns]
        files = {uri: (number + n, uri) for n, uri in enumerate(sorted(rows.inputFiles()))}
        number += len(files)
        yield Frame(_chosen(rows, names), Files(files), rows.count())


@dataclass(frozen=True, slots=True)
class Frame:
    """A table that Spark reads.

    Attributes:
        rows: the log's own columns that are wanted, and of each row its file and its place there.
        files: see ``reading.Native``.
        size: how many rows there are.
    """

    rows: DataFrame
    files: Files
    size: int


def _chosen(rows: DataFrame, names: Iterable[str]) -> DataFrame:
    from pyspark.sql.functions import col

    own = [col(f"`{name}`") for name in names]
    meta = col("_metadata.file_path").alias(FILE), col("_metadata.row_index").alias(PLACE)
    return rows.select(*own, *meta)


class Files(dict[str, tuple[int, str]]):
    """From a file's path to its number and its name; asked by the URI that Spark has for it."""

    def __missing__(self, uri: str) -> tuple[int, str]:
        path = "/" + uri.removeprefix("file:").lstrip("/")
        names = unquote(path), path, unquote(uri), f"file://{path}"
        found = next((self[name] for name in names if name in self), None)
        if found is None:
            raise KeyError(uri)
        self[uri] = found
        return found


@dataclass(eq=False)
class Spool:
    """Puts what a source has read into files, which Spark's workers read.

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
            for chunk in in_memory(piece):
                some.append((chunk, numbers[by]))
                more = 0 if callable(chunk.rows) else chunk.rows.num_rows
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
