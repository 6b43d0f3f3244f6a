"""What is wrong with a scenario file, and where: collected, never thrown one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_LONGEST: Final = 60


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong; as text it is ``file:line:column: text``.

    Attributes:
        file: as the reader named it.
        line: from 1.
        column: from 1, in characters.
        text: what is wrong, what was expected, what to do.
    """

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return printable(f"{self.file}:{self.line}:{self.column}: {self.text}")


class BadFile(Exception):
    """A file that cannot be run. `mistakes` are all of them, by position; never empty."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class Hole(ScalarNode):
    """Stands for something already told as a mistake: complaints about it are dropped."""


@dataclass(slots=True)
class Notes:
    """The mistakes of one file as they are found.

    Attributes:
        file: as the reader named it.
        truncated: the document at hand ends in broken YAML; what it lacks may stand further down.
        folder: where the file is; what it names by a path is looked for from there.
        own_rules: ids of the refusals that the policy files in force add.
        reword: changes each complaint that is made from now on; None: none.
    """

    file: str
    truncated: bool = False
    folder: str = ""
    own_rules: frozenset[str] = frozenset()
    reword: Callable[[str], str] | None = None
    _found: dict[Mistake, None] = field(default_factory=dict)

    def add(self, node: Node, text: str) -> None:
        """Something is wrong at `node`."""
        if node.__class__ is not Hole:
            self.put(node.start_mark.line + 1, node.start_mark.column + 1, text)

    def lacks(self, node: Node, text: str) -> None:
        """Something is missing in `node`; it is not told of a document that is cut off."""
        if not self.truncated:
            self.add(node, text)

    def put(self, line: int, column: int, text: str) -> None:
        """Something is wrong at this place; line and column count from 1."""
        said = text if self.reword is None else self.reword(text)
        self._found[Mistake(self.file, line, column, said)] = None

    def take(self, mistakes: Iterable[Mistake]) -> None:
        """What is wrong with another file that this one names."""
        self._found.update(dict.fromkeys(mistakes))

    def __bool__(self) -> bool:
        return bool(self._found)

    def sorted(self) -> list[Mistake]:
        """All by position, other files' last; of one position in the order they were found."""
        return sorted(self._found, key=lambda m: (m.file != self.file, m.line, m.column))


def or_none(text: str) -> str:
    """The same complaint where ``none`` would do too."""
    said, asks, close = text.partition("; did you mean")
    return f"{said}, or `none`{asks}{close}" if "expected" in said else text


def printable(text: str) -> str:
    """The text without what a terminal would obey, whatever stands in a file or is its name."""
    if text.isprintable():
        return text
    from .reports.page import safe  # local: Rich is slow to import, and such texts are rare

    return safe(text)


def quoted(text: str) -> str:
    """The user's words in backticks, cut where they are long; "nothing" for an empty text.

    A line that ends inside stays one line; one that ends last is shown, as it could not be seen.
    """
    lines = text.splitlines()
    text = " ".join(lines) + (r"\n" if lines and text != text.rstrip("\n\r\u2028\u2029") else "")
    if not text:
        return "nothing"
    return f"`{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}`"


def shown(node: Node) -> str:
    """What a message calls this node: its words, or what kind of thing it is."""
    if isinstance(node, SequenceNode):
        return "a list" if node.value else "an empty list"
    if isinstance(node, MappingNode):
        return "a mapping" if node.value else "an empty mapping"
    return quoted(node.value)
