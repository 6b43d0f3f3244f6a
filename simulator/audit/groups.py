"""Rows to facts, compiled: by key, by place, repeats left out.

House rules:

* Rows are spread over ``PARTS`` parts by a hash of the customer, so that a part fits into the
  processor's own memory. What follows looks at one part, or a few that lie together.
* A record is four numbers, five where rows have arrivals: key, when, row and hash of its id,
  meta, arrived.
* Equal hashes are only a hint. Ids are compared as they are, and so are names.
* Of the rows with one id the one that arrived first counts, with its own instant and kind; of
  their failures the one that arrived first. Where a repeat failed, the send has failed.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64

from .codes import (
    ACT_BITS,
    APPROVED,
    BUSINESS,
    CODE_AT,
    EVENT_BITS,
    FAIL_AT,
    FOREVER,
    MOST_CODES,
    MOST_NUMBERS,
    MOST_TEMPLATES,
    NUMBER_AT,
    PLATFORM,
    RANK_BITS,
    SILENT_FREE,
    SILENT_TEMPLATE,
    STATUS_AT,
    STATUS_FAILED,
    TEMPLATE,
    TEMPLATE_AT,
    UNKNOWN_SEND,
    UNKNOWN_SENT,
)
from .compiled import machine_code
from .memory import load8, load32, load64
from .texts import mixed

PART_BITS: Final = 10
PARTS: Final = 1 << PART_BITS
KEY, WHEN, ROW, META, ARRIVED = range(5)
_TOP: Final = uint64(64 - PART_BITS)
_ACT: Final = (1 << ACT_BITS) - 1
_LOW: Final = (1 << 32) - 1
GONE: Final = -1  # the meta of a repeat
_SMALL: Final = 24  # up to so many rows of a key are sorted, and compared, the plain way


@machine_code
def into_buckets(key: Any, order: Any, ends: Any) -> None:
    """Write the order of rows in which those of a bucket lie together, and where each ends.

    Buckets are for the disk and know nothing of parts: each has something of every part.
    """
    bits = uint64(len(ends) - 2)
    for i in range(len(key)):
        ends[np.int64(mixed(key[i], 0) & bits) + 1] += 1
    for bucket in range(1, len(ends)):
        ends[bucket] += ends[bucket - 1]
    free = ends.copy()
    for i in range(len(key)):
        bucket = np.int64(mixed(key[i], 0) & bits)
        order[free[bucket]] = i
        free[bucket] += 1


@machine_code
def spread(
    key: Any, when: Any, hashes: Any, meta: Any, arrived: Any, records: Any, ends: Any
) -> None:
    """Write records by part, in each part in the order of the rows.

    Args:
        key: of ``Encoded``.
        when: the same.
        hashes: the same.
        meta: the same.
        arrived: the same; empty where rows have none.
        records: room for them.
        ends: where each part ends is written here; one longer, it begins with 0.
    """
    known = len(arrived) > 0
    parts = np.empty(len(key), np.uint16)
    for i in range(len(key)):
        part = np.int64(mixed(key[i], 0) >> _TOP)
        parts[i] = part
        ends[part + 1] += 1
    for part in range(PARTS):
        ends[part + 1] += ends[part]
    free = ends.copy()
    for i in range(len(key)):
        to = free[parts[i]]
        free[parts[i]] += 1
        records[to, KEY], records[to, WHEN] = key[i], when[i]
        records[to, ROW] = i << 32 | np.int64(hashes[i])
        records[to, META] = meta[i]
        if known:
            records[to, ARRIVED] = arrived[i]


@machine_code
def _text(row: Any, firsts: Any, refs: Any) -> Any:
    """Where the text of a row begins and ends.

    Args:
        row: its number in the log.
        firsts: of each batch the number of its first row.
        refs: of each batch the address of its texts' offsets, and of their bytes.
    """
    batch, end = 0, len(firsts)
    while batch + 1 < end:
        middle = (batch + end) // 2
        if firsts[middle] <= row:
            batch = middle
        else:
            end = middle
    place = refs[batch, 0] + 4 * (row - firsts[batch])
    return refs[batch, 1] + load32(place), refs[batch, 1] + load32(place + 4)


@machine_code
def _compare(row: Any, other: Any, firsts: Any, refs: Any) -> Any:
    """Below, at or above zero as the text of `row` stands before, is, or stands after the other.

    UTF-8 is ordered by its bytes as text is by code points.
    """
    a, a_end = _text(row, firsts, refs)
    b, b_end = _text(other, firsts, refs)
    for i in range(min(a_end - a, b_end - b)):
        difference = load8(a + i) - load8(b + i)
        if difference:
            return difference
    return (a_end - a) - (b_end - b)


@machine_code
def gather(
    low: Any, high: Any, bases: Any, widths: Any, ends: Any, firsts: Any, refs: Any, records: Any,
    starts: Any,
) -> Any:  # fmt: skip
    """Put the records of a key together, in the order of the rows; gives back how many keys.

    Args:
        low: the first part.
        high: the part after the last.
        bases: of each batch the address of its records.
        widths: how many numbers its records have.
        ends: where its parts end, see ``spread``.
        firsts: where names stand, see ``_text``; `refs` as well.
        refs: see there.
        records: by key are written here, rows numbered as in the log.
        starts: where each key begins is written here, and the end of the last; the room is two
            more than there are records, and zeros.
    """
    count, size, groups = len(records), 16, 0
    while size < 2 * count:
        size *= 2
    slots = np.full(size, -1, np.int32)
    group = np.empty(count, np.int32)
    heads = np.empty((count, 3), np.int64)
    i = 0
    for batch in range(len(bases)):
        width = 8 * widths[batch]
        for place in range(ends[batch, low], ends[batch, high]):
            base = bases[batch] + place * width
            key, row = load64(base), (load64(base + 8 * ROW) >> 32) + firsts[batch]
            number = (load64(base + 8 * META) >> NUMBER_AT) & (MOST_NUMBERS - 1)
            slot = np.int64(mixed(key, number + 1) & uint64(size - 1))
            while True:
                found = slots[slot]
                if found < 0:
                    slots[slot] = found = groups
                    heads[found, 0], heads[found, 1], heads[found, 2] = key, number, row
                    groups += 1
                    break
                same = heads[found, 0] == key and heads[found, 1] == number
                if same and (key > 0 or _compare(row, heads[found, 2], firsts, refs) == 0):
                    break
                slot = (slot + 1) & (size - 1)
            group[i] = found
            starts[found + 2] += 1
            i += 1
    for each in range(groups):
        starts[each + 2] += starts[each + 1]
    i = 0
    for batch in range(len(bases)):
        width, known = 8 * widths[batch], widths[batch] > ARRIVED
        for place in range(ends[batch, low], ends[batch, high]):
            base = bases[batch] + place * width
            to = starts[group[i] + 1]
            starts[group[i] + 1] = to + 1
            i += 1
            when = load64(base + 8 * WHEN)
            records[to, KEY], records[to, WHEN] = load64(base), when
            records[to, ROW] = load64(base + 8 * ROW) + (firsts[batch] << 32)
            records[to, META] = load64(base + 8 * META)
            if records.shape[1] > ARRIVED:
                came = load64(base + 8 * ARRIVED) if known else when >> RANK_BITS
                records[to, ARRIVED] = came
    return groups


@machine_code
def _merge(records: Any, winner: Any, loser: Any, failed: Any) -> None:
    """Let a send know what its repeat says: that it failed, or how far it came.

    Args:
        records: of the rows.
        winner: the record that counts.
        loser: the other.
        failed: of each record that failed the arrival and the row of the failure that counts;
            of others anything.
    """
    mine, its = records[winner, META], records[loser, META]
    if mine & _ACT < TEMPLATE:
        return
    if (its >> FAIL_AT) & 3:
        mine_failed = (mine >> FAIL_AT) & 3 != 0
        if mine_failed and (
            failed[winner, 0] < failed[loser, 0]
            or (failed[winner, 0] == failed[loser, 0] and failed[winner, 1] < failed[loser, 1])
        ):
            return
        failed[winner, 0], failed[winner, 1] = failed[loser, 0], failed[loser, 1]
        taken = 3 << FAIL_AT | 7 << STATUS_AT | (MOST_CODES - 1) << CODE_AT
        records[winner, META] = mine & ~taken | its & taken
        at = records[winner, WHEN] >> RANK_BITS
        records[winner, WHEN] = at << RANK_BITS | PLATFORM
    elif (mine >> FAIL_AT) & 3 == 0:
        status, other = (mine >> STATUS_AT) & 7, (its >> STATUS_AT) & 7
        if status < other < STATUS_FAILED:
            records[winner, META] = mine + ((other - status) << STATUS_AT)


@machine_code
def _came(records: Any, i: Any, known: Any) -> Any:
    """When a row was learnt of."""
    return records[i, ARRIVED] if known else records[i, WHEN] >> RANK_BITS


@machine_code
def unite(records: Any, starts: Any, firsts: Any, refs: Any, failed: Any) -> Any:
    """Leave out repeats: GONE is written as their `meta`. Gives back how many there are.

    Args:
        records: by key, see ``gather``.
        starts: where each key begins.
        firsts: where ids stand, see ``_text``; `refs` as well.
        refs: see there.
        failed: see ``_merge``.
    """
    repeats, known = 0, records.shape[1] > ARRIVED
    lows = np.empty(len(records), np.int64)
    for i in range(len(records)):
        lows[i] = records[i, ROW] & _LOW
        if (records[i, META] >> FAIL_AT) & 3:
            failed[i, 0], failed[i, 1] = _came(records, i, known), records[i, ROW] >> 32
    slots = np.empty(0, np.int64)
    for key in range(len(starts) - 1):
        begin, end = starts[key], starts[key + 1]
        if end - begin <= _SMALL:
            for mine in range(begin + 1, end):
                low, other = lows[mine], begin
                while other < mine:
                    if lows[other] == low:
                        row, its = records[mine, ROW] >> 32, records[other, ROW] >> 32
                        if _compare(row, its, firsts, refs) == 0:
                            later = _came(records, mine, known) < _came(records, other, known)
                            winner, loser = (mine, other) if later else (other, mine)
                            _merge(records, winner, loser, failed)
                            records[loser, META], lows[loser] = GONE, -1
                            repeats += 1
                            break
                    other += 1
            continue
        size = 64
        while size < 2 * (end - begin):
            size *= 2
        if len(slots) < size:
            slots = np.empty(size, np.int64)
        for slot in range(size):
            slots[slot] = -1
        for mine in range(begin, end):
            slot = lows[mine] & (size - 1)
            while slots[slot] >= 0:
                other = slots[slot]
                if lows[other] == lows[mine]:
                    row, its = records[mine, ROW] >> 32, records[other, ROW] >> 32
                    if _compare(row, its, firsts, refs) == 0:
                        later = _came(records, mine, known) < _came(records, other, known)
                        winner, loser = (mine, other) if later else (other, mine)
                        _merge(records, winner, loser, failed)
                        records[loser, META] = GONE
                        slots[slot] = winner
                        repeats += 1
                        break
                slot = (slot + 1) & (size - 1)
            else:
                slots[slot] = mine
    return repeats


@machine_code
def line_up(
    records: Any, starts: Any, firsts: Any, refs: Any, failed: Any, events: Any, edges: Any,
    asks: Any, begins: Any, at: Any, event: Any, row: Any, meta: Any, known: Any, gone: Any,
) -> Any:  # fmt: skip
    """Write the facts of every key in the order of the fold; gives back how many there are.

    Args:
        records: by key, see ``gather``, after ``unite``.
        starts: where each key begins.
        firsts: where ids stand, see ``_text``; `refs` as well.
        refs: see there.
        failed: see ``_merge``.
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
    longest = 0
    for key in range(len(starts) - 1):
        longest = max(longest, starts[key + 1] - starts[key])
    line = np.empty(3 * longest * (2 if judged else 1), np.int64)
    places = np.empty(len(line), np.int64)
    for key in range(len(starts) - 1):
        size = 0
        for mine in range(starts[key], starts[key + 1]):
            about, when = records[mine, META], records[mine, WHEN]
            if about == GONE:
                continue
            line[size], places[size] = mine, when
            size += 1
            if judged and (about >> FAIL_AT) & 3:
                known_as_sent = max(records[mine, ARRIVED], when >> RANK_BITS)
                if failed[mine, 0] > known_as_sent:
                    line[size] = -1 - mine
                    places[size] = when >> RANK_BITS << RANK_BITS | BUSINESS
                    size += 1
        _sort(line, places, size, records, firsts, refs)
        begins[key] = count
        for i in range(size):
            silent = line[i] < 0
            mine = -1 - line[i] if silent else line[i]
            about, now = records[mine, META], places[i] >> RANK_BITS
            at[count], meta[count], row[count] = now, about, records[mine, ROW] >> 32
            act = about & _ACT
            event[count] = events[about & EVENT_BITS]
            if act == TEMPLATE and len(asks) > 0:
                stretch = 0
                while stretch < len(edges) and edges[stretch] <= now:
                    stretch += 1
                more = asks[stretch, (about >> TEMPLATE_AT) & (MOST_TEMPLATES - 1)]
                event[count] = event[count] + more - APPROVED
            if judged:
                known[count], gone[count] = records[mine, ARRIVED], FOREVER
                if silent:
                    event[count] = SILENT_TEMPLATE if act == TEMPLATE else SILENT_FREE
                    if act == UNKNOWN_SEND:
                        event[count] = UNKNOWN_SENT
                    gone[count] = failed[mine, 0]
                elif (about >> FAIL_AT) & 3:
                    known[count] = max(known[count], failed[mine, 0])
            count += 1
    begins[len(starts) - 1] = count
    return count


@machine_code
def _sort(line: Any, places: Any, size: Any, records: Any, firsts: Any, refs: Any) -> None:
    """Sort the facts of a key by place: instant and rank, then id."""
    if size <= _SMALL and _ranked(line, places, size):
        return
    for i in range(1, size):  # short runs, each by moving facts to where they belong
        begin = i - i % _SMALL
        mine, place, hole = line[i], places[i], i
        while hole > begin and places[hole - 1] >= place:
            if places[hole - 1] == place and not _before(
                mine, line[hole - 1], records, firsts, refs
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
                    later = _before(line[b], line[a], records, firsts, refs)
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
def _before(mine: Any, other: Any, records: Any, firsts: Any, refs: Any) -> Any:
    """Whether a fact's id stands before another's."""
    mine, other = mine if mine >= 0 else -1 - mine, other if other >= 0 else -1 - other
    row, its = records[mine, ROW] >> 32, records[other, ROW] >> 32
    return _compare(row, its, firsts, refs) < 0
