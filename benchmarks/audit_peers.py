"""Queries by hand that say allowed or refused under ``cloud-api``, and nothing else.

They are as quick as we could make them and still be right for such a log: every contact is a
phone number, and repeats of a send are counted once. What they leave out: states, reasons,
conversations, failures, ties, clocks that are ahead, other policies, and which rows they were.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl

Counts = tuple[int, int]  # allowed, refused
DAY = 86_400_000

_ROWS = """
    select direction = 'inbound' as inbound, kind = 'template' as template, epoch_ms("at") as t,
        customer::bigint as k, hash(id) as h, coalesce(status, '') = 'failed' as failed
    from '{path}'
"""
_DUCKDB = {
    "DuckDB, windows": """
        with rows as ({rows}), standing as (
            select inbound, template, t, h, last_value(case when inbound then t end ignore nulls)
                over (partition by k order by t, inbound desc
                      rows between unbounded preceding and current row) as opened
            from rows
        )
        select template or coalesce(t - opened < {day}, false) as allowed, count(distinct h)
        from standing where not inbound group by allowed
    """,
    "DuckDB, range": """
        with rows as ({rows}), standing as (
            select inbound, template, t, h, max(case when inbound then t end)
                over (partition by k order by t
                      range between unbounded preceding and current row) as opened
            from rows
        )
        select template or coalesce(t - opened < {day}, false) as allowed, count(distinct h)
        from standing where not inbound group by allowed
    """,
    "DuckDB, asof": """
        with rows as ({rows}),
            openers as (select k, t from rows where inbound),
            sends as (select k, h, any_value(t) as t, any_value(template) as template
                      from rows where not inbound group by k, h)
        select template or coalesce(sends.t - openers.t < {day}, false) as allowed, count(*)
        from sends asof left join openers on sends.k = openers.k and sends.t >= openers.t
        group by allowed
    """,
}


def duckdb_query(name: str, path: Path, threads: int = 2) -> Counts:
    """The counts by a query of this name."""
    query = _DUCKDB[name].format(rows=_ROWS.format(path=path), day=DAY)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"set threads = {threads}")
        found = dict(connection.execute(query).fetchall())
    return found[True], found[False]


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path).select(
        k=pl.col("customer").cast(pl.Int64),
        t=pl.col("at").dt.timestamp("ms"),
        inbound=pl.col("direction") == "inbound",
        template=pl.col("kind") == "template",
        h=pl.col("id").hash(),
    )


def _counted(frame: pl.LazyFrame) -> Counts:
    allowed = pl.col("template") | (pl.col("t") - pl.col("opened") < DAY).fill_null(False)
    found = frame.filter(~pl.col("inbound")).group_by(allowed=allowed).agg(pl.col("h").n_unique())
    counts = dict(found.collect().rows())
    return counts[True], counts[False]


def polars_over(path: Path) -> Counts:
    """By windows over the contact."""
    opened = pl.when("inbound").then("t").forward_fill().over("k")
    frame = _scan(path).sort("t", "inbound", descending=[False, True])
    return _counted(frame.with_columns(opened=opened))


def polars_sorted(path: Path) -> Counts:
    """By sorting contact and instant, without windows."""
    frame = _scan(path).sort("k", "t", "inbound", descending=[False, False, True])
    opened = pl.when("inbound").then("t").forward_fill()
    of = pl.when("inbound").then("k").forward_fill()
    same = pl.when(of == pl.col("k")).then(opened)
    return _counted(frame.with_columns(opened=same))


def polars_asof(path: Path) -> Counts:
    """By a join of each send with the opener before it."""
    rows = _scan(path)
    openers = rows.filter("inbound").select("k", "t", opened="t").sort("t")
    sends = rows.filter(~pl.col("inbound")).sort("t")
    return _counted(sends.join_asof(openers, on="t", by="k", check_sortedness=False))


def _packed(path: Path, x: pl.Expr, day: int) -> Counts:
    """By sorting one number: contact, instant, and as its lowest bit whether it is a send."""
    frame = _scan(path).with_columns(x=x + (~pl.col("inbound")).cast(pl.Int64)).sort("x")
    frame = frame.with_columns(o=pl.when("inbound").then("x").forward_fill())
    inside = (pl.col("x") // 2 - pl.col("o") // 2 < day).fill_null(False)
    sends = frame.filter(~pl.col("inbound"))
    found = sends.group_by(allowed=pl.col("template") | inside).agg(pl.col("h").n_unique())
    counts = dict(found.collect().rows())
    return counts[True], counts[False]


def polars_one_number(path: Path) -> Counts:
    """By a number of 128 bits: right for any phone number and any instant."""
    return _packed(path, pl.col("k").cast(pl.Int128) * 2**50 + pl.col("t") * 2, DAY)


def polars_packed(path: Path) -> Counts:
    """By one of 64 bits: right for this very log only."""
    contact, second = pl.col("k") - 491_500_000_000, pl.col("t") // 1000 - 1_767_225_600
    return _packed(path, contact * 2**33 + second * 2, DAY // 1000)


POLARS = {
    "Polars, over": polars_over,
    "Polars, sorted": polars_sorted,
    "Polars, asof": polars_asof,
    "Polars, one number": polars_one_number,
}


def floor(path: Path) -> int:
    """Read all columns that an audit needs, and sort contact and instant: nothing is judged."""
    frame = pl.read_parquet(path)
    keys = frame.select(pl.col("customer").cast(pl.Int64), "at").sort("customer", "at")
    return keys.height


def polars_windows(frame: pl.DataFrame) -> int:
    """Allowed free-form messages, of rows in memory that are sorted: k, t, inbound, free."""
    opened = pl.when("inbound").then("t").forward_fill().over("k")
    allowed = (pl.col("t") - opened < DAY) & pl.col("free")
    return int(frame.lazy().select(allowed.sum()).collect().item())


def sorted_frame(starts: np.ndarray, at: np.ndarray, inbound: np.ndarray, free: np.ndarray):
    """What ``polars_windows`` takes."""
    keys = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return pl.DataFrame({"k": keys, "t": at, "inbound": inbound, "free": free}).with_columns(
        pl.col("k").set_sorted()
    )
