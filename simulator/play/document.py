"""A scenario as plain values, as the page holds it: into the text of a file, and back.

House rules:

* The values are those of a scenario file, every scalar a text. Nothing here knows what they mean:
  the text goes through the same loader as every file, so mistakes are told in the same words.
* The policies stand apart, since the same steps may be played under one or two.
* What looks like a ``<name>`` of an example is a text here like any other. So that the loader takes
  it for one too, the text of the file has an example in which each such name stands for itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..examples import expand, may_have_placeholders
from ..flow import PLACEHOLDER, flow
from ..mistakes import Notes
from ..nodes import Document, compose
from ..policy_file import is_file
from ..scenario import Case, load_text

Plain: TypeAlias = dict[str, Any]

_HEAD: Final = ("scenario", "start", "timezone", "requirement", "contacts", "templates")
_BLOCKS: Final = ("contacts", "templates")  # a line for each entry
_TITLE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ,.;'()/+!?-]*[A-Za-z0-9.')!?])?")
_WIDTH: Final = 96
_ITSELF: Final = "as written"  # the example in which names stand for themselves


@dataclass(frozen=True, slots=True)
class Played:
    """What is played: a scenario, and by which rules.

    Attributes:
        scenario: the keys of a scenario file without ``policy`` and ``examples``, its ``steps`` a
            list. All are texts, lists and mappings.
        policies: one or two values of the key ``policy``: a name, or a mapping with options.
        left_out: policies that the file names besides.
    """

    scenario: Plain
    policies: list[Any]
    left_out: list[Any] = field(default_factory=list)

    @property
    def steps(self) -> list[Any]:
        """Its steps; empty where there are none."""
        found = self.scenario.get("steps")
        return found if isinstance(found, list) else []


# -- values into text ------------------------------------------------------------------------------


def text_of(
    scenario: Mapping[str, Any],
    policy: Any,
    expects: Sequence[Mapping[str, Any] | None] = (),
) -> str:
    """The text of the scenario file, one document.

    Args:
        scenario: as in ``Played``.
        policy: the value of the key ``policy``.
        expects: for each step what takes the place of its ``expect``; None leaves it as it is.
    """
    keys = [key for key in scenario if key not in ("policy", "steps")]
    keys.sort(key=lambda key: _HEAD.index(key) if key in _HEAD else len(_HEAD))
    lines: list[str] = []
    for key in keys:
        lines += _head(key, scenario[key])
        if key == "scenario":
            lines.append(f"policy: {flow(policy)}")
    if "scenario" not in scenario:
        lines.insert(0, f"policy: {flow(policy)}")
    below = list(_steps(scenario, expects))
    names = dict.fromkeys(PLACEHOLDER.findall("\n".join(lines + below)))
    if names:
        lines += _head("examples", {_ITSELF: {name: f"<{name}>" for name in names}})
    return "".join(f"{line}\n" for line in lines + below)


def _head(key: str, value: Any) -> Iterator[str]:
    name = flow(key)
    if key == "scenario" and isinstance(value, str) and _TITLE.fullmatch(value):
        yield f"{name}: {value}"
    elif key in _BLOCKS and isinstance(value, Mapping) and value:
        yield f"{name}:"
        yield from (f"  {flow(each)}: {flow(inner)}" for each, inner in value.items())
    else:
        yield f"{name}: {flow(value)}"


def _steps(
    scenario: Mapping[str, Any], expects: Sequence[Mapping[str, Any] | None]
) -> Iterator[str]:
    steps = scenario.get("steps")
    if isinstance(steps, list) and steps:
        yield "steps:"
        for at, step in enumerate(steps):
            told = expects[at] if at < len(expects) else None
            yield from _step(step if told is None else {**step, "expect": told})
    elif "steps" in scenario:
        yield f"steps: {flow(steps)}"


def _step(step: Any) -> Iterator[str]:
    if not isinstance(step, Mapping) or not step:
        yield f"  - {flow(step)}"
        return
    keys = sorted(step, key=lambda key: (key != "at", key == "expect"))
    for number, key in enumerate(keys):
        yield from _wrapped(f"{'    ' if number else '  - '}{flow(key)}:", step[key])


def _wrapped(head: str, value: Any) -> Iterator[str]:
    line = f"{head} {flow(value)}"
    if len(line) <= _WIDTH or not isinstance(value, Mapping):
        yield line
        return
    yield head
    yield from (f"      {flow(key)}: {flow(inner)}" for key, inner in value.items())


# -- text into values ------------------------------------------------------------------------------


def played_of(text: bytes, name: str, folder: str, here: str, policies: list[Any]) -> list[Played]:
    """The scenarios of a file's content, each example one.

    Args:
        text: the bytes of the file.
        name: what messages call it.
        folder: from where the policy files are looked for that it names.
        here: the folder from which the result names them.
        policies: by which rules, where a document does not say so itself.

    Raises:
        BadFile: with every mistake in it.
    """
    notes = Notes(name, folder=folder)
    documents = compose(text, notes)
    placed = None if all(map(_names_policy, documents)) else case_of(policies[0], here).policy
    cases = load_text(text, name, placed, folder)
    titles = iter(dict.fromkeys((case.line, case.name) for case in cases))
    found = []
    for document in documents:
        assert isinstance(document.root, MappingNode)  # the loader has read it
        for _, node in expand(document.root, notes, placeholders=may_have_placeholders(text)):
            _, title = next(titles)
            found.append(
                _played(values(node), title, policies, os.path.relpath(folder or ".", here))
            )
    return found


def case_of(policy: Any, folder: str) -> Case:
    """A case that only has this policy. Raises BadFile where that cannot be."""
    text = text_of({"scenario": "a policy", "steps": [{"at": "0s"}]}, policy)
    return load_text(text.encode(), "policy", None, folder)[0]


def _names_policy(document: Document) -> bool:
    root = document.root
    if not isinstance(root, MappingNode):
        return True
    return any(isinstance(key, ScalarNode) and key.value == "policy" for key, _ in root.value)


def _played(scenario: Plain, title: str, policies: list[Any], away: str) -> Played:
    scenario["scenario"] = title.removesuffix(f" [{_ITSELF}]")
    scenario.pop("examples", None)
    told = scenario.pop("policy", None)
    own = policies if told is None else told if isinstance(told, list) else [told]
    named = own if told is None else [_from_here(each, away) for each in own]
    return Played(scenario, named[:2], named[2:])


def _from_here(policy: Any, away: str) -> Any:
    """The policy as it is named from another folder."""
    if isinstance(policy, dict):
        return {**policy, "name": _from_here(policy["name"], away)}
    if not is_file(policy):
        return policy
    path = os.path.normpath(os.path.join(away, policy))
    return path.replace(os.sep, "/")


def values(node: Node) -> Any:
    """A node as plain values: texts, lists and mappings."""
    if isinstance(node, SequenceNode):
        return [values(item) for item in node.value]
    if isinstance(node, MappingNode):
        return {values(key): values(value) for key, value in node.value}
    assert isinstance(node, ScalarNode)
    return str(node.value)
