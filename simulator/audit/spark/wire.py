"""Rows as packets of bytes that say all about themselves, on their way from worker to worker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from .. import codes
from ..encoded import Encoded, joined
from ..spill import from_arrow, in_buckets
from ..words import List, Words

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MOST: Final = 1 << 16  # rows of a packet
FILE_AT: Final = 40  # of a row's number in the log: above it is its file's number
_ALL: Final = 256  # so many words go with every packet; of more only those that it needs
_TOGETHER: Final = 1 << 18  # rows of a batch that packets are joined to
_WORDS: Final = b"words"
_FIELDS: Final[tuple[tuple[List, int, int], ...]] = (
    ("failures", codes.CODE_AT, codes.MOST_CODES - 1),
    ("categories", codes.CATEGORY_AT, codes.MOST_CATEGORIES - 1),
    ("numbers", codes.NUMBER_AT, codes.MOST_NUMBERS - 1),
    ("templates", codes.TEMPLATE_AT, codes.MOST_TEMPLATES - 1),
)


@dataclass(frozen=True, slots=True)
class Packet:
    """Some rows of one share of the contacts.

    Attributes:
        share: which.
        first: the number of the first row in the log.
        rows: bytes.
    """

    share: int
    first: int
    rows: bytes


def pack(batch: Encoded, order: np.ndarray, words: Words, shares: int) -> Iterator[Packet]:
    """Rows as packets, one or more for each share that has some.

    Args:
        batch: the rows.
        order: of each row its number in the log.
        words: what the rows' numbers stand for.
        shares: how many there are, a power of two.
    """
    import pyarrow as pa

    rows, ends = in_buckets(batch, 0, shares)
    place = rows.schema.get_field_index("row")
    numbers = order[rows.column(place).to_numpy()]
    rows = rows.set_column(place, "row", pa.array(numbers))
    for share in range(shares):
        for begin in range(ends[share], ends[share + 1], MOST):
            some = rows.slice(begin, min(MOST, ends[share + 1] - begin))
            yield Packet(share, int(numbers[begin]), _written(some, words))


def _written(rows: pa.RecordBatch, words: Words) -> bytes:
    import pyarrow as pa

    said = json.dumps(_used(rows, words)).encode()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.with_metadata({_WORDS: said})) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue())


def _used(rows: pa.RecordBatch, words: Words) -> dict[str, list[tuple[int, Any]]]:
    """What the numbers in these rows stand for."""
    import numpy as np

    meta, file = rows.column("meta").to_numpy(), rows.column("file").to_numpy()
    found: dict[str, list[tuple[int, Any]]] = {}
    for sort, places in [(s, (meta >> at) & mask) for s, at, mask in _FIELDS] + [("files", file)]:
        listed = words[sort]
        which = range(len(listed)) if len(listed) <= _ALL else np.unique(places).tolist()
        found[sort] = [(place, listed[place]) for place in which]
    return found


def unpack(packets: Sequence[bytes], words: Words) -> tuple[list[Encoded], np.ndarray]:
    """The rows of some packets in the order of the log, and their numbers in it.

    Args:
        packets: in any order.
        words: learns what occurs.
    """
    import numpy as np

    runs = [run for packet in packets for run in _runs(*_read(packet, words))]
    runs.sort(key=lambda run: run[1][0])
    batches: list[Encoded] = []
    some: list[Encoded] = []
    size = 0
    for batch, _ in runs:
        some.append(batch)
        size += len(batch)
        if size >= _TOGETHER:
            batches.append(joined(some))
            some, size = [], 0
    if some:
        batches.append(joined(some))
    numbers = [order for _, order in runs]
    return batches, np.concatenate(numbers) if numbers else np.empty(0, np.int64)


def _read(packet: bytes, words: Words) -> tuple[Encoded, np.ndarray]:
    import numpy as np
    import pyarrow as pa

    with pa.ipc.open_stream(packet) as stream:
        said = json.loads(stream.schema.metadata[_WORDS])
        batch, order = from_arrow(stream.read_next_batch())
    meta = batch.meta
    for sort, at, mask in _FIELDS:
        table = _renumbered(sort, said[sort], words)
        if table is not None:
            places = table[(meta >> at) & mask]
            meta = meta & ~np.int64(mask << at) | places << at
    batch.meta = meta
    table = _renumbered("files", said["files"], words)
    if table is not None:
        batch.file = table[batch.file].astype(np.int32)
    return batch, order


def _renumbered(sort: List, said: Sequence[tuple[int, Any]], words: Words) -> np.ndarray | None:
    """From the sender's numbers to ours; None where they are the same."""
    import numpy as np

    things = [tuple(thing) if isinstance(thing, list) else thing for _, thing in said]
    ours, theirs = words.places(sort, things), [place for place, _ in said]
    if ours == theirs:
        return None
    table = np.zeros(max(theirs) + 1, np.int64)
    table[theirs] = ours
    return table


def _runs(batch: Encoded, order: np.ndarray) -> Iterator[tuple[Encoded, np.ndarray]]:
    """The rows file by file: between those of one file no other packet has any."""
    import numpy as np

    changes = np.flatnonzero(np.diff(order >> FILE_AT)) + 1
    ends = [0, *changes.tolist(), len(order)]
    for begin, end in pairwise(ends):
        yield _piece(batch, begin, end), order[begin:end]


def _piece(batch: Encoded, begin: int, end: int) -> Encoded:
    some, size = slice(begin, end), end - begin
    if isinstance(batch.file, int) or isinstance(batch.position, int):
        raise TypeError("what comes off the wire has files and positions row by row")
    ids: Any = batch.ids  # Arrow's, as what comes off the wire is
    names: Any = batch.names
    return Encoded(
        batch.key[some],
        batch.when[some],
        None if batch.arrived is None else batch.arrived[some],
        batch.meta[some],
        batch.hash[some],
        ids.slice(begin, size),
        None if names is None else names.slice(begin, size),
        batch.file[some],
        batch.position[some],
    )
