"""What an audit gives back: counts, tables of sends, and the rows that a report shows."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from . import judged
from .encoded import Encoded
from .facts import Lot
from .few import FewLot
from .judged import Threads
from .judging import bench_of
from .pace import Pace
from .plain import Judge, Only, Picked, Registry, Totals
from .reading import READING, Held
from .spill import Spill
from .tables import Tables
from .tallies import Kept, Scope, Tally
from .totals import totals_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ROW = "row"  # a column of shown rows: their number in the log


class _Result(ABC):
    """What both kinds share. See ``plain.Audit``."""

    def __init__(
        self, held: Held, tables: Sequence[Tables], judge: Judge, registry: Registry | None,
        threads: Threads, pace: Pace,
    ) -> None:  # fmt: skip
        self.held, self.threads, self.pace = held, threads, pace
        self.bench = bench_of(tables, judge, registry, held.words, held.days)
        self.scope = Scope(held.words, held.days)
        self.counted = 0
        tally, shown = self._count()
        self._kept, self._shown = tally.kept, shown
        self.totals = self._totals(tally)

    @abstractmethod
    def _count(self) -> tuple[Tally, pa.Table]:
        """All counts, and the rows to be shown."""

    @abstractmethod
    def sends(self, only: Only | None = None, policy: int = 0) -> Iterator[pa.RecordBatch]:
        """See ``plain.Audit``."""

    def _totals(self, tally: Tally) -> Totals:
        totals, held = totals_of(tally), self.held
        totals.rows, totals.rejected_rows = held.read, held.rejected
        return totals

    def picked(self, what: Picked, policy: int = 0) -> pa.RecordBatch:
        """See ``plain.Audit``."""
        return picked(self._kept[policy][what], self._shown)

    def _lot_tally(self, lot: Lot, threads: Threads) -> tuple[Tally, pa.Table]:
        """The counts of a lot, and its rows to be shown."""
        import numpy as np
        import pyarrow as pa

        tally = judged.count(lot, self.bench, self.scope, threads, self._counted)
        rows = tally.rows_shown()
        tables = [judged.nothing(self.bench, self.scope)]
        if rows is not None:
            tables = list(judged.tables(rows, lot, self.bench, self.scope))
        numbers = np.empty(0, np.int64) if rows is None else rows.row
        table = plain(pa.Table.from_batches(tables))
        return tally, table.append_column(ROW, pa.array(numbers, pa.int64()))

    def _counted(self, more: int) -> None:
        self.counted += more  # only an estimate: threads may lose some
        done = READING + (1 - READING) * min(self.counted / max(self.held.read, 1), 1)
        self.pace.at("judging", self.counted, done)


class InMemory(_Result):
    """The result of a log that is in memory."""

    def _count(self) -> tuple[Tally, pa.Table]:
        held = self.held
        lot: Lot
        if held.quick:
            from .lots import QuickLot  # local: it needs compiled code

            lot = QuickLot(held.batches, self.threads.map)
        else:
            lot = FewLot([batch for batch in held.batches if isinstance(batch, Encoded)])
        self.lot = lot
        return self._lot_tally(self.lot, self.threads)

    def sends(self, only: Only | None = None, policy: int = 0) -> Iterator[pa.RecordBatch]:
        """See ``plain.Audit``."""
        return judged.sends(self.lot, self.bench, self.scope, self.threads, only, policy)


class OnDisk(_Result):
    """The result of a log that is on disk, in buckets by key."""

    def __init__(
        self, held: Held, tables: Sequence[Tables], judge: Judge, registry: Registry | None,
        threads: Threads, pace: Pace,
    ) -> None:  # fmt: skip
        versions = [table.policy.version for table in tables]
        told = json.dumps([versions, judge, repr(registry)])
        self._policies = hashlib.sha256(told.encode()).hexdigest()[:16]
        super().__init__(held, tables, judge, registry, threads, pace)

    def _count(self) -> tuple[Tally, pa.Table]:
        import pyarrow as pa

        whole, shown = Tally(self.bench, self.scope, quick=True), []
        for tally, rows in self.threads.map(self._bucket, range(self._spill.buckets)):
            whole.merge(tally)
            shown.append(rows)
        return whole, pa.concat_tables(shown)

    def _bucket(self, number: int) -> tuple[Tally, pa.Table]:
        spill = self._spill
        kept = spill.result(self._policies, number)
        tally = Tally(self.bench, self.scope, quick=True)
        if kept is not None:
            counts, shown = kept
            tally.load(counts)
            self._counted(int(tally.events.sum()))
            return tally, shown
        lot, order = self._lot(number)
        tally, shown = self._lot_tally(lot, Threads(1))
        tally.renumber(order)
        rows = shown.column(ROW).to_numpy()
        shown = shown.drop_columns(ROW).append_column(ROW, _numbers(order[rows]))
        if not self.held.passing:
            spill.keep(self._policies, number, tally.saved(), shown)
        return tally, shown

    @property
    def _spill(self) -> Spill:
        assert self.held.spill is not None
        return self.held.spill

    def _lot(self, number: int) -> tuple[Lot, np.ndarray]:
        """The rows of a bucket, and their numbers in the log."""
        import numpy as np

        from .lots import QuickLot

        found = self._spill.bucket(number)
        order = [rows for _, rows in found]
        lot = QuickLot([batch for batch, _ in found], map)
        return lot, np.concatenate(order) if order else np.empty(0, np.int64)

    def sends(self, only: Only | None = None, policy: int = 0) -> Iterator[pa.RecordBatch]:
        """See ``plain.Audit``."""
        for number in range(self._spill.buckets):
            lot, _ = self._lot(number)
            yield from judged.sends(lot, self.bench, self.scope, self.threads, only, policy)


def picked(kept: Kept, shown: pa.Table) -> pa.RecordBatch:
    """The rows that were kept, first come first, out of those with their numbers in ``ROW``."""
    import pyarrow as pa

    places = {row: place for place, row in enumerate(shown[ROW].to_pylist())}
    found = pa.array([places[row] for row in kept.rows], pa.int64())
    rows = shown.take(found).drop_columns(ROW)
    batches = rows.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], rows.schema)


def plain(table: pa.Table) -> pa.Table:
    """The same without dictionaries, which differ from part to part."""
    import pyarrow as pa

    fields = []
    for field in table.schema:
        kind = field.type
        fields.append(field.with_type(kind.value_type if pa.types.is_dictionary(kind) else kind))
    return table.cast(pa.schema(fields))


def _numbers(values: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.int64())
