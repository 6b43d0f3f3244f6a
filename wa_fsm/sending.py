"""One send: decided at the moment it leaves, and what became of it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from wa_fsm.decision import Decision
from wa_fsm.decisionlog import Entry
from wa_fsm.events import Message, Sent, text_field
from wa_fsm.stores.base import WINDOW_REFUSALS, StoreError

if TYPE_CHECKING:
    from wa_fsm.gatekeeper import Gatekeeper


class SendRefused(Exception):
    """The policy refuses this send; nothing left.

    Attributes:
        decision: why, and what may be done instead.
        detail: what an adapter found wrong with the request, or an empty text.
    """

    def __init__(self, decision: Decision, detail: str = "") -> None:
        super().__init__(f"{decision.text} ({detail})" if detail else decision.text)
        self.decision = decision
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        """So that it comes through from another process."""
        return type(self), (self.decision, self.detail), self.__dict__


class Sending:
    """The context that ``Gatekeeper.sending`` gives.

    Attributes:
        decision: the verdict, from entering on. Under ``observe`` it may be a refusal.
        entry: the decision in the log, from entering on.
        left: when it was decided, from entering on.
        outcome: empty while open, then ``sent``, ``failed CODE``, ``refused`` or ``unknown``.
    """

    def __init__(
        self,
        gate: Gatekeeper,
        number: str,
        names: tuple[str, ...],
        message: Message,
        again: Sending | None = None,
    ) -> None:
        self._gate = gate
        self._number = number
        self._names = names
        self._contact = names[0]
        self._message = message
        # An attempt that the store kept from being decided has no entry of the message, nor has a
        # refusal that stands for itself: the one before it counts.
        self._again: Entry | None = None if again is None else again.of_message
        self._may_have_left = again is not None and again.may_have_left
        self._apart = False
        self.outcome = ""

    @property
    def of_message(self) -> Entry | None:
        """The entry that the next attempt at this message takes the place of."""
        return self._again if self._apart else getattr(self, "entry", self._again)

    @property
    def may_have_left(self) -> bool:
        """Whether of this attempt, or of one before it, nobody knows what became of it."""
        return self._may_have_left or self.outcome == "unknown"

    def __enter__(self) -> Self:
        gate = self._gate
        self.left = gate.now()
        self.decision = self._decided()
        mode = gate.mode(self._number)
        refused = not self.decision.allowed and mode == "enforce"
        # What may have left is not taken back by a refusal of the next attempt, nor by a store
        # that was down for one.
        self._apart = refused and (
            self._may_have_left or self.decision.reason == "store_unavailable"
        )
        again = None if self._apart else self._again
        self.entry: Entry = gate.decisions.entry(
            self.left, self._number, self._contact, self.decision, mode, "sending", again
        )
        if refused:
            self.outcome = "refused"
            gate.decisions.note(self.entry.row("refused"))
            raise SendRefused(self.decision)
        return self

    def _decided(self) -> Decision:
        """By the first name that may be sent to: which of them are one contact the answer tells.

        Where none may and one of them could not be asked about, nobody knows.
        """
        told: Decision | None = None
        for name in self._names:
            decision = self._gate.decide_now(self._number, name, self._message, self.left)
            if decision.allowed:
                self._contact = name
                return decision
            if told is None or decision.reason == "store_unavailable":
                told = decision
        assert told is not None
        return told

    def sent(self, message_id: str, wa_id: str | None = None, *others: str) -> None:
        """It left: from now on it is a fact.

        Args:
            message_id: the wamid of WhatsApp's answer.
            wa_id: the contact's name in that answer, where it gives one; it becomes an alias.
            others: more names that the answer gives, such as a BSUID.

        Raises:
            StoreUnavailable: it could not be recorded; this may be called again.
            RuntimeError: it was settled already.
            ValueError, TypeError: the id is empty, or no text.
        """
        self._still_open()
        text_field("id", message_id)  # of its hash nobody could tell that it is no id
        gate = self._gate
        id_ = gate.id_of(message_id)
        fact = Sent(self._number, self._contact, self.decision.at, id_, self._message)
        row = self.entry.row("sent", id_)
        told = map(gate.name_of, others if wa_id is None else (wa_id, *others))
        gate.record_sent(fact, self.left, row, (*self._names, *told))
        self.outcome = "sent"
        gate.decisions.tell([row])

    def failed(self, code: int | None = None) -> None:
        """It did not leave, or WhatsApp refused it at once: no fact.

        Where an attempt before it may have left, the message stays ``unknown``.

        Args:
            code: WhatsApp's error code, where there is one.

        Raises:
            StoreUnavailable: it could not be logged; no fact depends on it.
            RuntimeError: it was settled already.
        """
        self._still_open()
        outcome = "failed" if code is None else f"failed {code}"
        # That no window was open tells of the attempt before, too. Any other failure does not.
        unknown = self._may_have_left and outcome not in WINDOW_REFUSALS
        self._settle("unknown" if unknown else outcome)

    def _still_open(self) -> None:
        if self.outcome:
            raise RuntimeError(f"this send is settled already: {self.outcome}")

    def _settle(self, outcome: str) -> None:
        self.outcome = outcome
        self._gate.decisions.write(self.entry.row(outcome))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.outcome:
            try:
                self._settle("unknown")
            except StoreError:
                self._gate.decisions.lost += 1  # never hide what happened inside
