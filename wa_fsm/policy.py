"""A policy: a decision table with its options, and the checks that it must pass to exist.

The words the table is written in stand in ``rows.py``; the tables themselves in ``policies/``.
Nothing here runs: the machine (``machine.py``) is built from a policy's rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, get_args

from wa_fsm.decision import (
    ALLOWING,
    NO_RULE,
    REASONS,
    TEMPLATE_REASONS,
    WINDOW_REASONS,
    Origin,
    Standing,
    State,
)
from wa_fsm.durations import format_duration
from wa_fsm.events import CUSTOMER_KINDS, instant
from wa_fsm.refusals import Refusal, complaints
from wa_fsm.rows import (
    EVENTS,
    FACTS,
    INITIAL,
    NO_EFFECT,
    SENDS,
    STATES,
    Cell,
    Deadline,
    EventName,
    Row,
    WindowEffect,
    outcomes,
    with_options,
)

DEFAULT_WINDOW: Final = timedelta(hours=24)
MAX_WINDOW: Final = timedelta(days=36500)  # far beyond use, near enough for the calendar
NOTHING: Final = "N0"
_VERDICTS: Final = ALLOWING | WINDOW_REASONS | TEMPLATE_REASONS


class PolicyError(ValueError):
    """A policy that cannot be: the text names the row or the option."""


@dataclass(frozen=True, eq=False)
class Policy:
    """A complete decision table with its options; it cannot be made with a fault in it.

    Equal policies have equal versions. Make one with ``wa_fsm.policies.get``.

    Attributes:
        name: the policy's name.
        rows: the rules in the order of the document.
        openers: kinds of customer messages that open a window.
        uncounted: kinds that might open it but are not counted on.
        window: the length of the customer service window.
        margin: how long before its end we stop sending free-form messages.
        flags: the other options that are on.
        sources: what each citation says, and where it stands.
        deadlines: when the facts of time become true.
        document: all rows that the policy can have, those of options that are off included.
        extends: the shipped policy that a user's policy is made of; empty: it is shipped itself.
        refusals: a user's own, asked in this order of whatever the rows allow.
        file: where a user's policy was read from; it changes no answer and no version.

    Raises:
        PolicyError: naming the row or option that is wrong.
    """

    name: str
    rows: tuple[Row, ...]
    openers: frozenset[str]
    uncounted: frozenset[str]
    window: timedelta
    margin: timedelta
    flags: frozenset[str]
    sources: Mapping[str, str]
    deadlines: Mapping[str, Deadline] = field(default_factory=dict)
    document: tuple[Row, ...] = ()
    extends: str = ""
    refusals: tuple[Refusal, ...] = ()
    file: str = ""

    def __post_init__(self) -> None:
        if not self.deadlines:
            lapse, margin = Deadline("window_over"), Deadline("inside_margin", self.margin)
            object.__setattr__(self, "deadlines", {d.fact: d for d in (lapse, margin)})
        for complaint in _complaints(self):
            raise PolicyError(f"policy `{self.name}`: {complaint}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version)

    def row(self, rule: str) -> Row:
        """The row with this id. Raises KeyError when the policy has none."""
        for row in self.rows:
            if row.id == rule:
                return row
        raise KeyError(rule)

    @property
    def base(self) -> str:
        """The name of the shipped policy that this is, or that it extends."""
        return self.extends or self.name

    @cached_property
    def spec(self) -> str:
        """The policy as one may write it on a command line: the name and what is not default."""
        options = []
        if self.window != DEFAULT_WINDOW:
            options.append(f"window={format_duration(self.window)}")
        if self.margin:
            options.append(f"margin={format_duration(self.margin)}")
        options += [f"{flag}=true" for flag in sorted(self.flags)]
        return ",".join([self.name, *options])

    @cached_property
    def version(self) -> str:
        """A hash (SHA-256, 16 hex digits) over everything that can change an answer."""
        rows = [
            [
                row.id,
                row.event,
                row.verdict,
                row.standing,
                row.cites,
                [[c.states, c.guard, c.effect.to, c.effect.begins, c.effect.window, c.effect.reply]
                 for c in row.cells],
            ]
            for row in self.rows
        ]  # fmt: skip
        deadlines = [[d.fact, str(d.before), d.inclusive] for d in self.deadlines.values()]
        kinds = [sorted(self.openers), sorted(self.uncounted)]
        whole: list[object] = [self.spec, rows, *kinds, deadlines]
        if self.extends:
            whole += [self.extends, [own.data for own in self.refusals]]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]

    @cached_property
    def latest(self) -> datetime:
        """The last instant at which an opener may happen: a later one would close after 9999."""
        return instant(datetime.max.replace(tzinfo=UTC) - self.window)

    def with_margin(self, margin: timedelta) -> Policy:
        """The same policy with another margin. Turning it on or off brings its rows or takes them.

        Raises:
            PolicyError: it is not below the window.
        """
        if bool(margin) is bool(self.margin):
            return replace(self, margin=margin, deadlines={})
        on = self.flags | ({"margin"} if margin else frozenset())
        rows = with_options(self.document or self.rows, on)
        return replace(self, margin=margin, rows=rows, deadlines={})

    @cached_property
    def complete_rows(self) -> tuple[Row, ...]:
        """The rows, and N0 for every cell that none of them names: the whole table."""
        return self.rows + tuple(_unnamed(self.rows))


def _unnamed(rows: tuple[Row, ...]) -> Iterator[Row]:
    for event in EVENTS:
        named = {
            state for row in rows if row.event == event for c in row.cells for state in c.in_states
        }
        unnamed = [state for state in STATES if state not in named]
        cells = [Cell(" ".join(unnamed) if named else "any")] if unnamed else []
        if event == "lapse":
            cells += [Cell(" ".join(sorted(named)), "not window_over")]
        if cells:
            yield Row(NOTHING, event, tuple(cells), ("rules",), "ours", note="no effect")


def _complaints(policy: Policy) -> Iterator[str]:
    """What is wrong with a policy, the first and most basic first."""
    yield from _bad_options(policy)
    ids = [row.id for row in policy.rows]
    for id_ in dict.fromkeys(ids):
        if id_ == NOTHING or ids.count(id_) > 1:
            yield f"row {id_}: the id is taken; every row needs one of its own"
    for row in policy.rows:
        yield from _bad_words(row, policy)
    ids += [NOTHING, NO_RULE, *(row.id for row in policy.document)]
    yield from complaints(policy.refusals, frozenset(ids))
    yield from _bad_cells(policy)
    yield from _bad_windows(policy.rows)
    yield from _unreachable(policy.rows)


def _bad_options(policy: Policy) -> Iterator[str]:
    if policy.window < timedelta(milliseconds=1):
        yield f"the window must be longer than 0s, got `{format_duration(policy.window)}`"
    for name, length in (("window", policy.window), ("margin", policy.margin)):
        if length % timedelta(milliseconds=1):
            yield f"the {name} goes to the millisecond, got `{length}`"
    if policy.window > MAX_WINDOW:
        longest = f"{MAX_WINDOW.days}d"
        yield f"the window must be at most {longest}, got `{format_duration(policy.window)}`"
    if policy.margin < timedelta(0):
        yield f"the margin must not be negative, got `{format_duration(policy.margin)}`"
    if policy.margin >= policy.window:
        yield (
            f"the margin `{format_duration(policy.margin)}` must be less than "
            f"the window `{format_duration(policy.window)}`"
        )
    if policy.deadlines.keys() != {"window_over", "inside_margin"}:
        yield f"expected the deadlines window_over and inside_margin, got {list(policy.deadlines)}"
    elif policy.deadlines["inside_margin"].before != policy.margin:
        yield "the deadline `inside_margin` must be the margin before the window's end"
    wanted = {
        name for row in policy.rows for cell in row.cells for name, want in cell.wants if want
    }
    if policy.margin and "inside_margin" not in wanted:
        yield "no row says what happens inside the margin"
    for kind in sorted((policy.openers | policy.uncounted) - set(CUSTOMER_KINDS)):
        yield f"unknown opener kind `{kind}`"


def _bad_words(row: Row, policy: Policy) -> Iterator[str]:
    if row.event not in EVENTS:
        yield f"row {row.id}: unknown event `{row.event}`"
        return
    if not row.cites:
        yield f"row {row.id}: no citation; say which clause or source it implements"
    for source in row.cites:
        if source not in policy.sources:
            yield f"row {row.id}: cites `{source}`, which is no source of this policy"
    if (row.verdict is None) is (row.event in SENDS):
        yield f"row {row.id}: a send needs a verdict and nothing else may have one"
    if row.verdict is not None and row.verdict not in _VERDICTS:
        known = "is no verdict of a policy" if row.verdict in REASONS else "is an unknown reason"
        yield f"row {row.id}: `{row.verdict}` {known}"
    if row.standing not in get_args(Standing):
        yield f"row {row.id}: unknown standing `{row.standing}`"
    refuses = row.verdict is not None and row.verdict not in ALLOWING
    if refuses and any(cell.effect != NO_EFFECT for cell in row.cells):
        yield f"row {row.id}: a refusal must have no effect"
    for cell in row.cells:
        for state in (*cell.in_states, *([cell.effect.to] if cell.effect.to else [])):
            if state not in STATES:
                yield f"row {row.id}: unknown state `{state}`"
        if cell.effect.begins not in (None, *get_args(Origin)):
            yield f"row {row.id}: unknown origin `{cell.effect.begins}`"
        if cell.effect.window not in get_args(WindowEffect):
            yield f"row {row.id}: unknown effect on the window `{cell.effect.window}`"
        for name, _ in cell.wants:
            if name not in FACTS[row.event]:
                yield f"row {row.id}: `{row.event}` has no fact `{name}` to guard on"


def _bad_cells(policy: Policy) -> Iterator[str]:
    for event in EVENTS:
        # A send needs a verdict in every state, so N0, which has none, cannot fill its cells.
        table = policy.rows if event in SENDS else policy.complete_rows
        rows = [row for row in table if row.event == event]
        for state in STATES:
            for facts in outcomes(event):
                hits = [
                    r.id for r in rows for c in r.cells if state in c.in_states and c.holds(facts)
                ]
                where = f"{event} in {state}" + _said(event, facts)
                if len(hits) > 1:
                    yield f"rows {' and '.join(hits)} both hold for {where}"
                if not hits:
                    near = [r.id for r in rows if any(state in c.in_states for c in r.cells)]
                    yield f"no row holds for {where}; rows there: {', '.join(near) or 'none'}"


def _said(event: EventName, facts: Mapping[str, bool]) -> str:
    said = [fact.yes if facts[name] else fact.no for name, fact in FACTS[event].items()]
    return f" ({', '.join(said)})" if said else ""


def _bad_windows(rows: tuple[Row, ...]) -> Iterator[str]:
    """Conversations begin when a window opens from nothing, and only then."""
    reached = {(INITIAL, False)}
    todo = [(INITIAL, False)]
    while todo:
        state, is_open = todo.pop()
        for row in rows:
            for cell in row.cells:
                if state not in cell.in_states or (row.event == "lapse" and not is_open):
                    continue
                starts = cell.effect.window == "starts"
                if (cell.effect.begins is not None) is not (starts and not is_open):
                    how = "open" if is_open else "shut"
                    yield (
                        f"row {row.id}: a conversation begins where a window opens from nothing, "
                        f"and only there; here the window is {how} in {state}"
                    )
                    return
                after = {"starts": True, "ends": False}.get(cell.effect.window, is_open)
                node = (cell.effect.to or state, after)
                if node not in reached:
                    reached.add(node)
                    todo.append(node)


def _unreachable(rows: tuple[Row, ...]) -> Iterator[str]:
    """Rows that no history can hit: by their states, their guard, or a reply that nothing sets."""
    reached: set[State] = {INITIAL}
    while True:
        cells = [c for row in rows for c in row.cells if reached & set(c.in_states)]
        more = {c.effect.to for c in cells if c.effect.to} - reached
        if not more:
            break
        reached |= more
    replies = any(cell.effect.reply for cell in cells)
    for row in rows:
        possible = [facts for facts in outcomes(row.event) if replies or not facts.get("replied")]
        if not any(
            reached & set(cell.in_states) and any(cell.holds(facts) for facts in possible)
            for cell in row.cells
        ):
            yield f"row {row.id} can never be reached"
