"""Repeats left out, compiled. See ``groups.py``.

Of the rows with one id the one that arrived first counts, with its own instant and kind; of their
failures the one that arrived first. Where a repeat failed, the send has failed.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64

from .codes import (
    ACT_BITS,
    CODE_AT,
    FAIL_AT,
    MOST_CODES,
    PLATFORM,
    RANK_BITS,
    STATUS_AT,
    STATUS_FAILED,
    TEMPLATE,
)
from .compiled import machine_code
from .groups import ADDRESS, ARRIVED, FEW, GONE, HASH, META, ROW, WHEN, compare, ref_of
from .memory import load8
from .texts import ADDRESS_BITS

_ACT: Final = (1 << ACT_BITS) - 1


@machine_code
def _merge(records: Any, winner: Any, loser: Any, failed: Any) -> None:
    """Let a send know what its repeat says: that it failed, or how far it came.

    Args:
        records: by key.
        winner: the record that counts.
        loser: the other, which is GONE.
        failed: of each record that failed the arrival and the row of the failure that counts;
            of others anything.
    """
    mine, its = records[META, winner], records[META, loser]
    records[META, loser] = GONE
    if mine & _ACT < TEMPLATE:
        return
    if (its >> FAIL_AT) & 3:
        mine_failed = (mine >> FAIL_AT) & 3 != 0
        if mine_failed and (
            failed[0, winner] < failed[0, loser]
            or (failed[0, winner] == failed[0, loser] and failed[1, winner] < failed[1, loser])
        ):
            return
        failed[0, winner], failed[1, winner] = failed[0, loser], failed[1, loser]
        taken = 3 << FAIL_AT | 7 << STATUS_AT | (MOST_CODES - 1) << CODE_AT
        records[META, winner] = mine & ~taken | its & taken
        at = records[WHEN, winner] >> RANK_BITS
        records[WHEN, winner] = at << RANK_BITS | PLATFORM
    elif (mine >> FAIL_AT) & 3 == 0:
        status, other = (mine >> STATUS_AT) & 7, (its >> STATUS_AT) & 7
        if status < other < STATUS_FAILED:
            records[META, winner] = mine + ((other - status) << STATUS_AT)


@machine_code
def _suspects(hashes: Any, starts: Any, keys: Any, rows: Any) -> Any:
    """Find the keys that may have repeats, and the rows that may be or have one: how many of each.

    To compare all hashes of a key with all, without a branch, is quicker than to look them up.
    """
    count, told, some = 0, 0, np.empty(FEW, np.int32)
    for key in range(len(starts) - 1):
        begin, size = starts[key], starts[key + 1] - starts[key]
        if size > FEW:
            keys[count] = key
            count += 1
            continue
        for i in range(FEW):
            some[i] = i  # such a hash may occur, too: then one row is looked at in vain
        for i in range(size):
            some[i] = hashes[uint64(begin + i)]
        before = told
        for i in range(size):
            same = 0
            for j in range(FEW):
                same += some[j] == some[i]
            rows[uint64(told)] = begin + i
            told += same > 1
        keys[uint64(count)] = key
        count += told > before
    return count, told


@machine_code
def _look_ahead(rows: Any, firsts: Any, texts: Any) -> Any:
    """Look at texts that will be compared, so that memory is waited for once for all of them.

    They stand all over the memory: one at a time they would take as long as all the rest does.
    """
    told = 0
    for i in range(len(rows)):
        rows[i] = ref_of(rows[i], firsts, texts)
    for i in range(len(rows)):
        begin = rows[i] & ADDRESS
        told += load8(begin) + load8(begin + (rows[i] >> ADDRESS_BITS) - 1)
    return told


@machine_code
def unite(records: Any, starts: Any, firsts: Any, texts: Any, failed: Any) -> Any:
    """Leave out repeats: GONE is written as their `meta`. Gives back how many there are.

    Args:
        records: by key, see ``groups.gather``.
        starts: where each key begins.
        firsts: where ids stand, see ``groups.compare``; `texts` as well.
        texts: see there.
        failed: see ``_merge``; it is filled here.
    """
    for i in range(records.shape[1]):
        if (records[META, i] >> FAIL_AT) & 3:
            failed[0, i], failed[1, i] = records[ARRIVED, i], records[ROW, i]
    keys, rows = np.empty(len(starts), np.int64), np.empty(records.shape[1] + 1, np.int64)
    count, told = _suspects(records[HASH], starts, keys, rows)
    for i in range(told):
        rows[i] = records[ROW, rows[i]]
    told = _look_ahead(rows[:told], firsts, texts)
    repeats, slots = 0, np.empty(0, np.int64)
    for key in keys[:count]:
        begin, end, size = starts[key], starts[key + 1], 16
        while size < 2 * (end - begin):
            size *= 2
        if len(slots) < size:
            slots = np.empty(size, np.int64)
        slots[:size] = -1
        for mine in range(begin, end):
            low = records[HASH, mine]
            slot = low & (size - 1)
            while slots[slot] >= 0:
                other = slots[slot]
                if records[HASH, other] == low and _same_id(records, mine, other, firsts, texts):
                    later = records[ARRIVED, mine] < records[ARRIVED, other]
                    winner, loser = (mine, other) if later else (other, mine)
                    _merge(records, winner, loser, failed)
                    slots[slot] = winner
                    repeats += 1
                    break
                slot = (slot + 1) & (size - 1)
            else:
                slots[slot] = mine
    return repeats, told


@machine_code
def _same_id(records: Any, mine: Any, other: Any, firsts: Any, texts: Any) -> Any:
    return compare(records[ROW, mine], records[ROW, other], firsts, texts) == 0
