"""The fold and the questions, over arrays: facts of many keys in, a verdict for each send out.

House rules:

* The functions are plain Python over sequences of whole numbers, and call no library. A small log
  runs them as they stand; a large one runs the same text compiled (see ``compiled.py``).
* Nothing of the rules stands here: every answer is looked up in ``tables.Tables``.
* A key's facts lie together, sorted by place (instant, rank, id), repeats left out. A send is
  asked about right before it, or its failure, takes its place.
* What is shown of a send is the standing before it: `rule` that answered, `point` (with INSIDE
  added where the margin has begun), `opener` (when the window last started; NEVER if it did not).
"""

from __future__ import annotations

from .codes import EVENTS, FOREVER, INSIDE, NEVER, OPEN, POINTS
from .compiled import Numbers, inner

_HALF = EVENTS * POINTS  # of `asked`: where the answers inside the margin begin


def fold(
    starts: Numbers, at: Numbers, event: Numbers, after: Numbers, opens: Numbers, lapse: Numbers,
    asked: Numbers, over: int, margin: int, rule: Numbers, point: Numbers, opener: Numbers,
) -> None:  # fmt: skip
    """Fold every key and answer every question, by all the facts.

    Args:
        starts: of each key its first fact, and the number of facts at the end.
        at: of each fact the instant in milliseconds, never falling within a key.
        event: its number, see ``codes``.
        after: of ``Tables``, flat, as what follows.
        opens: `starts` there.
        lapse: see there.
        asked: see there.
        over: see there.
        margin: see there.
        rule: what answered is written here.
        point: the standing before each fact.
        opener: when the window last started.
    """
    for key in range(len(starts) - 1):
        here, opened = 0, NEVER
        for i in range(starts[key], starts[key + 1]):
            now, what, inside = at[i], event[i], 0
            if here & OPEN:
                if now - opened >= over:
                    here = lapse[here]
                elif now - opened >= margin:
                    inside = 1
            cell = here * EVENTS + what
            rule[i] = asked[inside * _HALF + cell]
            point[i] = here + inside * INSIDE
            opener[i] = opened
            if opens[cell]:
                opened = now
            here = after[cell]


def fold_known(
    starts: Numbers, at: Numbers, event: Numbers, known: Numbers, gone: Numbers, after: Numbers,
    opens: Numbers, lapse: Numbers, asked: Numbers, over: int, margin: int, rule: Numbers,
    point: Numbers, opener: Numbers, stood: Numbers, last: Numbers, live: Numbers, due: Numbers,
    waiting: Numbers,
) -> None:  # fmt: skip
    """The same by the facts known at the instant of each question.

    A fact counts for a question at `t` if it was known by then: ``known[i] <= t < gone[i]``. The
    standing after each fact is kept. When a fact becomes known, or is known no longer, the facts
    from its place on are folded again, until the fold stands where it stood.

    Args:
        starts: as in ``fold``.
        at: as in ``fold``.
        event: as in ``fold``.
        known: from when on each fact is known; never before its `at`.
        gone: from when on it no longer is: a send whose failure has become known.
        after: as in ``fold``, and so on to `opener`.
        opens: the same.
        lapse: the same.
        asked: the same.
        over: the same.
        margin: the same.
        rule: the same.
        point: the same.
        opener: the same.
        stood: room for the point after each fact.
        last: room for the window's start then.
        live: room for whether it counts.
        due: room for a heap of what changes later: when.
        waiting: and which fact.
    """
    for key in range(len(starts) - 1):
        begin, size = starts[key], 0
        for i in range(begin, starts[key + 1]):
            now = at[i]
            while size > 0 and due[0] <= now:  # what has become known since
                changed = waiting[0]
                size = _pop(due, waiting, size)
                counts = 1 if gone[changed] > now else 0
                if counts == live[changed]:
                    continue
                live[changed] = counts
                if counts and gone[changed] < FOREVER:
                    size = _push(due, waiting, size, gone[changed], changed)
                _refold(begin, changed, i, at, event, after, opens, lapse, over, stood, last, live)
            here, opened, inside = 0, NEVER, 0
            if i > begin:
                here, opened = stood[i - 1], last[i - 1]
            stood[i], last[i] = here, opened
            if here & OPEN:
                if now - opened >= over:
                    here = lapse[here]
                elif now - opened >= margin:
                    inside = 1
            cell = here * EVENTS + event[i]
            rule[i] = asked[inside * _HALF + cell]
            point[i] = here + inside * INSIDE
            opener[i] = opened
            live[i] = 1 if known[i] <= now < gone[i] else 0
            if live[i]:
                stood[i] = after[cell]
                if opens[cell]:
                    last[i] = now
            change = known[i] if known[i] > now else gone[i]
            if now < change < FOREVER:
                size = _push(due, waiting, size, change, i)


@inner
def _refold(
    begin: int, first: int, end: int, at: Numbers, event: Numbers, after: Numbers, opens: Numbers,
    lapse: Numbers, over: int, stood: Numbers, last: Numbers, live: Numbers,
) -> None:  # fmt: skip
    """Fold the facts from `first` on again, until the fold stands where it stood."""
    here, opened = 0, NEVER
    if first > begin:
        here, opened = stood[first - 1], last[first - 1]
    for i in range(first, end):
        if live[i]:
            if here & OPEN and at[i] - opened >= over:
                here = lapse[here]
            cell = here * EVENTS + event[i]
            if opens[cell]:
                opened = at[i]
            here = after[cell]
        if stood[i] == here and last[i] == opened:
            return
        stood[i], last[i] = here, opened


@inner
def _push(due: Numbers, waiting: Numbers, size: int, when: int, fact: int) -> int:
    """Put a fact on the heap; gives back how many are on it."""
    hole = size
    while hole > 0 and due[(hole - 1) // 2] > when:
        due[hole], waiting[hole] = due[(hole - 1) // 2], waiting[(hole - 1) // 2]
        hole = (hole - 1) // 2
    due[hole], waiting[hole] = when, fact
    return size + 1


@inner
def _pop(due: Numbers, waiting: Numbers, size: int) -> int:
    """Take the earliest off the heap; gives back how many are left."""
    size -= 1
    when, fact, hole = due[size], waiting[size], 0
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and due[child + 1] < due[child]:
            child += 1
        if when <= due[child]:
            break
        due[hole], waiting[hole] = due[child], waiting[child]
        hole = child
    due[hole], waiting[hole] = when, fact
    return size
