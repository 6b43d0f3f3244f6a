"""The audit: chunks and policies in, counts and tables of sends out.

House rules:

* Rows are read once, in the order of the source. What is read stays in memory as numbers and ids;
  beyond the budget, and always with a work folder, it goes to disk in buckets by key.
* A log of few rows runs plain code, since starting the compiled code takes longer. The facts, and
  so all that follows, are the same.
* Buckets are judged one by one, each as if it were the whole log; their counts are added up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from wa_fsm.policy import Policy

from .plain import Audit, Chunk, Judge, OnProgress, OnReject, Registry, Reject
from .spill import BUCKETS
from .tables import tables_of

GIB = 1 << 30
FEW = 20_000  # rows; so many are quicker by plain code


def audit(
    chunks: Iterable[Chunk | Reject],
    policies: Sequence[Policy],
    *,
    judge: Judge = "truth",
    registry: Registry | None = None,
    memory: int = 2 * GIB,
    work: Path | None = None,
    inputs: str = "",
    rejects: OnReject | None = None,
    progress: OnProgress | None = None,
    threads: int | None = None,
    few: int = FEW,
    buckets: int = BUCKETS,
) -> Audit:
    """Judge every send in a log.

    Args:
        chunks: the rows, in the order of the files; read once.
        policies: by whose rules; the first is the one that others are compared with.
        judge: by all facts (``truth``), or by those that had arrived when it was sent (``known``).
        registry: what is known of templates; None: every template sent counts as approved.
        memory: bytes that rows may take; beyond it they are put on disk, partitioned by key.
        work: a folder that keeps what is done, so that a later call with the same inputs and
            policies goes on from there; None: nothing is kept.
        inputs: identifies the inputs (paths, sizes, times of change, mapping); with `work` only.
        rejects: is told of every rejected row, those of the sources included.
        progress: is told how far it is.
        threads: None: as many as there are processors.
        few: up to so many rows are judged by plain code.
        buckets: into how many parts rows on disk are divided, a power of two.

    Raises:
        Unsuitable: a policy that arrays cannot express; the text says which and why.
        TooMany: a column has more different values than there are numbers for.
        ColumnError: a column is of a type whose values are no texts or numbers.
        WorkFolderError: the work folder is of something else.
        KeyboardInterrupt: with `work`, what was done is kept.
    """
    from .judged import Threads
    from .pace import Pace
    from .reading import Budget, Reading
    from .results import InMemory, OnDisk

    tables = tuple(tables_of(policy) for policy in policies)
    pool = Threads(threads or os.cpu_count() or 1)
    pace = Pace(progress)
    try:
        budget = Budget(memory, work, inputs, few, buckets)
        held = Reading(policies, budget, pool, pace, rejects).read(chunks)
        kind = InMemory if held.spill is None else OnDisk
        return kind(held, tables, judge, registry, pool, pace)
    except BaseException:
        pool.close()
        raise
