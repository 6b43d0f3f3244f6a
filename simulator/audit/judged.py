"""One part of a log that is in memory, judged: what is counted, and tables of its sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import local
from typing import TYPE_CHECKING, Any, Final

from .counting import AGAINST, CHANGED, DELIVERED_YET, NEEDLESS, REFUSED
from .facts import Facts, Lot
from .judging import Bench, Verdict
from .plain import Only
from .sends import Rows, rows_of, table, together
from .tallies import Scope, Tally

if TYPE_CHECKING:
    import pyarrow as pa

BATCH: Final = 1 << 16  # rows of a table that is given out
_BITS: Final[dict[Only, int]] = {
    "refused": REFUSED,
    "disagreement": AGAINST | DELIVERED_YET,
    "needless": NEEDLESS,
    "changed": CHANGED,
}


class Threads:
    """Some threads, or none at all where one is enough."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pool = ThreadPoolExecutor(count) if count > 1 else None

    def map(self, function: Callable[..., Any], *things: Iterable[Any]) -> Iterator[Any]:
        """The results in the order of the things."""
        return iter((map if self.pool is None else self.pool.map)(function, *things))

    def begin(self, function: Callable[[Any], Any], thing: Any) -> Callable[[], Any]:
        """Begin with one thing; what comes back waits for the result, and gives it."""
        if self.pool is None:
            return partial(function, thing)
        return self.pool.submit(function, thing).result

    def share(self, function: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
        """The same as ``map``, called in one of the threads: others help if they have no work."""
        if self.pool is None:
            yield from map(function, things)
            return
        begun = [(self.pool.submit(function, thing), thing) for thing in things]
        try:
            for each, thing in begun:  # what nobody has begun is done here, so nobody waits in vain
                yield function(thing) if each.cancel() else each.result()
        finally:
            for each, _ in begun:
                each.cancel()

    def close(self) -> None:
        """End them; what has not begun is not begun."""
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)


def count(
    lot: Lot, bench: Bench, scope: Scope, threads: Threads, done: Callable[[int], None]
) -> Tally:
    """Judge and count all of a lot.

    Args:
        lot: the rows.
        bench: what judges.
        scope: what the whole log has.
        threads: that do it.
        done: is told, in any thread, how many more facts are judged.
    """
    mine, tallies = local(), list[Tally]()

    def one(task: Callable[[], Facts]) -> None:
        if not hasattr(mine, "tally"):
            mine.tally = Tally(bench, scope, quick=lot.quick)
            tallies.append(mine.tally)
        facts = task()
        mine.tally.add(facts)
        done(len(facts.at))

    for _ in threads.map(one, lot.tasks(bench.asking)):
        pass
    whole = Tally(bench, scope, quick=lot.quick)
    for each in tallies:
        whole.merge(each)
    return whole


def sends(
    lot: Lot, bench: Bench, scope: Scope, threads: Threads, only: Only | None, policy: int
) -> Iterator[pa.RecordBatch]:
    """Tables of the sends of a lot, in the order of its rows. See ``plain.Audit``."""
    import numpy as np

    mine = local()

    def one(task: Callable[[], Facts]) -> Rows | None:
        if not hasattr(mine, "tally"):
            mine.tally = Tally(bench, scope, quick=lot.quick)
        facts = task()
        which, verdicts, marks = mine.tally.marked(facts)
        if only:
            which = np.flatnonzero(marks[policy] & _BITS[only])
        return rows_of(facts, verdicts, marks, which) if len(which) else None

    pieces = [rows for rows in threads.map(one, lot.tasks(bench.asking)) if rows is not None]
    if pieces:
        whole = together(pieces)
        pieces.clear()
        yield from tables(whole, lot, bench, scope)


def tables(rows: Rows, lot: Lot, bench: Bench, scope: Scope) -> Iterator[pa.RecordBatch]:
    """Rows in the order of the log, as tables of a bearable size."""
    import numpy as np

    for begin in range(0, len(rows.row), BATCH):
        some = rows.only(np.arange(begin, min(begin + BATCH, len(rows.row))))
        yield table(some, lot.batches, scope.words, bench.tables)


def nothing(bench: Bench, scope: Scope) -> pa.RecordBatch:
    """A table without rows."""
    import numpy as np

    none, small = np.empty(0, np.int64), np.empty(0, np.uint8)
    verdicts = tuple(Verdict(small, small, none) for _ in bench.tables)
    rows = Rows(none, none, none, none, verdicts, tuple(small for _ in bench.tables))
    return table(rows, [], scope.words, bench.tables)
