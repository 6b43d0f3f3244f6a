"""The machine of a policy, built by ``transitions``. The only file that imports it.

House rules:

* One machine for each policy and no model in it: a slotted cursor is made for each call, so the
  machine is shared by all conversations and threads and keeps no reference to any.
* One ``transitions`` row for each state of each cell; its guard is the cell's. A row that stays
  is an internal transition. Refusals are such rows: nothing is decided by a missing transition.
* Rows carry their rule by a ``Transition`` subclass, which notes on the cursor what fired.
* No callbacks: a row has no side effects here. What its effect means is applied by
  ``situation.py``, the same for this machine and for the Table.
"""

from __future__ import annotations

from typing import Any, cast

import transitions

from wa_fsm.decision import ALLOWING, State
from wa_fsm.engine import Answer
from wa_fsm.policy import Policy
from wa_fsm.rows import FACTS, STATES, Cell, EventName, Row


class _Cursor:
    __slots__ = ("fired", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.fired: _Rule | None = None


class _Rule(transitions.Transition):
    """A row of the policy as a transition."""

    def __init__(self, *args: Any, row: Row, cell: Cell, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        to = cast(State, self.dest or self.source)
        self.answer = _answer(row, cell, to)  # made once: firing it makes no new value

    def execute(self, event_data: transitions.EventData) -> bool:
        # As the original, less the callbacks before, after and in a change of state: this machine
        # has none, and to look for them (and to log that one looked) took a third of the time.
        if not self._eval_conditions(event_data):
            return False
        cursor: Any = event_data.model
        if self.dest:
            event_data.machine.set_state(self.dest, cursor)
        cursor.fired = self
        return True


class _Core(transitions.Machine):
    transition_cls = _Rule


class Machine:
    """A policy as a live ``transitions`` machine.

    Args:
        policy: whose rows, N0 included, become its transitions.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        core = _Core(
            model=None,
            initial=None,
            states=list(STATES),
            auto_transitions=False,
            send_event=True,
        )
        for row in policy.complete_rows:
            for cell in row.cells:
                for state in cell.in_states:
                    core.add_transition(
                        row.event,
                        state,
                        cell.effect.to,
                        conditions=[_guard(row.event, cell)],
                        row=row,
                        cell=cell,
                    )
        self._events = core.events

    @property
    def quick(self) -> Machine:
        """The machine itself, so that all it says is live."""
        return self

    def fire(self, state: State, event: EventName, facts: int) -> Answer:
        """Fire one event.

        Args:
            state: where the conversation stands.
            event: what comes.
            facts: the outcome of the event's facts, as ``rows.bits`` counts them.

        Raises:
            LookupError: no row fires, which a checked policy makes impossible.
        """
        cursor = _Cursor(state)
        self._events[event].trigger(cursor, facts=facts)
        fired = cursor.fired
        if fired is None:
            raise LookupError(
                f"no row of `{self.policy.spec}` fires for {event} in {state}: {facts}"
            )
        if cursor.state != fired.answer.to:
            raise LookupError(
                f"`{self.policy.spec}`: {fired.answer.rule} leads to {fired.answer.to}, "
                f"and {event} in {state} led to {cursor.state}"
            )
        return fired.answer


def _answer(row: Row, cell: Cell, state: State) -> Answer:
    effect = cell.effect
    return Answer(
        rule=row.id,
        row=row,
        to=state,
        entered=effect.to is not None,
        begins=effect.begins,
        window=effect.window,
        reply=effect.reply,
        reason=row.verdict,
        allowed=row.verdict in ALLOWING,
    )


def _guard(event: EventName, cell: Cell) -> Any:
    """The cell's guard as a callable: exactly True or False (a truthy answer would block)."""
    names = list(FACTS[event])
    care = wanted = 0
    for name, want in cell.wants:
        care |= 1 << names.index(name)
        wanted |= want << names.index(name)

    def holds(event_data: transitions.EventData) -> bool:
        facts: int = event_data.kwargs["facts"]
        return facts & care == wanted

    return holds
