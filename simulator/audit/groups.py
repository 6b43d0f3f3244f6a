"""Rows to facts, compiled: by key, by place, repeats left out. Here: by key.

House rules:

* Rows are spread over ``PARTS`` parts by a hash of the customer, so that a part fits into the
  processor's own memory. What follows looks at one part, or a few that lie together.
* A record is four numbers, five where rows have arrivals: key, when, row and hash of its id,
  meta, arrived.
* Equal hashes are only a hint. Ids are compared as they are, and so are names.
* ``repeats.py`` leaves out repeats, ``lines.py`` puts facts in order.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64

from .codes import MOST_NUMBERS, NUMBER_AT, RANK_BITS
from .compiled import machine_code
from .memory import load8, load64
from .texts import ADDRESS_BITS, mixed

PART_BITS: Final = 10
PARTS: Final = 1 << PART_BITS
KEY, WHEN, ROW, META, ARRIVED = range(5)
HASH: Final = ARRIVED + 1  # in records by key hashes stand alone
GONE: Final = -1  # the meta of a repeat
FEW: Final = 16  # up to so many rows of a key are compared at once, all with all
ADDRESS: Final = (1 << ADDRESS_BITS) - 1
_TOP: Final = uint64(64 - PART_BITS)
_LOW: Final = (1 << 32) - 1


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
def compare(row: Any, other: Any, firsts: Any, refs: Any) -> Any:
    """Below, at or above zero as the text of `row` stands before, is, or stands after the other.

    UTF-8 is ordered by its bytes as text is by code points.

    Args:
        row: its number in the log.
        other: the other's.
        firsts: of each batch the number of its first row.
        refs: of each batch the address of its texts' refs, see ``texts.refs_of_offsets``.
    """
    mine, its = ref_of(row, firsts, refs), ref_of(other, firsts, refs)
    a, a_size = mine & ADDRESS, mine >> ADDRESS_BITS
    b, b_size = its & ADDRESS, its >> ADDRESS_BITS
    size, i = min(a_size, b_size), 0
    while i + 8 <= size and load64(a + i) == load64(b + i):
        i += 8
    while i < size:
        difference = load8(a + i) - load8(b + i)
        if difference:
            return difference
        i += 1
    return a_size - b_size


@machine_code
def ref_of(row: Any, firsts: Any, refs: Any) -> Any:
    """Where the text of a row stands."""
    batch, end = 0, len(firsts)
    while batch + 1 < end:
        middle = (batch + end) // 2
        if firsts[middle] <= row:
            batch = middle
        else:
            end = middle
    return load64(refs[batch] + 8 * (row - firsts[batch]))


@machine_code
def gather(
    low: Any, high: Any, bases: Any, widths: Any, ends: Any, firsts: Any, refs: Any, records: Any,
    keys: Any, starts: Any,
) -> Any:  # fmt: skip
    """Put the records of a key together, in the order of the rows; gives back how many keys.

    Args:
        low: the first part.
        high: the part after the last.
        bases: of each batch the address of its records.
        widths: how many numbers its records have.
        ends: where its parts end, see ``spread``.
        firsts: where names stand, see ``compare``; `refs` as well.
        refs: see there.
        records: are written here by key, a row for each of WHEN, ROW (as in the log), META,
            ARRIVED and HASH; the first row is left alone.
        keys: the customer of each key is written here.
        starts: where each key begins is written here, and the end of the last; the room is two
            more than there are records, and zeros.
    """
    count, size, groups = records.shape[1], 16, 0
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
            key = load64(base)
            number = (load64(base + 8 * META) >> NUMBER_AT) & (MOST_NUMBERS - 1)
            slot = np.int64(mixed(key, number + 1) & uint64(size - 1))
            while True:
                found = slots[slot]
                if found < 0:
                    slots[slot] = found = groups
                    heads[found, 0], heads[found, 1] = key, number
                    heads[found, 2] = (load64(base + 8 * ROW) >> 32) + firsts[batch]
                    keys[found] = key
                    groups += 1
                    break
                if heads[found, 0] == key and heads[found, 1] == number:
                    if key > 0:
                        break
                    row = (load64(base + 8 * ROW) >> 32) + firsts[batch]
                    if compare(row, heads[found, 2], firsts, refs) == 0:
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
            when, row = load64(base + 8 * WHEN), load64(base + 8 * ROW)
            records[WHEN, to], records[META, to] = when, load64(base + 8 * META)
            records[ROW, to], records[HASH, to] = (row >> 32) + firsts[batch], row & _LOW
            records[ARRIVED, to] = load64(base + 8 * ARRIVED) if known else when >> RANK_BITS
    return groups
