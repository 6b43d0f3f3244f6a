"""Building blocks that are mappings with a closed list of keys; see ``fields.py`` for the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from yaml.nodes import MappingNode, Node, ScalarNode

from wa_fsm.policies import near

from .fields import BAD, PLACEHOLDER, Entries, Entry, Schema, Type, unexpected
from .mistakes import Notes, quoted, shown

_entry: Final = tuple.__new__


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a record: what its value may be, what it is for, and whether it must be there."""

    type: Type
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with a closed list of keys.

    Attributes:
        what: what a message says was expected.
        fields: the keys.
        noun: what a message calls a key.
        only_one: of these keys at most one may stand.
        build: makes the value of the entries; without it they are the value.
    """

    what: str
    fields: Mapping[str, Field]
    noun: str = "key"
    only_one: tuple[str, ...] = ()
    build: Callable[[Entries], Any] | None = None
    _required: tuple[str, ...] = field(init=False)
    _readers: Mapping[str, tuple[Callable[[Node, Notes], Any], bool]] = field(init=False)

    def __post_init__(self) -> None:
        required = tuple(name for name, known in self.fields.items() if known.required)
        object.__setattr__(self, "_required", required)
        # How to read each key, and whether it is one of `only_one`: looked up once, this is hot.
        readers = {n: (known.type.read, n in self.only_one) for n, known in self.fields.items()}
        object.__setattr__(self, "_readers", readers)

    def read(self, node: Node, notes: Notes) -> Any:
        """The entries by key, the first of duplicates; or what `build` makes of good ones."""
        if node.__class__ is not MappingNode:
            return unexpected(node, notes, self.what)
        readers, entries, actors = self._readers, {}, 0
        for key, value in node.value:
            name = key.value
            known = readers.get(name) if key.__class__ is ScalarNode else None
            if known is None or name in entries:
                self._odd_key(key, notes)
                continue
            read, one_of = known
            if one_of:
                actors += 1
                if actors > 1:
                    self._second(key, notes)
            # tuple.__new__, because a NamedTuple's own is a Python function and this is hot
            entries[name] = _entry(Entry, (key, value, read(value, notes)))
        good = self._complete(node, entries, notes) if self._required or self.build else True
        if self.build is None:
            return entries
        return self.build(entries) if good else BAD

    def _complete(self, node: Node, entries: Entries, notes: Notes) -> bool:
        """Whether `build` has what it needs; notes what is missing."""
        good = True
        for name in self._required:
            if name not in entries:
                expected = self.fields[name].type.what
                notes.lacks(node, f"the key `{name}` is missing; expected {expected}")
                good = False
        for entry in entries.values():
            good = good and entry.value is not BAD
        return good

    def _odd_key(self, key: Node, notes: Notes) -> None:
        if not isinstance(key, ScalarNode):
            notes.add(key, f"expected a {self.noun}, got {shown(key)}")
        elif key.value in self.fields:
            notes.add(key, f"duplicate {self.noun} {quoted(key.value)}; expected it once")
        else:
            told = near(key.value, self.fields)
            notes.add(key, f"unknown {self.noun} {quoted(key.value)}; {told}")

    def _second(self, key: Node, notes: Notes) -> None:
        of = ", ".join(f"`{name}`" for name in self.only_one)
        notes.add(key, f"a second actor {quoted(key.value)}; expected at most one of {of}; "
                  "give it a step of its own")  # fmt: skip

    def schema(self) -> Schema:
        """A mapping with these keys and no others."""
        own: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"description": known.description, **known.type.schema()}
                for name, known in self.fields.items()
            },
            "patternProperties": {PLACEHOLDER: True},
        }
        if self._required:
            own["required"] = list(self._required)
        if self.only_one:
            pairs = [
                {"required": [one, other]}
                for at, one in enumerate(self.only_one)
                for other in self.only_one[at + 1 :]
            ]
            own["not"] = {"anyOf": pairs}
        return own


@dataclass(frozen=True, slots=True)
class Shapes:
    """One of several records, told apart by the key that only it has (the first of its fields)."""

    what: str
    records: tuple[Record, ...]

    def read(self, node: Node, notes: Notes) -> Any:
        """What the record makes of it whose first field stands there."""
        if node.__class__ is not MappingNode:
            return unexpected(node, notes, self.what)
        names = {key.value for key, _ in node.value if isinstance(key, ScalarNode)}
        for record in self.records:
            if _first(record.fields) in names:
                return record.read(node, notes)
        every = {name: known for record in self.records for name, known in record.fields.items()}
        unknown = any(name not in every for name in names) or len(names) < len(node.value)
        if unknown:
            free = {name: Field(known.type, known.description) for name, known in every.items()}
            Record(self.what, free).read(node, notes)
        else:
            firsts = " or ".join(f"`{_first(record.fields)}`" for record in self.records)
            notes.lacks(node, f"the key {firsts} is missing; expected {self.what}")
        return BAD

    def schema(self) -> Schema:
        """Any of them."""
        return {"anyOf": [record.schema() for record in self.records]}


def _first(names: Iterable[str]) -> str:
    return next(iter(names))
