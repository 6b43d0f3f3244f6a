"""A policy as arrays of small numbers, by asking ``wa_fsm`` for each of its answers.

House rules:

* Nothing of the rules stands here. What a row says is asked of the Table; what its effect means,
  what a lapse does and which facts a free-form message has is asked of ``wa_fsm.situation``.
* A fold stands at one of 32 points: state × window open × the customer has replied × the business
  has sent. With the instant at which the window last started, that is all that matters.
* What happens at an instant within a policy's window is the same for every instant, so it is
  asked once, at some instant. The edges themselves are numbers: see ``over`` and ``margin``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from wa_fsm.decision import ALLOWING, Reason, State
from wa_fsm.engine import Answer
from wa_fsm.events import CUSTOMER_KINDS
from wa_fsm.policy import Policy
from wa_fsm.rows import STATES, Deadline, EventName
from wa_fsm.situation import (
    APPROVED,
    INSIDE_MARGIN,
    REGISTERED,
    YES,
    Point,
    applied,
    free_form_facts,
    lapsed,
)
from wa_fsm.table import Table, table_of

from . import codes

if TYPE_CHECKING:
    import numpy as np

MS: Final = timedelta(milliseconds=1)
MOST_REFUSALS: Final = 62
_TEMPLATE_FACTS: Final = (0, REGISTERED, REGISTERED | APPROVED)
_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Unsuitable(ValueError):
    """A policy that arrays cannot express; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The answers of a policy.

    Attributes:
        policy: whose.
        rules: ids of rows, and after them of the policy's own refusals, by number.
        reasons: of each rule.
        allows: of each rule, 1 or 0.
        after: point × event → the point after the event happened.
        starts: point × event → 1 where that starts the window.
        lapse: point → the point after its window has ended.
        asked: (outside, inside the margin) × point × event → the rule that answers the question;
            255 where nothing is asked.
        free: (outside, inside the margin) × point → 1 where free-form is allowed by the rows.
        window: its length in milliseconds.
        over: how long after its start a window is over.
        margin: how long after its start the margin begins.
        own: how many rules, the last ones, are the policy's own refusals.
    """

    policy: Policy
    rules: tuple[str, ...]
    reasons: tuple[Reason, ...]
    allows: np.ndarray
    after: np.ndarray
    starts: np.ndarray
    lapse: np.ndarray
    asked: np.ndarray
    free: np.ndarray
    window: int
    over: int
    margin: int
    own: int


def tables_of(policy: Policy) -> Tables:
    """Ask for everything.

    Raises:
        Unsuitable: it has more refusals of its own, or more rows, than there are numbers for.
    """
    import numpy as np

    if len(policy.refusals) > MOST_REFUSALS:
        raise Unsuitable(
            f"policy `{policy.spec}` has {len(policy.refusals)} refusals of its own; "
            f"an audit can hold {MOST_REFUSALS}"
        )
    asking = _Asking(table_of(policy))
    after = np.zeros((codes.POINTS, codes.EVENTS), np.uint8)
    starts = np.zeros((codes.POINTS, codes.EVENTS), np.uint8)
    asked = np.full((2, codes.POINTS, codes.EVENTS), codes.NOTHING, np.uint8)
    lapse = np.zeros(codes.POINTS, np.uint8)
    free = np.zeros((2, codes.POINTS), np.uint8)
    for number in range(codes.POINTS):
        lapse[number] = asking.lapsed(number)
        for event in range(codes.EVENTS):
            after[number, event], starts[number, event] = asking.happened(number, event)
            for inside in (0, 1):
                answer = asking.question(number, event, inside)
                if answer is not None:
                    asked[inside, number, event] = asking.rule(answer)
        for inside in (0, 1):
            free[inside, number] = asking.free_form(number, inside).allowed
    own = policy.refusals
    if len(asking.rules) + len(own) >= codes.NOTHING:
        raise Unsuitable(f"policy `{policy.spec}` has more rows than an audit can hold")
    reasons = [*asking.reasons, *(each.reason for each in own)]
    return Tables(
        policy,
        (*asking.rules, *(each.id for each in own)),
        tuple(reasons),
        np.array([reason in ALLOWING for reason in reasons], np.uint8),
        after,
        starts,
        lapse,
        asked,
        free,
        policy.window // MS,
        _edge(policy, policy.deadlines["window_over"]),
        _edge(policy, policy.deadlines["inside_margin"]),
        len(own),
    )


def state_of(point: int) -> State:
    """The state of a point's number."""
    return STATES[point % codes.POINTS // 8]


def _edge(policy: Policy, deadline: Deadline) -> int:
    """From how many milliseconds after the window's start on the deadline has passed."""
    return (policy.window - deadline.before) // MS + (0 if deadline.inclusive else 1)


class _Asking:
    """The questions put to one Table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rules: list[str] = []
        self.reasons: list[Reason] = []

    def rule(self, answer: Answer) -> int:
        """The number of the row that answered."""
        assert answer.reason is not None, "the rows of a send carry a verdict"
        if answer.rule not in self.rules:
            self.rules.append(answer.rule)
            self.reasons.append(answer.reason)
        return self.rules.index(answer.rule)

    def happened(self, number: int, event: int) -> tuple[int, bool]:
        """The point after an event, and whether it started the window."""
        if event in (codes.UNKNOWN_SENT, codes.SILENT_UNKNOWN):
            return number, False
        point = self._point(number)
        name, facts, sends = self._fact(point, event)
        answer = self.table.fire(point.state, name, facts)
        after = applied(self.table, answer, point, _SOME_TIME, sends=sends)
        return _number(after), answer.window == "starts"

    def lapsed(self, number: int) -> int:
        """The point after the lapse of the open window, if one is open."""
        point = self._point(number)
        if point.window_end is None:
            return number
        over = self.table.policy.deadlines["window_over"]
        return _number(lapsed(self.table, point, point.window_end - over.before + 2 * MS)[0])

    def question(self, number: int, event: int, inside: int) -> Answer | None:
        """Who answers the question that goes before an event; None: nobody is asked."""
        ask = _ask(event)
        if ask is None:
            return None
        if ask == codes.FREE:
            return self.free_form(number, inside)
        return self.table.fire(self._point(number).state, "template", _TEMPLATE_FACTS[ask])

    def free_form(self, number: int, inside: int) -> Answer:
        """Who answers whether a free-form message may be sent."""
        point = self._point(number)
        facts = free_form_facts(self.table, point, None)
        if inside and point.window_end is not None:
            facts |= INSIDE_MARGIN
        return self.table.fire(point.state, "free_form", facts)

    def _fact(self, point: Point, event: int) -> tuple[EventName, int, bool]:
        """An event as the Table knows it: its name, its facts, whether it is a send."""
        if event < codes.CALL:
            opens = CUSTOMER_KINDS[event] in self.table.policy.openers
            return "customer_message", YES if opens else 0, False
        if event == codes.CALL:
            return "customer_call", 0, False
        if event in (codes.SENT_AT + codes.FREE, codes.SILENT_FREE):
            return "free_form", free_form_facts(self.table, point, None), True
        if event < codes.FAILED_AT or event == codes.SILENT_TEMPLATE:
            return "template", REGISTERED | APPROVED, True  # it went out
        if event < codes.REFUSED_AT or event == codes.UNKNOWN_FAILED:
            return "send_failed", 0, False
        return "send_failed", YES, False

    def _point(self, number: int) -> Point:
        end = _SOME_TIME + self.table.policy.window if number & codes.OPEN else None
        return Point(
            STATES[number // 8],
            end,
            bool(number & codes.REPLIED),
            bool(number & codes.HAS_SENT),
            None,
        )


def _number(point: Point) -> int:
    return (
        STATES.index(point.state) * 8
        + (codes.OPEN if point.window_end is not None else 0)
        + (codes.REPLIED if point.replied else 0)
        + (codes.HAS_SENT if point.has_sent else 0)
    )


def _ask(event: int) -> int | None:
    """Which of the four questions goes before an event."""
    if codes.SENT_AT <= event < codes.UNKNOWN_FAILED:
        return (event - codes.SENT_AT) % codes.ASKS
    return None
