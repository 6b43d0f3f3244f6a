"""Rows as the compiled code takes them: records by part, and texts in the order of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .columns import Texts
from .compiled import fixed
from .encoded import Encoded, Shown

if TYPE_CHECKING:
    import numpy as np


@dataclass(slots=True)
class Packed(Shown):
    """Some rows, ready to be made facts of.

    Attributes:
        records: by part, see ``groups.spread``; or ``narrow.py``, and then
        table: of each kind its `meta` and its rank; else it is empty.
        origin: from which instant on narrow ones count.
        known: whether rows have arrivals.
        ends: where each part ends.
        ids, names, file, position: see ``Shown``.
    """

    records: np.ndarray
    table: np.ndarray
    origin: int
    known: bool
    ends: np.ndarray
    ids: Texts
    names: Texts | None
    file: np.ndarray | int
    position: np.ndarray | int

    @property
    def layout(self) -> tuple[int, int, int, int]:
        """The address of the records, the words of one, the address of the table, the origin."""
        table = self.table.ctypes.data if len(self.table) else 0
        return self.records.ctypes.data, self.records.shape[1], table, self.origin

    def instants(self) -> np.ndarray:
        """The instant that counts, in milliseconds."""
        return unpacked(self).instants()


def packed(rows: Encoded) -> Packed:
    """The same rows by part."""
    import numpy as np

    from . import groups

    arrived = rows.arrived
    records = np.empty((len(rows), groups.ARRIVED + (arrived is not None)), np.int64)
    ends = np.zeros(groups.PARTS + 1, np.int64)
    came = np.empty(0, np.int64) if arrived is None else arrived
    columns = rows.key, rows.when, rows.hash, rows.meta, came
    inputs: tuple[Any, ...] = (*map(fixed, columns), records, ends)
    groups.spread(*inputs)
    ids, names = Texts.of(rows.ids), None if rows.names is None else Texts.of(rows.names)
    table, known = np.empty((0, 2), np.int64), arrived is not None
    return Packed(records, table, 0, known, ends, ids, names, rows.file, rows.position)


def unpacked(rows: Packed) -> Encoded:
    """The same rows in the order of the log."""
    import numpy as np

    from . import groups, narrow

    key, when, came, meta = (np.empty(len(rows), np.int64) for _ in range(4))
    hashes, records = np.empty(len(rows), np.uint32), rows.records
    if len(rows.table):
        columns: tuple[Any, ...] = (key, when, came, meta, hashes)
        narrow.widen(fixed(records), fixed(rows.table), rows.origin, *columns)
    else:
        order = np.argsort(records[:, groups.ROW] >> 32)
        key, when, meta = (records[order, n] for n in (groups.KEY, groups.WHEN, groups.META))
        hashes = records[order, groups.ROW].astype(np.uint32)
        came = records[order, groups.ARRIVED] if rows.known else came
    arrived = came if rows.known else None
    return Encoded(key, when, arrived, meta, hashes, rows.ids, rows.names, rows.file, rows.position)
