"""A key's states over time, drawn in columns for a terminal; of two policies one above the other.

The time axis is proportional where there is room. Every step, every change and every edge has a
column of its own, however short the time between them; where a line has too few columns, the band
goes on in another line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import accumulate, pairwise, starmap
from typing import Any, Final, NamedTuple

from wa_fsm.decision import in_zone
from wa_fsm.refusals import DAYS

from .marks import clock
from .signs import (
    APART,
    DIFFERS,
    EARLY,
    EDGES,
    FAILED,
    HAPPENED,
    LATE,
    LINK,
    Sign,
    event_sign,
    state_sign,
)

COLUMNS: Final = 68
_MS: Final = timedelta(milliseconds=1)


class Slot(NamedTuple):
    """Columns where something is: from `at` on; `step` is a step's index, None where none is."""

    at: str
    step: int | None
    width: int


@dataclass(slots=True)
class Line:
    """One line of cells, with what stands in front of it."""

    name: str
    cells: list[Sign] = field(default_factory=list)
    used: set[Sign] = field(default_factory=set)

    def put(self, column: int, sign: Sign) -> None:
        """Write a sign; one that is longer takes more columns."""
        self.used.add(sign)
        for offset, letter in enumerate(sign.text):
            self.cells[column + offset] = sign._replace(text=letter)


_EMPTY: Final = Sign(" ", "")


class _Row:
    """The slots that fit into one line, and in which column each begins."""

    def __init__(self, slots: Sequence[Slot], until: str) -> None:
        self.slots = slots
        instants = [datetime.fromisoformat(at) for at in (*(slot.at for slot in slots), until)]
        lengths = [(b - a) // _MS for a, b in pairwise(instants)]
        shares = _shares(lengths, COLUMNS - sum(slot.width for slot in slots))
        widths = [slot.width + share for slot, share in zip(slots, shares, strict=True)]
        starts = [0, *accumulate(widths)]
        self.width = starts[-1]
        self.columns = list(starmap(range, pairwise(starts)))
        self._of_step = {s.step: c[0] for s, c in zip(slots, self.columns, strict=True)}
        backwards = list(zip(slots, self.columns, strict=True))[::-1]
        self._of_instant = {slot.at: columns[0] for slot, columns in backwards}

    def line(self, name: str, width: int = 0) -> Line:
        return Line(name, [_EMPTY] * (width or self.width))

    def each(self) -> Iterator[tuple[Slot, range]]:
        """Each slot with its columns."""
        return zip(self.slots, self.columns, strict=True)

    def column(self, at: str) -> int | None:
        """Where the first slot of an instant begins; None: not in this row."""
        return self._of_instant.get(at)

    def column_of(self, mark: dict[str, Any]) -> int | None:
        """Where a step stands; None: not in this row."""
        return self._of_step.get(mark["index"])


def _shares(lengths: Sequence[int], room: int) -> list[int]:
    """`room` columns shared out in proportion to the lengths; the largest remainders round up."""
    whole = sum(lengths)
    if not whole:
        return [0] * len(lengths)
    shares = [length * room // whole for length in lengths]
    by_rest = sorted(range(len(lengths)), key=lambda i: (-(lengths[i] * room % whole), i))
    for i in by_rest[: room - sum(shares)]:
        shares[i] += 1
    return shares


def band_lines(
    bands: Sequence[dict[str, Any]],
    names: Sequence[str],
    end: str,
    zone: tzinfo,
    differing: frozenset[int] = frozenset(),
    *,
    judged: bool = False,
) -> Iterator[Line | None]:
    """The lines of one key's band.

    Args:
        bands: of one picture, or of two of the same case.
        names: what stands above each; with one band nothing does.
        end: of the picture, of two the later one.
        zone: for the times below it.
        differing: the steps at which two pictures differ.
        judged: mark the steps of which an expectation failed.

    Yields:
        Lines; None between two rows of a long band.
    """
    edges = frozenset(edge["at"] for band in bands for edge in band["edges"])
    slots = _slots(bands)
    days = len({_local(at, zone).date() for at in (slots[0].at, end)}) > 1
    for count, row in enumerate(_rows(slots, end)):
        if count:
            yield None
        drawn = [list(_one(row, band)) for band in bands]
        for name, lines in zip(names, drawn, strict=True):
            yield from [Line(name)] if len(bands) > 1 else []
            yield from lines
        yield _numbers(row, bands[0], judged=judged)
        if differing:
            yield _differences(row, [(lines[0], lines[1]) for lines in drawn], differing)
        yield _ruler(row, zone, edges, days=days)
        yield from _happened(row, bands[0])


def _slots(bands: Sequence[dict[str, Any]]) -> list[Slot]:
    instants = {s["begin"] for band in bands for s in band["stretches"]}
    instants |= {edge["at"] for band in bands for edge in band["edges"]}
    widths: dict[tuple[str, int], int] = {}
    for mark in (mark for band in bands for mark in band["marks"]):
        number = len(_number(mark)) + (len(FAILED.text) if mark["failures"] else 0)
        needs = max(number, len(event_sign(mark).text)) + 1
        key = (mark["arrived_at"], mark["index"])
        widths[key] = max(needs, widths.get(key, 0))
        instants.add(mark["at"])
    bare = instants - {instant for instant, _ in widths}
    slots = [Slot(*key, width) for key, width in widths.items()]
    return sorted([*slots, *(Slot(at, None, 1) for at in bare)], key=lambda slot: slot[:2])


def _rows(slots: list[Slot], end: str) -> Iterator[_Row]:
    taken: list[Slot] = []
    for slot in slots:
        if sum(each.width for each in taken) + slot.width > COLUMNS:
            yield _Row(taken, slot.at)
            taken = []
        taken.append(slot)
    yield _Row(taken, end)


def _one(row: _Row, band: dict[str, Any]) -> Iterator[Line]:
    """Window, state and events of one policy."""
    window, state, events = row.line("window"), row.line("state"), row.line("event")
    looks = {mark["index"]: mark for mark in band["marks"]}
    for slot, columns in row.each():
        look = looks[slot.step] if slot.step is not None else _stretch(band, slot.at)
        for column in columns:
            state.put(column, state_sign(look))
            if look["window_closes_at"] is not None:
                window.put(column, EDGES["open"])
        if slot.step is not None:
            events.put(columns[0], event_sign(look))
    _put_edges(window, row, band)
    yield from (window, state, events)


def _stretch(band: dict[str, Any], at: str) -> dict[str, Any]:
    """The stretch in force at an instant."""
    begins = [stretch["begin"] for stretch in band["stretches"]]
    found: dict[str, Any] = band["stretches"][bisect_right(begins, at) - 1]
    return found


def _put_edges(window: Line, row: _Row, band: dict[str, Any]) -> None:
    """Where windows open, restart and end: an end stands in the first column that is shut."""
    ended = set()
    for edge in band["edges"]:
        column = row.column(edge["at"])
        if column is not None:
            window.put(column, EDGES[edge["kind"]])
            ended |= {column} if edge["kind"] == "window" else set()
    before = None
    for mark in band["marks"]:
        column, closes = row.column_of(mark), mark["window_closes_at"]
        was_open = before is not None and before > mark["arrived_at"]
        if column is not None and closes != (before if was_open else None):
            kind = "restarts" if was_open else "both" if column in ended else "opens"
            window.put(column, EDGES[kind if closes is not None else "window"])
        before = closes


def _numbers(row: _Row, band: dict[str, Any], *, judged: bool) -> Line:
    line = row.line("step")
    for mark in band["marks"]:
        column = row.column_of(mark)
        if column is not None:
            line.put(column, Sign(_number(mark), "bold"))
            if judged and mark["failures"]:
                line.put(column + len(_number(mark)), FAILED)
    return line


def _number(mark: dict[str, Any]) -> str:
    return str(mark["index"] + 1)


def _differences(row: _Row, drawn: Sequence[tuple[Line, Line]], differing: frozenset[int]) -> Line:
    line = row.line("differ")
    (window, state), (other_window, other_state) = drawn
    for column in range(row.width):
        ours = (window.cells[column].text == " ", state.cells[column].text)
        if ours != (other_window.cells[column].text == " ", other_state.cells[column].text):
            line.put(column, APART)
    for slot, columns in row.each():
        if slot.step in differing:
            line.put(columns[0], DIFFERS)
    return line


def _local(at: str, zone: tzinfo) -> datetime:
    return in_zone(datetime.fromisoformat(at), zone)


def _ruler(row: _Row, zone: tzinfo, edges: frozenset[str], *, days: bool) -> Line:
    """As many times as fit: the first, then where windows end, then the others."""
    line, taken = row.line("time", COLUMNS), [False] * (COLUMNS + 2)
    instants = sorted({slot.at for slot in row.slots})
    for at in sorted(instants, key=lambda at: (at != instants[0], at not in edges, at)):
        local = _local(at, zone)
        day = f"{DAYS[local.weekday()][:3].capitalize()} " if days else ""
        text = day + clock(local)
        column = min(row.column(at) or 0, COLUMNS - len(text))
        if not any(taken[max(column - 2, 0) : column + len(text) + 2]):
            line.put(column, Sign(text, "dim"))
            taken[column : column + len(text)] = [True] * len(text)
    return line


def _happened(row: _Row, band: dict[str, Any]) -> Iterator[Line]:
    """From where it arrived to where it happened, for what came late or early."""
    lines: list[tuple[Line, int]] = []  # with the first free column
    for mark in band["marks"]:
        if not (mark["late"] or mark["early"]):
            continue
        arrived, happened = row.column_of(mark), row.column(mark["at"])
        if arrived is None:
            continue
        there = happened if happened is not None else 0 if mark["late"] else row.width - 1
        low, high = sorted((arrived, there))
        free = next((i for i, (_, column) in enumerate(lines) if column <= low), None)
        if free is None:
            lines.append((row.line("happened" if not lines else ""), 0))
            free = len(lines) - 1
        line = lines[free][0]
        for column in range(low, high):
            line.put(column, LINK)
        if happened is not None:
            line.put(happened, HAPPENED)
        line.put(arrived, LATE if mark["late"] else EARLY)
        lines[free] = (line, high + 2)
    return (line for line, _ in lines)
