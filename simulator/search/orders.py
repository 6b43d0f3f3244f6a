"""The same deliveries in any order of processing: does every question have the same answer?

Sets of three out of a dozen deliveries (early and late, at one instant, repeated, failed) are
learnt in all six orders, each keeping its arrival, and everything is asked at each edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations, permutations
from typing import Any, Final, NamedTuple

from wa_fsm.deliveries import KeyEvent
from wa_fsm.events import CustomerCall, CustomerMessage, FreeForm, SendFailed, Sent, Template
from wa_fsm.history import History
from wa_fsm.policy import Policy

from .explore import BEGIN, MS

KEY: Final = ("business", "customer")
_AT_ONCE: Final = 3


class Learnt(NamedTuple):
    """A delivery: an event, and when it arrived."""

    event: KeyEvent
    arrived: datetime


def deliveries(policy: Policy) -> list[Learnt]:
    """A dozen that meet each other at the edges of a window."""
    window = policy.window
    first, half, last = BEGIN + window, BEGIN + window + window / 2 // MS * MS, BEGIN + 2 * window
    late = last + window
    hello, text = Template("hello"), FreeForm()
    return [
        Learnt(CustomerMessage(*KEY, first, "a"), first),
        Learnt(CustomerMessage(*KEY, half, "a", "image"), half),  # the same again, with a change
        Learnt(CustomerMessage(*KEY, half, "b"), late),
        Learnt(CustomerMessage(*KEY, late, "c"), half),  # dated ahead
        Learnt(CustomerMessage(*KEY, last, "d", "system"), last),
        Learnt(CustomerMessage(*KEY, half, "r", "reaction"), half),
        Learnt(CustomerCall(*KEY, last, "e"), last),
        Learnt(Sent(*KEY, first, "t", hello), first),
        Learnt(Sent(*KEY, half, "u", hello), half),
        Learnt(Sent(*KEY, half, "f", text), half),
        Learnt(SendFailed(*KEY, last, "t", 131047), half),
        Learnt(SendFailed(*KEY, half, "u", 131047), last),
        Learnt(SendFailed(*KEY, half, "u", 131026), late),
    ]


def disorder(policy: Policy) -> str | None:
    """Deliveries of which the order of processing matters, in words; None where there are none."""
    instants = list(_instants(policy))
    for some in combinations(deliveries(policy), _AT_ONCE):
        told: Any = None
        for order in permutations(some):
            shown = _shown(policy, order, instants)
            told = told or shown
            if shown != told:
                return "; ".join(f"{each.event!r}, arrived {each.arrived}" for each in order)
    return None


def _shown(policy: Policy, order: Sequence[Learnt], instants: Sequence[datetime]) -> Any:
    history = History(policy)
    for event, arrived in order:
        history.add(event, arrived)
    return [answers(history, at) for at in instants]


def answers(history: History, at: datetime) -> Any:
    """All that an answer at an instant is made of: ``decide`` reads nothing else of a history."""
    return history.standing(at), history.would_allow(at)


def _instants(policy: Policy) -> Iterator[datetime]:
    for times in range(1, 5):
        edge = BEGIN + times * policy.window
        yield from (edge - MS, edge)
        if policy.margin:
            yield edge - policy.margin
    yield BEGIN + timedelta(days=1) + 3 * policy.window
