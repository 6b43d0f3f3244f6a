"""What a comparison found, for people, as data, and as a page of the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wa_fsm.durations import format_duration
from wa_fsm.policy import Policy

from .diff import compare
from .diff_script import scenario, stopped
from .difference import Compared, Difference
from .explore import BEGIN, Moment

_HEADS = (
    ("where they part, from a situation in which they stand alike:", True),
    ("what follows from that:", False),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A difference with its scenario.

    Attributes:
        found: the difference.
        title: what it is, in a sentence.
        text: the scenario file; None where no scenario of steps in order shows it.
        file: what the file is called.
        why: why no scenario shows it; empty where one does.
    """

    found: Difference
    title: str
    text: str | None
    file: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies, compared.

    Attributes:
        ours, theirs: the two.
        compared: what the search came to.
        shown: its differences, those first in which the two part.
    """

    ours: Policy
    theirs: Policy
    compared: Compared
    shown: Sequence[Shown]

    @property
    def equivalent(self) -> bool:
        """Whether no difference is left to be found."""
        return not self.shown and self.compared.complete


def comparison(ours: Policy, theirs: Policy, folder: str = "") -> Comparison:
    """Compare two policies; `folder` is where the scenario files will stand."""
    compared = compare(ours, theirs)
    ordered = sorted(compared.differences, key=lambda found: not found.first)
    shown = []
    for number, found in enumerate(ordered, 1):
        title = title_of(ours, theirs, found)
        kind = found.kind
        words = "-".join([kind.event, kind.ours, kind.theirs, *kind.what]).lower()
        file = f"{number:02}-{re.sub('[^a-z0-9]+', '-', words).strip('-')}.yaml"
        text = scenario(title, ours, theirs, found, folder)
        why = _why(ours, theirs, found) if text is None else ""
        shown.append(Shown(found, title, text, file, why))
    return Comparison(ours, theirs, compared, shown)


def _why(ours: Policy, theirs: Policy, found: Difference) -> str:
    """Why no scenario of steps in order shows a difference."""
    if found.late:
        return "it takes late facts"
    if stopped(ours, theirs, found):
        return "a refusal of one's own stops a step at every time tried"
    return "it takes other facts"


def title_of(ours: Policy, theirs: Policy, found: Difference) -> str:
    """The difference in a sentence."""
    one, other = names_of(ours, theirs)
    kind = found.kind
    sides = ((one, found.said[0], kind.ours), (other, found.said[1], kind.theirs))
    told = " | ".join(f"{name}: {said} ({rule})" for name, said, rule in sides)
    return f"{_event(found)} | {told}"


def names_of(ours: Policy, theirs: Policy) -> tuple[str, str]:
    """What to call the two: their specs, or where these are the same, first and second."""
    if ours.spec != theirs.spec:
        return ours.spec, theirs.spec
    return f"{ours.spec} (1)", f"{theirs.spec} (2)"


def _event(found: Difference) -> str:
    event, last = found.kind.event, found.path[-1].move
    if found.kind.how == "clock" and event != "free_form":
        return f"ask a {event}"
    if found.question:
        status = {"{template: nobody}": "unknown", "{template: resting}": "paused"}
        which = status.get(found.question, "approved")
        return f"ask {found.question}" if event == "free_form" else f"ask a template ({which})"
    if event == "customer_message":
        more = len(found.kinds) - 1
        others = f" (or {more} other kind{'' if more == 1 else 's'})" if more > 0 else ""
        return f"customer: {last.word}{others}"
    words = {"free_form": "business: text", "template": "business: a template"}
    words |= {"customer_call": "customer: call", "lapse": "time passes"}
    return words.get(event, f"platform: failed {last.word}")


def history_of(found: Difference) -> str:
    """How one gets there: the steps with their offsets; by the clock, from which instant on."""
    path, begin, steps = found.path, BEGIN, []
    if found.kind.how == "clock":
        begin = path[0].at
        steps = [f"at {begin.isoformat().replace('+00:00', 'Z')}"]
        path = path[1:] if path[0].move.event == "look" else path
    steps += [_step(moment, begin) for moment in path]
    if found.question:
        steps.append(f"ask {found.question}")
    return ", ".join(steps)


def _step(moment: Moment, begin: datetime) -> str:
    move, at = moment.move, format_duration(moment.at - begin)
    words = {
        "customer_message": f"customer {move.word}",
        "customer_call": "customer call",
        "template": "business template",
        "free_form": "business text",
        "look": "look",
    }
    return f"{at} {words.get(move.event, f'template that fails ({move.word})')}"


# -- for people ----------------------------------------------------------------------------------


def text(whole: Comparison) -> str:
    """For a terminal."""
    return "\n".join(_lines(whole)) + "\n"


def summary(whole: Comparison) -> str:
    """The whole in a sentence."""
    ours, theirs = names_of(whole.ours, whole.theirs)
    count = whole.compared.situations
    if whole.equivalent:
        return f"{ours} and {theirs} are equivalent: {count} situations compared"
    if not whole.shown:
        return (
            f"{ours} and {theirs}: no difference in {count} situations, but the search did not "
            "end, so this proves nothing"
        )
    number = len(whole.shown)
    kinds = f"{number} kind{'' if number == 1 else 's'} of difference"
    return f"{ours} and {theirs} differ: {kinds}, {count} situations compared"


def _lines(whole: Comparison) -> Iterator[str]:
    yield summary(whole)
    for head, first in _HEADS:
        part = [each for each in whole.shown if each.found.first is first]
        if part:
            yield from ("", head)
        for each in part:
            yield from ("", f"  {each.title}", f"    {history_of(each.found)}")
            if each.text is None:
                yield f"    no scenario of steps in order shows it: {each.why}"


def as_json(whole: Comparison) -> str:
    """The whole, version 1: fields may be added, never renamed."""
    told: dict[str, Any] = {
        "format": 1,
        "policies": [_policy(policy) for policy in (whole.ours, whole.theirs)],
        "equivalent": whole.equivalent,
        "complete": whole.compared.complete,
        "situations": whole.compared.situations,
        "differences": [
            {
                "how": each.found.kind.how,
                "event": each.found.kind.event,
                "rules": [each.found.kind.ours, each.found.kind.theirs],
                "what": list(each.found.kind.what),
                "said": list(each.found.said),
                "parts": each.found.first,
                "kinds": list(each.found.kinds),
                "title": each.title,
                "file": each.file if each.text is not None else None,
                "scenario": each.text,
            }
            for each in whole.shown
        ],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _policy(policy: Policy) -> dict[str, str]:
    return {"policy": policy.spec, "version": policy.version}


# -- as a page -----------------------------------------------------------------------------------


def markdown(whole: Comparison) -> str:
    """The differences as tables; those in which the two part with their scenarios."""
    return "\n".join(_page(whole)) + "\n"


def _page(whole: Comparison) -> Iterator[str]:
    ours, theirs = names_of(whole.ours, whole.theirs)
    for title, first in (("Where they part", True), ("What follows from that", False)):
        part = [each for each in whole.shown if each.found.first is first]
        yield from (
            f"## {title}",
            "",
            f"| | what comes | `{ours}` | `{theirs}` | shortest history |",
        )
        yield "|---|---|---|---|---|"
        for each in part:
            found, number = each.found, whole.shown.index(each) + 1
            sides = zip(found.said, (found.kind.ours, found.kind.theirs), strict=True)
            told = " | ".join(f"{said} ({rule})" for said, rule in sides)
            yield f"| {number} | {_event(found)} | {told} | {history_of(found)} |"
        yield ""
    yield from ("## Scenarios", "")
    for each in whole.shown:
        if each.found.first and each.text is not None:
            number = whole.shown.index(each) + 1
            yield from (f"Number {number}:", "", "```yaml", each.text.rstrip(), "```", "")
