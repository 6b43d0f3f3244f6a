"""Chunks to packets, in one of Spark's Python workers."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..encode import encode
from ..encode import pieces as in_memory
from ..encoded import Encoded, joined
from ..plain import Chunk, Reject
from ..sources.mapping import Columns, plain
from ..words import Words
from .wire import FILE_AT, pack

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SCHEMA: Final = "share int, first long, sort string, packet binary"
ROWS, REJECTS = "rows", "rejects"
FILE, PLACE = "__wa_file", "__wa_row"  # columns of what Spark reads: the file, and the row in it
_SEGMENT: Final = 1 << 19  # rows that are put into packets together
_YIELDS: Final = 8 << 20  # bytes of packets that are handed to Spark together

Numbered: TypeAlias = "tuple[Chunk, np.ndarray]"  # and of each row its number in the log


@dataclass(frozen=True, slots=True)
class Native:
    """Reads what Spark has read. Called in its workers.

    Attributes:
        files: from a file's URI, as Spark has it, to its number and its name.
        columns: of the log.
        latest: see ``encode``.
        shares: see ``wire``.
    """

    files: dict[str, tuple[int, str]]
    columns: Columns
    latest: int
    shares: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Packets."""
        return _packets(self._chunks(batches), self.latest, self.shares)

    def _chunks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Numbered]:
        import numpy as np
        import pyarrow as pa

        for batch in batches:
            names = batch.column(FILE).dictionary_encode()
            places = names.indices.to_numpy()
            ends = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
            for begin, end in pairwise(ends):
                if end > begin:
                    rows = batch.slice(begin, end - begin)
                    number, name = self.files[names.dictionary[places[begin]].as_py()]
                    place = rows.column(PLACE).to_numpy()
                    rows = plain(self.columns, rows.drop_columns([FILE, PLACE]))
                    chunk = Chunk(name, "row", 1, rows, pa.array(place + 1))
                    yield chunk, place + (number << FILE_AT)


@dataclass(frozen=True, slots=True)
class Spooled:
    """Reads what ``logs.Spool`` has put into files. Called in Spark's workers.

    Attributes:
        latest: see ``encode``.
        shares: see ``wire``.
    """

    latest: int
    shares: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Packets."""
        return _packets(self._chunks(batches), self.latest, self.shares)

    def _chunks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Numbered]:
        import numpy as np

        for batch in batches:
            for path in batch.column("path").to_pylist():
                with open(path, "rb") as file:
                    for chunk, first in pickle.load(file):
                        for piece in in_memory(chunk):
                            rows: Any = piece.rows
                            numbers = np.arange(rows.num_rows) + first
                            first += len(numbers)
                            yield piece, numbers


def _packets(chunks: Iterable[Numbered], latest: int, shares: int) -> Iterator[pa.RecordBatch]:

    words = Words()
    held: list[tuple[Encoded, np.ndarray]] = []
    rejects: list[tuple[int, Reject]] = []
    size = 0
    for chunk, order in chunks:
        encoded, order, bad = _encoded(chunk, order, words, latest)
        rejects += bad
        if len(encoded):
            held.append((encoded, order))
            size += len(encoded)
        if size + len(rejects) >= _SEGMENT:
            yield from _segment(held, rejects, words, shares)
            held, rejects, size = [], [], 0
    yield from _segment(held, rejects, words, shares)


def _encoded(
    chunk: Chunk, order: np.ndarray, words: Words, latest: int
) -> tuple[Encoded, np.ndarray, list[tuple[int, Reject]]]:
    """The rows of a chunk with their numbers, and what is rejected with its own."""
    import numpy as np
    import pyarrow as pa

    place = np.arange(len(order))  # stands for the position until it is known which rows are left
    marked = replace(chunk, positions=pa.array(place))
    encoded, rejects = encode(marked, words, latest)
    left = encoded.where(np.arange(len(encoded)))[1]
    position = place + chunk.first
    if chunk.positions is not None:
        position = chunk.positions.to_numpy()
    encoded.position = position[left]
    bad = [(int(order[each.position]), replace(each, position=int(position[each.position])))
           for each in rejects]  # fmt: skip
    return encoded, order[left], bad


def _segment(
    held: list[tuple[Encoded, np.ndarray]],
    rejects: list[tuple[int, Reject]],
    words: Words,
    shares: int,
) -> Iterator[pa.RecordBatch]:
    import numpy as np

    made: list[tuple[int, int, str, bytes]] = []
    waiting = 0
    if rejects:
        first = min(number for number, _ in rejects)
        made.append((first % shares, first, REJECTS, pickle.dumps(rejects)))
    if held:
        batch = joined([batch for batch, _ in held])
        order = np.concatenate([order for _, order in held])
        for packet in pack(batch, order, words, shares):
            made.append((packet.share, packet.first, ROWS, packet.rows))
            waiting += len(packet.rows)
            if waiting >= _YIELDS:
                yield table(made)
                made, waiting = [], 0
    if made:
        yield table(made)


def table(rows: list[tuple[int, int, str, bytes]]) -> pa.RecordBatch:
    """Rows of ``SCHEMA``."""
    import pyarrow as pa

    share, first, sort, packet = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(share, pa.int32()), pa.array(first, pa.int64()), pa.array(sort, pa.string()),
         pa.array(packet, pa.binary())],
        names=["share", "first", "sort", "packet"],
    )  # fmt: skip
