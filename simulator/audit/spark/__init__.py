"""The same audit on Apache Spark: read in many places, put together by contact, judged there.

House rules:

* Nothing here judges, and nothing here reads a value. Rows are read by ``encode.py`` and judged by
  what ``engine.py`` uses, in Spark's Python workers, a share of the contacts at a time.
* What goes through Spark's shuffle are packets of a thousand rows and more, not rows: Spark would
  take longer for moving each row than we take for judging it.
* A row's number is its place in the log: the file's number, then the row's. So whatever order Spark
  does things in, ties are decided as in memory.
"""

from __future__ import annotations

from .engine import audit

__all__ = ["audit"]
