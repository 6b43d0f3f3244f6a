"""Facts in the order of the fold, compiled. See ``groups.py``."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64

from .codes import (
    ACT_BITS,
    APPROVED,
    BUSINESS,
    EVENT_BITS,
    FAIL_AT,
    FOREVER,
    MOST_TEMPLATES,
    RANK_BITS,
    SILENT_FREE,
    SILENT_TEMPLATE,
    SILENT_UNKNOWN,
    TEMPLATE,
    TEMPLATE_AT,
    UNKNOWN_SEND,
)
from .compiled import machine_code
from .groups import ARRIVED, FEW, GONE, HASH, META, ROW, WHEN, compare, gather
from .repeats import unite

_ACT: Final = (1 << ACT_BITS) - 1
_SMALL: Final = 24  # up to so many facts are sorted the plain way


@machine_code
def facts_of(
    low: Any, high: Any, packs: Any, ends: Any, firsts: Any, names: Any, ids: Any, events: Any,
    edges: Any, asks: Any, keys: Any, begins: Any, at: Any, event: Any, row: Any, meta: Any,
    known: Any, gone: Any,
) -> Any:  # fmt: skip
    """Write the facts of some parts, one part at a time: it fits into the processor's own memory.

    Args:
        low: the first part.
        high: the part after the last.
        packs: see ``groups.gather``, `ends` and `firsts` as well.
        ends: see there.
        firsts: see there.
        names: where names stand, see ``groups.compare``.
        ids: where ids do.
        events: see ``line_up``, and so on to `asks`.
        edges: see there.
        asks: see there.
        keys: the customer of each key is written here.
        begins: where each key's facts begin is written here, and the end of the last.
        at: see ``line_up``, and so on to the end.
        event: see there.
        row: see there.
        meta: see there.
        known: see there.
        gone: see there.

    Returns:
        How many keys there are, how many facts, and how many rows were left out.
    """
    groups, size, repeats = 0, 0, 0
    for part in range(low, high):
        count = 0
        for batch in range(len(packs)):
            count += ends[batch, part + 1] - ends[batch, part]
        if count == 0:
            continue
        records, failed = np.empty((HASH + 1, count), np.int64), np.empty((2, count), np.int64)
        room = np.zeros(count + 2, np.int64)
        found = gather(part, part + 1, packs, ends, firsts, names, records, keys[groups:], room)
        starts = room[: found + 1]
        repeats += unite(records, starts, firsts, ids, failed)[0]
        more = line_up(
            records, starts, firsts, ids, failed, events, edges, asks, begins[groups:], at[size:],
            event[size:], row[size:], meta[size:], known[size:], gone[size:],
        )  # fmt: skip
        for key in range(groups, groups + found):
            begins[key] += size
        groups, size = groups + found, size + more
        begins[groups] = size
    return groups, size, repeats


@machine_code
def line_up(
    records: Any, starts: Any, firsts: Any, texts: Any, failed: Any, events: Any, edges: Any,
    asks: Any, begins: Any, at: Any, event: Any, row: Any, meta: Any, known: Any, gone: Any,
) -> Any:  # fmt: skip
    """Write the facts of every key in the order of the fold; gives back how many there are.

    Args:
        records: by key, see ``groups.gather``, after ``repeats.unite``.
        starts: where each key begins.
        firsts: where ids stand, see ``groups.compare``; `texts` as well.
        texts: see there.
        failed: see ``repeats.unite``.
        events: from the lowest bits of a row's `meta` to its event, see ``facts.events``.
        edges: instants between which templates keep their statuses.
        asks: of each stretch and template which question it is; empty: all are approved.
        begins: where each key's facts begin is written here, and the end of the last.
        at: the instant of each fact is written here.
        event: its event.
        row: the number of its row in the log.
        meta: of that row.
        known: from when on it is known; empty where nobody wants to know that.
        gone: from when on it is known no longer. A send whose failure was learnt of later stands
            there as two facts: the one that was known meanwhile, which nobody is asked about,
            and the failure.
    """
    count, judged = 0, len(known) > 0
    longest = FEW
    for key in range(len(starts) - 1):
        longest = max(longest, starts[key + 1] - starts[key])
    whens, metas, rows = records[WHEN], records[META], records[ROW]
    line = np.empty(3 * longest * (2 if judged else 1), np.int64)
    places = np.empty(len(line), np.int64)
    for key in range(len(starts) - 1):
        begin, every, size, ties = starts[key], starts[key + 1] - starts[key], 0, 0
        begins[key] = count
        if every <= FEW and not judged:
            for i in range(FEW):
                places[i] = FOREVER + i
            for i in range(every):
                here = uint64(begin + i)
                if metas[here] != GONE:
                    places[i] = whens[here]
                    size += 1
            for i in range(every):
                when, rank = places[i], 0
                for j in range(FEW):
                    rank += places[j] < when
                    ties += places[j] == when
                line[i] = rank
            if ties == every:
                for i in range(every):
                    if places[i] < FOREVER:
                        here, to = uint64(begin + i), uint64(count + line[i])
                        about = metas[here]
                        at[to], meta[to], row[to] = places[i] >> RANK_BITS, about, rows[here]
                        event[to] = events[uint64(about & EVENT_BITS)]
                count += size
                continue
            size = 0
        for mine in range(begin, begin + every):
            about, when = records[META, mine], records[WHEN, mine]
            if about == GONE:
                continue
            line[size], places[size] = mine, when
            size += 1
            if judged and (about >> FAIL_AT) & 3:
                known_as_sent = max(records[ARRIVED, mine], when >> RANK_BITS)
                if failed[0, mine] > known_as_sent:
                    line[size] = -1 - mine
                    places[size] = when >> RANK_BITS << RANK_BITS | BUSINESS
                    size += 1
        _sort(line, places, size, records, firsts, texts)
        for i in range(size):
            silent = line[i] < 0
            mine = -1 - line[i] if silent else line[i]
            about = records[META, mine]
            at[count], meta[count], row[count] = places[i] >> RANK_BITS, about, records[ROW, mine]
            event[count] = events[about & EVENT_BITS]
            if judged:
                act = about & _ACT
                known[count], gone[count] = records[ARRIVED, mine], FOREVER
                if silent:
                    event[count] = SILENT_TEMPLATE if act == TEMPLATE else SILENT_FREE
                    if act == UNKNOWN_SEND:
                        event[count] = SILENT_UNKNOWN
                    gone[count] = failed[0, mine]
                elif (about >> FAIL_AT) & 3:
                    known[count] = max(known[count], failed[0, mine])
            count += 1
    begins[len(starts) - 1] = count
    if len(asks) > 0:
        _ask(count, edges, asks, at, event, meta)
    return count


@machine_code
def _ask(count: Any, edges: Any, asks: Any, at: Any, event: Any, meta: Any) -> None:
    """Make the sends of templates the questions that they are."""
    for i in range(count):
        if meta[i] & _ACT == TEMPLATE and event[i] != SILENT_TEMPLATE:
            stretch = 0
            while stretch < len(edges) and edges[stretch] <= at[i]:
                stretch += 1
            more = asks[stretch, (meta[i] >> TEMPLATE_AT) & (MOST_TEMPLATES - 1)]
            event[i] = event[i] + more - APPROVED


@machine_code
def _sort(line: Any, places: Any, size: Any, records: Any, firsts: Any, texts: Any) -> None:
    """Sort the facts of a key by place: instant and rank, then id."""
    if size <= _SMALL and _ranked(line, places, size):
        return
    for i in range(1, size):  # short runs, each by moving facts to where they belong
        begin = i - i % _SMALL
        mine, place, hole = line[i], places[i], i
        while hole > begin and places[hole - 1] >= place:
            if places[hole - 1] == place and not _before(
                mine, line[hole - 1], records, firsts, texts
            ):
                break
            line[hole], places[hole] = line[hole - 1], places[hole - 1]
            hole -= 1
        line[hole], places[hole] = mine, place
    width = _SMALL
    while width < size:  # and runs into longer ones
        for begin in range(0, size - width, 2 * width):
            middle, end = begin + width, min(begin + 2 * width, size)
            for i in range(begin, middle):  # beyond the facts there is room for as many again
                line[size + i - begin], places[size + i - begin] = line[i], places[i]
            a, a_end, b = size, size + width, middle
            for to in range(begin, end):
                if a == a_end:
                    break
                later = b < end and places[b] <= places[a]
                if later and places[b] == places[a]:
                    later = _before(line[b], line[a], records, firsts, texts)
                if later:
                    line[to], places[to] = line[b], places[b]
                    b += 1
                else:
                    line[to], places[to] = line[a], places[a]
                    a += 1
        width *= 2


@machine_code
def _ranked(line: Any, places: Any, size: Any) -> Any:
    """Sort a few facts by how many stand before each; False, and nothing done, where some tie."""
    told = 0
    for i in range(size):
        place, rank = places[i], 0
        for j in range(size):
            rank += places[j] < place
        places[2 * size + i], line[size + i] = rank, line[i]
        places[size + i] = place
        told += rank
    if 2 * told != size * (size - 1):
        return False
    for i in range(size):
        to = places[2 * size + i]
        places[to], line[to] = places[size + i], line[size + i]
    return True


@machine_code
def _before(mine: Any, other: Any, records: Any, firsts: Any, texts: Any) -> Any:
    """Whether a fact's id stands before another's."""
    mine, other = mine if mine >= 0 else -1 - mine, other if other >= 0 else -1 - other
    return compare(records[ROW, mine], records[ROW, other], firsts, texts) < 0
