"""Names and ids as numbers, compiled; the same numbers, plainly, for small logs.

A phone number is its canonical digits (see ``wa_fsm.identity``) with a 1 before them, as a number:
it can be read back. Any other name is a hash below zero: where hashes are equal ``groups.py`` looks
at the names. An id is a hash of 31 bits and, as the lowest bit, whether it is a send's.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64

from wa_fsm.identity import ANYWHERE, BETWEEN

from .codes import ACT_BITS, TEMPLATE
from .compiled import machine_code
from .memory import load8, load32, load64, store8, store64

_A: Final = np.uint64(0x9E3779B97F4A7C15)
_B: Final = np.uint64(0xD6E8FEB86659FD93)
_HALF: Final = np.uint64(32)
_ACT: Final = (1 << ACT_BITS) - 1
_ZEROS: Final = np.uint64(0x3030303030303030)
_BEYOND: Final = np.uint64(0x4646464646464646)
_SIGNS: Final = np.uint64(0x8080808080808080)
_EVEN: Final = np.uint64(0x000000FF000000FF)
_TENS: Final = np.array([10**power for power in range(16)], np.int64)
_LAST: Final = np.array(  # of eight bytes the last few, so many as the place says
    [0, *((1 << 64) - (1 << (64 - 8 * count)) for count in range(1, 9))], np.uint64
)
ADDRESS_BITS: Final = 48  # of a text's ref; its length stands above
LONGEST: Final = (1 << 15) - 1  # bytes of a name or an id; a ref is not below zero
_LEAST, _MOST = 8, 15  # digits of a phone number
_PLUS: Final = 43
_ANYWHERE: Final = np.array([ord(letter) for letter in ANYWHERE], np.int64)
_BETWEEN: Final = np.array([ord(letter) for letter in BETWEEN], np.int64)


@machine_code
def mixed(value: Any, seed: Any) -> Any:
    """A number whose every bit depends on every bit of `value`."""
    h = (np.uint64(value) ^ np.uint64(seed)) * _A
    h = (h ^ (h >> _HALF)) * _B
    return h ^ (h >> _HALF)


@machine_code
def hashed(begin: Any, end: Any) -> Any:
    """A hash of the bytes between two addresses."""
    h, factor = mixed(end - begin, 0), _A
    while begin + 8 <= end:  # a sum, so that no word waits for the one before
        h += uint64(load64(begin)) * factor
        factor *= _B
        begin += 8
    tail = uint64(0)
    if begin + 4 <= end:
        tail = uint64(load32(begin))
        begin += 4
    while begin < end:
        tail = (tail << uint64(8)) | uint64(load8(begin))
        begin += 1
    return mixed(h ^ tail, _B)


@machine_code
def _eight(word: Any) -> Any:
    """The number that eight bytes spell; -1 where one of them is no digit."""
    if (word + _BEYOND | word - _ZEROS) & _SIGNS:
        return np.int64(-1)
    digits = word - _ZEROS
    pairs = digits * uint64(10) + (digits >> uint64(8))
    high = (pairs & _EVEN) * uint64(100 + (1000000 << 32))
    low = ((pairs >> uint64(16)) & _EVEN) * uint64(1 + (10000 << 32))
    return np.int64((high + low) >> _HALF)


@machine_code
def phone(begin: Any, end: Any) -> Any:
    """The number of a phone number, or 0 for a name that is none."""
    first_digit = begin + 1 if load8(begin) == _PLUS else begin
    size = end - first_digit
    if _LEAST <= size <= _MOST:
        rest = uint64(load64(end - 8)) & _LAST[size - 8] | _ZEROS & ~_LAST[size - 8]
        first, last = _eight(uint64(load64(first_digit))), _eight(rest)
        if first >= 0 and last >= 0:
            return _canonical(size, first * _TENS[size - 8] + last)
    return _spelt(begin, end)


@machine_code
def _spelt(begin: Any, end: Any) -> Any:
    """The same for a number that is written with more than digits."""
    value, count, plus = 0, 0, False
    while begin < end:
        letter = load8(begin)
        begin += 1
        if 48 <= letter <= 57:
            value = value * 10 + letter - 48
            count += 1
            if count > _MOST:
                return 0
            continue
        if letter == _PLUS:
            if plus or count:
                return 0
            plus = True
            continue
        more = 0 if letter < 128 else 1 if letter < 224 else 2  # bytes that belong to it
        if begin + more > end:
            return 0
        letter &= 127 if more == 0 else 63 >> more
        for _ in range(more):
            letter = letter << 6 | load8(begin) & 63
            begin += 1
        if not _among(letter, _ANYWHERE) and not (count and _among(letter, _BETWEEN)):
            return 0
    return 0 if count < _LEAST else _canonical(count, value)


@machine_code
def _among(letter: Any, letters: Any) -> Any:
    """Whether it is one of them."""
    found = False
    for other in letters:
        found |= letter == other
    return found


@machine_code
def _canonical(count: Any, value: Any) -> Any:
    """The number of so many digits, in the form that its country's numbers have today."""
    if count == 13 and 521 * 10**10 <= value < 522 * 10**10:
        return 10**12 + 52 * 10**10 + value - 521 * 10**10
    if count == 12 and 54 * 10**10 <= value < 56 * 10**10:
        if value < 55 * 10**10:
            rest = value - 54 * 10**10
            return _TENS[12] + value if rest < 10**9 else 10**13 + 549 * 10**10 + rest
        rest = value - 55 * 10**10
        area, line = rest // 10**8, rest % 10**8
        if area >= 11 and area % 10 > 0 and line >= 6 * 10**7:
            return 10**13 + (55 * 100 + area) * 10**9 + 9 * 10**8 + line
    return _TENS[count] + value


@machine_code
def refs_of_offsets(offsets: Any, address: Any, refs: Any) -> Any:
    """Write where each text stands: its address, and its length above it.

    Gives back how many are too long to be written so; they are written as empty.
    """
    long = 0
    for i in range(len(refs)):
        size = np.int64(offsets[i + 1]) - offsets[i]
        if size > LONGEST:
            long += 1
            size = 0
        refs[i] = address + offsets[i] | size << ADDRESS_BITS
    return long


@machine_code
def refs_of_views(views: Any, valid: Any, first: Any, texts: Any, refs: Any) -> Any:
    """The same of Arrow's views.

    Args:
        views: the address of the first.
        valid: the address of the bits that say where there is a text; 0: there is one everywhere.
        first: the number of the first bit.
        texts: the addresses of the buffers that longer texts are in.
        refs: is written to.
    """
    long = 0
    for i in range(len(refs)):
        view = views + 16 * i
        place, size = view + 4, load32(view)
        bit = first + i
        if valid and not load8(valid + (bit >> 3)) >> (bit & 7) & 1:
            size = 0
        elif size > 12:  # else it stands in the view itself
            place = texts[load32(view + 8)] + load32(view + 12)
        if size > LONGEST:
            long += 1
            size = 0
        refs[i] = place | size << ADDRESS_BITS
    return long


@machine_code
def copy_text(begin: Any, size: Any, to: Any) -> None:
    """Copy so many bytes from one address to another."""
    if size < 8:
        for j in range(size):
            store8(to + j, load8(begin + j))
        return
    for j in range(0, size - 7, 8):
        store64(to + j, load64(begin + j))
    store64(to + size - 8, load64(begin + size - 8))


@machine_code
def copy_texts(refs: Any, prefix: Any, offsets: Any, data: Any) -> None:
    """Copy texts, each behind `prefix`, to where `offsets` says, from the address `data` on."""
    for i in range(len(refs)):
        begin, size = refs[i] & (1 << ADDRESS_BITS) - 1, refs[i] >> ADDRESS_BITS
        to = data + offsets[i]
        for j in range(len(prefix)):
            store8(to + j, prefix[j])
        copy_text(begin, size, to + len(prefix))


@machine_code
def name_keys(refs: Any, key: Any) -> Any:
    """Write the number of each name, 0 of an empty one; how many are hashes, how many empty."""
    others, empty = 0, 0
    for i in range(len(key)):
        begin = refs[i] & (1 << ADDRESS_BITS) - 1
        end = begin + (refs[i] >> ADDRESS_BITS)
        if begin == end:
            key[i] = 0
            empty += 1
            continue
        found = phone(begin, end)
        if found == 0:
            others += 1
            found = np.int64(hashed(begin, end) | uint64(1 << 63))
        key[i] = found
    return others, empty


@machine_code
def id_hash(begin: Any, end: Any, meta: Any) -> Any:
    """The number of an id between two addresses, of a row with this `meta`."""
    return (hashed(begin, end) >> uint64(33) << uint64(1)) | uint64((meta & _ACT) >= TEMPLATE)


@machine_code
def id_hashes(refs: Any, meta: Any, hashes: Any) -> Any:
    """Write the number of each id; gives back how many are empty."""
    empty = 0
    for i in range(len(hashes)):
        begin = refs[i] & (1 << ADDRESS_BITS) - 1
        end = begin + (refs[i] >> ADDRESS_BITS)
        if begin == end:
            empty += 1
        hashes[i] = id_hash(begin, end, meta[i])
    return empty
