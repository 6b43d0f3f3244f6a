"""The Table: the machine's own answers, one for each state × event × outcome of the guards.

It is filled by firing the machine once for each of them, so there is no second interpreter of the
rows: what the machine says is what everything quick (gatekeeper, audit, search) reads.
"""

from __future__ import annotations

from functools import lru_cache

from wa_fsm.decision import State
from wa_fsm.engine import Answer
from wa_fsm.machine import Machine
from wa_fsm.policy import Policy
from wa_fsm.rows import EVENTS, STATES, EventName, bits, outcomes


class Table:
    """Every answer of a policy's machine, kept.

    Args:
        policy: a checked policy.

    Attributes:
        policy: the same.
        machine: the live machine that filled it, for those who want to step it.
        answers: from (state, event) to a tuple indexed by the facts' number.
    """

    __slots__ = ("answers", "machine", "policy")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.machine = Machine(policy)
        self.answers = {
            (state, event): self._outcomes(state, event) for event in EVENTS for state in STATES
        }

    def _outcomes(self, state: State, event: EventName) -> tuple[Answer | None, ...]:
        possible = {bits(event, facts) for facts in outcomes(event)}
        return tuple(
            self.machine.fire(state, event, number) if number in possible else None
            for number in range(max(possible) + 1)
        )

    @property
    def quick(self) -> Table:
        """The Table itself: there is none quicker."""
        return self

    def fire(self, state: State, event: EventName, facts: int) -> Answer:
        """The kept answer. Raises LookupError for facts that exclude each other."""
        answer = self.answers[state, event][facts]
        if answer is None:
            raise LookupError(f"{event} cannot come with the facts {facts}")
        return answer


@lru_cache(maxsize=256)
def table_of(policy: Policy) -> Table:
    """The Table of a policy, made once for each version."""
    return Table(policy)
