"""How things stand at the end of what was played, and what would be allowed there, and why.

House rules:

* What may be sent is asked by steps of the scenario itself (``ask``), put behind the others. They
  go through the loader and the runner like any step, and change nothing.
* Each answer is one of the picture's marks, so the page says of a question what a report would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from wa_fsm.situation import Situation

from ..outcome import Outcome, Run, stamp
from ..reports.marks import mark_of
from ..reports.picture import picture
from ..reports.text import zone_of
from ..runner import run_case
from ..scenario import Case
from . import words
from .document import Plain

DEFAULTS: Final = {"number": "business", "contact": "customer"}
_MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask about at the end.

    Attributes:
        step: the step that asks.
        name: what the page calls the message.
    """

    step: Plain
    name: str


def questions(scenario: Plain, who: Mapping[str, str]) -> list[Question]:
    """An ordinary message, and each template in each language that is listed."""
    asked: list[tuple[Any, str]] = [("text", "An ordinary message")]
    templates = scenario.get("templates")
    for name, entry in templates.items() if isinstance(templates, dict) else ():
        named = f"Template {name}"
        if not isinstance(entry, dict):
            asked.append(({"template": name}, named))
        elif "status" in entry:
            asked.append(({"template": name, **_spoken(entry.get("language"))}, named))
        else:
            each = ((tag, {"template": name, "language": tag}) for tag in entry)
            asked += [(message, f"{named} ({tag})") for tag, message in each]
    key = {name: value for name, value in who.items() if value != DEFAULTS[name]}
    return [Question({"at": "+0s", "ask": what, **key}, name) for what, name in asked]


def _spoken(language: Any) -> Plain:
    return {"language": language} if isinstance(language, str) else {}


@dataclass(frozen=True, slots=True)
class Side:
    """What was played under one policy.

    Attributes:
        run: without the questions.
        asked: the questions, and their answers.
        end: how the chosen number and contact stand at the end.
    """

    run: Run
    asked: list[tuple[Question, Outcome, Plain]]
    end: Situation

    @property
    def now(self) -> datetime:
        """The instant of the end."""
        return self.end.at


def play(case: Case, asked: Sequence[Question]) -> Side:
    """Play a case whose last steps are these questions, and tell the two apart."""
    whole = run_case(case)
    own = len(case.steps) - len(asked)
    for outcome in whole.outcomes[:own]:
        if outcome.step.expect is None:  # a refusal that nobody expected otherwise is no failure
            outcome.failures = []
    run = replace(whole, case=replace(case, steps=case.steps[:own]), outcomes=whole.outcomes[:own])
    zone = zone_of(case)
    answers = [
        (question, outcome, mark_of(at, outcome, case.policy, zone))
        for at, (question, outcome) in enumerate(zip(asked, whole.outcomes[own:], strict=True), own)
    ]
    return Side(run, answers, whole.outcomes[-1].situation)


def standing(side: Side) -> Plain:
    """How it stands, for the page."""
    policy, end, zone = side.run.case.policy, side.end, zone_of(side.run.case)
    closes = end.window_closes_at
    _, _, asked = side.asked[0]
    return {
        "policy": policy.spec,
        "base": policy.base,
        "state": end.state,
        "about": _about(side, asked["state_text"], zone),
        "open": end.window_open,
        "left_ms": None if closes is None else (closes - end.at) // _MS,
        "left": None if closes is None else words.length(closes - end.at),
        "length_ms": policy.window // _MS,
        "answers": [_answer(*each) for each in side.asked],
    }


def _about(side: Side, state_text: str, zone: tzinfo) -> str:
    """What the state rests on, in a sentence or two."""
    closes = side.end.window_closes_at
    told = f"{state_text[0].upper()}{state_text[1:]}".partition(";")[0]
    if closes is not None:
        return f"{told}. The window closes {words.when(closes, zone)}."
    decision = side.asked[0][1].decision
    if decision is None or decision.since is None:
        return "Nothing has happened yet that opens it."
    since = words.when(decision.since, zone)
    return (
        f"It ended {since}." if decision.reason == "window_expired" else f"{told}, since {since}."
    )


def _answer(question: Question, outcome: Outcome, mark: Plain) -> Plain:
    shown = ("verdict", "reason", "rule", "rule_text", "standing", "clauses", "remedies",
             "error_code", "text", "uncounted")  # fmt: skip
    decision = outcome.decision
    return {
        "name": question.name,
        "message": question.step["ask"],
        "status": decision.template_status if decision is not None else None,
        **{key: mark[key] for key in shown},
    }


def deadlines(sides: Sequence[Side]) -> list[Plain]:
    """The ends of the windows that are open at the end, and of the time before their margin."""
    found: dict[tuple[str, datetime], list[str]] = {}
    for side in sides:
        for what, at in _deadlines(side):
            found.setdefault((what, at), []).append(side.run.case.policy.spec)
    case = sides[0].run.case
    return [
        {
            "what": what,
            "offset": (at - case.start_utc) // _MS,
            "when": words.when(at, zone_of(case)),
            "policies": specs,
        }
        for (what, at), specs in sorted(found.items(), key=lambda each: (each[0][1], each[0][0]))
    ]


def _deadlines(side: Side) -> Iterator[tuple[str, datetime]]:
    closes, margin = side.end.window_closes_at, side.run.case.policy.margin
    if closes is None:
        return
    if margin and closes - margin > side.now:
        yield "margin", closes - margin
    yield "window", closes


def clock(side: Side) -> Plain:
    """The instant of the end: as text, as milliseconds since the start, and in words."""
    case, now = side.run.case, side.now
    since = now - case.start_utc
    return {
        "at": stamp(now),
        "offset": since // _MS,
        "text": words.when(now, zone_of(case)),
        "zone": case.timezone or case.start.isoformat()[-6:],
        "since": f"{words.length(since)} after the start" if since else "the start",
    }


def steps(sides: Sequence[Side], key: tuple[str, str]) -> list[Plain]:
    """The steps in words, and which of them can be delivered again or fail.

    Args:
        sides: what was played.
        key: of whom a delivery may come again, or a send fail.
    """
    case = sides[0].run.case
    zone = zone_of(case)
    told = []
    for at, step in enumerate(case.steps):
        outcomes = [side.run.outcomes[at] for side in sides]
        mine = (step.number, step.contact) == key
        sent = any(o.decision is not None and o.decision.allowed for o in outcomes)
        told.append(
            {
                "id": step.id,
                "title": words.title(step, case.steps),
                "when": words.when(step.arrived, zone),
                "happened": None if step.at == step.arrived else words.when(step.at, zone),
                "again": mine and step.event in ("customer_message", "customer_call"),
                "may_fail": mine and sent and not step.asked_only,
            }
        )
    return told


def pictures(sides: Sequence[Side]) -> list[Plain]:
    """What there is to draw, with the page's words for the steps."""
    drawn = [picture(side.run) for side in sides]
    told = sides[0].run.case.steps
    titles = [words.title(step, told) for step in told]
    for mark in (mark for each in drawn for band in each["bands"] for mark in band["marks"]):
        mark["label"] = titles[mark["index"]]
    return drawn
