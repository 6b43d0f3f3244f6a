"""The figures of the charts: by day, by distance to the window's end, by time to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from ..tallies import EDGES, waits_of
from ..wording import length, many, number, waited
from .charts import Column, columns

MOST_COLUMNS: Final = 120
_MANY_YEARS: Final = MOST_COLUMNS * 7

Rows = list[tuple[str, ...]]


def days(by_day: Sequence[Mapping[str, Any]]) -> tuple[str, str, Rows]:
    """The chart, what each column is (``day``, ``week`` or ``month``), and its figures."""
    counts = {date.fromisoformat(row["name"]): row for row in by_day}
    first, last = min(counts), max(counts)
    span = (last - first).days + 1
    stretch = "day" if span <= MOST_COLUMNS else "week" if span <= _MANY_YEARS else "month"
    summed: dict[date, list[int]] = {}
    for offset in range(span):
        day = first + timedelta(days=offset)
        sums = summed.setdefault(_begin(day, stretch), [0, 0])
        if day in counts:
            sums[0] += counts[day]["allowed"]
            sums[1] += sum(counts[day]["refused"].values())
    bars = [
        Column(
            _label(begin, stretch),
            f"{_said(begin, stretch)}: {many(allowed + refused, 'send')}, "
            f"{number(refused)} refused",
            (("allowed", allowed), ("refused", refused)),
        )
        for begin, (allowed, refused) in summed.items()
    ]
    rows: Rows = [
        (_said(begin, stretch), number(a + r), number(a), number(r))
        for begin, (a, r) in summed.items()
    ]
    return columns(f"Sends by {stretch}, allowed and refused", bars), stretch, rows


def _begin(day: date, stretch: str) -> date:
    if stretch == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if stretch == "week" else day


def _label(begin: date, stretch: str) -> str:
    return f"{begin:%b %Y}" if stretch == "month" else f"{begin.day} {begin:%b}"


def _said(begin: date, stretch: str) -> str:
    if stretch == "month":
        return f"{begin:%Y-%m}"
    return f"week of {begin}" if stretch == "week" else str(begin)


def edges(counts: Mapping[int, int], margin: float = 0.0) -> tuple[str, Rows]:
    """The chart of distances to the window's end, and its figures.

    Args:
        counts: by the lower end of a stretch, in seconds after the window's end.
        margin: of the policy, in seconds. A stretch that it reaches into is drawn as refused,
            though of its sends some may have left before it.
    """
    lower = _all_between(EDGES, counts)
    bars, rows = list[Column](), Rows()
    for start in lower:
        begin, end = _stretch(start)
        count = counts.get(start, 0)
        said = f"from {begin} to {end}"
        if not begin or not end:
            said = f"more than {begin or end}"
        bars.append(
            Column(
                begin or f"> {end}",
                f"{said}: {many(count, 'send')}",
                ((("refused" if _ends_after(start, -margin) else "allowed"), count),),
            )
        )
        rows.append((begin or "–", end or "–", number(count)))
    mark = sum(start < 0 for start in lower)
    what = "Free-form messages by distance to the end of the window"
    return columns(what, bars, mark, "the window ends"), rows


def _all_between(ends: Sequence[int], counts: Mapping[int, int]) -> Sequence[int]:
    """The stretches from the first to the last that has something, the empty ones among them."""
    return [end for end in ends if min(counts) <= end <= max(counts)]


def _ends_after(start: int, instant: float) -> bool:
    place = EDGES.index(start) + 1
    return place == len(EDGES) or EDGES[place] > instant


def _stretch(start: int) -> tuple[str, str]:
    """Both ends of a stretch; the first one begins and the last one ends nowhere."""
    place = EDGES.index(start)
    begin = _side(start) if place else ""
    return begin, _side(EDGES[place + 1]) if place + 1 < len(EDGES) else ""


def _side(seconds: int) -> str:
    if not seconds:
        return "the end"
    return f"{length(seconds)} {'before' if seconds < 0 else 'after'}"


def responses(counts: Mapping[int, int], window: int) -> tuple[str, Rows]:
    """The chart of waiting times, and its figures. Keys are upper ends."""
    upper = _all_between(waits_of(window), counts) if counts else ()
    bars, rows = list[Column](), Rows()
    for upto in upper:
        said, count = waited(upto, window), counts.get(upto, 0)
        bars.append(
            Column(
                said.removeprefix("within ").replace("later than", ">"),
                f"{said}: {many(count, 'answer')}",
                ((("refused" if upto > window else "allowed"), count),),
            )
        )
        rows.append((said, number(count)))
    mark = sum(upto <= window for upto in upper)
    what = "Answers by how long the customer waited"
    return columns(what, bars, mark, "the window ends"), rows
