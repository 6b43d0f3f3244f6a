"""What tells a mutant from the original: a scenario that kills it, or the proof that none can.

House rules:

* A history is a fold over facts in the order of ``at``, whatever the order in which they were
  learnt; so all that can ever be shown is reached by facts that come in order. Both policies are
  stepped side by side through every such sequence, shortest first, with the product's own table
  and fold (``table.py``, ``situation.py``).
* Two pairs of points that differ only in absolute time go on alike: what counts is how far the
  window's end is, by the edges that the policy knows. So the search ends, and where it ends
  without a difference the mutant is equivalent.
* A *difference* is one that an expectation of a scenario can name.
* First only what steps can bring about: a free-form message is sent where the original allows it.
  Then every fact: late facts may put one where it would have been refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from wa_fsm.engine import Answer
from wa_fsm.policy import Policy
from wa_fsm.rows import FACTS
from wa_fsm.table import Table, table_of

from .explore import (
    BEGIN,
    NOWHERE,
    Entry,
    Moment,
    Move,
    Side,
    Stepper,
    facts_to_try,
    left,
    looks,
)

_MOST: Final = 20_000  # pairs of points; the shipped policies need some hundreds


@dataclass(slots=True)
class Found:
    """What a search came to.

    Attributes:
        path: the shortest history that tells the two apart; None where there is none.
        pairs: how many pairs of points were compared.
        complete: the search ended by itself, so that no path is a proof.
        fired: every case of the table that was fired.
    """

    path: list[Moment] | None = None
    pairs: int = 0
    complete: bool = True
    fired: set[Entry] = field(default_factory=set)


def search(original: Policy, mutant: Policy, kinds: Iterable[str], *, any_fact: bool) -> Found:
    """Step both through every sequence of facts, shortest first.

    Args:
        original: the policy as it is.
        mutant: the same with a fault.
        kinds: of customer messages that may come.
        any_fact: also free-form messages that the original refuses, which late facts can leave.
    """
    found = Found()
    pair = _Pair(table_of(original), table_of(mutant), found.fired)
    found.complete = pair.ours.roomy
    moves = [*facts_to_try(kinds), *looks(original)]
    start = (BEGIN, NOWHERE, NOWHERE)
    seen = {pair.key(*start)}
    waiting: deque[tuple[datetime, Side, Side, list[Moment]]] = deque([(*start, [])])
    if pair.differ(*start):
        found.path = [Moment(BEGIN, Move("look"))]
        return found
    while waiting:
        now, ours, theirs, path = waiting.popleft()
        for move in moves:
            at = pair.ours.when(move, now, ours, free=not path or path[-1].move.event == "look")
            if at is None or (not any_fact and not pair.ours.may(move, at, ours)):
                continue
            taken = [*path, Moment(at, move)]
            after = pair.step(move, at, ours, theirs, len(taken))
            if after is None or pair.differ(at, *after):
                found.path = taken
                return found
            key = pair.key(at, *after)
            if key not in seen:
                seen.add(key)
                waiting.append((at, *after, taken))
        if len(seen) > _MOST:
            found.complete = False
            break
    found.pairs = len(seen)
    return found


class _Pair:
    """The original and the mutant, stepped together."""

    def __init__(self, ours: Table, theirs: Table, fired: set[Entry]) -> None:
        self.ours, self.theirs = Stepper(ours, fired), Stepper(theirs, fired)

    def step(
        self, move: Move, at: datetime, ours: Side, theirs: Side, number: int
    ) -> tuple[Side, Side] | None:
        """Both after the move; None where they answer it by different rows, or the mutant fails."""
        if move.event == "look":
            return self.ours.lapsed(ours, at), self.theirs.lapsed(theirs, at)
        one, row = self.ours.fold(move, at, ours, number)
        try:
            other, other_row = self.theirs.fold(move, at, theirs, number)
        except Exception:
            return None
        return (one, other) if row.rule == other_row.rule else None

    def differ(self, at: datetime, ours: Side, theirs: Side) -> bool:
        """Whether anything that an expectation can name is different at this instant."""
        try:
            shown: bool = self.ours.shown(at, ours) == self.theirs.shown(at, theirs)
        except Exception:  # the mutant shows a window without a conversation
            return True
        return not shown

    def key(self, at: datetime, ours: Side, theirs: Side) -> Any:
        """What decides all that may come, absolute time left out."""
        one, other, margin = ours.point, theirs.point, self.ours.margin
        same = ours.last == theirs.last
        return (
            (one.state, one.replied, one.has_sent, left(at, one, margin), ours.last is None),
            (other.state, other.replied, other.has_sent, left(at, other, margin)),
            (one.window_end == other.window_end, same, theirs.last is None),
        )


# -- what the search says of a mutant -------------------------------------------------------------


def differing(original: Policy, mutant: Policy) -> dict[Entry, frozenset[str]]:
    """The cases of the table that are answered differently, and in what."""
    ours, theirs = table_of(original).answers, table_of(mutant).answers
    changed: dict[Entry, frozenset[str]] = {}
    for (state, event), answers in ours.items():
        for facts, answer in enumerate(answers):
            other = theirs[state, event][facts]
            if answer is not None and other is not None:
                parts = _parts(answer, other)
                if parts:
                    changed[state, event, facts] = parts
    return changed


def _parts(answer: Answer, other: Answer) -> frozenset[str]:
    names = [each.name for each in fields(Answer) if each.name != "row"]
    return frozenset(n for n in names if getattr(answer, n) != getattr(other, n))


def why_equivalent(original: Policy, mutant: Policy, found: Found) -> str:
    """Why a search without a difference found none, in a sentence."""
    changed = differing(original, mutant)
    if not changed:
        if original.uncounted != mutant.uncounted:
            return "it changes only `uncounted`, which no expectation can name"
        return "every answer stays the same"
    met = {entry: parts for entry, parts in changed.items() if entry in found.fired}
    if not met:
        return f"never reached: {'; '.join(dict.fromkeys(map(_case, changed)))}"
    parts = frozenset[str]().union(*met.values())
    if parts == {"entered"}:
        return "it changes only since when the state stands, which no expectation can name"
    what = ", ".join(_PARTS[name] for name in _PARTS if name in parts)
    return f"{what} never shows: all {found.pairs} situations that facts can lead to were compared"


_PARTS: Final = {
    "to": "the state",
    "entered": "since when it stands",
    "begins": "the conversation begun",
    "window": "what happens to the window",
    "reply": "the reply noted",
    "reason": "the verdict",
    "rule": "the row",
}


def _case(entry: Entry) -> str:
    state, event, facts = entry
    said = [f.yes if facts >> i & 1 else f.no for i, f in enumerate(FACTS[event].values())]
    guard = f" ({', '.join(said)})" if said else ""
    return f"{event} in {state}{guard}"
