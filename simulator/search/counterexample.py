"""A violated invariant as a runnable scenario: expected is what the invariant demands.

So the file fails under the policy that breaks it, and says at which step.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from wa_fsm.policy import Policy

from ..scenario import BadFile
from .explore import BEGIN, Moment
from .script import Line, case_of, fails, lines_of, since, written
from .verify import Counterexample


def scenario(found: Counterexample, broken: Policy, said: Policy, folder: str = "") -> str | None:
    """The file's text, which a plain run under the broken policy fails.

    None where no steps of a scenario bring it about: what only late deliveries can leave behind.

    Args:
        found: what is broken.
        broken: by which policy.
        said: the policy as the file names it.
        folder: where the file will stand, for the path of a policy file.
    """
    if not found.path and not found.broken.expect:
        return None
    title, lines = f"{found.invariant.name} is broken", _lines(found)
    try:
        case = case_of(written(title, said, lines))
    except BadFile:
        return None
    if not fails(case, broken):
        return None
    return _head(found) + written(title, said, lines, folder=folder)


def _head(found: Counterexample) -> str:
    wrapped = textwrap.wrap(f"Invariant {found.invariant.name}: {found.invariant.text}", 96)
    return "".join(f"# {line}\n" for line in wrapped)


def told(found: Counterexample) -> str:
    """The same in words, for what no scenario can show."""
    if found.note:
        return f"{found.note}\n"
    moments = "".join(f"  {_said(moment)}\n" for moment in found.path)
    wanted = ", ".join(f"{key}: {value}" for key, value in found.broken.expect.items())
    asked = f"asking {found.broken.ask}: " if found.broken.ask else ""
    return f"{moments}  then {asked}expected {wanted}\n"


def _said(moment: Moment) -> str:
    at, move = moment
    word = f" {move.word}" if move.word else ""
    return f"{since(at)}: {move.event.replace('_', ' ')}{word}"


def _lines(found: Counterexample) -> list[Line]:
    names_talks = "conversation" in found.broken.expect
    lines: list[Line] = []
    for number, moment in enumerate(found.path):
        steps = [line for line in lines_of(moment) if line.actor]
        if names_talks and steps:
            label = {"conversation": _label(found.talks[number])}
            steps[-1] = replace(steps[-1], expect=label)
        lines += steps
    at = found.path[-1].at if found.path else BEGIN
    ask = f"ask: {found.broken.ask}" if found.broken.ask else ""
    return [*lines, Line(at, ask, expect=dict(_expect(found.broken.expect)))]


def _expect(wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in wanted.items():
        yield key, _label(value) if key == "conversation" else value


def _label(talk: int | None) -> str | None:
    return None if talk is None else f"talk-{talk}"
