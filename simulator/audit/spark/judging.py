"""A share of the contacts, judged as if it were the whole log, in one of Spark's Python workers."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .. import codes, judged
from ..counting import DAY
from ..encoded import Encoded
from ..facts import Lot
from ..judging import Bench, bench_of
from ..plain import Judge, Only, Picked, Registry, Totals
from ..results import ROW
from ..tables import Tables
from ..tallies import Kept, Scope, Tally
from ..totals import totals_of
from ..words import Words
from .reading import REJECTS, ROWS
from .wire import unpack

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

COUNTED, SENDS = "counted", "sends"
SCHEMA: Final = "sort string, packet binary"


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of a share.

    Attributes:
        totals: its counts; `rows` has those that were read, and not the rejected ones.
        numbers: the business numbers in it.
        kept: of each policy which rows are to be shown, by their numbers in the log.
        shown: these, with the column ``ROW``.
    """

    totals: Totals
    numbers: frozenset[str]
    kept: list[dict[Picked, Kept]]
    shown: pa.Table


@dataclass(frozen=True, slots=True)
class Rules:
    """By what is judged.

    Attributes:
        tables: of each policy.
        judge: by which facts.
        registry: what is known of templates.
    """

    tables: tuple[Tables, ...]
    judge: Judge
    registry: Registry | None

    def bench(self, words: Words, days: Sequence[int]) -> Bench:
        """What judges rows with these words and days."""
        return bench_of(self.tables, self.judge, self.registry, words, days)


@dataclass(frozen=True, slots=True)
class Counting:
    """Counts a share. Called in Spark's workers."""

    rules: Rules

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What is counted, and what was rejected as it came."""
        packets: list[bytes] = []
        for sort, packet in _packets(batches):
            if sort == REJECTS:
                yield table(REJECTS, packet)
            else:
                packets.append(packet)
        if packets:
            yield table(COUNTED, pickle.dumps(self._counted(packets)))

    def _counted(self, packets: Sequence[bytes]) -> Counted:
        share = _Share.of(packets, self.rules)
        tally = judged.count(share.lot, share.bench, share.scope, judged.Threads(1), _quiet)
        return counted(tally, share.lot, share.order)


@dataclass(frozen=True, slots=True)
class Sending:
    """Gives the sends of a share. Called in Spark's workers."""

    rules: Rules
    only: Only | None
    policy: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Tables of sends, as bytes."""
        packets = [packet for sort, packet in _packets(batches) if sort == ROWS]
        if not packets:
            return
        share = _Share.of(packets, self.rules)
        one = judged.Threads(1)
        rest = share.bench, share.scope, one, self.only, self.policy
        for sends in judged.sends(share.lot, *rest):
            yield table(SENDS, written(sends))


@dataclass(frozen=True, slots=True)
class _Share:
    """A share in memory; `order` has of each row its number in the log."""

    lot: Lot
    bench: Bench
    scope: Scope
    order: np.ndarray

    @classmethod
    def of(cls, packets: Sequence[bytes], rules: Rules) -> _Share:
        from ..lots import QuickLot  # local: it needs compiled code

        words = Words()
        batches, order = unpack(packets, words)
        days = sorted({day for batch in batches for day in _days(batch)})
        bench = rules.bench(words, days)
        return cls(QuickLot(batches, map), bench, Scope(words, days), order)


def _days(batch: Encoded) -> list[int]:
    import numpy as np

    found: list[int] = np.unique((batch.when >> codes.RANK_BITS) // DAY).tolist()
    return found


def counted(tally: Tally, lot: Lot, order: np.ndarray) -> Counted:
    """What is told of a tally.

    Args:
        tally: the counts.
        lot: whose.
        order: of each of its rows the number in the log.
    """
    import numpy as np
    import pyarrow as pa

    bench, scope = tally.bench, tally.scope
    rows = tally.rows_shown()
    tables = [judged.nothing(bench, scope)]
    if rows is not None:
        tables = list(judged.tables(rows, lot, bench, scope))
    numbers = order[rows.row] if rows is not None else np.empty(0, np.int64)
    shown = pa.Table.from_batches(tables).append_column(ROW, pa.array(numbers, pa.int64()))
    tally.renumber(order)
    totals = totals_of(tally)
    totals.rows = len(order)
    there = zip(scope.words["numbers"], tally.numbers, strict=False)
    found = frozenset(number for number, seen in there if seen)
    return Counted(totals, found, tally.kept, shown)


def table(sort: str, packet: bytes) -> pa.RecordBatch:
    """One row of ``SCHEMA``."""
    import pyarrow as pa

    columns = [pa.array([sort], pa.string()), pa.array([packet], pa.binary())]
    return pa.RecordBatch.from_arrays(columns, names=["sort", "packet"])


def written(rows: pa.RecordBatch) -> bytes:
    """A table as bytes."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue())


def _packets(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, bytes]]:
    for batch in batches:
        columns = batch.column("sort").to_pylist(), batch.column("packet").to_pylist()
        yield from zip(*columns, strict=True)


def _quiet(more: int) -> None:
    """Nobody looks at one worker's progress."""
