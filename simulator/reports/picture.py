"""A case as plain values, ready to be drawn: the terminal, the HTML report and `play` draw this.

Bands show how a key stood *as was known then*: a stretch lasts from one arrival to the next, and
ends early where the window does. What arrives late changes nothing that was drawn before it.

Everything here is JSON: instants are UTC text with three decimals and ``Z``. The same run gives
the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final, TypeAlias

from wa_fsm import policies
from wa_fsm.decision import clock_text, in_zone
from wa_fsm.describe import situation_text
from wa_fsm.engine import Engine
from wa_fsm.policy import Policy
from wa_fsm.situation import START, Situation, lapsed, situation_at
from wa_fsm.table import table_of

from ..outcome import Outcome, Run, stamp
from ..scenario import Step
from .marks import instant_text, local_text, mark_of, until_text
from .text import SPEAKS_OF, zone_of

Picture: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]

_LAST: Final = datetime.max.replace(microsecond=999000, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def picture(run: Run) -> Picture:
    """What there is to draw of a case that was played.

    Returns:
        ``file``, ``line``, ``name``, ``policy`` (its spec), ``base`` (the shipped policy that it
        is or extends), ``passed``, ``timezone`` (a name or an offset), ``note`` (a list of texts),
        ``begin`` and ``end`` (instants that span everything), ``bands`` and ``fired`` (rule ids,
        in the policy's order). A band has ``number``, ``contact``, ``stretches`` (contiguous, from
        begin to end), ``edges`` (where windows and margins end), ``moves`` (pairs of states: the
        path through the diagram) and ``marks`` (its steps).
    """
    case, engine = run.case, table_of(run.case.policy)
    zone = zone_of(case)
    begin, end = _span(run)
    return {
        "file": case.file,
        "line": case.line,
        "name": case.name,
        "policy": case.policy.spec,
        "base": case.policy.base,
        "passed": run.passed,
        "timezone": case.timezone or in_zone(case.start, zone).isoformat()[-6:],
        "note": notes(case.policy),
        "begin": stamp(begin),
        "end": stamp(end),
        "bands": [
            _band(key, own, engine, (begin, end), zone)
            for key, own in _by_key(run.outcomes).items()
        ],
        "fired": _fired(run),
    }


def notes(policy: Policy) -> list[str]:
    """What must stand beside every answer of this policy."""
    caution = policies.caution(policy.base)
    told = [f"`{policy.base}` is not what WhatsApp enforces. {caution}"] if caution else []
    return [SPEAKS_OF, *told]


def _span(run: Run) -> tuple[datetime, datetime]:
    steps = [outcome.step for outcome in run.outcomes]
    ends = [outcome.situation.window_closes_at for outcome in run.outcomes]
    instants = [at for step in steps for at in (step.at, step.arrived)]
    begin, end = min(instants), max([*instants, *(at for at in ends if at is not None)])
    room = max((end - begin) // 24 // _MS * _MS, _MS)
    return begin, end + room if end <= _LAST - room else _LAST


def _fired(run: Run) -> list[str]:
    policy = run.case.policy
    rows, own = policy.complete_rows, policy.refusals
    ids = dict.fromkeys([*(row.id for row in rows), *(refusal.id for refusal in own)])
    fired = run.fired
    return [rule for rule in ids if rule in fired]


# -- bands ----------------------------------------------------------------------------------------


def _key(step: Step) -> Key:
    return step.number, step.contact


def _by_key(outcomes: Iterable[Outcome]) -> dict[Key, list[tuple[int, Outcome]]]:
    """The steps of each band. A template's status is the account's: alone it makes no band."""
    own: dict[Key, list[tuple[int, Outcome]]] = {}
    for each in enumerate(outcomes):
        own.setdefault(_key(each[1].step), []).append(each)
    silent = [key for key, steps in own.items() if all(_of_account(o.step) for _, o in steps)]
    if len(silent) < len(own):
        moved = [step for key in silent for step in own.pop(key)]
        first = next(iter(own))
        own[first] = sorted([*own[first], *moved], key=lambda step: step[0])
    return own


def _of_account(step: Step) -> bool:
    return step.event == "template_status" and not step.expect


def _band(
    key: Key,
    steps: list[tuple[int, Outcome]],
    engine: Engine,
    span: tuple[datetime, datetime],
    zone: tzinfo,
) -> dict[str, Any]:
    stood = list(_stood([o for _, o in steps if _key(o.step) == key], engine, *span))
    own = [
        (i, o if _key(o.step) == key else replace(o, situation=_at(stood, o.step.arrived)))
        for i, o in steps
    ]
    return {
        "number": key[0],
        "contact": key[1],
        "stretches": _stretches(stood, span[1], zone),
        "edges": list(_edges(stood, engine.policy, span[1], zone)),
        "moves": _moves(stood),
        "marks": [mark_of(index, outcome, engine.policy, zone) for index, outcome in own],
    }


def _stood(
    own: Iterable[Outcome], engine: Engine, begin: datetime, end: datetime
) -> Iterator[Situation]:
    """How the key stood, each from its `at` on: at first, after each step, at each lapse."""
    now = situation_at(engine, START, begin, None)
    yield now
    for after in (*(outcome.situation for outcome in own), None):
        until = end if after is None else after.at
        point, lapse = lapsed(engine, now.point, until)
        if lapse is not None and now.window_closes_at is not None:
            yield situation_at(engine, point, now.window_closes_at, None)
        if after is not None:
            yield after
            now = after


def _moves(stood: list[Situation]) -> list[list[str]]:
    """The states before and after each change, in order, each pair once."""
    changes = (pair for pair in pairwise(stood) if _look(pair[0]) != _look(pair[1]))
    return [list(pair) for pair in dict.fromkeys((a.state, b.state) for a, b in changes)]


def _at(stood: list[Situation], at: datetime) -> Situation:
    return next(situation for situation in reversed(stood) if situation.at <= at)


def _look(situation: Situation) -> tuple[Any, ...]:
    """What one sees of a situation: while this stays, the stretch goes on."""
    return (situation.state, situation_text(situation), situation.window_closes_at,
            situation.free_form_until)  # fmt: skip


def _stretches(stood: list[Situation], end: datetime, zone: tzinfo) -> list[dict[str, Any]]:
    lasting = [a for a, b in pairwise(stood) if a.at < b.at]
    if stood[-1].at < end or not lasting:
        lasting.append(stood[-1])
    kept = [b for a, b in pairwise([None, *lasting]) if b and (a is None or _look(a) != _look(b))]
    ends = [*(situation.at for situation in kept[1:]), end]
    return [_stretch(each, until, zone) for each, until in zip(kept, ends, strict=True)]


def _stretch(situation: Situation, until: datetime, zone: tzinfo) -> dict[str, Any]:
    return {
        "begin": stamp(situation.at),
        "end": stamp(until),
        "state": situation.state,
        "open": situation.window_open,
        "text": situation_text(situation),
        "window_closes_at": instant_text(situation.window_closes_at),
        "free_form_until": instant_text(situation.free_form_until),
        "until": until_text(situation, zone),
    }


def _edges(
    stood: list[Situation], policy: Policy, end: datetime, zone: tzinfo
) -> Iterator[dict[str, Any]]:
    """The ends of windows, and of the time before their margin, that came or are still planned."""
    untils = [*(situation.at for situation in stood[1:]), end]
    seen: set[tuple[str, datetime]] = set()
    for situation, until in zip(stood, untils, strict=True):
        closes = situation.window_closes_at
        if closes is None:
            continue
        planned = [("window", closes, "the window ends")]
        if policy.margin:
            ends = clock_text(closes, closes, zone)
            text = f"the safety margin begins; the window ends at {ends}"
            planned.insert(0, ("margin", closes - policy.margin, text))
        for kind, at, text in planned:
            if at <= until and situation.at <= at and (kind, at) not in seen:
                seen.add((kind, at))
                yield {"kind": kind, "at": stamp(at), "local": local_text(at, zone), "text": text}


# -- two policies ---------------------------------------------------------------------------------

_SEEN: Final = {
    "verdict": "verdict",
    "reason": "reason",
    "state": "state",
    "window": "window_closes_at",
}


def compare(a: Picture, b: Picture) -> list[dict[str, Any]]:
    """The steps at which two pictures of one case differ, in the case's order.

    Returns:
        For each: ``index`` and ``line`` of the step, ``differs`` (of ``verdict``, ``reason``,
        ``state``, ``window``) and ``what``, a sentence.
    """
    ours, theirs = _marks(a), _marks(b)
    found = []
    for index in sorted(ours.keys() & theirs.keys()):
        one, other = ours[index], theirs[index]
        differs = [name for name, field in _SEEN.items() if one[field] != other[field]]
        if differs:
            texts = [f"`{p['policy']}` {_told(m, differs)}" for p, m in ((a, one), (b, other))]
            what = f"{one['label']}: {'; '.join(texts)}"
            found.append({"index": index, "line": one["line"], "differs": differs, "what": what})
    return found


def _marks(drawn: Picture) -> dict[int, dict[str, Any]]:
    return {mark["index"]: mark for band in drawn["bands"] for mark in band["marks"]}


def _told(mark: dict[str, Any], differs: list[str]) -> str:
    """What one policy says of a step, as far as the other says something else."""
    parts = []
    if "verdict" in differs or "reason" in differs:
        word = "allows it" if mark["verdict"] == "allowed" else "refuses it"
        parts.append(f"{word} ({mark['reason']})")
    if "state" in differs:
        parts.append(f"says: {mark['state_text']}")
    elif "window" in differs:
        parts.append("says: window open" if mark["window_closes_at"] else "says: window shut")
    if "window" in differs and mark["window_closes_at"]:
        parts[-1] += f" until {mark['until']}"
    return " and ".join(parts)
