"""Two policies compared without any search: every sequence of events, folded by ``History``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import product
from typing import Any

from wa_fsm import (
    CustomerCall,
    CustomerMessage,
    FreeForm,
    History,
    SendFailed,
    Sent,
    Template,
    decide,
)
from wa_fsm.policy import Policy

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = ("number", "contact")
HELLO = Template("hello")
TEMPLATES = {"hello": "approved", "resting": "paused"}
QUESTIONS = (FreeForm("text"), HELLO, Template("resting"), Template("nobody"))
MOVES = ("text", "reaction", "call", "template", "free", "refused", "wait")


def history(policy: Policy, moves: Sequence[str]) -> tuple[History, datetime]:
    """The fold of these events, a second apart; `wait` lets a whole day go by."""
    made, now = History(policy), NOON
    for number, move in enumerate(moves):
        now += (
            timedelta(hours=24) - timedelta(seconds=1) if move == "wait" else timedelta(seconds=1)
        )
        id_ = f"m{number}"
        if move in ("text", "reaction"):
            made.add(CustomerMessage(*KEY, now, id_, move))
        elif move == "call":
            made.add(CustomerCall(*KEY, now, id_))
        elif move == "free":
            made.add(Sent(*KEY, now, id_, FreeForm("text")))
        elif move in ("template", "refused"):
            made.add(Sent(*KEY, now, id_, HELLO))
        if move == "refused":
            made.add(SendFailed(*KEY, now, id_, 131047))
    return made, now


@lru_cache(maxsize=30_000)  # the policies that are compared with many others
def shown(policy: Policy, moves: tuple[str, ...]) -> Any:
    """All that an expectation can name after these events, but for the rule."""
    made, now = history(policy, moves)
    stands = made.at(now)
    asked = [decide(policy, made, message, now, TEMPLATES).reason for message in QUESTIONS]
    return (
        stands.state,
        stands.window_closes_at,
        stands.free_form_until,
        stands.conversation,
        asked,
    )


def sequences(length: int) -> Iterator[tuple[str, ...]]:
    """Every sequence up to this length, the shortest first."""
    for each in range(length + 1):
        yield from product(MOVES, repeat=each)


def first_difference(ours: Policy, theirs: Policy, length: int) -> tuple[str, ...] | None:
    """The shortest sequence after which the two show something different; None: there is none."""
    for moves in sequences(length):
        try:
            if shown(ours, moves) != shown(theirs, moves):
                return moves
        except Exception:  # a mutant may break off
            return moves
    return None
