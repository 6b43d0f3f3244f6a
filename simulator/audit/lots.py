"""Rows in memory, to facts, by compiled code over parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from .columns import buffers
from .encoded import Encoded
from .facts import Asking, Facts, events
from .packed import Packed, packed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_TASK: Final = 12_000  # records that are looked at together, more or less


class QuickLot:
    """Rows by compiled code.

    Args:
        rows: packed, or to be.
        each: packs them, in several threads.
    """

    quick = True

    def __init__(
        self, rows: Sequence[Packed | Encoded], each: Callable[..., Iterable[Packed]] = map
    ) -> None:
        import numpy as np

        self.batches = batches = list(each(_packed, rows))
        lengths = [len(batch) for batch in batches]
        self.firsts = np.cumsum([0, *lengths[:-1]], dtype=np.int64)
        self.ends = np.stack([batch.ends for batch in batches] or [np.zeros(2, np.int64)])
        self.bases = np.array([batch.records.ctypes.data for batch in batches], np.int64)
        self.widths = np.array([batch.records.shape[1] for batch in batches], np.int64)
        self._events = events()
        self._ids = _addresses([batch.ids for batch in batches])
        self._names = _addresses([batch.names for batch in batches])

    def tasks(self, asking: Asking) -> list[Callable[[], Facts]]:
        """See ``Lot``."""
        import numpy as np

        sizes = np.diff(self.ends.sum(axis=0)).tolist()
        return [partial(self._facts, low, high, asking) for low, high in _ranges(sizes)]

    def _facts(self, low: int, high: int, asking: Asking) -> Facts:
        import numpy as np

        from . import groups

        count = int((self.ends[:, high] - self.ends[:, low]).sum())
        records = np.empty((count, int(self.widths.max())), np.int64)
        starts = np.zeros(count + 2, np.int64)
        keys = groups.gather(
            low, high, self.bases, self.widths, self.ends, self.firsts, self._names, records,
            starts,
        )  # fmt: skip
        starts = starts[: keys + 1]
        failed = np.empty((count, 2), np.int64)
        repeats = groups.unite(records, starts, self.firsts, self._ids, failed)
        judged = asking.known and records.shape[1] > groups.ARRIVED
        room = 2 * count if judged else count
        begins = np.empty(keys + 1, np.int64)
        at, row, meta = (np.empty(room, np.int64) for _ in range(3))
        event = np.empty(room, np.uint8)
        known, gone = (np.empty(room if judged else 0, np.int64) for _ in range(2))
        size = groups.line_up(
            records, starts, self.firsts, self._ids, failed, self._events, asking.edges,
            asking.asks, begins, at, event, row, meta, known, gone,
        )  # fmt: skip
        return Facts(
            records[starts[:-1], groups.KEY], begins, at[:size], event[:size], row[:size],
            meta[:size], known[:size] if judged else None, gone[:size] if judged else None, repeats,
        )  # fmt: skip


def _packed(rows: Packed | Encoded) -> Packed:
    return rows if isinstance(rows, Packed) else packed(rows)


def _ranges(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Parts that lie together, each range large enough to be worth a task; empty ones left out."""
    ranges, low, size = [], 0, 0
    for part, more in enumerate(sizes):
        size += more
        if size >= _TASK or (part == len(sizes) - 1 and size):
            ranges.append((low, part + 1))
            low, size = part + 1, 0
    return ranges


def _addresses(columns: Sequence[pa.Array | None]) -> np.ndarray:
    import numpy as np

    pairs = [(0, 0) if column is None else buffers(column) for column in columns]
    return np.array(pairs or [(0, 0)], np.int64)
