"""Rows in memory, to facts, by compiled code over parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from .columns import Texts
from .encoded import Encoded
from .facts import Asking, Facts, events
from .packed import Packed, packed

if TYPE_CHECKING:
    import numpy as np

_TASK: Final = 80_000  # records of a task, more or less


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
        self._packs = np.array([batch.layout for batch in batches] or [(0, 0, 0, 0)], np.int64)
        self._known = any(batch.known for batch in batches)
        self._events = events()
        self._ids = _where([batch.ids for batch in batches])
        self._names = _where([batch.names for batch in batches])

    def tasks(self, asking: Asking) -> list[Callable[[], Facts]]:
        """See ``Lot``."""
        import numpy as np

        sizes = np.diff(self.ends.sum(axis=0)).tolist()
        return [partial(self._facts, low, high, asking) for low, high in _ranges(sizes)]

    def _facts(self, low: int, high: int, asking: Asking) -> Facts:
        import numpy as np

        from . import lines

        count = int((self.ends[:, high] - self.ends[:, low]).sum())
        judged = asking.known and self._known
        room = 2 * count if judged else count
        keys, begins = np.empty(count, np.int64), np.empty(count + 1, np.int64)
        at, row, meta = (np.empty(room, np.int64) for _ in range(3))
        event = np.empty(room, np.uint8)
        known, gone = (np.empty(room if judged else 0, np.int64) for _ in range(2))
        found, size, left_out = lines.facts_of(
            low, high, self._packs, self.ends, self.firsts, self._names, self._ids, self._events,
            asking.edges, asking.asks, keys, begins, at, event, row, meta, known, gone,
        )  # fmt: skip
        return Facts(
            keys[:found], begins[: found + 1], at[:size], event[:size], row[:size], meta[:size],
            known[:size] if judged else None, gone[:size] if judged else None, left_out,
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


def _where(columns: Sequence[Texts | None]) -> np.ndarray:
    """Of each column where its texts stand."""
    import numpy as np

    made = [(0, 0, 0, 0) if column is None else column.where for column in columns]
    return np.array(made or [(0, 0, 0, 0)], np.int64)
