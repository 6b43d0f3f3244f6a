"""A session of Spark: the one that is there, or one of our own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..plain import NoEngine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOOPBACK: Final = "127.0.0.1"
_HERE: Final = ("local", "local-cluster")
_BATCH: Final = 1 << 16
_OURS: Final = {
    "spark.sql.session.timeZone": "UTC",  # so that instants are read as they stand there
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(_BATCH),
    "spark.sql.execution.arrow.maxBytesPerBatch": str(32 << 20),  # packets are large
    "spark.sql.adaptive.enabled": "false",  # a share is one task; there is nothing to adapt
}


def session(master: str | None = None) -> SparkSession:
    """A session with settings of our own, on what runs already or on something new.

    Args:
        master: None: what ``spark-submit`` or the running session says, else ``local[*]``.

    Raises:
        NoEngine: Spark cannot be started here.
    """
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is None:
        submitted = "PYSPARK_GATEWAY_PORT" in os.environ  # by spark-submit: its JVM is there
        if not submitted:
            _need_java()
        running = _begin(SparkSession.builder.appName("wa-sim audit"), master, submitted)
    mine = running.newSession()
    for name, value in _OURS.items():
        mine.conf.set(name, value)
    return mine


def is_here(master: str | None) -> bool:
    """Whether workers are on this machine, and so see its temporary files."""
    return master is not None and master.partition("[")[0] in _HERE


def _begin(builder: Any, master: str | None, submitted: bool) -> SparkSession:
    if master is None and not submitted:
        master = "local[*]"
    if master is not None:
        builder = builder.master(master)
    if not submitted:
        builder = builder.config("spark.log.level", "ERROR")
        builder = builder.config("spark.ui.showConsoleProgress", "false")
    if is_here(master):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
        for name in ("bindAddress", "host"):
            builder = builder.config(f"spark.driver.{name}", LOOPBACK)
        builder = builder.config("spark.ui.enabled", "false")
    with _to_file() as log:
        try:
            return builder.getOrCreate()
        except Exception as error:
            raise NoEngine(f"Spark did not start ({_last(log) or error}); see {log}") from None


def _need_java() -> None:
    home = os.environ.get("JAVA_HOME")
    there = shutil.which("java", path=os.path.join(home, "bin")) if home else shutil.which("java")
    if there is None:
        where = f"JAVA_HOME is `{home}`, and there is none" if home else "there is none on the PATH"
        raise NoEngine(
            f"--engine spark needs Java 17 or later, and {where}; install one "
            "(`apt install default-jre-headless`), or set JAVA_HOME"
        )


@contextmanager
def _to_file() -> Iterator[Path]:
    """Let what a new JVM says go to a file: it says much, and nobody asked."""
    made, name = tempfile.mkstemp(prefix="wa-fsm-spark-", suffix=".log")
    sys.stderr.flush()
    before = os.dup(2)
    os.dup2(made, 2)
    os.close(made)
    try:
        yield Path(name)
    finally:
        os.dup2(before, 2)
        os.close(before)


def _last(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def told(error: BaseException) -> str:
    """What went wrong, in one line, of an error that Spark brought from somewhere."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("at ", "..."))]
    of_python = [line for line in said if line.partition(":")[0].endswith(("Error", "TooMany"))]
    return (of_python or said or [type(error).__name__])[-1 if of_python else 0]
