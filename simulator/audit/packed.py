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
        records: by part, see ``groups.spread``.
        ends: where each part ends.
        ids, names, file, position: see ``Shown``.
    """

    records: np.ndarray
    ends: np.ndarray
    ids: Texts
    names: Texts | None
    file: np.ndarray | int
    position: np.ndarray | int


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
    return Packed(records, ends, ids, names, rows.file, rows.position)


def unpacked(rows: Packed) -> Encoded:
    """The same rows in the order of the log."""
    import numpy as np

    from . import groups

    records, place = rows.records, np.empty(len(rows), np.int64)
    place[rows.records[:, groups.ROW] >> 32] = np.arange(len(rows))
    records = rows.records[place]
    return Encoded(
        records[:, groups.KEY].copy(),
        records[:, groups.WHEN].copy(),
        records[:, groups.ARRIVED].copy() if records.shape[1] > groups.ARRIVED else None,
        records[:, groups.META].copy(),
        records[:, groups.ROW].astype(np.uint32),
        rows.ids,
        rows.names,
        rows.file,
        rows.position,
    )
