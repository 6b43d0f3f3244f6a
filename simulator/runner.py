"""Scenario × Policy → Run: play the steps in the order in which they arrive, and compare.

Every firing goes to the live machine and to the Table, and a difference between them is a fault
of the program: what a scenario certifies is what production runs.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TypeAlias

from wa_fsm import Event, History, Sent, TemplateStatus
from wa_fsm.decide import decide_at
from wa_fsm.decision import Conversation, Decision, State
from wa_fsm.deliveries import Delivery
from wa_fsm.engine import Answer
from wa_fsm.policy import Policy
from wa_fsm.rows import EventName
from wa_fsm.situation import Point, situation_at
from wa_fsm.table import Table, table_of
from wa_fsm.templates import Templates

from .expectations import Labels, failures
from .outcome import Outcome, Run
from .scenario import Case, Step

Key: TypeAlias = tuple[str, str]
Asked: TypeAlias = tuple[State, EventName, int]  # what the engine was asked, see `Engine.fire`


class DisagreementError(Exception):
    """The program contradicts itself; nothing that it printed can be trusted."""


class Checked:
    """An engine that asks the live machine and the Table, and insists that they agree.

    What was compared once in a step is not compared again in it: a send that is asked about and
    then made asks the same twice.
    """

    __slots__ = ("_compared", "heard", "policy", "quick", "table")

    def __init__(self, table: Table, heard: set[Asked] | None = None) -> None:
        self.table = self.quick = table
        self.heard = heard
        self._compared: set[Asked] = set()
        self.policy: Policy = table.policy

    def fire(self, state: State, event: EventName, facts: int) -> Answer:
        """The answer that both give. Raises DisagreementError where they differ."""
        kept, asked = self.table.fire(state, event, facts), (state, event, facts)
        if asked in self._compared:
            return kept
        live = self.table.machine.fire(state, event, facts)
        if kept is not live and kept != live:
            raise DisagreementError(
                f"`{self.policy.spec}`: for {event} in {state} with the facts {facts} the machine "
                f"says {live.rule} -> {live.to}, the table {kept.rule} -> {kept.to}"
            )
        self._compared.add(asked)
        return live

    def next_step(self) -> None:
        """Compare everything anew."""
        if self.heard is not None:
            self.heard |= self._compared
        self._compared.clear()


class _Play:
    """The facts of one case while it is played."""

    def __init__(self, case: Case, table: Table | None, heard: set[Asked] | None) -> None:
        self.table = table or table_of(case.policy)
        self.engine = Checked(self.table, heard)
        self.templates = Templates(case.templates, case.categories)
        self.histories: dict[Key, History] = {}

    def history(self, step: Step) -> History:
        key = (step.number, step.contact)
        found = self.histories.get(key)
        if found is None:
            found = self.histories[key] = History(self.engine.policy, self.engine)
        return found

    def ask(
        self, history: History, step: Step, point: Point, conversation: Conversation | None
    ) -> Decision:
        assert step.message is not None
        engine, known, now = self.engine, self.templates, step.arrived
        would_allow = history.would_allow
        return decide_at(engine, point, now, conversation, step.message, known, would_allow)

    def step(self, step: Step, order: int) -> Outcome:
        """Learn, ask or send, then look."""
        self.engine.next_step()
        history, now = self.history(step), step.arrived
        rule: str | None = None
        decision, delivery, stands = None, None, None
        if step.message is not None:
            stands = history.standing(now)
            decision = self.ask(history, step, *stands)
            rule = decision.rule
            if decision.allowed and not step.asked_only:
                sent = Sent(step.number, step.contact, now, step.id, step.message)
                history.add(sent, order=order)
                stands = None
        for fact in step.facts:
            delivery = self.learn(history, fact, now, order)
            rule = delivery.rule if delivery else self._untouched(history, now)
        point, conversation = stands or history.standing(now)
        situation = situation_at(self.table, point, now, conversation)
        return Outcome(step, rule, delivery is not None and delivery.duplicate, decision, situation)

    def learn(
        self,
        history: History,
        fact: Event,
        now: datetime,
        order: int,
    ) -> Delivery | None:
        if isinstance(fact, TemplateStatus):
            self.templates.add(fact, now, order)
            return None
        return history.add(fact, now, order)

    def _untouched(self, history: History, now: datetime) -> str:
        point, _ = history.standing(now)
        return self.engine.fire(point.state, "template_status", 0).rule

    def ran(self, until: datetime) -> list[str]:
        """The rule id of everything in the histories, lapses included."""
        histories = self.histories.values()
        return [answer.rule for history in histories for answer in history.answers(until)]


def run_case(case: Case, table: Table | None = None, heard: set[Asked] | None = None) -> Run:
    """Play a case.

    Args:
        case: what to play.
        table: of the case's policy, for who wants to hear what it is asked; None: the kept one.
        heard: takes everything that the steps fired.

    Raises:
        DisagreementError: the live machine and the Table disagree.
    """
    play, labels = _Play(case, table, heard), Labels()
    outcomes = []
    for order, step in enumerate(case.steps):
        outcome = play.step(step, order)
        outcome.failures = failures(outcome, labels)
        outcomes.append(outcome)
    run = Run(case, outcomes, partial(play.ran, case.steps[-1].arrived))
    if heard is not None:
        run.ran()  # so that the lapses after each contact's last step are heard
    play.engine.next_step()
    return run
