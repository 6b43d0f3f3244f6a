"""History: the facts of one key, whatever the order in which they were learnt.

House rules:

* The state is a fold over facts in the order of ``at``; at one instant customer, then platform,
  then business; then by id, compared by code point. Deliveries may be added in any order and
  any number of times: what counts is what each says and when it arrived.
* Of the deliveries with one id only the one that arrived first counts. A customer's message or
  call counts at the earlier of its ``at`` and its arrival: clocks ahead never stretch a window.
* A failed send is no fact. A refusal for the window takes its place at the failed send's ``at``.
* Folding reads effects and never asks again whether something had been allowed.
* The fold is kept after every fact. A late fact is put in its place and only the facts after it
  are folded again, and only until the fold stands where it stood before; so the cost of learning
  does not grow with the length of the conversation.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from wa_fsm.decision import Conversation
from wa_fsm.deliveries import (
    BUSINESS,
    CUSTOMER,
    PLATFORM,
    CountedFact,
    Delivery,
    KeyEvent,
    Place,
    Snapshot,
    begins,
    place_of,
)
from wa_fsm.engine import Answer, Engine
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    Event,
    FreeForm,
    SendFailed,
    Sent,
    TemplateStatus,
    instant,
)
from wa_fsm.policy import Policy
from wa_fsm.rows import REFUSAL_CODES, EventName
from wa_fsm.situation import (
    APPROVED,
    REGISTERED,
    START,
    YES,
    Point,
    Situation,
    applied,
    conversation,
    free_form_facts,
    lapsed,
    situation_at,
)
from wa_fsm.table import table_of


class History:
    """Facts in, situation out, for one key = (business number, contact).

    Args:
        policy: by whose effects the facts are folded.
        engine: who answers; None: the policy's Table.
        start: an earlier fold to go on from; None: from nothing.
    """

    def __init__(
        self, policy: Policy, engine: Engine | None = None, start: Snapshot | None = None
    ) -> None:
        self.policy = policy
        self.start = start
        self.engine: Engine = engine if engine is not None else table_of(policy)
        self.key: tuple[str, str] | None = None
        self._facts: list[CountedFact] = []
        self._places: list[Place] = []  # the same facts' places, for a quick search
        self._begins: list[CountedFact] = []  # those that began a conversation, in place order
        self._maybes: list[CountedFact] = []  # messages of kinds that are not counted on
        self._inbound: dict[str, Delivery] = {}
        self._sends: dict[str, Delivery] = {}
        self._failures: dict[str, Delivery] = {}

    def add(self, event: KeyEvent, arrived: datetime | None = None, order: int = 0) -> Delivery:
        """Learn of an event.

        Args:
            event: what was delivered.
            arrived: when we learnt of it; None: at its ``at``.
            order: tells apart what arrived at the same instant, in the order of learning.

        Returns:
            The delivery, which tells whether it counts and which row it fired.

        Raises:
            ValueError: it is of another key, or so late that a window would close beyond 9999.
            TypeError: it is no event of a key.
        """
        self._check(event, arrived)
        when = event.at if arrived is None else instant(arrived)
        delivery = Delivery(self, event, when, order)
        if isinstance(event, SendFailed):
            self._add_failure(event, delivery)
        else:
            known = self._sends if isinstance(event, Sent) else self._inbound
            first = known.get(event.id)
            if first is None or delivery.precedence() < first.precedence():
                if first is not None:
                    self._withdraw(first)
                known[event.id] = delivery
                self._place_event(delivery)
        return delivery

    def _check(self, event: Event, arrived: datetime | None) -> None:
        if isinstance(event, TemplateStatus):
            raise TypeError("a template belongs to the account, not to a key; add it to Templates")
        if not isinstance(event, (CustomerMessage, CustomerCall, Sent, SendFailed)):
            raise TypeError(f"expected an event, got `{event!r}`")
        key = (event.number, event.contact)
        if self.key is not None and key != self.key:
            raise ValueError(f"this history is of the key {self.key}, the event of {key}")
        counts = event.at
        if arrived is not None and not isinstance(event, Sent):
            counts = min(counts, instant(arrived))
        if counts > self.policy.latest and not isinstance(event, SendFailed):
            raise ValueError(f"a window from {counts.isoformat()} would close beyond year 9999")
        self.key = key

    def first(self, delivery: Delivery) -> Delivery | None:
        """Of the deliveries with the same id the one that counts."""
        event = delivery.event
        if isinstance(event, SendFailed):
            return self._failures.get(event.message_id)
        return (self._sends if isinstance(event, Sent) else self._inbound).get(event.id)

    # -- placing facts ---------------------------------------------------------------------------

    def _place_event(self, delivery: Delivery) -> None:
        event = delivery.event
        if isinstance(event, Sent):
            failure = self._failures.get(event.id)
            if failure is not None:
                self._place_refusal(failure, event)
            elif isinstance(event.message, FreeForm):
                self._insert(delivery, event.at, BUSINESS, event.id, "free_form", 0)
            else:
                happened = REGISTERED | APPROVED  # it went out, so its status then is no question
                self._insert(delivery, event.at, BUSINESS, event.id, "template", happened)
        elif isinstance(event, CustomerCall):
            at = min(event.at, delivery.arrived)
            self._insert(delivery, at, CUSTOMER, event.id, "customer_call", 0)
        elif isinstance(event, CustomerMessage):
            at = min(event.at, delivery.arrived)
            opens = YES if event.kind in self.policy.openers else 0
            fact = self._insert(delivery, at, CUSTOMER, event.id, "customer_message", opens)
            if event.kind in self.policy.uncounted and delivery.fact is fact:
                insort(self._maybes, fact, key=place_of)

    def _add_failure(self, event: SendFailed, delivery: Delivery) -> None:
        first = self._failures.get(event.message_id)
        if first is not None and first.precedence() <= delivery.precedence():
            return
        if first is not None:
            self._withdraw(first)
        self._failures[event.message_id] = delivery
        send = self._sends.get(event.message_id)
        if send is not None:
            self._withdraw(send)
            assert isinstance(send.event, Sent)
            self._place_refusal(delivery, send.event)

    def _place_refusal(self, failure: Delivery, send: Sent) -> None:
        assert isinstance(failure.event, SendFailed)
        refused = YES if failure.event.code in REFUSAL_CODES else 0
        self._insert(failure, send.at, PLATFORM, send.id, "send_failed", refused)

    def _insert(
        self, delivery: Delivery, at: datetime, rank: int, id_: str, event: EventName, facts: int
    ) -> CountedFact:
        place = (at.timestamp(), rank, id_)
        fact = CountedFact(delivery, at, place, event, facts)
        if self.start is not None and at < self.start.until:
            return fact  # it lies in what was folded before: kept by whoever keeps, of no effect
        delivery.fact = fact
        index = len(self._facts)
        if index and place < self._places[-1]:
            index = bisect_left(self._places, place)
        self._facts.insert(index, fact)
        self._places.insert(index, place)
        self._fold_one(fact, self._before(index))
        self._refold(index + 1)
        return fact

    def _withdraw(self, delivery: Delivery) -> None:
        fact = delivery.fact
        if fact is None:
            if isinstance(
                delivery.event, Sent
            ):  # it had failed, so its failure stands in its place
                failure = self._failures.get(delivery.event.id)
                if failure is not None:
                    self._withdraw(failure)
            return
        delivery.fact = None
        index = bisect_left(self._places, fact.place)
        del self._facts[index], self._places[index]
        self._note_begin(fact, began=False)
        if fact in self._maybes:
            self._maybes.remove(fact)
        self._refold(index)

    def _before(self, index: int) -> Point:
        """Where the fold stands before the fact at `index`."""
        if index:
            return self._facts[index - 1].point
        return START if self.start is None else self.start.point

    # -- folding ---------------------------------------------------------------------------------

    def _refold(self, index: int) -> None:
        """Fold again from `index` on, until the fold stands where it stood."""
        point = self._before(index)
        for i in range(index, len(self._facts)):
            fact = self._facts[i]
            before, began = fact.point, fact.answer
            self._fold_one(fact, point)
            if fact.point == before and begins(fact.answer) == begins(began):
                return
            point = fact.point

    def _fold_one(self, fact: CountedFact, point: Point) -> None:
        engine = self.engine
        at, event = fact.at, fact.event
        point, fact.lapse = lapsed(engine, point, at)
        facts, sends = fact.facts, False
        if event == "free_form":
            sends, facts = True, free_form_facts(engine, point, None)
        elif event == "template":
            sends = True
        had = begins(fact.answer)
        fact.answer = answer = engine.fire(point.state, event, facts)
        fact.point, fact.ended = applied(engine, answer, point, at, sends=sends), None
        if had != begins(answer):
            self._note_begin(fact, began=begins(answer))

    def _note_begin(self, fact: CountedFact, *, began: bool) -> None:
        index = bisect_left(self._begins, fact.place, key=place_of)
        there = index < len(self._begins) and self._begins[index] is fact
        if began and not there:
            self._begins.insert(index, fact)
        elif there and not began:
            del self._begins[index]

    # -- asking ----------------------------------------------------------------------------------

    def at(self, instant_: datetime) -> Situation:
        """State, window and conversation at an instant, by the facts known now."""
        now = instant(instant_)
        point, running = self.standing(now)
        return situation_at(self.engine, point, now, running)

    def standing(self, now: datetime) -> tuple[Point, Conversation | None]:
        """The same as a fold's point and the conversation that runs."""
        if now.tzinfo is not UTC:
            now = instant(now)
        index = self._upto(now)
        point = self._before(index)
        end = point.window_end
        if end is None:
            return point, None
        if self.policy.deadlines["window_over"].passed(now, end):
            return self._ended(index, point, now), None
        return point, self._conversation(index)

    def _ended(self, index: int, point: Point, now: datetime) -> Point:
        """The point after the lapse, which is the same at every instant from then on."""
        fact = self._facts[index - 1] if index else None
        if fact is None:
            return lapsed(self.engine, point, now)[0]
        if fact.ended is None:
            fact.ended = lapsed(self.engine, point, now)[0]
        return fact.ended

    def _upto(self, now: datetime) -> int:
        """How many facts have an ``at`` up to `now`."""
        facts = self._facts
        if not facts or facts[-1].at <= now:
            return len(facts)
        places, seconds = self._places, now.timestamp()
        return bisect_right(places, seconds, key=lambda place: place[0])

    def _conversation(self, index: int) -> Conversation | None:
        began = self._begins
        n = len(began) if index else 0
        if n and began[-1].place > self._places[index - 1]:
            n = bisect_right(began, self._places[index - 1], key=place_of)
        if n == 0:  # it began before the first fact, so in the fold that this one goes on from
            assert self.start is not None
            return self.start.conversation  # None where another policy folded, by which none ran
        first = began[n - 1]
        origin = first.answer.begins if first.answer else None
        known = first.conversation
        if known is not None and known.origin == origin:
            return known
        assert self.key is not None
        assert origin is not None
        made = first.conversation = conversation(*self.key, first.place[2], origin, first.at)
        return made

    def snapshot(self, until: datetime) -> Snapshot:
        """The fold of the facts before `until`, from which another history can go on."""
        cut = instant(until)
        index = bisect_left(self._places, (cut.timestamp(), CUSTOMER, ""))
        point = self._before(index)
        running = self._conversation(index) if point.window_end is not None else None
        return Snapshot(point, running, cut)

    @property
    def newest(self) -> datetime | None:
        """The ``at`` of the newest fact; None where there is none."""
        return self._facts[-1].at if self._facts else None

    def last_opener(self, now: datetime) -> str | None:
        """The id of the message that last started the window open at `now`; None where none is."""
        index = self._upto(now)
        point, _ = lapsed(self.engine, self._before(index), now)
        if point.window_end is None:
            return None
        for fact in reversed(self._facts[:index]):
            if fact.answer is not None and fact.answer.window == "starts":
                return fact.place[2]
        return None

    def facts(self) -> Iterator[Delivery]:
        """The deliveries that count, in the order of the fold."""
        return (fact.delivery for fact in self._facts)

    def answers(self, until: datetime | None = None) -> Iterator[Answer]:
        """Every row that fired up to `until` (None: up to the newest fact), lapses included."""
        count = len(self._facts) if until is None else self._upto(instant(until))
        for fact in self._facts[:count]:
            if fact.lapse is not None:
                yield fact.lapse
            if fact.answer is not None:
                yield fact.answer
        if until is not None and count:
            _, lapse = lapsed(self.engine, self._facts[count - 1].point, instant(until))
            if lapse is not None:
                yield lapse

    @property
    def asks_would_allow(self) -> Callable[[datetime], tuple[str, ...]] | None:
        """``would_allow``; None where it can only answer that there is none."""
        return self.would_allow if self._maybes else None

    def would_allow(self, now: datetime) -> tuple[str, ...]:
        """Ids of the uncounted messages any of which, if it counted, would allow free-form now."""
        if now.tzinfo is not UTC:
            now = instant(now)
        if not self._maybes:
            return ()
        window = self.policy.window
        near = [fact for fact in self._maybes if fact.at <= now < fact.at + window]
        return tuple(fact.place[2] for fact in near if self._allowed_if(fact, now))

    def _allowed_if(self, counted: CountedFact, now: datetime) -> bool:
        """Whether free-form would be allowed at `now` if `counted` were an opener."""
        engine = self.engine
        start = bisect_left(self._places, counted.place)
        point = self._before(start)
        for fact in self._facts[start : self._upto(now)]:
            point, _ = lapsed(engine, point, fact.at)
            facts = YES if fact is counted else fact.facts
            if fact.event == "free_form":
                facts = free_form_facts(engine, point, None)
            answer = engine.fire(point.state, fact.event, facts)
            sends = fact.place[1] == BUSINESS
            point = applied(engine, answer, point, fact.at, sends=sends)
        point, _ = lapsed(engine, point, now)
        return engine.fire(point.state, "free_form", free_form_facts(engine, point, now)).allowed

    def was_refused(self, fact: CountedFact) -> bool:
        """Whether the policy would have refused this fact, a free-form message, at its place."""
        if fact.event != "free_form":
            return False
        index = bisect_left(self._places, fact.place)
        point = self._before(index)
        point, _ = lapsed(self.engine, point, fact.at)
        asked = free_form_facts(self.engine, point, fact.at)
        return not self.engine.fire(point.state, "free_form", asked).allowed

    def no_refusal(self) -> Answer:
        """What a failure fires that refuses nothing."""
        state = self._before(len(self._facts)).state
        return self.engine.fire(state, "send_failed", 0)
