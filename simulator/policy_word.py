"""How a scenario file names its policy: by name, by file, several, or one with options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wa_fsm import policies
from wa_fsm.policy import Policy, PolicyError

from .common import FLAG, LENGTH
from .fields import BAD, Either, Entries, Schema, Text, Type, Word
from .mistakes import Notes, quoted
from .policy_file import BadPolicyFile, PolicyFile, is_file, read
from .records import Field, Record

_FILE_PATTERN: Final = r"\.ya?ml$"
_TYPES: Final[Mapping[str, Type]] = {"duration": LENGTH, "flag": FLAG}


@lru_cache(maxsize=256)
def _policy(name: str, options: tuple[tuple[str, Any], ...] = ()) -> Policy:
    return policies.get(name, **dict(options))


@dataclass(frozen=True, slots=True)
class _Name(Word):
    """A shipped policy's name, or the path of a policy file, seen from the scenario file."""

    one: bool = False

    @property
    def what(self) -> str:
        """As a message says it."""
        return "a policy's name"

    def read(self, node: Node, notes: Notes) -> Any:
        """The policy, in a tuple of one; with `one`, as it is."""
        if node.__class__ is ScalarNode and is_file(node.value):
            told = _read(node, notes)
            return BAD if told is BAD else told.policy() if self.one else (told.policy(),)
        return Word.read(self, node, notes)

    def _unknown(self, word: str) -> str:
        if "," in word:
            forms = "`[NAME, NAME]`, or one with options, as `{name: NAME, OPTION: VALUE}`"
            return f"unknown policy {quoted(word)}; expected a name, a list of names, as {forms}"
        return Word._unknown(self, word)

    def schema(self) -> Schema:
        """The names, or a path."""
        return {"anyOf": [Word.schema(self), {"type": "string", "pattern": _FILE_PATTERN}]}


def _read(node: ScalarNode, notes: Notes) -> Any:
    """What the policy file says, or ``BAD``; its mistakes are told with its own name and places."""
    path = os.path.join(notes.folder, node.value)
    shown = os.path.normpath(os.path.join(os.path.dirname(notes.file), node.value))
    try:
        return read(path, shown.replace(os.sep, "/"))
    except BadPolicyFile as bad:
        notes.add(node, f"the policy file {quoted(node.value)} cannot be used")
        notes.take(bad.mistakes)
        return BAD


class _PolicyMapping:
    """``{name: cloud-api, margin: 5m}``: which options there are hangs on the name."""

    what = "a policy with options"

    def __init__(self) -> None:
        self._records = {name: self._record(name) for name in policies.NAMES}

    def _record(self, name: str) -> Record:
        fields = {"name": Field(Text("a policy's name"), "The policy's name.", required=True)}
        for option, kind in policies.OPTIONS[name].items():
            fields[option] = Field(_TYPES[kind], f"The option `{option}`, a {kind}.")
        return Record(self.what, fields, noun="option")

    def read(self, node: Node, notes: Notes) -> Any:
        """The policy, in a tuple of one."""
        named = {k.value: v for k, v in reversed(node.value) if isinstance(k, ScalarNode)}
        told: Any = BAD
        if "name" in named and named["name"].__class__ is ScalarNode:
            is_path = is_file(named["name"].value)
            told = _read(named["name"], notes) if is_path else _NAME.read(named["name"], notes)
        elif "name" in named:
            _NAME.read(named["name"], notes)
        if told is BAD:
            fields = {n: f for record in self._records.values() for n, f in record.fields.items()}
            fields["name"] = Field(Text("a policy's name"), "", required=True)
            Record(self.what, fields, noun="option").read(node, notes)
            return BAD
        base = told.extends if isinstance(told, PolicyFile) else told.name
        entries: Entries = self._records[base].read(node, notes)
        options = {key: entry.value for key, entry in entries.items() if key != "name"}
        if BAD in options.values():
            return BAD
        try:
            if isinstance(told, PolicyFile):
                return (told.policy(**options),)
            return (_policy(told.name, tuple(options.items())),)
        except PolicyError as error:
            blamed = (name for name in ("margin", "window") if f"the {name}" in str(error))
            option = next((entries[name].node for name in blamed if name in entries), node)
            notes.add(option, str(error))
            return BAD

    def schema(self) -> Schema:
        """A record for each policy, and one for files."""
        every: dict[str, Field] = {}
        shown = []
        for name, record in self._records.items():
            fields = {**record.fields, "name": Field(Word("policy", {name: name}), "", True)}
            fields["name"] = Field(fields["name"].type, "The policy's name.", True)
            shown.append(Record(self.what, fields, noun="option").schema())
            every.update(record.fields)
        file = Record(self.what, every, noun="option").schema()
        file["properties"]["name"] = {
            "description": "The path of a policy file.",
            "type": "string",
            "pattern": _FILE_PATTERN,
        }
        return {"anyOf": [*shown, file]}


_NAME: Final = _Name("policy", {name: _policy(name) for name in policies.NAMES}, one=True)
POLICY: Final = Either(
    "a policy's name, a list of names, or `{name: NAME, OPTION: VALUE}`",
    _Name("policy", {name: (_policy(name),) for name in policies.NAMES}),
    many=_NAME,
    mapping=_PolicyMapping(),
)


def own_rules(document: Node, notes: Notes, policy: Policy | None) -> frozenset[str]:
    """The ids that the policy files add which this document names, or the `policy` in their place.

    Read ahead, because an expectation may stand above the key. Mistakes are told later.
    """
    ids = {own.id for own in policy.refusals} if policy is not None else set()
    if isinstance(document, MappingNode):
        for key, node in document.value:
            if key.__class__ is ScalarNode and key.value == "policy":
                for file in _files(node):
                    try:
                        told = read(os.path.join(notes.folder, file), file)
                    except BadPolicyFile:
                        continue
                    ids.update(own.id for own in told.refusals)
    return frozenset(ids)


def _files(node: Node) -> list[str]:
    """The policy files that the value of `policy` names."""
    values: list[Node] = [node]
    if isinstance(node, SequenceNode):
        values = list(node.value)
    elif isinstance(node, MappingNode):
        values = [v for k, v in node.value if k.__class__ is ScalarNode and k.value == "name"]
    return [v.value for v in values if isinstance(v, ScalarNode) and is_file(v.value)]
