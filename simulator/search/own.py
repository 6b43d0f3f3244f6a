"""Refusals of a policy's own in a search: when they hold, which one stops what, where two differ.

They hang on the clock on the wall and on what is asked, on nothing else. So all that they ever do
is seen in the stretches of time between two instants at which any of them may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from wa_fsm.policy import NOTHING, Policy
from wa_fsm.refusals import CATEGORIES, Refusal

from .difference import Compared, Difference, Kind
from .explore import BEGIN, Moment, Move

FREE_FORM: Final = "free_form"
# What can be asked, as far as these refusals tell it apart: a free-form message, a template of each
# category, and last one whose category is not known.
ASKED: Final = (FREE_FORM, *CATEGORIES, "")
_UNTIL: Final = datetime(2028, 1, 1, tzinfo=UTC)  # two years of clocks on the wall


def stretches(refusals: Sequence[Refusal], until: datetime = _UNTIL) -> list[datetime]:
    """The first instant of each stretch of time in which none of these changes."""
    edges = {edge for own in refusals for edge in own.edges(BEGIN, until)}
    return [BEGIN, *sorted(edges)]


def held(refusals: Sequence[Refusal], at: datetime) -> list[Refusal]:
    """Those that hold at this instant, in their order."""
    return [own for own in refusals if own.holds(at)]


def refusing(hold: Sequence[Refusal], what: str) -> Refusal | None:
    """The one of these that refuses what is asked, one of ``ASKED``."""
    for own in hold:
        if own.free_form if what == FREE_FORM else own.concerns(what or None):
            return own
    return None


# -- where two policies differ by the clock -------------------------------------------------------


def by_clock(
    ours: Policy, theirs: Policy, counted: Compared, opened: tuple[Moment, ...] | None
) -> Iterator[Difference]:
    """The differences between the two policies' own refusals, the earliest of each kind.

    Args:
        ours: the one.
        theirs: the other.
        counted: where the stretches of time that are compared are counted.
        opened: after which the rows of both allow free-form; None: then these are never asked.
    """
    if [own.data for own in ours.refusals] == [own.data for own in theirs.refusals]:
        return
    told: set[Kind] = set()
    for at in stretches((*ours.refusals, *theirs.refusals)):
        counted.situations += 1
        for what, one, other in _parting(ours, theirs, at):
            free = what == FREE_FORM
            path = opened if free else (Moment(at, Move("look")),)
            event = FREE_FORM if free else f"template of {what or 'no known category'}"
            ids = [own.id if own else NOTHING for own in (one, other)]
            kind = Kind("clock", event, ids[0], ids[1], ("reason",))
            if path is not None and kind not in told:
                told.add(kind)
                question = "text" if free else f"{{template: {what or 'hello'}}}"
                moved = tuple(Moment(at - (path[-1].at - each.at), each.move) for each in path)
                yield Difference(kind, moved, question, (_own(one), _own(other)), True)


def _parting(
    ours: Policy, theirs: Policy, at: datetime
) -> Iterator[tuple[str, Refusal | None, Refusal | None]]:
    """What is refused differently at this instant, and by which.

    What differs of a category is not told again of templates whose category is not known.
    """
    hold = [held(policy.refusals, at) for policy in (ours, theirs)]
    shown: list[tuple[Refusal | None, Refusal | None]] = []
    for what in ASKED:
        one, other = (refusing(own, what) for own in hold)
        if (one and one.reason) == (other and other.reason):
            continue
        if what in CATEGORIES:
            shown.append((one, other))
        if what or (one, other) not in shown:
            yield what, one, other


def _own(refusal: Refusal | None) -> str:
    return f"refused: {refusal.reason} ({refusal.said})" if refusal else "not refused"
