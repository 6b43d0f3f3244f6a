"""Tables of comma-separated values, in pieces, with the line of every row.

House rules:

* A piece is read by Arrow at once where it can be. Where that would lose a row's place, or a row
  (broken quotes, bytes that are no UTF-8), the same piece is read row by row.
* A newline inside quotes belongs to its row; a row's position is the line on which it begins.
* A quotation mark that is never closed costs its own line, not the rest of the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

from ..plain import Chunk, Reject
from . import csv_lines
from .csv_lines import evenly, fields, records, starts, whole_rows
from .files import Log, NoLog

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PIECE: Final = 8 << 20
_DELIMITERS: Final = (",", ";", "\t", "|")
_BOM: Final = b"\xef\xbb\xbf"
_SHOWN: Final = 300
Rows: TypeAlias = "pa.RecordBatch | Callable[[], Iterable[pa.RecordBatch]]"


def read(log: Log, wanted: Sequence[str] | None = None) -> Iterator[Chunk | Reject]:
    """The rows, as texts; an empty field is none.

    Args:
        log: a CSV file with a header.
        wanted: the columns to read, as far as the file has them; None: all.

    Raises:
        NoLog: it has no header.
        OSError: it cannot be read.
    """
    with log.open() as file:
        header = _header(log, file)
        names = header.names if wanted is None else [n for n in wanted if n in header.names]
        for name in names:
            if header.names.count(name) > 1:
                raise NoLog(f"{log.name}: the column `{name}` stands there twice")
        yield from _Reader(log, header, names).pieces(file)


def columns(log: Log) -> list[str]:
    """The names of its columns. Raises NoLog."""
    with log.open() as file:
        return _header(log, file).names


@dataclass(frozen=True, slots=True)
class _Header:
    names: list[str]
    delimiter: str
    lines: int
    size: int


def _header(log: Log, file: IO[bytes]) -> _Header:
    lines = size = 0
    while first := file.readline(csv_lines.LONGEST):
        lines, size = lines + 1, size + len(first)
        first = first.removeprefix(_BOM)
        if first.strip():
            break
    else:
        raise NoLog(f"{log.name}: it is empty; expected a header with the names of columns")
    try:
        text = first.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise NoLog(f"{log.name}:{lines}: the header is not in UTF-8") from None
    if "\r" in text:
        raise NoLog(
            f"{log.name}:{lines}: a carriage return stands inside the header; "
            "expected lines that end in a newline, not in a carriage return alone"
        )
    delimiter = max(_DELIMITERS, key=text.count)
    names = fields(text, delimiter)
    if names is None:
        raise NoLog(f"{log.name}:{lines}: the quotation marks of the header do not fit together")
    return _Header([name.strip() for name in names], delimiter, lines, size)


@dataclass(frozen=True, slots=True)
class Table:
    """How a piece of a file is read.

    Attributes:
        names: of all columns.
        wanted: of those that are read.
        delimiter: between fields.
    """

    names: tuple[str, ...]
    wanted: tuple[str, ...]
    delimiter: str

    def rows(self, piece: bytes, bad: dict[int, int] | None = None) -> pa.RecordBatch:
        """The rows of a piece.

        Args:
            piece: of the file, whole rows.
            bad: takes the numbers of rows with too many or too few fields, and how many each
                has; None: there are none, and no quotes either.
        """
        import pyarrow as pa
        import pyarrow.csv as reader

        def skip(row: Any) -> str:
            assert bad is not None
            bad[row.number - 1] = row.actual_columns
            return "skip"

        # Names that nobody wants need not be told apart.
        names = [n if n in self.wanted else f"\0{i}" for i, n in enumerate(self.names)]
        found = reader.read_csv(
            io.BytesIO(piece),
            reader.ReadOptions(use_threads=False, column_names=names, block_size=len(piece) + 1),
            reader.ParseOptions(
                delimiter=self.delimiter,
                quote_char=False if bad is None else '"',
                newlines_in_values=bad is not None,
                invalid_row_handler=None if bad is None else skip,
            ),
            reader.ConvertOptions(
                column_types=dict.fromkeys(self.wanted, pa.string()),
                include_columns=self.wanted,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        batches = found.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], found.schema)


def _later(path: str, offset: int, size: int, table: Table) -> Iterator[pa.RecordBatch]:
    with open(path, "rb") as file:
        file.seek(offset)
        yield table.rows(file.read(size))


class _Reader:
    """Reads pieces of one file.

    Args:
        log: the file.
        header: its header.
        names: the columns to read.
    """

    def __init__(self, log: Log, header: _Header, names: list[str]) -> None:
        self.log, self.header, self.names = log, header, names

    def pieces(self, file: IO[bytes]) -> Iterator[Chunk | Reject]:
        """Everything below the header."""
        held, more = b"", True
        line, offset = self.header.lines, self.header.size
        while held or more:
            block = file.read(PIECE) if more else b""
            more = bool(block)
            held += block
            cut = whole_rows(held, self.header.delimiter) if more else len(held)
            if cut == 0:
                if more and len(held) < csv_lines.LONGEST:
                    continue
                cut = held.find(b"\n") + 1 or len(held)  # the quotes of this line are never closed
            piece, held = held[:cut], held[cut:]
            for found in self._piece(piece, line, offset):
                through = self.log.through(file)
                yield replace(found, through=through) if isinstance(found, Chunk) else found
            line += piece.count(b"\n")
            offset += len(piece)

    def _piece(self, piece: bytes, line: int, offset: int) -> Iterator[Chunk | Reject]:
        import numpy as np

        where = starts(piece, self.header.delimiter)
        if where is None:
            yield from self._slow(piece, line)
            return
        begins, ends = where
        if not len(begins):
            return
        newlines = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n"))
        lines = np.searchsorted(newlines, begins) + line + 1
        table = Table(tuple(self.header.names), tuple(self.names), self.header.delimiter)
        count = len(self.header.names)
        if not self.log.packed and evenly(piece, begins, ends, self.header.delimiter, count):
            # Nothing can be wrong with it, so it may be read later, by whoever wants it then.
            yield self._chunk(partial(_later, self.log.path, offset, len(piece), table), lines)
        else:
            found = self._quick(piece, table, begins, ends, lines)
            yield from self._slow(piece, line) if found is None else found

    # -- all at once -----------------------------------------------------------------------------

    def _quick(
        self, piece: bytes, table: Table, begins: np.ndarray, ends: np.ndarray, lines: np.ndarray
    ) -> list[Chunk | Reject] | None:
        """The rows by Arrow; None where they have to be read one by one."""
        import numpy as np
        import pyarrow as pa

        bad: dict[int, int] = {}
        try:
            batch = table.rows(piece, bad)
        except pa.ArrowInvalid:
            return None
        if batch.num_rows + len(bad) != len(begins):
            return None
        rejects = [
            self._misfit(int(lines[i]), piece[begins[i] : ends[i]], count)
            for i, count in bad.items()
        ]
        lines = np.delete(lines, list(bad)) if bad else lines
        return [*rejects, self._chunk(batch, lines)] if len(lines) else list(rejects)

    def _chunk(self, rows: Rows, lines: np.ndarray) -> Chunk:
        import pyarrow as pa

        first = int(lines[0])
        steady = int(lines[-1]) - first == len(lines) - 1
        positions = None if steady else pa.array(lines)
        return Chunk(self.log.name, "line", first, rows, positions, size=len(lines))

    # -- row by row ------------------------------------------------------------------------------

    def _slow(self, piece: bytes, line: int) -> Iterator[Chunk | Reject]:
        import numpy as np
        import pyarrow as pa

        rows: list[list[str]] = []
        lines: list[int] = []
        for number, raw in records(piece, line, self.header.delimiter):
            found = self._row(number, raw)
            if isinstance(found, Reject):
                yield found
            elif found:
                rows.append(found)
                lines.append(number)
        if rows:
            at = {name: self.header.names.index(name) for name in self.names}
            columns = {n: [row[i] or None for row in rows] for n, i in at.items()}
            batch = pa.RecordBatch.from_pydict(
                {name: pa.array(column, pa.string()) for name, column in columns.items()}
            )
            yield self._chunk(batch, np.array(lines))

    def _row(self, number: int, raw: bytes) -> list[str] | Reject:
        try:
            text = raw.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            return self._bad(
                number, raw, f"not in UTF-8, from byte {error.start + 1} of the row on"
            )
        if not text:
            return []
        row = fields(text, self.header.delimiter)
        if row is None:
            return self._bad(number, raw, "the quotation marks do not fit together")
        same = len(row) == len(self.header.names)
        return row if same else self._misfit(number, raw, len(row))

    def _misfit(self, number: int, raw: bytes, count: int) -> Reject:
        expected = f"expected {len(self.header.names)}, as in the header"
        why = f"{count} field{'' if count == 1 else 's'}; {expected}"
        return self._bad(number, raw, why)

    def _bad(self, number: int, raw: bytes, why: str) -> Reject:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        return Reject(self.log.name, "line", number, None, why, text[:_SHOWN])
