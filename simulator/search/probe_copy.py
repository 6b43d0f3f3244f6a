"""A copy of a scenario file with the probes in it, as steps that expect what they found.

House rules:

* Lines are put between the lines of the file, which stay as they are: comments, order and style.
  Only a time that counts from the step above (`+10m`) is written as an offset where a question
  would come between the two.
* A copy is given only when it was read and run, and did as the file did: else the file is left
  alone, and a sentence says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wa_fsm.durations import format_duration
from wa_fsm.events import Template

from ..flow import in_quotes
from ..mistakes import Notes
from ..nodes import compose
from ..outcome import Outcome
from ..runner import run_case
from ..scenario import BadFile, Case, Step, load_text
from .probe import Probe

SUFFIX = ".probed.yaml"


class LeftAloneError(Exception):
    """Why a file has no copy, as the end of a sentence."""


def copy_name(path: str) -> str:
    """Where the copy stands: beside the file."""
    return str(Path(path).with_suffix("")) + SUFFIX


def probed(source: bytes, cases: Sequence[Case], probes: Sequence[Probe]) -> str:
    """The file's text with the probes as steps.

    Args:
        source: the file.
        cases: those it holds.
        probes: of its one case.

    Raises:
        LeftAloneError: it cannot be done exactly.
    """
    if len(cases) != 1:
        raise LeftAloneError(f"it holds {len(cases)} cases, and a copy is of one")
    if not probes:
        raise LeftAloneError("no deadline comes in it")
    (case,) = cases
    text = source.decode()
    if "step-0" in text:
        raise LeftAloneError("it names steps by their position, which more steps would shift")
    made = "".join(_lines(text, case, _in_order(probes)))
    _must_do_the_same(made, case)
    return made


def _in_order(probes: Sequence[Probe]) -> list[Outcome]:
    asked = [o for probe in probes for o in (*probe.text, *probe.template)]
    return sorted(asked, key=lambda outcome: outcome.step.arrived)  # stable


def _lines(text: str, case: Case, asked: Sequence[Outcome]) -> list[str]:
    nodes, column = _steps(text)
    if len(nodes) != len(case.steps):
        raise LeftAloneError("its steps cannot be told apart")
    lines = text.split("\n")
    lines = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    inserts: dict[int, list[str]] = {}
    for outcome in asked:
        before = sum(step.arrived <= outcome.step.arrived for step in case.steps)
        inserts.setdefault(before, []).extend(_step(outcome, case, column))
    for before in sorted(inserts, reverse=True):
        if before < len(nodes):
            _counted_from_start(lines, nodes[before], case.steps[before], case)
        at = _end(lines, nodes[before - 1], nodes[before] if before < len(nodes) else None)
        if not lines[at - 1].endswith("\n"):
            lines[at - 1] += ending
        lines[at:at] = [f"{line}{ending}" for line in inserts[before]]
    return lines


def _steps(text: str) -> tuple[list[Node], int]:
    """The nodes of the steps, and the column of their dashes."""
    (document,) = compose(text.encode(), Notes(""))
    root = document.root
    assert isinstance(root, MappingNode)
    steps = next(value for key, value in root.value if key.value == "steps")
    if not isinstance(steps, SequenceNode) or steps.flow_style:
        raise LeftAloneError("its steps stand in brackets and not on lines of their own")
    return list(steps.value), steps.start_mark.column


def _end(lines: Sequence[str], node: Node, following: Node | None) -> int:
    """The line behind the last one of a step; comments after it belong to what follows."""
    end = following.start_mark.line if following is not None else node.end_mark.line + 1
    end = min(end, len(lines))
    if following is None and node.end_mark.column == 0:
        end = min(node.end_mark.line, len(lines))
    while end - 1 > node.start_mark.line and _is_no_content(lines[end - 1]):
        end -= 1
    return end


def _is_no_content(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith(("#", "---", "..."))


def _counted_from_start(lines: list[str], node: Node, step: Step, case: Case) -> None:
    """Write a time that counts from the step above as an offset."""
    assert isinstance(node, MappingNode)
    at = next(value for key, value in node.value if key.value == "at")
    if not isinstance(at, ScalarNode) or not at.value.lstrip().startswith("+"):
        return
    start, end = at.start_mark, at.end_mark
    if start.line != end.line:
        raise LeftAloneError(f"the time in its line {start.line + 1} goes over several lines")
    line = lines[start.line]
    offset = format_duration(step.at - case.start_utc)
    lines[start.line] = line[: start.column] + offset + line[end.column :]


def _step(outcome: Outcome, case: Case, column: int) -> Iterator[str]:
    """The lines of one question."""
    step, decision = outcome.step, outcome.decision
    assert decision is not None
    dash = " " * column
    yield f"{dash}- at: {format_duration(step.at - case.start_utc)}"
    yield f"{dash}  ask: {_message(step)}"
    if step.number != "business":
        yield f"{dash}  number: {in_quotes(step.number)}"
    if step.contact != "customer":
        yield f"{dash}  contact: {in_quotes(step.contact)}"
    answer = "allowed: true" if decision.allowed else f"refused: {decision.reason}"
    state = outcome.situation.state
    yield f"{dash}  expect: {{{answer}, rule: {outcome.rule}, state: {state}}}"


def _message(step: Step) -> str:
    message = step.message
    if not isinstance(message, Template):
        return "text"
    language = f", language: {message.language}" if message.language else ""
    return f"{{template: {in_quotes(message.name)}{language}}}"


def _must_do_the_same(text: str, case: Case) -> None:
    """Read and run the copy; everything that is no probe must have stayed as it was."""
    try:
        made = load_text(text.encode(), case.file)
    except BadFile as bad:
        raise LeftAloneError(f"its copy could not be read: {bad.mistakes[0].text}") from None
    same = len(made) == 1 and _same(made[0], case)
    if not same or not run_case(made[0]).passed:
        raise LeftAloneError("its copy would not do the same")


def _same(made: Case, case: Case) -> bool:
    """Whether the steps of the case are all in the copy, in order, with the same meaning."""
    rest = iter([_meaning(step) for step in made.steps])
    return all(_meaning(step) in rest for step in case.steps)


def _meaning(step: Step) -> object:
    expect = None if step.expect is None else tuple(step.expect.values.items())
    facts = tuple(_plain(fact, step) for fact in step.facts)
    bare = step._replace(line=0, column=0, expect_line=0, expect=None, id="", facts=())
    return (bare, facts, expect)


def _plain(fact: object, step: Step) -> object:
    """A fact without the id that it has by its position."""
    return str(fact).replace(step.id, "") if step.id.startswith("step-") else fact
