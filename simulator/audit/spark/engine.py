"""The audit on Spark: packets of rows, shares of contacts, counts of shares."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wa_fsm.policy import Policy

from ..facts import Lot
from ..few import FewLot
from ..plain import (
    Chunk,
    Judge,
    NoEngine,
    Only,
    OnProgress,
    OnReject,
    Picked,
    Registry,
    Reject,
)
from ..results import picked, plain
from ..tables import tables_of
from ..tallies import Scope, Tally
from ..words import Words
from .adding import add
from .judging import SCHEMA, Counted, Counting, Rules, Sending, counted
from .logs import Frame, Spool, Told, frames
from .progress import watched
from .reading import REJECTS, Native, Spooled
from .reading import SCHEMA as PACKETS
from .session import is_here, session
from .session import told as said

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_SHARE: Final = 500_000  # rows; a worker holds about 200 bytes for each
_MOST: Final = 1 << 12  # shares
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def audit(
    chunks: Iterable[Chunk | Reject],
    policies: Sequence[Policy],
    log: Told,
    *,
    judge: Judge = "truth",
    registry: Registry | None = None,
    work: Path | None = None,
    rejects: OnReject | None = None,
    progress: OnProgress | None = None,
    master: str | None = None,
    shares: int | None = None,
) -> OnSpark:
    """Judge every send in a log. See ``engine.audit``, whose counts and tables are the same.

    Args:
        chunks: the rows of files.
        policies: by whose rules.
        log: what Spark reads itself, and how rows are numbered; from ``logs.divide``.
        judge: by which facts.
        registry: what is known of templates.
        work: a folder that all workers see, for the rows of `chunks`; None: a temporary one, where
            the workers are on this machine.
        rejects: is told of every rejected row, in the order of the log.
        progress: is told how far it is.
        master: of Spark; None: see ``session``.
        shares: into how many shares contacts are put; None: so that each has half a million rows.

    Raises:
        NoEngine: Spark is not there, or could not do it.
        Unsuitable: a policy that arrays cannot express.
    """
    rules = Rules(tuple(tables_of(policy) for policy in policies), judge, registry)
    latest = (min(policy.latest for policy in policies) - _EPOCH) // timedelta(milliseconds=1)
    spark = session(master)
    with _sentences():
        spool = Spool.of(chunks, partial(_folder, spark, work), log)
        read = list(frames(log, spark))
        rows = spool.rows + sum(frame.size for frame in read)
        packets = _packets(spark, read, spool, latest, shares or _shares(rows, spark))
        with watched(spark, progress, rows):
            return OnSpark(packets, rules, spool, rejects)


class OnSpark:
    """What an audit on Spark gives back. See ``plain.Audit``.

    Args:
        packets: of all rows.
        rules: by which they are judged.
        spool: what sources have read; its files are kept as long as this.
        tell: is told of all rejected rows.
    """

    def __init__(
        self, packets: DataFrame, rules: Rules, spool: Spool, tell: OnReject | None
    ) -> None:
        from pyspark import StorageLevel

        self._packets, self._rules, self._spool = packets, rules, spool
        self._packets.persist(StorageLevel.DISK_ONLY)  # `sends` reads it again
        nothing = _nothing(rules)
        self.totals, self._kept = nothing.totals, nothing.kept
        self._shown = [plain(nothing.shown)]
        self._count(list(spool.rejects), tell)

    def _count(self, bad: list[tuple[int, Reject]], tell: OnReject | None) -> None:
        numbers: set[str] = set()
        for row in self._packets.mapInArrow(Counting(self._rules), SCHEMA).collect():
            found = pickle.loads(row.packet)
            if row.sort == REJECTS:
                bad += found
            else:
                self._add(found)
                numbers |= found.numbers
        self.totals.numbers = len(numbers)
        self.totals.rejected_rows = len(bad)
        self.totals.rows += len(bad)
        if tell is not None:
            for _, reject in sorted(bad, key=lambda each: each[0]):
                tell(reject)

    def _add(self, share: Counted) -> None:
        add(self.totals, share.totals)
        for mine, its in zip(self._kept, share.kept, strict=True):
            for what, kept in mine.items():
                kept.take(its[what])
        self._shown.append(plain(share.shown))

    def sends(self, only: Only | None = None, policy: int = 0) -> Iterator[pa.RecordBatch]:
        """See ``plain.Audit``. They are in order within each share."""
        import pyarrow as pa
        from pyspark import StorageLevel

        found = self._packets.mapInArrow(Sending(self._rules, only, policy), SCHEMA)
        found.persist(StorageLevel.DISK_ONLY)  # all shares at once, and then one by one to here
        try:
            with _sentences():
                found.count()
                for row in found.toLocalIterator():
                    with pa.ipc.open_stream(row.packet) as stream:
                        yield from stream
        finally:
            found.unpersist()

    def close(self) -> None:
        """Free what Spark's workers keep for this; its sends cannot be asked for any more."""
        self._packets.unpersist()

    def picked(self, what: Picked, policy: int = 0) -> pa.RecordBatch:
        """See ``plain.Audit``."""
        import pyarrow as pa

        return picked(self._kept[policy][what], pa.concat_tables(self._shown))


def _packets(
    spark: SparkSession, read: Sequence[Frame], spool: Spool, latest: int, shares: int
) -> DataFrame:
    """The packets of all rows, each share in one place."""
    from pyspark.sql.functions import col

    columns = spool.told.columns
    made = [
        frame.rows.mapInArrow(Native(frame.files, columns, latest, shares), PACKETS)
        for frame in read
    ]
    if spool.paths or not made:
        paths = spark.createDataFrame([(path,) for path in spool.paths], "path string")
        made.append(paths.mapInArrow(Spooled(latest, shares), PACKETS))
    whole = made[0]
    for more in made[1:]:
        whole = whole.union(more)
    return whole.repartitionById(shares, col("share"))


def _shares(rows: int, spark: SparkSession) -> int:
    """A power of two, so that every core has one and none is too large."""
    wanted = max(rows // _SHARE + 1, spark.sparkContext.defaultParallelism)
    return int(min(1 << (wanted - 1).bit_length(), _MOST))


def _folder(spark: SparkSession, work: Path | None) -> Path:
    """A folder of our own that all workers see."""
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
    elif not is_here(spark.sparkContext.master):
        raise NoEngine(
            "Spark's workers are on other machines, and Spark reads only plain Parquet itself; "
            "name a folder that all of them see with --work"
        )
    return Path(tempfile.mkdtemp(prefix="wa-fsm-audit-", dir=work))


@contextmanager
def _sentences() -> Iterator[None]:
    """Let what fails in Spark end in a sentence."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        raise NoEngine(f"Spark could not do it: {said(error)}") from error


def _nothing(rules: Rules) -> Counted:
    """What a log without rows comes to."""
    import numpy as np

    words = Words()
    lot: Lot = FewLot([])
    tally = Tally(rules.bench(words, []), Scope(words, []), quick=False)
    return counted(tally, lot, np.empty(0, np.int64))
