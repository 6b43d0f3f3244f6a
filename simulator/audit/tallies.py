"""Counts of one audit, gathered part by part, in each thread on its own, then added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wa_fsm.decision import ERROR_CODES
from wa_fsm.rows import REFUSAL_CODES

from . import codes
from .compiled import call, room
from .counting import (
    AGAINST,
    ANSWERING,
    CHANGED,
    DELIVERED_YET,
    FAILING,
    NEEDLESS,
    TURNED,
    WAITING,
    common,
    find_asked,
    keep_first,
    near_edges,
    tally,
)
from .facts import Facts
from .judging import Bench, Verdict, verdicts_of
from .plain import PICKS, Picked
from .sends import Rows, rows_of, together
from .tables import Tables
from .words import Words

if TYPE_CHECKING:
    import numpy as np

_HOUR: Final = 3600
_AWAY: Final = (10, 60, 300, 900, _HOUR, 4 * _HOUR, 12 * _HOUR, 24 * _HOUR)
_FARTHEST: Final = 100 * 366 * 24 * _HOUR
EDGES: Final = (-_FARTHEST, *(-s for s in reversed(_AWAY)), 0, *_AWAY)  # lower ends, in seconds
WAITS: Final = (
    60, 300, 900, _HOUR, 4 * _HOUR, 12 * _HOUR, 20 * _HOUR, 23 * _HOUR, 24 * _HOUR, 48 * _HOUR,
    168 * _HOUR, _FARTHEST,
)  # fmt: skip  # upper ends, in seconds; the window's end is one more, see ``waits_of``
NEAR: Final = "near_misses"
MARKS: Final[dict[Picked, int]] = {  # of the rows with these marks the first are kept
    "allowed_but_refused": AGAINST,
    "refused_but_delivered": DELIVERED_YET,
    "needless": NEEDLESS,
    "changed": CHANGED,
}
# Kinds of customers' messages that wait for an answer: what opens a window anywhere, but a tap.
_ANSWERABLE: Final = frozenset(
    codes.INBOUND[kind]
    for kind in (
        "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "order",
        "button", "interactive", "request_welcome",
    )
)  # fmt: skip
_DISAGREE: Final = ERROR_CODES | REFUSAL_CODES
_NONE: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Scope:
    """What a log has, so that there is room to count it.

    Attributes:
        words: what occurs.
        days: that occur, in days from 1970 on, rising.
    """

    words: Words
    days: Sequence[int]

    def room(self) -> np.ndarray:
        """From a day, less the first, to its place."""
        import numpy as np

        if not self.days:
            return np.zeros(1, np.int64)
        made = np.zeros(self.days[-1] - self.days[0] + 1, np.int64)
        made[np.array(self.days) - self.days[0]] = np.arange(len(self.days))
        return made


class PolicyTally:
    """The counts of one policy, by the numbers of things. See ``counting.tally``."""

    def __init__(self, bench: Bench, number: int, scope: Scope) -> None:
        import numpy as np

        words, table = scope.words, bench.tables[number]
        rules, first = len(table.rules), bench.tables[0]
        self.by_day = np.zeros((max(len(scope.days), 1), rules), np.int64)
        self.by_number = np.zeros((max(len(words["numbers"]), 1), rules), np.int64)
        self.by_template = np.zeros((len(words["templates"]), rules), np.int64)
        self.needless = np.zeros(len(words["categories"]), np.int64)
        self.against = np.zeros(len(words["failures"]), np.int64)
        self.changes = np.zeros((len(first.rules), rules), np.int64)
        self.delivered = np.zeros(rules, np.int64)
        self.edges = np.zeros(len(EDGES) + 1, np.int64)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """What ``counting.tally`` adds to, in its order."""
        return (self.by_day, self.by_number, self.by_template, self.needless, self.against,
                self.delivered, self.changes)  # fmt: skip


class Kept:
    """The first few rows of one sort: by distance and number, or by number alone."""

    def __init__(self) -> None:
        import numpy as np

        self.far = np.full(PICKS, _NONE, np.int64)
        self.found = np.full(PICKS, _NONE, np.int64)
        self.place = np.full(PICKS, -1, np.int64)

    def take(self, other: Kept) -> None:
        """Keep the first of its and ours."""
        import numpy as np

        far, found = (np.concatenate(p) for p in ((self.far, other.far), (self.found, other.found)))
        first = np.lexsort((found, far))[:PICKS]
        self.far, self.found = far[first], found[first]

    @property
    def rows(self) -> list[int]:
        """The numbers of the rows, first come first."""
        return [int(row) for row in self.found if row != _NONE]


class Tally:
    """The counts of one thread.

    Args:
        bench: what judges.
        scope: what the log has.
        quick: by compiled code.
    """

    def __init__(self, bench: Bench, scope: Scope, *, quick: bool) -> None:
        import numpy as np

        self.bench, self.scope, self.quick = bench, scope, quick
        self.keys = self.repeats = self.unanswered = 0
        self.first, self.last = _NONE, -_NONE
        self.events = np.zeros(codes.EVENTS, np.int64)
        self.numbers = np.zeros(max(len(scope.words["numbers"]), 1), np.int64)
        self.failed = np.zeros(len(scope.words["failures"]), np.int64)
        self.stretches = waits_of(bench.tables[0].window // 1000)
        self.waits = np.zeros(len(self.stretches) + 1, np.int64)
        count = range(len(bench.tables))
        self.policies = [PolicyTally(bench, number, scope) for number in count]
        self.kept: list[dict[Picked, Kept]] = [
            {what: Kept() for what in (NEAR, *MARKS)} for _ in count
        ]
        self.shown: list[Rows] = []
        self._days, self._bounds, self._edges = scope.room(), _ms(self.stretches), _ms(EDGES)
        disagree = [code in _DISAGREE for code in scope.words["failures"]]
        self._roles = np.array([_role(event) for event in range(codes.EVENTS)], np.uint8)
        self._disagrees = np.array(disagree, np.uint8)
        self._changes = [_changes(bench.tables[0], table) for table in bench.tables]

    def add(self, facts: Facts) -> None:
        """Judge and count some keys."""
        import numpy as np

        self.keys += len(facts.keys)
        self.repeats += facts.repeats
        self.first = min(self.first, int(facts.at.min(initial=_NONE)))
        self.last = max(self.last, int(facts.at.max(initial=-_NONE)))
        inputs = facts.begins, facts.at, facts.event, facts.meta, self._roles, self._bounds
        waited = np.empty(len(facts.at), np.int64)
        outputs = self.events, self.numbers, self.failed, self.waits, waited
        self.unanswered += call(self.quick, common, inputs, outputs)
        asked, verdicts, marks = self.marked(facts)
        for number, verdict in enumerate(verdicts):
            self._keep(number, asked, facts, verdict, marks[number])
        kept = self._all_kept()
        if max(int(each.place.max()) for each in kept) >= 0:
            places = np.unique(np.concatenate([each.place for each in kept]))
            self.shown.append(rows_of(facts, verdicts, marks, places[places >= 0]))
            for each in kept:
                each.place[:] = -1

    def marked(self, facts: Facts) -> tuple[np.ndarray, list[Verdict], list[np.ndarray]]:
        """Judge some keys, count the verdicts, and mark them, for each policy.

        Which facts were asked about, the verdicts, the marks.
        """
        import numpy as np

        verdicts = verdicts_of(self.bench, facts, quick=self.quick)
        asked = np.empty(len(facts.at), np.uint32)
        asked = asked[: call(self.quick, find_asked, (verdicts[0].rule,), (asked,))]
        marks = [self._count(number, asked, facts, verdicts) for number in range(len(verdicts))]
        return asked, verdicts, marks

    def _count(
        self, number: int, asked: np.ndarray, facts: Facts, verdicts: Sequence[Verdict]
    ) -> np.ndarray:
        """Count the verdicts of one policy; gives back the marks."""
        table, verdict, days = self.bench.tables[number], verdicts[number], self.scope.days
        mark = room(len(facts.at), self.quick)
        inputs = (
            asked, facts.at, facts.event, facts.meta, verdict.rule, verdict.point, verdicts[0].rule,
            table.allows, table.free.ravel(), self._changes[number].ravel(), self._disagrees,
            days[0] if days else 0, self._days,
        )  # fmt: skip
        call(self.quick, tally, inputs, (mark, *self.policies[number].arrays()))
        return mark

    def _keep(
        self, number: int, asked: np.ndarray, facts: Facts, verdict: Verdict, mark: np.ndarray
    ) -> None:
        """Keep the rows that a report shows."""
        import numpy as np

        table, kept = self.bench.tables[number], self.kept[number]
        near = kept[NEAR]
        inputs: tuple[Any, ...] = (
            asked, facts.at, facts.event, facts.row, verdict.opener, table.window, self._edges,
        )  # fmt: skip
        outputs: tuple[Any, ...]
        outputs = self.policies[number].edges, near.far, near.found, near.place
        call(self.quick, near_edges, inputs, outputs)
        seen = int(np.bitwise_or.reduce(mark, initial=0))
        for what, bits in MARKS.items():
            if seen & bits:
                outputs = kept[what].far, kept[what].found, kept[what].place
                rather = TURNED if bits == CHANGED else bits
                call(self.quick, keep_first, (mark, bits, rather, facts.row), outputs)

    def merge(self, other: Tally) -> None:
        """Add what another thread, or another part of the log, has counted."""
        self.keys += other.keys
        self.repeats += other.repeats
        self.unanswered += other.unanswered
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        for mine, its in zip(self._counts(), other._counts(), strict=True):
            mine += its
        self.numbers |= other.numbers
        for kept, more in zip(self._all_kept(), other._all_kept(), strict=True):
            kept.take(more)
        self.shown += other.shown

    def _counts(self) -> list[np.ndarray]:
        found = [self.events, self.failed, self.waits]
        for each in self.policies:
            found += [*each.arrays(), each.edges]
        return found

    def _all_kept(self) -> list[Kept]:
        return [kept for by_sort in self.kept for kept in by_sort.values()]

    def rows_shown(self) -> Rows | None:
        """The rows that a report shows, in the order of the log."""
        import numpy as np

        if not self.shown:
            return None
        rows = together(self.shown)
        wanted = np.unique([row for kept in self._all_kept() for row in kept.rows])
        return rows.only(np.searchsorted(rows.row, wanted))

    def renumber(self, order: np.ndarray) -> None:
        """Call the rows that are kept by other numbers."""
        for kept in self._all_kept():
            there = kept.found != _NONE
            kept.found[there] = order[kept.found[there]]

    def saved(self) -> list[np.ndarray]:
        """All but the rows shown, as arrays."""
        import numpy as np

        numbers = np.array([self.keys, self.repeats, self.unanswered, self.first, self.last])
        kept = [array for each in self._all_kept() for array in (each.far, each.found)]
        return [numbers, self.numbers, *self._counts(), *kept]

    def load(self, saved: Sequence[np.ndarray]) -> None:
        """Take what ``saved`` gave for the same policies and the same words."""
        numbers, mine, *rest = saved
        self.keys, self.repeats, self.unanswered, self.first, self.last = numbers.tolist()
        self.numbers[:] = mine
        counts = self._counts()
        for array, value in zip(counts, rest, strict=False):
            array[...] = value
        kept = iter(rest[len(counts) :])
        for each in self._all_kept():
            each.far, each.found = next(kept), next(kept)


def _role(event: int) -> int:
    if event in _ANSWERABLE:
        return WAITING
    if codes.SENT_AT <= event < codes.FAILED_AT or event == codes.UNKNOWN_SENT:
        return ANSWERING
    return FAILING if codes.FAILED_AT <= event < codes.UNKNOWN_FAILED else 0


def waits_of(window: int) -> tuple[int, ...]:
    """Upper ends of the stretches of waiting, so that none reaches over a window; all in seconds.

    The last one stands for everything longer than the one before.
    """
    return tuple(sorted({*WAITS, max(window, 1)}))


def _ms(seconds: Sequence[int]) -> np.ndarray:
    import numpy as np

    return np.array(seconds, np.int64) * 1000


def _changes(first: Tables, table: Tables) -> np.ndarray:
    """Of each rule under the first policy and rule what that change is."""
    import numpy as np

    made = np.zeros((len(first.rules), len(table.rules)), np.uint8)
    for was, reason in enumerate(first.reasons):
        for now, other in enumerate(table.reasons):
            turned = TURNED if first.allows[was] != table.allows[now] else 0
            made[was, now] = (CHANGED if reason != other else 0) | turned
    return made
