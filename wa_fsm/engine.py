"""Who answers, and with what: the words that the live machine and the Table share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wa_fsm.decision import Origin, Reason, State
from wa_fsm.policy import Policy
from wa_fsm.rows import EventName, Row, WindowEffect


@dataclass(frozen=True, slots=True)
class Answer:
    """What the machine says of one event in one state under one outcome of the guards.

    Attributes:
        rule: the id of the row that fired.
        row: the row itself.
        to: the state afterwards.
        entered: whether `to` begins now (it may be the same state again).
        begins, window, reply: the row's effect, see ``rows.Effect``.
        reason: the verdict's reason; None for what is not asked.
        allowed: whether that reason allows.
    """

    rule: str
    row: Row
    to: State
    entered: bool
    begins: Origin | None
    window: WindowEffect
    reply: bool
    reason: Reason | None
    allowed: bool


class Engine(Protocol):
    """Who can answer: the live machine, or the Table made from it."""

    @property
    def policy(self) -> Policy:
        """The policy whose rows answer."""

    @property
    def quick(self) -> Engine:
        """Who answers what is only looked at beside the event itself: what else may be sent."""

    def fire(self, state: State, event: EventName, facts: int) -> Answer:
        """The answer to `event` in `state` when `facts` (see ``rows.bits``) hold."""
