"""Rows straight from Arrow's views to records, compiled. See ``straight.py``.

Rows that differ in nothing but instants, customer and id are of one kind. There are few kinds, so
what a kind means is asked once, and a row is told by the number of its kind.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64

from .codes import ACT_BITS, TEMPLATE
from .compiled import machine_code
from .groups import PARTS, part_of
from .memory import load8, load32, load64
from .narrow import MOST_KINDS, WORDS, narrow
from .texts import ADDRESS_BITS, LONGEST, copy_text, id_hash, phone

_SLOT_BITS: Final = 14  # four times as many slots as there may be kinds
_A: Final = np.uint64(0x9E3779B97F4A7C15)
_B: Final = np.uint64(0xD6E8FEB86659FD93)
_ACT: Final = (1 << ACT_BITS) - 1
_SAMPLE: Final = 100  # texts
_BLOCK: Final = 1 << 10  # rows; to write all over the memory while reading makes both slow
_IN_VIEW: Final = 12  # bytes of a text that stands in its view


@machine_code
def divide(first: Any, width: Any, valid: Any, bit: Any, kinds: Any, count: Any) -> Any:
    """Divide kinds of rows by the values of one more column.

    Where there may be no value, rows without one keep their kind, and those with one are of new
    kinds: so there may be kinds of no row. Two views of one text may differ; then they make two
    kinds, which mean the same.

    Args:
        first: the address of the first value.
        width: bytes of a value: 16 (views) or 8 (numbers).
        valid: the address of the bits that say where there is a value; 0: there is one everywhere.
        bit: the number of the first bit.
        kinds: the kind of each row, from 0; the new ones are written here.
        count: how many kinds there are.

    Returns:
        How many kinds there are now; -1: more than there is room for.
    """
    if valid == 0:
        if _all_same(first, width, len(kinds)):
            return count
        count = 0
    mask = uint64((1 << _SLOT_BITS) - 1)
    slots = np.zeros(1 << _SLOT_BITS, np.uint16)  # a kind's number and 1
    values, some = np.empty((MOST_KINDS + 1, 3), np.int64), np.empty(_BLOCK, np.uint16)
    for low in range(0, len(kinds), _BLOCK):
        told = min(_BLOCK, len(kinds) - low)
        if valid:
            told = _with_value(valid, bit + low, told, some)
        for each in range(told):
            place = low + each
            if valid:
                place = low + some[uint64(each)]
            i, here = uint64(place), first + width * place
            mine, more, kind = load64(here), load64(here + width - 8), np.int64(kinds[i])
            slot = ((uint64(mine) ^ uint64(more)) + uint64(kind) * _B) * _A
            slot >>= uint64(64 - _SLOT_BITS)
            new = uint64(slots[slot])
            while not new or (
                (values[new, 0] ^ mine) | (values[new, 1] ^ more) | (values[new, 2] ^ kind)
            ):
                if not new:
                    if count == MOST_KINDS:
                        return -1
                    count += 1
                    new = uint64(count)
                    slots[slot] = new
                    values[new, 0], values[new, 1], values[new, 2] = mine, more, kind
                    break
                slot = (slot + uint64(1)) & mask
                new = uint64(slots[slot])
            kinds[i] = new - uint64(1)
    return count


@machine_code
def examples(kinds: Any, found: Any) -> None:
    """Write of each kind a row that has it; what is of no row keeps what stands there."""
    for i in range(len(kinds)):
        found[uint64(kinds[i])] = i


@machine_code
def _all_same(first: Any, width: Any, count: Any) -> Any:
    mine, more = load64(first), load64(first + width - 8)
    for i in range(count):
        here = first + width * i
        if (load64(here) ^ mine) | (load64(here + width - 8) ^ more):
            return False
    return True


@machine_code
def _with_value(valid: Any, bit: Any, count: Any, some: Any) -> Any:
    """Write which of some rows have a value; gives back how many.

    They are written down first: to go by each bit at once would be to guess wrong half of the time.
    """
    told, i = 0, 0
    while i < count:
        byte, begin = load8(valid + ((bit + i) >> 3)), (bit + i) & 7
        most = min(8 - begin, count - i)
        if byte >> begin:
            for j in range(most):
                some[uint64(told)] = i + j
                told += byte >> (begin + j) & 1
        i += most
    return told


@machine_code
def measure(views: Any, count: Any) -> Any:
    """The bytes of all texts of some views, and the least and the most of one."""
    whole, least, most = 0, np.int64(LONGEST + 1), np.int64(0)
    for i in range(count):
        size = load32(views + 16 * i)
        whole += size
        least, most = min(least, size), max(most, size)
    return whole, least, most


@machine_code
def prefix(views: Any, texts: Any, count: Any) -> Any:
    """How many bytes some of these texts begin with; all others may, or not."""
    mine, shared = _begin(views, texts), load32(views)
    for i in range(0, count, max(count // _SAMPLE, 1)):
        view = views + 16 * i
        shared = _same(mine, _begin(view, texts), min(shared, load32(view)))
    return shared


@machine_code
def _same(one: Any, two: Any, most: Any) -> Any:
    """How many bytes are the same from two addresses on, at most so many."""
    same = 0
    while same + 8 <= most and load64(one + same) == load64(two + same):
        same += 8
    while same < most and load8(one + same) == load8(two + same):
        same += 1
    return same


@machine_code
def _begin(view: Any, texts: Any) -> Any:
    """The address of a view's text."""
    begin = view + 4
    if load32(view) > _IN_VIEW:
        begin = load64(texts + 8 * load32(view + 8)) + load32(view + 12)
    return begin


@machine_code
def customers(views: Any, texts: Any, key: Any, parts: Any, ends: Any) -> Any:
    """Read the names of customers.

    Args:
        views: the address of the first.
        texts: the address of those of the buffers that longer texts are in.
        key: a phone number's number is written here, see ``texts.py``.
        parts: its part is written here, see ``groups.spread``.
        ends: where each part ends is written here; one longer, it begins with 0.

    Returns:
        False, and all is in vain, where a name is no phone number.
    """
    others = 0
    for i in range(len(key)):
        view = views + 16 * i
        begin = _begin(view, texts)
        found = phone(begin, begin + load32(view))
        others += found == 0
        key[i] = found
        part = part_of(found)
        parts[i] = part
        ends[part + uint64(1)] += 1
    for part in range(PARTS):
        ends[part + 1] += ends[part]
    return others == 0


@machine_code
def write(
    views: Any, texts: Any, at: Any, arrived: Any, kinds: Any, table: Any, origin: Any, key: Any,
    parts: Any, ends: Any, shared: Any, data: Any, refs: Any, records: Any,
) -> Any:  # fmt: skip
    """Write the records, and the ids in memory of their own, without what all begin with.

    A reader's buffers stay in memory as long as one text of them does, so ids are copied while
    they are read. What costs is not to copy them, but memory that nobody has touched yet.

    Args:
        views: the address of the first id.
        texts: the address of those of the buffers that longer ones are in.
        at: of each row, in milliseconds.
        arrived: the same; empty where rows have none.
        kinds: of each row.
        table: of each kind its `meta`, see ``codes``, and its rank.
        origin: no instant is before it.
        key: see ``customers``, `parts` and `ends` as well.
        parts: see there.
        ends: see there.
        shared: how many bytes all ids should begin with.
        data: the address of the room for all ids.
        refs: where each stands is written here, see ``texts.refs_of_offsets``; empty where all
            are equally long.
        records: by part, as ``narrow.py`` has them.

    Returns:
        The first and the last instant that counts; and False, and all is in vain, where an id does
        not begin as the first does.
    """
    known, free = len(arrived) > 0, ends.astype(np.uint64)
    first, last = np.int64(1 << 62), np.int64(-(1 << 62))
    mine, block = _begin(views, texts), np.empty((_BLOCK, WORDS), np.int64)
    for low in range(0, len(key), _BLOCK):
        high = min(low + _BLOCK, len(key))
        for i in range(low, high):
            view = views + 16 * i
            begin, size, kind = _begin(view, texts), load32(view), uint64(kinds[i])
            out, counts, late = table[kind, 0] & _ACT >= TEMPLATE, at[i], 0
            if known:
                came = arrived[i]
                counts = counts if out else min(counts, came)
                late = came - counts
            first, last = min(first, counts), max(last, counts)
            hashes = id_hash(begin, begin + size, table[kind, 0])
            one, two, three = narrow(key[i], kind, i, hashes, counts - origin, late)
            place = uint64(i - low)
            block[place, 0], block[place, 1], block[place, 2] = one, two, three
            if size < shared or _same(mine, begin, shared) < shared:
                return first, last, False
            begin, size = begin + shared, size - shared
            if len(refs):
                refs[i] = data | size << ADDRESS_BITS
            copy_text(begin, size, data)
            data += size
        for i in range(low, high):
            part, place = uint64(parts[i]), uint64(i - low)
            to = free[part]
            free[part] = to + uint64(1)
            for word in range(WORDS):
                records[to, word] = block[place, word]
    return first, last, True
