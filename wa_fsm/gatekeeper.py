"""The gatekeeper: learns what happened, and answers before each send.

House rules:

* It decides by the facts that its store acknowledged, and by nothing that it remembers.
* A refusal is a value (``Decision``); what goes wrong is an exception (``StoreUnavailable``). There
  is no way to make it allow a free-form message when the store cannot be read.
* ``check`` changes no fact. ``sending`` decides again at the moment of the send.
* Contents of messages never come here; names of contacts can be kept as keyed hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Literal, Self, TypeAlias

from wa_fsm import policies
from wa_fsm.clock import Clock, system_clock
from wa_fsm.decide import decide_at, decide_in
from wa_fsm.decision import NO_RULE, Decision, UndecidedReason, undecided
from wa_fsm.decisionlog import DecisionLog, Hook, Mode
from wa_fsm.durations import format_duration, parse_duration
from wa_fsm.events import (
    Message,
    Sent,
    Template,
    instant,
    text_field,
)
from wa_fsm.expiring import Expiring, Lease, claim_expiring, expiring
from wa_fsm.folds import Folds, tidy
from wa_fsm.learning import FACTS, Learnable, Learning
from wa_fsm.lookback import Accuracy, ContactHistory, accuracy_of, history_of, person
from wa_fsm.policy import Policy
from wa_fsm.registry import Registry, TemplatesSource, registry_of
from wa_fsm.rows import STATES
from wa_fsm.sending import Sending
from wa_fsm.situation import APPROVED, REGISTERED, START, Situation, situation_at
from wa_fsm.stores import open_store
from wa_fsm.stores.base import (
    Batch,
    Link,
    LogRow,
    Store,
    StoreError,
    StoreUnavailable,
    Written,
    fact_of,
)
from wa_fsm.table import table_of

ModeOf: TypeAlias = Mode | Mapping[str, Mode]


class Gatekeeper:
    """Check before any send.

    Args:
        policy: by which rules; there is no default. A spec such as ``cloud-api`` or a Policy.
        store: a store, or the URI of one, see ``wa_fsm.stores.open_store``.
        templates: a mapping from name to status, a callable, or a registry; a template that it
            does not know is refused.
        margin: the policy's option ``margin``, as a timedelta or a duration such as ``60s``; None:
            as the policy has it.
        mode: ``enforce`` refuses; ``observe`` decides, logs and lets pass. One for all numbers, or
            a mapping from number to mode (``*`` for the others; without it they are enforced).
        now: the clock, a function that gives an aware datetime.
        on_store_error: ``raise`` what the store raised (as a rule StoreUnavailable), or ``refuse``
            with that reason.
        contact_key: a secret by which names of contacts, and ids of messages because they hold a
            phone number, are kept as keyed hashes.
        on_decision: is given each entry of the decision log as a line of JSON. What it raises is
            counted and changes nothing.
        log: whether the decision log is kept in the store, with what became of each send.

    Raises:
        PolicyError, ValueError: an argument that cannot be.
        StoreUnavailable, StoreRefused: the store cannot be opened.
    """

    def __init__(
        self,
        *,
        policy: Policy | str,
        store: Store | str,
        templates: TemplatesSource = None,
        margin: timedelta | str | None = None,
        mode: ModeOf = "enforce",
        now: Clock = system_clock,
        on_store_error: Literal["raise", "refuse"] = "raise",
        contact_key: bytes | str | None = None,
        on_decision: Hook | None = None,
        log: bool = True,
    ) -> None:
        self.policy = _policy(policy, margin)
        self.store = open_store(store, now) if isinstance(store, str) else store
        self.now = now
        self._modes: Mapping[str, Mode] = {"*": mode} if isinstance(mode, str) else dict(mode)
        for number, each in self._modes.items():
            text_field("number", number)
            if each not in ("enforce", "observe"):
                raise ValueError(f"unknown mode `{each}`; expected `enforce` or `observe`")
        if on_store_error not in ("raise", "refuse"):
            raise ValueError(f"`on_store_error` is `raise` or `refuse`, got `{on_store_error}`")
        self._refuses_on_error = on_store_error == "refuse"
        key = contact_key.encode() if isinstance(contact_key, str) else contact_key
        if key is not None and (not isinstance(key, bytes) or not key):
            raise ValueError("`contact_key` is a secret of at least one character")
        if on_decision is not None and not callable(on_decision):
            raise TypeError(f"`on_decision` is a function, got `{on_decision!r}`")
        self._learning = Learning(self.policy.latest, key)
        self._named = self._learning.name_of
        self._table = table_of(self.policy)
        self._folds = Folds(self.policy, self.store)
        self._source = templates
        # Beside it the number of the statuses that were read; None: they never were.
        self._registry: tuple[int | None, Registry] = (None, registry_of(templates, ()))
        with suppress(StoreError, ValueError):  # a question that hangs on it will say so
            self._read_templates()
        self.decisions = DecisionLog(self.store if log else None, on_decision)

    # -- learning ----------------------------------------------------------------------------

    def record(
        self, events: Learnable | Iterable[Learnable], arrived: datetime | None = None
    ) -> Written:
        """Learn what happened. Durable when it returns; any repetition changes nothing.

        Args:
            events: one event or several; several are learnt together or not at all.
            arrived: when we learnt of them; None: now, by the clock.

        Raises:
            StoreUnavailable: it may not have been learnt. Say it again: that changes nothing.
            ValueError: an event's window would close beyond the year 9999.
            TypeError: something is no event; nothing was learnt.
        """
        when = self.now() if arrived is None else instant(arrived)
        if isinstance(events, FACTS):  # alone, as most of them come
            return self.store.write(Batch((self._learning.fact(events, when, 0),)))
        several = events if isinstance(events, Iterable) else (events,)
        batch = self._learning.batch(several, when)
        return self.store.write(batch if self.decisions.kept else batch._replace(outcomes=()))

    def seed(self, learnt: Iterable[tuple[Sequence[Learnable], datetime | None]]) -> Written:
        """Learn what happened before the first day, all of it together or not at all.

        What became of sends is kept without a log too: whoever seeds a store is often another
        than who keeps its log.

        Args:
            learnt: events with the instant of their arrival; None: when they happened. Of one
                template or message, what arrived at one instant was learnt in the order in which
                it is first given.

        Raises:
            StoreUnavailable: it may not have been learnt. Say it again: that changes nothing.
            ValueError: an event's window would close beyond the year 9999.
            TypeError: something is no event; nothing was learnt.
        """
        return self.store.write(self._learning.seeded(learnt, self.now))

    def name_of(self, contact: str) -> str:
        """The form in which a contact's name is kept: canonical, hashed where a key was given."""
        return self._named(contact)

    def id_of(self, message_id: str) -> str:
        """The form in which a message's or a call's id is kept: hashed where a key was given.

        WhatsApp's ids hold the contact's phone number, in base64.
        """
        return self._learning.id_of(message_id)

    # -- answering ---------------------------------------------------------------------------

    def check(
        self, number: str, contact: str, message: Message, at: datetime | None = None
    ) -> Decision:
        """May this be sent? Changes no fact.

        Args:
            number: the business number that would send.
            contact: to whom, by any of their names.
            message: what.
            at: when it would leave, if nothing else happens until then; None: now, that is the
                later of the clock and the newest fact known of this contact.

        Raises:
            StoreUnavailable: the store cannot be read and the answer hangs on it (unless
                ``on_store_error`` is ``refuse``).
        """
        name, now = self.name_of(contact), self.now()
        if type(number) is not str:  # so, because this is hot
            text_field("number", number)
        decision = self._decide(number, name, message, now, at)
        self.decisions.gather(now, number, name, decision, self.mode(number))
        return decision

    def sending(
        self,
        number: str,
        contact: str,
        message: Message,
        *,
        also: Iterable[str] = (),
        again: Sending | None = None,
    ) -> Sending:
        """A context that decides at the moment of the send and learns what became of it.

        Leaving it without a word, or by an exception, leaves the send ``unknown``: no fact until
        a status settles it.

        Args:
            number: the business number that sends.
            contact: to whom, by any of their names.
            message: what.
            also: other names by which the send itself addresses this contact. It may leave if it
                may be sent to one of them; that they are one contact is learnt when it is sent.
            again: an attempt at the same message, that did not succeed: both count as one.

        Raises:
            SendRefused: on entering, with the decision, where the mode is ``enforce``.
            StoreUnavailable: on entering, as ``check``.
        """
        name = self.name_of(contact)
        text_field("number", number)
        names = dict.fromkeys([name, *(self.name_of(other) for other in also)])
        return Sending(self, number, tuple(names), message, again)

    def refuse(
        self, number: str, contact: str | None, message: Message, reason: UndecidedReason
    ) -> Decision:
        """Refuse a send for a reason of an adapter's own. No fact is asked; it is logged.

        Args:
            number: the business number, or an empty text.
            contact: to whom, as far as that is known.
            message: what, as far as that is known.
            reason: why.
        """
        now, mode = self.now(), self.mode(number)
        situation = situation_at(self._table, START, now, None)
        decision = undecided(decide_in(self._table, situation, message), reason)
        name = self.name_of(contact) if contact else ""
        entry = self.decisions.entry(now, number, name, decision, mode, "sending")
        self.decisions.note(entry.row("refused" if mode == "enforce" else ""))
        return decision

    def decide_now(self, number: str, name: str, message: Message, now: datetime) -> Decision:
        """The decision of a send that leaves now; `name` is in the form that is kept."""
        return self._decide(number, name, message, now, None)

    def record_sent(
        self, fact: Sent, left: datetime, row: LogRow, names: Iterable[str] = ()
    ) -> None:
        """Write a send, its log entry and the contact's names, all or nothing.

        Names are in the form that is kept.
        """
        others = dict.fromkeys(names)
        links = [Link("same", fact.contact, each) for each in others if each != fact.contact]
        log = [row] if self.decisions.kept else []
        self.store.write(Batch([fact_of(fact, fact.contact, left, 0)], links, log=log))

    def _decide(
        self, number: str, name: str, message: Message, now: datetime, at: datetime | None
    ) -> Decision:
        try:
            then, point, running, would, statuses, empty = self._folds.standing(
                number, name, now, at
            )
            registry = self._templates(statuses)
            decision = decide_at(self._table, point, then, running, message, registry, would)
        except StoreError as error:
            return self._without_store(message, now if at is None else instant(at), error)
        if empty and decision.reason == "never_opened":
            return self._of_a_stranger(decision)
        return decision

    def _of_a_stranger(self, decision: Decision) -> Decision:
        """For one window after the store began, nobody knows who wrote before that."""
        if decision.at >= self.store.began + self.policy.window:
            return decision
        return replace(decision, reason="history_unknown", rule=NO_RULE, standing="ours", cites=())

    def _without_store(self, message: Message, at: datetime, error: StoreError) -> Decision:
        """What can be said when the store is down: what holds in every state, or nothing."""
        number, registry = self._registry
        situation = situation_at(self._table, START, at, None)
        with suppress(StoreUnavailable):  # of the registry: then nothing can be said
            if number is not None and self._same_everywhere(message, registry, at):
                return decide_in(self._table, situation, message, registry)
        if not self._refuses_on_error:
            raise error
        return undecided(decide_in(self._table, situation, message), "store_unavailable")

    def _same_everywhere(self, message: Message, registry: Registry, at: datetime) -> bool:
        if not isinstance(message, Template):
            return False
        status = registry.status(message, at)
        known = 0 if status is None else REGISTERED | (APPROVED if status == "approved" else 0)
        answers = [self._table.fire(state, "template", known) for state in STATES]
        return len({(answer.allowed, answer.reason) for answer in answers}) == 1

    def _templates(self, statuses: int) -> Registry:
        number, registry = self._registry
        return registry if number == statuses else self._read_templates()

    def _read_templates(self) -> Registry:
        number, learnt = self.store.statuses()
        registry = registry_of(self._source, learnt)
        self._registry = (number, registry)
        return registry

    def mode(self, number: str) -> Mode:
        """How this number is treated: ``enforce`` or ``observe``."""
        return self._modes.get(number) or self._modes.get("*", "enforce")

    # -- looking -----------------------------------------------------------------------------

    def window(self, number: str, contact: str, at: datetime | None = None) -> Situation:
        """State, window and conversation of a contact.

        Args:
            number: the business number.
            contact: any of the contact's names.
            at: when; None: as ``check``.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        name, now = self.name_of(contact), self.now()
        text_field("number", number)
        then, point, running, *_ = self._folds.standing(number, name, now, at)
        return situation_at(self._table, point, then, running)

    def expiring(self, within: timedelta | str) -> Iterator[Expiring]:
        """Windows that end within a time from now, soonest first, streamed. It only looks.

        Args:
            within: a duration such as ``1h``.

        Raises:
            StoreUnavailable: the store cannot be read.
            ValueError: `within` is no duration.
        """
        length = _length("within", within)
        return expiring(self._table.policy, self.store, self._folds, self.now(), length)

    def claim_expiring(self, within: timedelta | str, lease: timedelta | str) -> Iterator[Lease]:
        """The same windows, each given to one worker: claimed as it is yielded.

        ``done()`` ends a claim for good. One that is not done returns after its lease, so a window
        is never given zero times, and once if no worker dies in between. A new opener arms it
        again.

        Args:
            within: a duration such as ``1h``.
            lease: for how long a claim is this worker's alone.

        Raises:
            StoreUnavailable: the store cannot be read or written.
            ValueError: `within` or `lease` is no duration.
        """
        found = self.expiring(within)
        return claim_expiring(self.store, found, self.now, _length("lease", lease))

    def history(self, number: str, contact: str) -> ContactHistory:
        """Facts and decisions of a contact, and of the names that it had before.

        Args:
            number: the business number.
            contact: any of the contact's names.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        self.flush()
        return history_of(self.store, number, self.name_of(contact), set())

    def report(self) -> Mapping[tuple[str, str, str], int]:
        """How many decisions this process gave, by (number, mode, reason).

        Under ``observe`` the reasons that refuse say what would have been refused.
        """
        return dict(self.decisions.counters)

    def accuracy(self) -> Accuracy:
        """Where WhatsApp and the gate disagreed, by the decision log of the store.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        return accuracy_of(self.store)

    # -- keeping house -----------------------------------------------------------------------

    def forget(self, contact: str) -> int:
        """Erase one person in facts, log, claims and links of all numbers.

        Args:
            contact: any of their names; all of them go, and those that they had before.

        Returns:
            How many rows went.

        Raises:
            StoreUnavailable: the store cannot be written.
        """
        self.flush()
        names = person(self.store, self.name_of(contact))
        gone = self.store.forget(sorted(names))
        self._folds.forget(names)
        self._learning.forget()
        return gone

    def tidy(self, number: str, contact: str) -> int:
        """Fold a contact's old facts into a snapshot; answers stay the same.

        Args:
            number: the business number.
            contact: any of the contact's names.

        Returns:
            How many facts were folded.

        Raises:
            StoreUnavailable: the store cannot be read or written.
        """
        return tidy(self.policy, self.store, number, self.name_of(contact))

    def flush(self) -> None:
        """Write the decisions that are gathered."""
        self.decisions.flush()

    def close(self) -> None:
        """Write what is gathered, and let go of the store's connections."""
        self.flush()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _policy(policy: Policy | str, margin: timedelta | str | None) -> Policy:
    made = policies.from_spec(policy) if isinstance(policy, str) else policy
    if not isinstance(made, Policy):
        raise TypeError(f"`policy` is a Policy or a spec such as `cloud-api`, got `{policy!r}`")
    if margin is None:
        return made
    if not isinstance(margin, (str, timedelta)):
        raise TypeError(f"`margin` is a timedelta or a duration such as `60s`, got `{margin!r}`")
    length = margin if isinstance(margin, str) else format_duration(margin)
    return made.with_margin(parse_duration(length))


def _length(name: str, value: timedelta | str) -> timedelta:
    length = parse_duration(value) if isinstance(value, str) else value
    if not isinstance(length, timedelta):
        raise TypeError(f"`{name}` is a timedelta or a duration such as `1h`, got `{value!r}`")
    if length <= timedelta(0):
        raise ValueError(f"`{name}` must be longer than nothing, got `{value}`")
    return length
