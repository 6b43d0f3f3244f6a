"""A record in three words, for rows of few kinds, compiled.

    key 51 bits, kind 12 | row 20, hash 32, late 12 (the upper bits) | instant 38, late 26

The instant is counted from the batch's first; `late` is how long after it the row arrived, and may
be below zero by as much. Both reach over four years, so that most batches fit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64

from .codes import RANK_BITS
from .compiled import machine_code

WORDS: Final = 3
MOST_KINDS: Final = 1 << 12
MOST_ROWS: Final = 1 << 20
SPAN: Final = 1 << 37  # milliseconds between the first and the last instant, arrivals included
_KEY: Final = 51  # a phone number's number is below 2 * 10**15
_ROW: Final = 20
_LATE: Final = 52
_AT: Final = 38
_LATE_LOW: Final = 26


@machine_code
def narrow(key: Any, kind: Any, row: Any, low: Any, at: Any, late: Any) -> Any:
    """The three words. `at` is counted from the batch's first instant, `low` is the id's hash."""
    late = uint64(late + SPAN)
    one = uint64(key) | uint64(kind) << uint64(_KEY)
    two = uint64(row) | uint64(low) << uint64(_ROW) | late >> uint64(_LATE_LOW) << uint64(_LATE)
    return one, two, uint64(at) | late << uint64(_AT)


@machine_code
def key_of(one: Any) -> Any:
    """From the first word."""
    return one & ((1 << _KEY) - 1)


@machine_code
def kind_of(one: Any) -> Any:
    """From the first word."""
    return one >> _KEY


@machine_code
def row_of(two: Any) -> Any:
    """From the second word: its number in the batch."""
    return two & (MOST_ROWS - 1)


@machine_code
def hash_of(two: Any) -> Any:
    """From the second word."""
    return (two >> _ROW) & ((1 << 32) - 1)


@machine_code
def at_of(three: Any) -> Any:
    """From the third word: milliseconds since the batch's first instant."""
    return three & ((1 << _AT) - 1)


@machine_code
def late_of(two: Any, three: Any) -> Any:
    """From the second and the third word: milliseconds."""
    high = uint64(two) >> uint64(_LATE) << uint64(_LATE_LOW)
    return np.int64(high | uint64(three) >> uint64(_AT)) - SPAN


@machine_code
def widen(
    records: Any, table: Any, origin: Any, key: Any, when: Any, arrived: Any, meta: Any,
    hashes: Any,
) -> None:  # fmt: skip
    """Write the columns of ``encoded.Encoded``, in the order of the rows."""
    for i in range(len(records)):
        one, two, three = records[i, 0], records[i, 1], records[i, 2]
        row, kind, at = row_of(two), kind_of(one), origin + at_of(three)
        key[row], hashes[row] = key_of(one), hash_of(two)
        when[row], meta[row] = at << RANK_BITS | table[kind, 1], table[kind, 0]
        arrived[row] = at + late_of(two, three)
