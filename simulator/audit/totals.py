"""From tallies, which count numbers, to ``Totals``, which name things."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from . import codes
from .plain import Totals, Verdicts
from .tables import Tables
from .tallies import EDGES, PolicyTally, Scope, Tally

if TYPE_CHECKING:
    import numpy as np

_EPOCH: Final = date(1970, 1, 1)


def totals_of(tally: Tally) -> Totals:
    """The counts of a tally; what was read but not judged is for the caller to add."""
    events, words = tally.events.tolist(), tally.scope.words
    sends = events[codes.SENT_AT : codes.UNKNOWN_FAILED]
    tables = tally.bench.tables
    pairs = zip(tables, tally.policies, strict=True)
    return Totals(
        duplicates=tally.repeats,
        unclassified=sum(events[codes.UNKNOWN_FAILED : codes.UNKNOWN_SENT + 1]),
        customer_messages=sum(events[: codes.CALL]),
        customer_calls=events[codes.CALL],
        sends=sum(sends),
        templates=sum(n for i, n in enumerate(sends) if i % codes.ASKS != codes.FREE),
        failed=_counts(words["failures"], tally.failed),
        keys=tally.keys,
        numbers=int(tally.numbers.sum()),
        first_at=tally.first if tally.keys else None,
        last_at=tally.last if tally.keys else None,
        responses=_counts(tally.stretches, tally.waits),
        unanswered=tally.unanswered,
        verdicts=tuple(_verdicts(table, policy, tally.scope) for table, policy in pairs),
        changes=_changes(tables, tally.policies),
    )


def _verdicts(table: Tables, policy: PolicyTally, scope: Scope) -> Verdicts:
    words, by_rule = scope.words, policy.by_day.sum(axis=0)
    reasons, allowed = _reasons(table, by_rule), int(by_rule[table.allows == 1].sum())
    shown = {reason for reason, ok in zip(table.reasons, table.allows, strict=True) if ok}
    templates = [name or "" for name, _ in words["templates"]]
    return Verdicts(
        table.policy.spec,
        allowed,
        {reason: count for reason, count in reasons.items() if reason not in shown},
        _counts(table.rules, by_rule),
        _by(table, [_day(day) for day in scope.days], policy.by_day),
        _by(table, words["numbers"], policy.by_number),
        _by(table, templates, policy.by_template),
        _counts([word or "" for word in words["categories"]], policy.needless),
        _counts(words["failures"], policy.against),
        _reasons(table, policy.delivered),
        _counts(EDGES, policy.edges[1:]),
    )


def _reasons(table: Tables, counts: np.ndarray) -> dict[str, int]:
    return _counts(table.reasons, counts)


def _counts(things: Sequence[Any], counts: np.ndarray) -> dict[Any, int]:
    """What occurs, with its count, sorted by thing."""
    found: dict[Any, int] = {}
    for thing, count in zip(things, counts.tolist(), strict=False):
        if count:
            found[thing] = found.get(thing, 0) + count
    return dict(sorted(found.items()))


def _by(table: Tables, things: Sequence[str], counts: np.ndarray) -> dict[str, dict[str, int]]:
    """The same of things, each with what it has by reason."""
    found: dict[str, np.ndarray] = {}
    for thing, row in zip(things, counts, strict=False):
        if row.any():
            found[thing] = found[thing] + row if thing in found else row
    return {thing: _reasons(table, row) for thing, row in sorted(found.items())}


def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()


def _changes(
    tables: Sequence[Tables], policies: Sequence[PolicyTally]
) -> dict[tuple[int, str, str], int]:
    found: dict[tuple[int, str, str], int] = {}
    for number in range(1, len(tables)):
        changes = policies[number].changes
        for was, now in zip(*changes.nonzero(), strict=True):
            key = (number, tables[0].reasons[was], tables[number].reasons[now])
            found[key] = found.get(key, 0) + int(changes[was, now])
    return dict(sorted(found.items()))
