"""Rows to facts, compiled: by key, by place, repeats left out. Here: by key.

House rules:

* Rows are spread over ``PARTS`` parts by a hash of the customer, so that a part fits into the
  processor's own memory. What follows looks at one part, or a few that lie together.
* A record is four numbers, five where rows have arrivals: key, when, row and hash of its id,
  meta, arrived. Or three that say all that, see ``narrow.py``: less memory is less to wait for.
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
from .narrow import at_of, hash_of, key_of, kind_of, late_of, row_of
from .texts import ADDRESS_BITS, mixed

PART_BITS: Final = 10
PARTS: Final = 1 << PART_BITS
KEY, WHEN, ROW, META, ARRIVED = range(5)
BASE, WORDS, TABLE, ORIGIN = range(4)  # of ``packed.Packed.layout``
REFS, EVEN, PREFIX, PREFIX_SIZE = range(4)  # of ``columns.Texts.where``
HASH: Final = ARRIVED + 1  # in records by key hashes stand alone
GONE: Final = -1  # the meta of a repeat
FEW: Final = 16  # up to so many rows of a key are compared at once, all with all
ADDRESS: Final = (1 << ADDRESS_BITS) - 1
_TOP: Final = uint64(64 - PART_BITS)
_LOW: Final = (1 << 32) - 1
_FIRST_SLOTS: Final = 1 << 10  # of a table of keys, which grows


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
def part_of(key: Any) -> Any:
    """The part of a customer's records."""
    return mixed(key, 0) >> _TOP


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
        part = part_of(key[i])
        parts[i] = part
        ends[part + uint64(1)] += 1
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
def compare(row: Any, other: Any, firsts: Any, texts: Any) -> Any:
    """Below, at or above zero as the text of `row` stands before, is, or stands after the other.

    UTF-8 is ordered by its bytes as text is by code points.

    Args:
        row: its number in the log.
        other: the other's.
        firsts: of each batch the number of its first row.
        texts: of each batch where its texts stand, see ``columns.Texts.where``.
    """
    one, two = _batch_of(row, firsts), _batch_of(other, firsts)
    mine, its = _ref(row - firsts[one], one, texts), _ref(other - firsts[two], two, texts)
    a, a_size = mine & ADDRESS, mine >> ADDRESS_BITS
    b, b_size = its & ADDRESS, its >> ADDRESS_BITS
    if texts[one, PREFIX] != texts[two, PREFIX]:
        a_more, b_more = texts[one, PREFIX_SIZE], texts[two, PREFIX_SIZE]
        for i in range(min(a_size + a_more, b_size + b_more)):
            mine = load8(texts[one, PREFIX] + i) if i < a_more else load8(a + i - a_more)
            its = load8(texts[two, PREFIX] + i) if i < b_more else load8(b + i - b_more)
            if mine != its:
                return mine - its
        return a_size + a_more - b_size - b_more
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
def _batch_of(row: Any, firsts: Any) -> Any:
    batch, end = 0, len(firsts)
    while batch + 1 < end:
        middle = (batch + end) // 2
        if firsts[middle] <= row:
            batch = middle
        else:
            end = middle
    return batch


@machine_code
def _ref(place: Any, batch: Any, texts: Any) -> Any:
    even = texts[batch, EVEN]
    if even:
        return texts[batch, REFS] + place * even | even << ADDRESS_BITS
    return load64(texts[batch, REFS] + 8 * place)


@machine_code
def ref_of(row: Any, firsts: Any, texts: Any) -> Any:
    """Where the text of a row stands, without what all of its batch begin with."""
    batch = _batch_of(row, firsts)
    return _ref(row - firsts[batch], batch, texts)


@machine_code
def gather(
    low: Any, high: Any, packs: Any, ends: Any, firsts: Any, texts: Any, records: Any, keys: Any,
    starts: Any,
) -> Any:  # fmt: skip
    """Put the records of a key together, in the order of the rows; gives back how many keys.

    Args:
        low: the first part.
        high: the part after the last.
        packs: of each batch how it is packed, see ``packed.Packed.layout``.
        ends: where its parts end, see ``spread``.
        firsts: where names stand, see ``compare``; `texts` as well.
        texts: see there.
        records: are written here by key, a row for each of WHEN, ROW (as in the log), META,
            ARRIVED and HASH; the first row is left alone.
        keys: the customer of each key is written here.
        starts: where each key begins is written here, and the end of the last; the room is two
            more than there are records, and zeros.
    """
    count, size, groups = records.shape[1], _FIRST_SLOTS, 0
    slots = np.zeros(size, np.uint32)  # a key's number and 1
    group = np.empty(count, np.uint32)
    heads = np.empty((count, 3), np.int64)
    i = 0
    for batch in range(len(packs)):
        width, table, first = 8 * packs[batch, WORDS], packs[batch, TABLE], firsts[batch]
        base, narrow = packs[batch, BASE] + ends[batch, low] * width, table != 0
        for _ in range(ends[batch, low], ends[batch, high]):
            key = load64(base)
            if narrow:
                about, key = load64(table + 16 * kind_of(key)), key_of(key)
            else:
                about = load64(base + 8 * META)
            number = (about >> NUMBER_AT) & (MOST_NUMBERS - 1)
            slot = mixed(key, number + 1) & uint64(size - 1)
            while True:
                found = uint64(slots[slot])
                if not found:
                    head = uint64(groups)
                    heads[head, 0], heads[head, 1] = key, number
                    heads[head, 2] = (load64(base + 8 * ROW) >> 32) + first  # of a wide one
                    keys[head] = key
                    groups += 1
                    slots[slot] = found = uint64(groups)
                    if 2 * groups > size:
                        size *= 4
                        slots = _wider(heads, groups, size)
                    break
                head = found - uint64(1)
                if heads[head, 0] == key and heads[head, 1] == number:
                    if key > 0:
                        break
                    row = (load64(base + 8 * ROW) >> 32) + first
                    if compare(row, heads[head, 2], firsts, texts) == 0:
                        break
                slot = (slot + uint64(1)) & uint64(size - 1)
            group[i] = found
            starts[found + uint64(1)] += 1
            base += width
            i += 1
    for each in range(groups):
        starts[each + 2] += starts[each + 1]
    i = 0
    whens, metas, rows = records[WHEN], records[META], records[ROW]
    came, hashes = records[ARRIVED], records[HASH]
    for batch in range(len(packs)):
        width, table, first = 8 * packs[batch, WORDS], packs[batch, TABLE], firsts[batch]
        base, narrow = packs[batch, BASE] + ends[batch, low] * width, table != 0
        known, origin = packs[batch, WORDS] > ARRIVED, packs[batch, ORIGIN]
        for _ in range(ends[batch, low], ends[batch, high]):
            place = uint64(group[i])
            to = uint64(starts[place])
            starts[place] = to + uint64(1)
            if narrow:
                one, two, three = load64(base), load64(base + 8), load64(base + 16)
                kind, at = table + 16 * kind_of(one), origin + at_of(three)
                whens[to], metas[to] = at << RANK_BITS | load64(kind + 8), load64(kind)
                rows[to], hashes[to] = row_of(two) + first, hash_of(two)
                came[to] = at + late_of(two, three)
            else:
                when, row = load64(base + 8 * WHEN), load64(base + 8 * ROW)
                whens[to], metas[to] = when, load64(base + 8 * META)
                rows[to], hashes[to] = (row >> 32) + first, row & _LOW
                came[to] = load64(base + 8 * ARRIVED) if known else when >> RANK_BITS
            base += width
            i += 1
    return groups


@machine_code
def _wider(heads: Any, groups: Any, size: Any) -> Any:
    """A table of so many slots with the keys found so far."""
    slots = np.zeros(size, np.uint32)
    for head in range(groups):
        slot = mixed(heads[head, 0], heads[head, 1] + 1) & uint64(size - 1)
        while slots[slot]:
            slot = (slot + uint64(1)) & uint64(size - 1)
        slots[slot] = head + 1
    return slots
