"""Few rows in memory, to facts, by plain code. The same facts as ``groups.py`` makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from . import codes
from .columns import copied
from .encoded import Encoded
from .facts import Asking, Facts, events

if TYPE_CHECKING:
    import numpy as np

_ACT: Final = (1 << codes.ACT_BITS) - 1
_OUTCOME: Final = (
    3 << codes.FAIL_AT | 7 << codes.STATUS_AT | (codes.MOST_CODES - 1) << codes.CODE_AT
)
# place (instant, rank, id), instant, event, row, meta, known, gone
_Fact: TypeAlias = tuple[tuple[int, int, str], int, int, int, int, int, int]


@dataclass(slots=True)
class _Row:
    """A row; and, where it or a repeat of it failed, when that was learnt of."""

    order: int
    at: int
    arrived: int
    meta: int
    id: str
    failed: int

    @property
    def act(self) -> int:
        return self.meta & _ACT

    @property
    def fail(self) -> int:
        return (self.meta >> codes.FAIL_AT) & 3


class FewLot:
    """Rows by plain code. See ``Lot``."""

    quick = False

    def __init__(self, batches: Sequence[Encoded]) -> None:
        self.batches = batches
        self._events = events().tolist()

    def tasks(self, asking: Asking) -> list[Callable[[], Facts]]:
        """See ``Lot``."""
        return [partial(self._facts, asking)] if any(map(len, self.batches)) else []

    def _facts(self, asking: Asking) -> Facts:
        import numpy as np

        known = asking.known and any(batch.arrived is not None for batch in self.batches)
        keys, starts, line, repeats = [], [0], list[_Fact](), 0
        for (key, _), rows in self._by_key().items():
            counted = list(_united(rows))
            repeats += len(rows) - len(counted)
            line += sorted(fact for row in counted for fact in self._facts_of(row, known))
            keys.append(key)
            starts.append(len(line))
        _, at, event, row, meta, since, gone = (np.array(c) for c in zip(*line, strict=True))
        return Facts(
            np.array(keys), np.array(starts), at, _asked(event, at, meta, asking), row, meta,
            since if known else None, gone if known else None, repeats,
        )  # fmt: skip

    def _by_key(self) -> dict[tuple[int, int], list[_Row]]:
        found: dict[tuple[int, int], list[_Row]] = {}
        order = 0
        for batch in self.batches:
            at = (batch.when >> codes.RANK_BITS).tolist()
            arrived = at if batch.arrived is None else batch.arrived.tolist()
            columns = (
                batch.key.tolist(),
                at,
                arrived,
                batch.meta.tolist(),
                copied(batch.ids).to_pylist(),
            )
            for key, when, came, meta, id_ in zip(*columns, strict=True):
                number = (meta >> codes.NUMBER_AT) & (codes.MOST_NUMBERS - 1)
                row = _Row(order, when, came, meta, id_, came)
                found.setdefault((key, number), []).append(row)
                order += 1
        return found

    def _facts_of(self, row: _Row, known: bool) -> Iterator[_Fact]:
        event, since = self._events[row.meta & codes.EVENT_BITS], row.arrived
        rank = codes.CUSTOMER if row.act < codes.TEMPLATE else codes.BUSINESS
        if row.fail:
            rank, since = codes.PLATFORM, max(since, row.failed)
            if known and row.failed > max(row.arrived, row.at):
                silent = codes.SILENT_TEMPLATE if row.act == codes.TEMPLATE else codes.SILENT_FREE
                if row.act == codes.UNKNOWN_SEND:
                    silent = codes.SILENT_UNKNOWN
                place = (row.at, codes.BUSINESS, row.id)
                yield place, row.at, silent, row.order, row.meta, row.arrived, row.failed
        place = (row.at, rank, row.id)
        yield place, row.at, event, row.order, row.meta, since, codes.FOREVER


def _united(rows: Sequence[_Row]) -> Iterator[_Row]:
    """One row for each id: the one that arrived first, with what its repeats say of the send."""
    by_id: dict[tuple[bool, str], list[_Row]] = {}
    for row in rows:
        by_id.setdefault((row.act >= codes.TEMPLATE, row.id), []).append(row)
    for same in by_id.values():
        first = min(same, key=lambda row: (row.arrived, row.order))
        failures = [row for row in same if row.fail]
        if first.act < codes.TEMPLATE:
            pass
        elif failures:
            failure = min(failures, key=lambda row: (row.arrived, row.order))
            first.meta = first.meta & ~_OUTCOME | failure.meta & _OUTCOME
            first.failed = failure.arrived
        else:
            status = max((row.meta >> codes.STATUS_AT) & 7 for row in same)
            first.meta = first.meta & ~(7 << codes.STATUS_AT) | status << codes.STATUS_AT
        yield first


def _asked(event: np.ndarray, at: np.ndarray, meta: np.ndarray, asking: Asking) -> np.ndarray:
    """The events, as a registry has it."""
    import numpy as np

    if asking.asks.size:
        ones = ((meta & _ACT) == codes.TEMPLATE) & (event != codes.SILENT_TEMPLATE)
        place = np.where(ones, (meta >> codes.TEMPLATE_AT) & (codes.MOST_TEMPLATES - 1), 0)
        stretch = np.searchsorted(asking.edges, at, side="right")
        ask = asking.asks[stretch, place].astype(np.int64)
        event = np.where(ones, event + ask - codes.APPROVED, event)
    return event.astype(np.uint8)
