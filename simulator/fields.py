"""The building blocks of a declared file format: each reads a node, and says its JSON Schema.

House rules:

* ``read`` gives a value, or ``BAD`` after it has put what is wrong into the notes.
* The schema accepts whatever ``read`` accepts, as a YAML 1.2 parser delivers it (numbers and
  booleans included), and refuses what it can of the rest. ``<name>`` stands for any value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wa_fsm.policies import near

from .mistakes import Notes, or_none, quoted, shown

BAD: Final[Any] = type("_Bad", (), {"__repr__": lambda _: "BAD"})()
PLACEHOLDER: Final = "<[A-Za-z_][A-Za-z0-9_-]*>"
Schema: TypeAlias = dict[str, Any]
_PLACEHOLDER: Final[Schema] = {"$ref": "#/$defs/placeholder"}


class Entry(NamedTuple):
    """One entry of a mapping: its key, its value, and what the value means (or ``BAD``)."""

    key: ScalarNode
    node: Node
    value: Any


Entries: TypeAlias = dict[str, Entry]


class Type(Protocol):
    """What a value may be."""

    @property
    def what(self) -> str:
        """What a message says was expected, such as ``a time``."""

    def read(self, node: Node, notes: Notes) -> Any:
        """The value, or ``BAD``."""

    def schema(self) -> Schema:
        """What a JSON Schema says of it."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any scalar, as text."""

    what: str = "a text"
    empty: bool = False

    def read(self, node: Node, notes: Notes) -> Any:
        """The text."""
        if node.__class__ is ScalarNode and (node.value.strip() or self.empty):
            return node.value
        return unexpected(node, notes, self.what)

    def schema(self) -> Schema:
        """Numbers and booleans are texts too: all scalars are."""
        types = ["string", "number", "boolean", *(["null"] if self.empty else [])]
        return {"type": types} if self.empty else {"type": types, "pattern": r"\S"}


@dataclass(frozen=True, slots=True)
class Word:
    """One of a closed list.

    Attributes:
        noun: what a message calls it: ``unknown NOUN `…```.
        values: what each word means.
        slips: what to say of words that are often taken for one of these.
        expected: what to say instead of the whole list, where that is long.
    """

    noun: str
    values: Mapping[str, Any]
    slips: Mapping[str, str] = field(default_factory=dict)
    expected: str = ""

    @property
    def what(self) -> str:
        """As ``a kind``."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    def read(self, node: Node, notes: Notes) -> Any:
        """What the word means."""
        if node.__class__ is ScalarNode:
            value = self.values.get(node.value, BAD)
            if value is not BAD:
                return value
            if node.value:
                notes.add(node, self.slips.get(node.value) or self._unknown(node.value))
                return BAD
        return unexpected(node, notes, self.what)

    def _unknown(self, word: str) -> str:
        said = near(word, self.values)
        if self.expected:
            _, asks, meant = said.rpartition("; did you mean")
            said = self.expected + asks + meant if asks else self.expected
        return f"unknown {self.noun} {quoted(word)}; {said}"

    def schema(self) -> Schema:
        """The words, and the numbers and booleans that a YAML parser makes of some."""
        words: list[Any] = list(self.values)
        words += [value for value in self.values.values() if isinstance(value, (bool, int))]
        return {"anyOf": [{"enum": words}, _PLACEHOLDER]}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A scalar with a grammar of its own.

    Attributes:
        what: what a message says was expected.
        parse: raises ValueError with the complaint.
        pattern: of the schema; it may accept more than `parse`, never less.
        number: a YAML parser may deliver it as a number.
    """

    what: str
    parse: Callable[[str], Any]
    pattern: str = ""
    number: bool = False

    def read(self, node: Node, notes: Notes) -> Any:
        """What `parse` makes of it."""
        if node.__class__ is ScalarNode and node.value:
            try:
                return self.parse(node.value)
            except ValueError as error:
                notes.add(node, str(error))
                return BAD
        return unexpected(node, notes, self.what)

    def schema(self) -> Schema:
        """The pattern."""
        own: Schema = {"type": ["string", "number"] if self.number else "string"}
        if self.pattern:
            own["pattern"] = f"^(?:{self.pattern})$"
        return {"anyOf": [own, _PLACEHOLDER]}


@dataclass(frozen=True, slots=True)
class OrNone:
    """What `of` reads, or the word ``none``."""

    of: Type

    @property
    def what(self) -> str:
        """As ``a time or `none```."""
        return f"{self.of.what} or `none`"

    def read(self, node: Node, notes: Notes) -> Any:
        """The value; None for ``none``."""
        if node.__class__ is ScalarNode:
            if node.value == "none":
                return None
            if node.value:
                notes.reword = or_none
                value = self.of.read(node, notes)
                notes.reword = None
                return value
        return unexpected(node, notes, self.what)

    def schema(self) -> Schema:
        """Either."""
        return {"anyOf": [{"const": "none"}, self.of.schema()]}


@dataclass(frozen=True, slots=True)
class Either:
    """Another type for each class of node. `one` takes scalars.

    Attributes:
        what: what a message says was expected.
        one: for a scalar.
        many: for a list; each item is read by it, and the value is a tuple.
        mapping: for a mapping.
    """

    what: str
    one: Type
    many: Type | None = None
    mapping: Type | None = None

    def read(self, node: Node, notes: Notes) -> Any:
        """What the type for this class of node makes of it."""
        kind = node.__class__
        if kind is ScalarNode and node.value:
            return self.one.read(node, notes)
        if kind is MappingNode and self.mapping is not None and node.value:
            return self.mapping.read(node, notes)
        if kind is SequenceNode and self.many is not None and node.value:
            values = tuple([self.many.read(item, notes) for item in node.value])
            return BAD if BAD in values else values
        return unexpected(node, notes, self.what)

    def schema(self) -> Schema:
        """Any of them."""
        options = [self.one.schema()]
        if self.many is not None:
            options.append({"type": "array", "minItems": 1, "items": self.many.schema()})
        if self.mapping is not None:
            options.append(self.mapping.schema())
        return {"anyOf": options}


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at least one; the value holds a pair of node and value for each."""

    what: str
    of: Type

    def read(self, node: Node, notes: Notes) -> Any:
        """A list of (node, value); a bad item's value is ``BAD``."""
        if node.__class__ is SequenceNode and node.value:
            return [(item, self.of.read(item, notes)) for item in node.value]
        if node.__class__ is SequenceNode:
            notes.lacks(node, f"expected {self.what}, got an empty list")
            return BAD
        return unexpected(node, notes, self.what)

    def schema(self) -> Schema:
        """A list of at least one."""
        return {"type": "array", "minItems": 1, "items": self.of.schema()}


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping whose keys the user chooses.

    Attributes:
        what: what a message says was expected.
        noun: what a message calls a key.
        key: reads the keys.
        value: reads the values.
        same: keys with the same of this are duplicates.
        empty: an empty mapping will do.
    """

    what: str
    noun: str
    key: Type
    value: Type
    same: Callable[[str], str] = str
    empty: bool = False

    def read(self, node: Node, notes: Notes) -> Any:
        """The entries by ``same(key)``, the first of duplicates; bad keys are left out."""
        if node.__class__ is not MappingNode or not (node.value or self.empty):
            return unexpected(node, notes, self.what)
        entries: Entries = {}
        for key, value in node.value:
            name = self.key.read(key, notes)
            if name is BAD:
                continue
            name = self.same(name)
            if name in entries:
                notes.add(key, f"duplicate {self.noun} {quoted(key.value)}; expected it once")
            else:
                entries[name] = Entry(key, value, self.value.read(value, notes))
        return entries

    def schema(self) -> Schema:
        """A mapping with values of one type."""
        own: Schema = {"type": "object", "additionalProperties": self.value.schema()}
        return own if self.empty else {**own, "minProperties": 1}


def words(names: Iterable[str]) -> dict[str, str]:
    """A closed list of words that mean themselves."""
    return {name: name for name in names}


def unexpected(node: Node, notes: Notes, what: str) -> Any:
    """Note that something else was expected here, and give ``BAD``."""
    notes.add(node, f"expected {what}, got {shown(node)}")
    return BAD
