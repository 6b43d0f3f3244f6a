"""A chunk straight to records, where nothing about it is unusual: most of a large log.

It is quicker than ``encode.py`` and ``packed.py`` one after the other, which read everything, and
gives the same. What a row's values mean is asked there: of one row of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from . import codes
from .columns import VIEW, Texts, texts_of, values_of
from .compiled import fixed
from .encode import FEW, LONGEST, encode
from .instants import Instants, instants
from .packed import Packed
from .plain import Chunk
from .words import Words

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

AT_ONCE: Final = 1 << 17  # rows; what is written of them stays near the processor
_NUMBER: Final = 8  # bytes of a whole number
_RANK: Final = (1 << codes.RANK_BITS) - 1
_ANY: Final[dict[str, Any]] = {"at": 0, "customer": "49151234567", "id": "x"}
_View = tuple[int, "np.ndarray"]  # the first view's address, and those of the texts


def straight(
    chunk: Chunk, words: Words, latest: int, share: Callable[..., Iterable[Any]] = map
) -> tuple[list[Packed], int, int] | None:
    """The rows of a chunk by part, and the first and the last instant that counts.

    None: something has to be looked at row by row, or in another way; nothing was done.

    Args:
        chunk: rows in memory.
        words: learns what occurs in them.
        latest: the last instant at which something may count, in milliseconds.
        share: does things for each of several others, in order, with the help of other threads.
    """
    rows = cast("pa.RecordBatch", chunk.rows)
    names, ids = _views(rows, "customer"), _views(rows, "id")
    times = _times(rows, latest)
    if names is None or ids is None or times is None:
        return None
    found = _kinds(chunk, words, latest)
    if found is None:
        return None
    whole, made = _Whole(chunk, rows, names, ids, *times, *found), list[tuple[Packed, int, int]]()
    for some in share(partial(whole.slice, words), range(0, len(rows), AT_ONCE)):
        if some is None:
            return None
        made.append(some)
    return [p for p, _, _ in made], min(f for _, f, _ in made), max(e for _, _, e in made)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A chunk, of which some rows at a time become records."""

    chunk: Chunk
    rows: pa.RecordBatch
    names: _View
    ids: _View
    at: np.ndarray
    arrived: np.ndarray
    origin: int
    kinds: np.ndarray
    table: np.ndarray

    def slice(self, words: Words, begin: int) -> tuple[Packed, int, int] | None:
        """The rows from one place on; None: there is something unusual."""
        import numpy as np

        from . import groups, narrow
        from . import kinds as compiled

        end = min(begin + AT_ONCE, len(self.rows))
        size, ids, names = end - begin, self.ids[0] + VIEW * begin, self.names[0] + VIEW * begin
        texts = self.ids[1].ctypes.data
        whole, least, most = compiled.measure(ids, size)
        key, parts = np.empty(size, np.int64), np.empty(size, np.uint16)
        ends = np.zeros(groups.PARTS + 1, np.int64)
        phones = compiled.customers(names, self.names[1].ctypes.data, key, parts, ends)
        if not phones or least == 0 or most > LONGEST:
            return None
        columns = (self.at, self.arrived, self.kinds)
        given: tuple[Any, ...] = (*(fixed(column[begin:end]) for column in columns),)
        given += (fixed(self.table), self.origin, fixed(key), fixed(parts), fixed(ends))
        refs, records = np.empty(0, np.int64), np.empty((size, narrow.WORDS), np.int64)
        if least != most:
            refs = np.empty(size, np.int64)
        for shared in (min(compiled.prefix(ids, texts, size), least - 1), 0):
            data = np.empty(whole - size * shared, np.uint8)
            into: tuple[Any, ...] = (shared, data.ctypes.data, refs, records)
            first, last, done = compiled.write(ids, texts, *given, *into)
            if done:
                break
        prefix = np.frombuffer(self.rows.column("id")[begin].as_py().encode()[:shared], np.uint8)
        where = refs if len(refs) else (data.ctypes.data, least - shared, size)
        (file,) = words.places("files", [(self.chunk.file, self.chunk.unit)])
        position: np.ndarray | int = self.chunk.first + begin
        if self.chunk.positions is not None:
            position = self.chunk.positions.slice(begin, size).to_numpy()
        known, made = len(self.arrived) > 0, Texts(where, [data], prefix)
        rows = Packed(records, self.table, self.origin, known, ends, made, None, file, position)
        return rows, first, last


def _views(rows: pa.RecordBatch, name: str) -> _View | None:
    """A column of texts in views, without a row that has none."""
    import pyarrow as pa

    place = rows.schema.get_field_index(name)
    column = None if place < 0 else rows.column(place)
    if column is None or not pa.types.is_string_view(column.type) or column.null_count:
        return None
    first, *_ = values_of(column, VIEW)
    return first, texts_of(column)


def _times(rows: pa.RecordBatch, latest: int) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Of each row `at` and `arrived_at`, and the first of all. No arrivals: none has one."""
    import numpy as np

    from .narrow import SPAN

    found = []
    for name in ("at", "arrived_at"):
        place = rows.schema.get_field_index(name)
        none = Instants(np.empty(0, np.int64), np.ones(1, bool))
        found.append(none if place < 0 else instants(rows.column(place)))
    at, arrived = found
    if at.missing.any() or at.wrong or arrived.wrong:
        return None
    (first, last), missing = at.reach(), arrived.missing
    if missing.all():
        came = Instants(np.empty(0, np.int64), missing)
        origin, end = first, last
    else:
        came = Instants(np.where(missing, at.ms, arrived.ms), missing) if missing.any() else arrived
        origin, end = min(first, came.reach()[0]), max(last, came.reach()[1])
    return None if last > latest or end - origin >= SPAN else (at.ms, came.ms, origin)


def _kinds(chunk: Chunk, words: Words, latest: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The kind of each row; of each kind what a row of it is, and its rank."""
    import numpy as np
    import pyarrow as pa

    from .kinds import divide, examples

    rows = cast("pa.RecordBatch", chunk.rows)
    kinds, count = np.zeros(len(rows), np.uint16), 1
    columns = {name: rows.column(name) for name in FEW if name in rows.schema.names}
    for column in columns.values():
        if pa.types.is_null(column.type):
            continue
        width = VIEW if pa.types.is_string_view(column.type) else _NUMBER
        if width == _NUMBER and not pa.types.is_int64(column.type):
            return None
        count = divide(*values_of(column, width), kinds, count)
        if count < 0:
            return None
    one = np.zeros(count, np.int64)
    examples(fixed(kinds), one)
    made = {
        name: pa.array([col[row].as_py() for row in one.tolist()]) for name, col in columns.items()
    }
    made |= {name: pa.array([value] * count) for name, value in _ANY.items()}
    few = replace(chunk, rows=pa.RecordBatch.from_pydict(made), positions=None)
    encoded, rejects = encode(few, words, latest)
    if rejects:
        return None
    return kinds, np.stack([encoded.meta, encoded.when & _RANK], axis=1)
