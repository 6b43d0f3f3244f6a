"""Mutants: a policy's document with one small fault in it, each said in words.

House rules:

* A mutant is a change of the document with every option on, and is plain data. Applied to a
  policy it gives the same policy with the fault in it, the policy's own options left as they are;
  so one fault is tried under every option that a scenario uses.
* Effects and verdicts are changed in one state at a time: a fault in one state is as likely as
  one in all, and harder to see. What answers there then is called by the row's id and a star.
* Citation and standing are not behaviour; nothing here touches them.
* Nothing here judges a mutant: ``mutate.py`` runs them, ``killer.py`` looks for what tells them
  from the original.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, combinations
from typing import Final, Literal, TypeAlias

from wa_fsm import policies
from wa_fsm.decision import ALLOWING, Origin, Reason, State
from wa_fsm.describe import effect_text, guard_text, outcome_text
from wa_fsm.events import CUSTOMER_KINDS
from wa_fsm.policy import Policy
from wa_fsm.rows import (
    FACTS,
    NO_EFFECT,
    SENDS,
    STATES,
    Cell,
    Deadline,
    Effect,
    EventName,
    Row,
    WindowEffect,
    with_options,
)

from ..policy_file import from_spec

MS: Final = timedelta(milliseconds=1)
Knob: TypeAlias = Literal[
    "window", "margin", "exclusive", "early", "opener added", "opener removed", "uncounted"
]
_NO_EARLIER: Final = timedelta(0)
_ORIGINS: Final[tuple[Origin | None, ...]] = (None, "user", "business")
_WINDOWS: Final[dict[WindowEffect, str]] = {
    "keeps": "the window is not touched",
    "starts": "the window starts",
    "ends": "the window ends",
}
_EDGES: Final = {
    "window_over": "the window is over",
    "inside_margin": "a send is inside the margin",
}


@dataclass(frozen=True, slots=True)
class Tweak:
    """A change outside of the rows.

    Attributes:
        knob: what is turned.
        by: how far, for a length of time.
        name: of the opener kind or of the fact whose deadline it is.
    """

    knob: Knob
    by: timedelta = _NO_EARLIER
    name: str = ""

    def applied(self, policy: Policy) -> Policy:
        """The changed policy; the same where this has nothing to change.

        Raises:
            PolicyError: the policy's own check rejects it.
        """
        if self.knob == "window":
            return replace(policy, window=policy.window + self.by)
        if self.knob == "margin":
            return policy.with_margin(policy.margin + self.by) if policy.margin else policy
        if self.knob == "uncounted":
            return replace(policy, uncounted=frozenset())
        if self.knob == "opener added":
            return replace(policy, openers=policy.openers | {self.name})
        if self.knob == "opener removed":
            return replace(policy, openers=policy.openers - {self.name})
        if self.name == "inside_margin" and not policy.margin:
            return policy
        old = policy.deadlines[self.name]
        if self.knob == "early":
            return _with_deadline(policy, replace(old, before=old.before + self.by))
        return _with_deadline(policy, replace(old, inclusive=not old.inclusive))


def _with_deadline(policy: Policy, deadline: Deadline) -> Policy:
    return replace(policy, deadlines={**policy.deadlines, deadline.fact: deadline})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        id: the rule and a number, such as ``T4#2``; the same for the same document.
        rule: the row that is changed, or the name of what else is.
        operator: the kind of change.
        change: what is different, in words.
        rows: the document's rows with the fault; None where it lies elsewhere.
        tweak: the change outside of the rows.
    """

    id: str
    rule: str
    operator: str
    change: str
    rows: tuple[Row, ...] | None = None
    tweak: Tweak | None = None

    def touched(self, document: Policy) -> Set[tuple[State, EventName]] | None:
        """In which states which events may be answered otherwise; None where that is not said."""
        if self.rows is None:
            return None
        changed = _parts(self.rows) ^ _parts(document.rows)
        return {(state, event) for event, _, _, cell in changed for state in cell.in_states}

    def applied(self, policy: Policy) -> Policy | None:
        """The policy with this fault, its own options kept; None where it has nothing to change.

        Raises:
            PolicyError: the policy's own check rejects it.
        """
        if self.rows is not None:
            rows = with_options(self.rows, _on(policy))
            if rows == policy.rows:
                return None
            changed = replace(policy, rows=rows, document=self.rows)
        else:
            assert self.tweak is not None
            changed = self.tweak.applied(policy)
        return None if changed is policy or changed.version == policy.version else changed


def bases(spec: str) -> tuple[Policy, ...]:
    """The policies whose faults are meant: of a bare name, all that its options can make.

    Raises:
        PolicyError: `spec` is none.
    """
    policy = from_spec(spec)
    if "," in spec or policy.extends:
        return (policy,)
    full = policies.everything(policy.name)
    switches: list[tuple[str, policies.OptionValue]] = [("margin", full.margin)]
    switches += [(flag, True) for flag in sorted(full.flags)]
    chosen = chain.from_iterable(combinations(switches, n) for n in range(len(switches) + 1))
    return tuple(policies.get(policy.name, **dict(options)) for options in chosen)


def mutants(name: str, openers: Set[str] | None = None) -> Iterator[Mutant]:
    """Every mutant of the document of this name, in its order; the window's and others' last.

    Args:
        name: of the shipped policy.
        openers: the kinds that open under the policy meant, if it is not the shipped one: those
            of the document that it leaves out can be put back, too.
    """
    document = policies.everything(name)
    seen: dict[str, int] = {}
    made_of = chain(_of_rows(document.rows), _of_knobs(name), _put_back(name, openers))
    for rule, operator, change, made in made_of:
        seen[rule] = seen.get(rule, 0) + 1
        rows, tweak = (None, made) if isinstance(made, Tweak) else (tuple(made), None)
        yield Mutant(f"{rule}#{seen[rule]}", rule, operator, change, rows, tweak)


def _parts(rows: Iterable[Row]) -> Set[tuple[EventName, str, Reason | None, Cell]]:
    return {(row.event, row.id, row.verdict, cell) for row in rows for cell in row.cells}


def _on(policy: Policy) -> frozenset[str]:
    return policy.flags | ({"margin"} if policy.margin else frozenset())


# -- rows ----------------------------------------------------------------------------------------

_Changed: TypeAlias = tuple[str, str, tuple[Row, ...]]  # operator, in words, in place of the row
_Made: TypeAlias = tuple[str, str, str, Iterable[Row] | Tweak]  # rule, operator, in words, made


def _of_rows(rows: Sequence[Row]) -> Iterator[_Made]:
    for at, row in enumerate(rows):
        verdicts = [r.verdict for r in rows if r.event == row.event and r.verdict is not None]
        effects = dict.fromkeys(cell.effect for each in rows for cell in each.cells)
        changes = chain(_whole(row), _guards(row), _states(row), _verdicts(row, verdicts))
        for operator, change, instead in chain(changes, _effects(row, list(effects))):
            yield row.id, operator, change, (*rows[:at], *instead, *rows[at + 1 :])


def _whole(row: Row) -> Iterator[_Changed]:
    yield "drop row", "the row is gone", ()
    if len(row.cells) > 1:
        for at, cell in enumerate(row.cells):
            yield "drop cell", f"{_where(row, cell)}: the cell is gone", (_swap(row, at),)


def _guards(row: Row) -> Iterator[_Changed]:
    """Each wanted fact left out, and each turned round."""
    for at, cell in enumerate(row.cells):
        for name, wanted in cell.wants:
            fact = FACTS[row.event][name]
            said = fact.yes if wanted else fact.no
            other = fact.no if wanted else fact.yes
            rest = [pair for pair in cell.wants if pair[0] != name]
            dropped = replace(cell, guard=_guard(rest))
            turned = replace(cell, guard=_guard([*rest, (name, not wanted)]))
            where = f"in {_names(cell)}"
            yield "drop guard", f"{where}: also when not `{said}`", (_swap(row, at, dropped),)
            yield "negate guard", f"{where}: `{other}` for `{said}`", (_swap(row, at, turned),)


def _guard(wants: Iterable[tuple[str, bool]]) -> str:
    return ", ".join(name if wanted else f"not {name}" for name, wanted in wants)


def _states(row: Row) -> Iterator[_Changed]:
    for at, cell in enumerate(row.cells):
        for state in STATES:
            if state not in cell.in_states:
                more = replace(cell, states=" ".join((*cell.in_states, state)))
                change = f"{_where(row, cell)}: also in {state}"
                yield "add state", change, (_swap(row, at, more),)
            elif len(cell.in_states) > 1:
                fewer = _rest(cell, state)
                change = f"{_where(row, cell)}: no longer in {state}"
                yield "remove state", change, (_swap(row, at, *fewer),)


def _verdicts(row: Row, verdicts: Sequence[Reason]) -> Iterator[_Changed]:
    """In one state each other verdict of the event. What is refused has no effect."""
    if row.event not in SENDS:
        return
    for at, cell in enumerate(row.cells):
        for state in cell.in_states:
            rest = _swap(row, at, *_rest(cell, state))
            for verdict in dict.fromkeys(verdicts):
                if verdict == row.verdict:
                    continue
                effect = cell.effect if verdict in ALLOWING else NO_EFFECT
                alone = Row(f"{row.id}*", row.event, (Cell(state, cell.guard, effect),), row.cites,
                            row.standing, verdict)  # fmt: skip
                said = outcome_text(alone, alone.cells[0])
                instead = (rest, alone) if rest.cells else (replace(alone, id=row.id),)
                yield "swap verdict", f"{_where(row, cell, state)}: {said}", instead


def _effects(row: Row, known: Sequence[Effect]) -> Iterator[_Changed]:
    """One part of an effect changed, or all for another row's: mostly the check notices one part.

    In one state; of refusals, which must have no effect, in all.
    """
    refuses = row.verdict is not None and row.verdict not in ALLOWING
    for at, cell in enumerate(row.cells):
        for states in [cell.in_states] if refuses else [(state,) for state in cell.in_states]:
            rest = [] if refuses else _rest(cell, states[0])
            others = [] if refuses else _foreign(row, cell, known)
            for change, effect in chain(_other_effects(cell.effect), others):
                alone = Cell(" ".join(states), cell.guard, effect)
                where = _where(row, cell, *([] if refuses else states))
                yield "swap effect", f"{where}: {change}", (_swap(row, at, *rest, alone),)


def _other_effects(effect: Effect) -> Iterator[tuple[str, Effect]]:
    went = f"instead of → {effect.to}" if effect.to else "instead of staying"
    targets: tuple[State | None, ...] = (None, *STATES)
    for to in targets:
        if to != effect.to:
            yield f"{f'→ {to}' if to else 'stay'} {went}", replace(effect, to=to)
    for window, said in _WINDOWS.items():
        if window != effect.window:
            yield said, replace(effect, window=window)
    for begins in _ORIGINS:
        if begins != effect.begins:
            said = f"begin conversation ({begins})" if begins else "begin no conversation"
            yield said, replace(effect, begins=begins)
    said = "no reply is noted" if effect.reply else "a reply is noted"
    yield said, replace(effect, reply=not effect.reply)


def _foreign(row: Row, cell: Cell, known: Sequence[Effect]) -> Iterator[tuple[str, Effect]]:
    """The policy's other effects, where more than one part is different."""
    near = {cell.effect, *(other for _, other in _other_effects(cell.effect))}
    for other in known:
        if other not in near:
            said = effect_text(replace(cell, effect=other))
            yield f"the effect `{said}`" if said else "no effect", other


def _swap(row: Row, at: int, *cells: Cell) -> Row:
    """The row with other cells in the place of one; without any, that cell is gone."""
    return replace(row, cells=(*row.cells[:at], *cells, *row.cells[at + 1 :]))


def _rest(cell: Cell, state: State) -> list[Cell]:
    """The cell without one of its states; nothing where it has no other."""
    others = " ".join(other for other in cell.in_states if other != state)
    return [replace(cell, states=others)] if others else []


def _names(cell: Cell) -> str:
    return "any state" if cell.in_states == STATES else ", ".join(cell.in_states)


def _where(row: Row, cell: Cell, *states: State) -> str:
    guard = guard_text(row, cell)
    return f"in {', '.join(states) or _names(cell)}{f' ({guard})' if guard else ''}"


# -- the rest of a policy ------------------------------------------------------------------------


def _of_knobs(name: str) -> Iterator[_Made]:
    """The policy's lengths, edges and kinds."""
    yield from _lengths()
    everything, plain = policies.everything(name), policies.get(name)
    for kind in CUSTOMER_KINDS:
        if kind not in plain.openers:
            yield "openers", "add opener", f"{kind} opens too", Tweak("opener added", name=kind)
        if kind in everything.openers:
            tweak = Tweak("opener removed", name=kind)
            yield "openers", "remove opener", f"{kind} no longer opens", tweak
    if plain.uncounted:
        yield "uncounted", "empty", "no kind is named as uncounted", Tweak("uncounted")


def _put_back(name: str, openers: Set[str] | None) -> Iterator[_Made]:
    """The openers that a policy file has removed."""
    removed = set() if openers is None else policies.get(name).openers - openers
    for kind in CUSTOMER_KINDS:
        if kind in removed:
            yield "openers", "add opener", f"{kind} opens too", Tweak("opener added", name=kind)


def _lengths() -> Iterator[_Made]:
    knobs: tuple[Knob, Knob] = ("window", "margin")
    for knob in knobs:
        for by, said in ((MS, "longer"), (-MS, "shorter")):
            yield knob, "shift", f"1ms {said}", Tweak(knob, by)
    for fact, said in _EDGES.items():
        sharp = Tweak("exclusive", name=fact)
        yield "edges", "exclusive", f"{said} only after the edge: `<` for `<=`", sharp
    early = Tweak("early", MS, "window_over")
    yield "edges", "shift", "the window is over 1ms before the end that is shown", early
