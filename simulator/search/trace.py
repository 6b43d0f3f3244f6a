"""What happened so far, as the invariants count it. No row is read here, and no answer.

A *claim* is what a policy's document says in words: how long the window is, what opens it. A
*trace* keeps of a sequence of facts just what the statements in ``invariants.py`` speak of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from wa_fsm.decision import Origin
from wa_fsm.events import CUSTOMER_KINDS
from wa_fsm.policy import Policy
from wa_fsm.rows import REFUSAL_CODES, SENDS

from .explore import Move


@dataclass(frozen=True, slots=True)
class Claims:
    """What the document of a policy says.

    Attributes:
        name: of the shipped policy whose statements hold.
        window: how long the window is.
        margin: how long before its end free-form messages stop; zero: not at all.
        openers: kinds of customer messages that open it.
        calls: a customer's call opens it.
        templates: a template that went out opens it.
        first_send: so does the business's first send in a conversation that the user began.
    """

    name: str
    window: timedelta
    margin: timedelta
    openers: frozenset[str]
    calls: bool
    templates: bool
    first_send: bool


def claims_of(policy: Policy) -> Claims:
    """The claims of a policy, or of one that is made from a shipped one's rows."""
    textbook = policy.base == "textbook"
    return Claims(
        policy.base,
        policy.window,
        policy.margin,
        policy.openers,
        calls=not textbook,
        templates=textbook,
        first_send="response_restarts_window" in policy.flags,
    )


def kinds_to_try(policy: Policy, claims: Claims) -> Iterable[str]:
    """One kind of customer message of each class that policy or claims tell apart."""
    classes: dict[tuple[bool, ...], str] = {}
    for kind in CUSTOMER_KINDS:
        told = (kind in policy.openers, kind in policy.uncounted, kind in claims.openers)
        classes.setdefault(told, kind)
    return classes.values()


class Trace(NamedTuple):
    """What happened so far.

    Attributes:
        opened: when something last opened or restarted the window.
        refused: since then, or at that instant, a send was refused for the window.
        talk: which move began the conversation that `opened` belongs to.
        origin: who began it.
        replied: the customer has written or, where that counts, called since it began.
        sent: the business has sent since it began.
        waiting: where templates open nothing: one went out after the window, without an answer.
    """

    opened: datetime | None = None
    refused: bool = False
    talk: int | None = None
    origin: Origin | None = None
    replied: bool = False
    sent: bool = False
    waiting: bool = False

    def ends(self, claims: Claims) -> datetime | None:
        """When the window last opened ends, or ended, if nothing refused it."""
        return None if self.opened is None or self.refused else self.opened + claims.window

    def is_open(self, claims: Claims, at: datetime) -> bool:
        """Whether a window must be open at `at`."""
        ends = self.ends(claims)
        return ends is not None and at < ends

    def after(self, claims: Claims, move: Move, at: datetime, number: int) -> Trace:
        """The trace after a move, the `number`-th."""
        running = self.is_open(claims, at)
        if move.event == "send_failed":
            return self._replace(refused=self.refused or (running and refuses(move)))
        if opens(claims, move) or (running and self._first_send(claims, move)):
            return self._opened(move, at, number, running=running)
        if move.event in SENDS:
            late = move.event == "template" and not running
            return self._replace(sent=self.sent or running, waiting=self.waiting or late)
        return self

    def _first_send(self, claims: Claims, move: Move) -> bool:
        first = claims.first_send and self.origin == "user" and not self.sent
        return first and move.event == "free_form"

    def _opened(self, move: Move, at: datetime, number: int, *, running: bool) -> Trace:
        sends = move.event in SENDS
        if running:
            replied, sent = self.replied or not sends, self.sent or sends
            return self._replace(opened=at, refused=False, replied=replied, sent=sent)
        origin: Origin = "business" if sends or self.waiting else "user"
        return Trace(at, False, number, origin, replied=not sends, sent=sends)


def opens(claims: Claims, move: Move) -> bool:
    """Whether this opens or restarts a window wherever it comes."""
    if move.event == "customer_message":
        return move.word in claims.openers
    return (claims.calls and move.event == "customer_call") or (
        claims.templates and move.event == "template"
    )


def refuses(move: Move) -> bool:
    """Whether this is a send that was refused for the window."""
    return move.event == "send_failed" and int(move.word) in REFUSAL_CODES
