"""Scenario files: YAML in, cases out; or every mistake of the file at once.

One document makes one case for each example and each policy. Nothing here runs a case.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from typing import Final

from yaml.nodes import MappingNode, Node

from wa_fsm.identity import canonical
from wa_fsm.policy import Policy

from .examples import expand, may_have_placeholders
from .fields import BAD, Entries, Entry
from .mistakes import BadFile, Mistake, Notes, quoted
from .model import DOCUMENT, Registered
from .nodes import Document, compose
from .policy_word import own_rules
from .steps import Expect, Step, Timeline

__all__ = ["BadFile", "Case", "Expect", "Mistake", "Step", "load_file", "load_text"]

DEFAULT_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation to play, under one policy.

    Attributes:
        file: as the reader named it.
        line: of the document's first key, from 1.
        name: the scenario's; with examples ``scenario [case name]``.
        policy: by which rules.
        start: the instant of offset 0, in the zone it was written in.
        start_utc: the same in UTC.
        timezone: an IANA name for showing times; None: the offset of `start`.
        requirement: clauses or ticket ids that it covers.
        templates: a status for each template, or for each of its languages (``en_US``).
        categories: the category of each template that has one.
        steps: in order of arrival.
    """

    file: str
    line: int
    name: str
    policy: Policy
    start: datetime
    start_utc: datetime
    timezone: str | None
    requirement: tuple[str, ...]
    templates: Mapping[str, str | Mapping[str, str]]
    categories: Mapping[str, str]
    steps: tuple[Step, ...]


def load_file(path: str | PathLike[str], display: str, policy: Policy | None = None) -> list[Case]:
    """The cases of the file at `path`, which messages call `display`.

    Raises:
        BadFile: with every mistake in it.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        text = file.read()
    return load_text(text, display, policy, os.path.dirname(path))


def load_text(
    text: bytes, file: str, policy: Policy | None = None, folder: str | None = None
) -> list[Case]:
    """The cases of a file's content, in its order: examples outer, policies inner.

    Args:
        text: the bytes of the file.
        file: what messages call it.
        policy: takes the place of whatever policy the file names.
        folder: from where policy files are looked for; None: that of `file`.

    Raises:
        BadFile: with every mistake in it.
    """
    notes = Notes(file, folder=os.path.dirname(file) if folder is None else folder)
    documents = compose(text, notes)
    if not documents and not notes:
        notes.put(1, 1, "the file is empty; expected a scenario, with `scenario` and `steps`")
    placeholders = may_have_placeholders(text)
    cases: list[Case] = []
    for document in documents:
        notes.truncated = document.truncated
        cases += _cases(document, notes, policy, placeholders)
    if notes:
        raise BadFile(notes.sorted())
    return cases


def _cases(
    document: Document, notes: Notes, policy: Policy | None, placeholders: bool
) -> list[Case]:
    root = document.root
    if root.__class__ is not MappingNode:
        DOCUMENT.read(root, notes)
        return []
    cases: list[Case] = []
    for name, node in expand(root, notes, placeholders=placeholders):
        cases += _case(node, name, notes, policy)
    return cases


def _case(node: Node, name: str, notes: Notes, policy: Policy | None) -> list[Case]:
    """One example of a document, under each of its policies; nothing where something is wrong."""
    notes.own_rules = own_rules(node, notes, policy)
    entries: Entries = DOCUMENT.read(node, notes)
    policies = _policies(node, entries, notes, policy)
    templates = entries["templates"].value if "templates" in entries else {}
    registered: dict[str, Registered] | None = (
        None if templates is BAD else {key: entry.value for key, entry in templates.items()}
    )
    start = entries["start"].value if "start" in entries else DEFAULT_START
    known = start is not BAD and not (notes.truncated and "start" not in entries)
    start_utc = start.astimezone(UTC) if start is not BAD else DEFAULT_START
    latest = min((each.latest for each in policies), default=_LATEST)
    names = _names(entries.get("contacts"), notes)
    steps = _steps(entries, Timeline(notes, start_utc, known, latest, registered, names))
    if notes or registered is None:
        return []
    title = entries["scenario"].value
    requirement = entries["requirement"].value if "requirement" in entries else ()
    case = Case(
        file=notes.file,
        line=node.value[0][0].start_mark.line + 1,
        name=f"{title} [{name}]" if name else title,
        policy=policies[0],
        start=start,
        start_utc=start_utc,
        timezone=entries["timezone"].value if "timezone" in entries else None,
        requirement=(requirement,) if isinstance(requirement, str) else requirement,
        templates={key: _statuses(value) for key, value in registered.items()},
        categories={key: v.category for key, v in registered.items() if v.category},
        steps=steps,
    )
    return [case, *(replace(case, policy=other) for other in policies[1:])]


def _steps(entries: Entries, timeline: Timeline) -> tuple[Step, ...]:
    if "steps" in entries and entries["steps"].value is not BAD:
        for _, step in entries["steps"].value:
            if step is BAD:
                timeline.skip()
            else:
                timeline.add(step)
    return tuple(timeline.steps)


_LATEST: Final = datetime.max.replace(tzinfo=UTC)


def _policies(
    node: Node, entries: Entries, notes: Notes, policy: Policy | None
) -> tuple[Policy, ...]:
    if policy is not None:
        return (policy,)
    entry = entries.get("policy")
    if entry is None:
        notes.lacks(
            node, "the key `policy` is missing; name one here (such as `textbook`) or by `--policy`"
        )
        return ()
    return () if entry.value is BAD else entry.value


def _names(entry: Entry | None, notes: Notes) -> dict[str, str]:
    """From every name of a contact, as it is kept, to the contact."""
    names: dict[str, str] = {}
    if entry is None or entry.value is BAD:
        return names
    for contact, said in entry.value.items():
        several = (said.value,) if isinstance(said.value, str) else said.value
        for name in () if several is BAD else (contact, *several):
            if names.setdefault(canonical(name), contact) != contact:
                other = quoted(names[canonical(name)])
                notes.add(
                    said.node,
                    f"{quoted(name)} is a name of the contact {other} too; "
                    "expected a name to be of one contact",
                )
    return names


def _statuses(registered: Registered) -> str | dict[str, str]:
    everywhere = registered.statuses.get(None)
    if everywhere is not None:
        return everywhere
    return {tag: status for tag, status in registered.statuses.items() if tag is not None}
