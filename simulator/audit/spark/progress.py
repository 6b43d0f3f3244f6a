"""How far Spark is: its tasks, counted now and then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from ..pace import Pace
from ..plain import OnProgress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_EVERY: Final = 0.5  # seconds


@contextmanager
def watched(spark: SparkSession, tell: OnProgress | None, rows: int) -> Iterator[None]:
    """Tell of progress while something runs.

    Args:
        spark: where it runs.
        tell: who wants to know; None: nobody.
        rows: how many there are in all.
    """
    if tell is None:
        yield
        return
    pace, ended = Pace(tell), Event()

    def look() -> None:
        while not ended.wait(_EVERY):
            done = _done(spark)
            if done is not None:
                pace.at("reading" if done < 0.5 else "judging", int(done * rows), done)

    watcher = Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _done(spark: SparkSession) -> float | None:
    """How much of the running jobs is done; each of their stages counts the same."""
    tracker = spark.sparkContext.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getActiveJobsIds()]
    stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
    parts = [stage.numCompletedTasks / max(stage.numTasks, 1) if stage else 0.0 for stage in stages]
    return sum(parts) / len(parts) if parts else None
