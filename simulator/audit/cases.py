"""``--to-scenarios N``: sends of a log as scenario files that pass.

A scenario has what came before the send in its conversation, no more than it needs, and expects of
the send what the audit said. That is tried before it is written: a send whose verdict a scenario
cannot show (it hangs on something that a scenario does not know) is left out, and another taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from wa_fsm.durations import format_duration
from wa_fsm.events import CustomerCall, CustomerMessage, FreeForm, SendFailed, Sent, Template
from wa_fsm.identity import canonical
from wa_fsm.policy import Policy
from wa_fsm.rows import REFUSAL_CODES

from ..flow import flow, in_quotes
from ..outcome import Run
from ..policy_file import said
from ..runner import run_case
from ..scenario import BadFile, load_text
from ..seeding import Read
from ..times import format_instant
from .as_events import events_of, table_of
from .choosing import Chosen
from .columns import texts
from .plain import Chunk, Judge, Registry
from .sources import Found

if TYPE_CHECKING:
    import pyarrow as pa

MOST_FACTS: Final = 2_000  # of one key, the latest before the send
_SINGLY: Final = 24  # up to so many steps each is left out in turn
_FOCUS: Final = "the-send"
_FREE_FORM_TOO: Final = "ask: text\n    expect: {allowed: true}"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a key.

    Attributes:
        file, position: where it stands in the log.
        read: its events.
        arrived: when it was learnt.
        code: with which code it failed; None: it did not.
        failing: whether it only says that a send failed, which is a fact of its own.
    """

    file: str
    position: int
    read: Read
    arrived: datetime
    code: int | None = None
    failing: bool = False

    @property
    def at(self) -> datetime:
        """When it counts: a customer's message or call not later than it was learnt."""
        event = self.event
        return event.at if isinstance(event, Sent) else min(event.at, self.arrived)

    @property
    def event(self) -> CustomerMessage | CustomerCall | Sent:
        """What happened; of a failed send the send."""
        event = self.read.events[0]
        assert isinstance(event, (CustomerMessage, CustomerCall, Sent))
        return event

    @property
    def place(self) -> tuple[datetime, int, str]:
        """Where it stands in the fold."""
        return self.at, 2 if isinstance(self.event, Sent) else 0, self.event.id


Key: TypeAlias = tuple[str, str]


def gather(found: Iterable[Found], keys: frozenset[Key]) -> dict[Key, list[Fact]]:
    """All facts of some keys, by one more reading of the log."""
    facts: dict[Key, list[Fact]] = {key: [] for key in keys}
    if not keys:
        return facts
    for chunk in found:
        if isinstance(chunk, Chunk):
            for position, read in _near(chunk, keys):
                arrived = read.arrived or read.events[0].at  # type: ignore[union-attr]  # of a row
                failed = read.events[-1]
                code = failed.code if isinstance(failed, SendFailed) else None
                fact = Fact(chunk.file, position, read, arrived, code)
                key = key_of(fact.event.number, fact.event.contact)
                if key in facts:
                    facts[key].append(fact)
    return facts


def key_of(number: str, customer: str) -> Key:
    """Number and contact, the contact in the one spelling under which the audit keeps it."""
    return number, canonical(customer)


def _near(chunk: Chunk, keys: frozenset[Key]) -> Iterator[tuple[int, Read]]:
    """The facts of all rows that may be of these keys, with their positions."""
    rows = table_of(chunk)
    customers, _ = texts(rows.column("customer").combine_chunks(), rows.num_rows, quick=False)
    for position, read in events_of(rows.filter(_may_be(customers, keys))):
        if read is not None:
            yield position, read


def _may_be(customers: pa.Array, keys: frozenset[Key]) -> pa.Array:
    """Rows that may be of these keys: by name, or written in a way that is looked at by itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    named = pc.is_in(customers, pa.array(sorted({customer for _, customer in keys}), pa.string()))
    written = pc.or_(pc.invert(pc.utf8_is_digit(customers)), pc.starts_with(customers, "5"))
    return pc.fill_null(pc.or_(named, written), False)


class Teller:
    """Makes scenarios.

    Args:
        policies: of the audit, by number.
        judge: by which facts it judged.
        registry: of templates; None: each that was sent is approved.
        folder: where the files will stand, for the paths of policy files.
    """

    def __init__(
        self, policies: Sequence[Policy], judge: Judge, registry: Registry | None, folder: str
    ) -> None:
        self.policies, self.judge = policies, judge
        self.registry, self.folder = registry, folder

    def scenario(self, chosen: Chosen, facts: Sequence[Fact]) -> str | None:
        """The text of the file; None where no scenario shows what the audit said."""
        here = (chosen.file, chosen.position, chosen.id)
        focus = next((f for f in facts if isinstance(f.event, Sent)
                      and (f.file, f.position, f.event.id) == here), None)  # fmt: skip
        if focus is None:
            return None
        before = self._before(facts, focus)[-MOST_FACTS:]
        went_out = [fact for fact in before if fact.code is None]
        moving = [fact for fact in before if fact.code is not None or not _is_free(fact)]
        for some in (before, went_out, moving):  # a step that is refused has no place in it
            kept = self._least(chosen, some, focus)
            if kept is not None:
                return self._text(chosen, kept, focus)
        return None

    def _before(self, facts: Sequence[Fact], focus: Fact) -> list[Fact]:
        """What counts before the send, in the order in which a scenario has it."""
        same: dict[tuple[bool, str], list[Fact]] = {}
        for fact in sorted(facts, key=lambda each: each.arrived):
            same.setdefault((isinstance(fact.event, Sent), fact.event.id), []).append(fact)
        del same[True, focus.event.id]
        if self.judge == "known":
            known = [fact for told in same.values() for fact in _learnt(told)
                     if fact.arrived <= focus.at]  # fmt: skip
            return sorted(known, key=lambda each: (each.arrived, each.place))
        counts = [replace(told[0], code=_failure(told).code) for told in same.values()]
        return sorted((f for f in counts if f.place < focus.place), key=lambda each: each.place)

    def _least(self, chosen: Chosen, before: list[Fact], focus: Fact) -> list[Fact] | None:
        """As few facts before the send as its verdict needs."""
        size = 0
        while not self._holds(chosen, kept := before[len(before) - size :], focus):
            if size >= len(before):
                return None
            size = min(max(2 * size, 1), len(before))
        index = 0
        while len(kept) <= _SINGLY and index < len(kept):
            fewer = kept[:index] + kept[index + 1 :]
            if self._holds(chosen, fewer, focus):
                kept = fewer
            else:
                index += 1
        return kept

    def _holds(self, chosen: Chosen, before: Sequence[Fact], focus: Fact) -> bool:
        text = self._text(chosen, before, focus)
        try:
            cases = load_text(text.encode(), "scenario", folder=self.folder)
        except BadFile:
            return False
        runs = [run_case(case) for case in cases]
        told = [verdict for _, verdict in chosen.verdicts]
        return all(run.passed for run in runs) and list(map(_reason, runs)) == [
            verdict["reason"] for verdict in told
        ]

    # -- the text --------------------------------------------------------------------------------

    def _text(self, chosen: Chosen, before: Sequence[Fact], focus: Fact) -> str:
        head = [
            "# Made by `wa-sim audit`. Contacts and ids are masked, each `expect` is the audit's.",
            f"# The send stands in {chosen.file}, at {chosen.position}.",
        ]
        documents = [
            self._document(chosen, number, verdict, before, focus)
            for number, verdict in chosen.verdicts
        ]
        return "\n".join(head) + "\n" + "---\n".join(documents)

    def _document(
        self,
        chosen: Chosen,
        number: int,
        verdict: Mapping[str, Any],
        before: Sequence[Fact],
        focus: Fact,
    ) -> str:
        start = min(fact.at for fact in (*before, focus))
        lines = [
            f"scenario: {in_quotes(chosen.title)}",
            f"policy: {said(self.policies[number], self.folder)}",
            f"start: {format_instant(start)}",
            *self._templates((*before, focus)),
            "steps:",
        ]
        width, sent = len(str(len(before))), dict[str, str]()
        for count, fact in enumerate(before, 1):
            letter = "s" if isinstance(fact.event, Sent) else "m"
            id_ = f"{letter}{count:0{width}}"
            if letter == "s" and not fact.failing:
                sent[fact.event.id] = id_
            elif letter == "s":
                id_ = sent.get(fact.event.id, id_)
            lines += self._step(fact, start, id_)
        if chosen.free_form:
            lines += [f"  - at: {format_duration(focus.at - start)}", f"    {_FREE_FORM_TOO}"]
        expect = "allowed: true" if verdict["allowed"] else f"refused: {verdict['reason']}"
        lines += self._told(focus, start, f"business: {_message(focus.event)}", _FOCUS)
        lines.append(f"    expect: {{{expect}, rule: {verdict['rule']}}}")
        return "\n".join(lines) + "\n"

    def _templates(self, facts: Sequence[Fact]) -> Iterator[str]:
        """What is registered, of the templates that were sent."""
        sent = [f.event.message for f in facts if isinstance(f.event, Sent)]
        names = dict.fromkeys(m.name for m in sent if isinstance(m, Template))
        known: dict[str, Any] = dict.fromkeys(names, "approved")
        if self.registry is not None:
            entries, categories = self.registry.entries, self.registry.categories
            known = {name: entries[name] for name in names if name in entries}
            for name in known.keys() & categories.keys():
                if isinstance(known[name], str):
                    known[name] = {"status": known[name], "category": categories[name]}
        if known:
            yield f"templates: {flow(known)}"

    def _step(self, fact: Fact, start: datetime, id_: str) -> Iterator[str]:
        event = fact.event
        if fact.failing:
            yield from self._when(fact, start)
            yield f"    platform: {{failed: {fact.code}, message: {id_}}}"
            return
        if isinstance(event, Sent):
            if fact.code is not None and fact.code not in REFUSAL_CODES:
                return  # it failed for another reason, so it is no fact
            yield from self._told(fact, start, f"business: {_message(event)}", id_)
            if fact.code is not None:
                yield f"  - at: {format_duration(fact.at - start)}"
                yield f"    platform: {{failed: {fact.code}, message: {id_}}}"
            return
        kind = event.kind if isinstance(event, CustomerMessage) else "call"
        yield from self._told(fact, start, f"customer: {kind}", id_)

    def _told(self, fact: Fact, start: datetime, actor: str, id_: str) -> Iterator[str]:
        yield from self._when(fact, start)
        yield f"    id: {id_}"
        yield f"    {actor}"

    def _when(self, fact: Fact, start: datetime) -> Iterator[str]:
        yield f"  - at: {format_duration(fact.at - start)}"
        if self.judge == "known" and fact.arrived > fact.at:
            yield f"    arrives: {format_duration(fact.arrived - start)}"


def _is_free(fact: Fact) -> bool:
    """Whether it is a free-form send; one that went out moves nothing, but for T20."""
    return isinstance(fact.event, Sent) and isinstance(fact.event.message, FreeForm)


def _failure(told: Sequence[Fact]) -> Fact:
    """What was learnt first of a failure, from all that was told of a message; else the first."""
    return next((fact for fact in told if fact.code is not None), told[0])


def _learnt(told: Sequence[Fact]) -> Iterator[Fact]:
    """What counts of all that was told of a message, each when it was learnt."""
    first, failure = told[0], _failure(told)
    yield first
    if failure is not first:
        yield replace(failure, failing=True)


def _reason(run: Run) -> str | None:
    decision = run.outcomes[-1].decision
    return None if decision is None else decision.reason


def _message(event: CustomerMessage | CustomerCall | Sent) -> str:
    assert isinstance(event, Sent)
    if isinstance(event.message, FreeForm):
        return event.message.kind
    language = {"language": event.message.language} if event.message.language else {}
    return flow({"template": event.message.name, **language})
