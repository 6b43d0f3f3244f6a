"""From the bytes of a file to YAML nodes with positions, one for each document.

All scalars stay text. Where a file is well-formed and plain, libyaml composes it in one go. Where
it is broken, or may hold tags, anchors or aliases (which a composer resolves without a word), the
events are read one by one: slower, but every mistake has its place, and what stands before broken
YAML is kept.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.error import Mark
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from .mistakes import Hole, Notes, quoted

DEEPEST: Final = 50
_BOM: Final = b"\xef\xbb\xbf"
# Where an anchor, an alias or a tag may begin. Too many hits are only slow; too few were wrong.
_SPECIAL: Final = re.compile(rb"(?<![A-Za-z0-9_.!?])[&*!]")
# libyaml's composer calls itself for each level and would break the stack: these go the slow way.
_DEEP: Final = re.compile(rb"^[-?: \t]{1000}", re.MULTILINE)
_DEEP_FROM: Final = 1000
_MARKS: Final = (b"&", b"*", b"!")
# Ends of lines for YAML 1.1 but for no editor: U+0085, U+2028 and U+2029.
_ODD_ENDS: Final = ("\x85".encode(), "\u2028".encode(), "\u2029".encode())
_END: Final = re.compile(r"\r\n|\r|\n")
_MOST_OPENINGS: Final = 5000
_UNPRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_TOO_DEEP: Final = f"it is nested deeper than {DEEPEST} levels"
_SPACES: Final = "indent with spaces"
_END_IT: Final = "the file ends inside a list or a mapping: end it with `]` or `}`"
_QUOTE_IT: Final = "put a text that begins with this character in quotes"
_BACKSLASH: Final = "write `\\\\` for a backslash, or put the text in single quotes"
# What to do, by libyaml's words (and those of the loader in Python, where they differ).
_ADVICE: Final = (
    (
        "mapping values are not allowed",
        "put a text with `: ` in it in quotes, or check the indentation",
    ),
    ("cannot start any token", _QUOTE_IT),
    ("node content", _QUOTE_IT),
    ("tab character", _SPACES),
    ("scanning an alias", "put a text that begins with `*` in quotes"),
    ("scanning an anchor", "put a text that begins with `&` in quotes"),
    ("scanning a block scalar", "put a text that begins with `|` or `>` in quotes"),
    ("mapping keys are not allowed", "put a text that begins with `? ` in quotes"),
    (
        "sequence entries are not allowed",
        "begin a list on a line of its own, or put a text that begins with `- ` in quotes",
    ),
    ("could not find expected ':'", "put `: ` between key and value, here or in the line above"),
    *(
        (sign, _BACKSLASH)
        for sign in ("escape character", "escape code", "hexdecimal", "hexadecimal")
    ),
    ("',' or ']'", "part the items with `,` and end the list with `]`"),
    ("',' or '}'", "part the entries with `,` and end the mapping with `}`"),
    ("quoted scalar", "end the text with the quote that it begins with"),
    ("expected '-' indicator", "check the indentation"),
    ("did not find expected key", "check the indentation"),
    ("expected <block end>", "check the indentation"),
)
_no_tag: Final = "".format  # takes anything, gives ""


class _Resolver:
    """Resolves no tags: every scalar is text. Built-in functions, because each node calls three."""

    resolve = staticmethod(_no_tag)
    descend_resolver = staticmethod(_no_tag)
    ascend_resolver = staticmethod(_no_tag)


def plain_loader() -> Any:
    """The loader in Python, for a PyYAML without libyaml."""
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class PlainLoader(_Resolver, Reader, Scanner, Parser, Composer):
        def __init__(self, stream: bytes) -> None:
            Reader.__init__(self, stream)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)

    return PlainLoader


def _loader() -> Any:
    try:
        from yaml._yaml import CParser
    except ImportError:
        return plain_loader()
    return type("FastLoader", (_Resolver, CParser), {})


_Loader: Any = _loader()


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Attributes:
        root: its node, of any class.
        truncated: broken YAML cut it off; what it lacks may stand behind the break.
    """

    root: Node
    truncated: bool = False


def compose(text: bytes, notes: Notes) -> list[Document]:
    """The documents of a file; what is wrong with its bytes and its YAML goes into `notes`."""
    if text.startswith(_BOM):
        text = text[len(_BOM) :]
    try:
        text.decode()
    except UnicodeDecodeError as error:
        before = text[: error.start]
        notes.put(*_place(before.decode()), f"byte 0x{text[error.start]:02X} is no UTF-8; "
                  "save the file as UTF-8")  # fmt: skip
        return _slowly(_whole_lines(before), notes, cut=True)
    if _is_special(text) or _is_deep(text) or _has_odd_ends(text):
        return _slowly(text, notes)
    try:
        loader, documents = _Loader(text), []
        while loader.check_node():
            documents.append(Document(loader.get_node()))
        return documents
    except (yaml.YAMLError, RecursionError):
        return _slowly(text, notes)


def _is_special(text: bytes) -> bool:
    # The plain search first: it is much quicker, and most files have none of the three.
    return any(mark in text for mark in _MARKS) and _SPECIAL.search(text) is not None


def _has_odd_ends(text: bytes) -> bool:
    return not text.isascii() and any(end in text for end in _ODD_ENDS)


def _is_deep(text: bytes) -> bool:
    openings = text.count(b"[") + text.count(b"{")
    if openings > _MOST_OPENINGS:
        return True
    longest = max(map(len, text.split(b"\n")))
    return longest >= _DEEP_FROM and _DEEP.search(text) is not None


def _place(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows this text."""
    line, column = _Lines(before).place(len(before))
    return line + 1, column + 1


class _Lines:
    """The lines of a text as editors count them."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in _END.finditer(text))]

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 0, of a character."""
        line = bisect_right(self._starts, index) - 1
        return line, index - self._starts[line]

    def put_right(self, thing: Any, *names: str) -> None:
        """Move these marks to where editors see them."""
        for name in names:
            mark = getattr(thing, name)
            if mark is not None:
                line, column = self.place(mark.index)
                setattr(thing, name, Mark(mark.name, mark.index, line, column, None, 0))


def _whole_lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]


def _slowly(text: bytes, notes: Notes, *, cut: bool = False) -> list[Document]:
    """Read event by event. With `cut` the text ends where something worse begins, already told."""
    builder = _Builder(notes)
    lines = _Lines(text.decode()) if _has_odd_ends(text) else None
    try:
        loader = _Loader(text)
        while loader.check_event():
            event = loader.get_event()
            if lines is not None:
                lines.put_right(event, "start_mark", "end_mark")
            builder.take(event)
    except ReaderError as error:
        found = _UNPRINTABLE.search(text.decode())
        before = text.decode()[: found.start()] if found else ""
        said = f"the control character U+{ord(found[0]):04X} may not stand here" if found else error
        notes.put(*_place(before), f"broken YAML: {said}")
        return _slowly(_whole_lines(before.encode()), notes, cut=True)
    except yaml.MarkedYAMLError as error:
        if lines is not None:
            lines.put_right(error, "problem_mark", "context_mark")
        if not cut:
            _tell(error, text, notes)
        builder.close()
    else:
        if cut and builder.documents:
            builder.documents[-1] = Document(builder.documents[-1].root, truncated=True)
    return builder.documents


def _tell(error: yaml.MarkedYAMLError, text: bytes, notes: Notes) -> None:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    advice = next((f"; {do}" for sign, do in _ADVICE if sign in said), "")
    if mark and advice.endswith(_QUOTE_IT):
        rest = text.decode()[mark.index :]
        if rest.startswith("\t"):
            advice = f"; {_SPACES}"
        elif not rest.strip():
            advice = f"; {_END_IT}"
    notes.put(line, column, f"broken YAML: {said}{advice}; what follows could not be read")


class _TooDeepError(yaml.MarkedYAMLError):
    """Reading on would only take time: what is so deep is no scenario."""


@dataclass(slots=True)
class _Builder:
    """Builds nodes from events, without recursion; aliases and what is too deep become holes."""

    notes: Notes
    documents: list[Document] = field(default_factory=list)
    _open: list[tuple[Event, list[Node]]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Add one event."""
        if isinstance(event, (SequenceStartEvent, MappingStartEvent)):
            self._told(event)
            if len(self._open) > DEEPEST:
                mark: Any = event.start_mark
                raise _TooDeepError(problem=_TOO_DEEP, problem_mark=mark)
            self._open.append((event, []))
        elif isinstance(event, CollectionEndEvent):
            self._close(event)
        elif isinstance(event, NodeEvent):
            self._told(event)
            self._put(self._leaf(event))
        elif isinstance(event, DocumentStartEvent):
            self._open.append((event, []))
        elif isinstance(event, DocumentEndEvent):
            _, nodes = self._open.pop()
            self.documents.append(Document(nodes[0]))

    def close(self) -> None:
        """End what broken YAML left open, as if it had ended there."""
        nodes = self._open[-1][1] if self._open else []
        if nodes and isinstance(nodes[-1], ScalarNode) and not nodes[-1].style:
            last, begin, end = nodes[-1], nodes[-1].start_mark, nodes[-1].end_mark
            if begin.line != end.line:  # it ran on into what was meant otherwise
                nodes[-1] = Hole("", last.value, begin, end)
        while len(self._open) > 1:
            self._close(self._open[-1][0])
        if self._open:
            _, nodes = self._open.pop()
            if nodes:
                self.documents.append(Document(nodes[0], truncated=True))

    def _close(self, end: Event) -> None:
        event, nodes = self._open.pop()
        marks: tuple[Any, Any] = (event.start_mark, end.end_mark)
        if isinstance(event, SequenceStartEvent):
            self._put(SequenceNode("", nodes, *marks))
        else:
            if len(nodes) % 2:
                nodes.append(_hole_at(end))
            self._put(MappingNode("", list(zip(nodes[::2], nodes[1::2], strict=True)), *marks))

    def _put(self, node: Node) -> None:
        self._open[-1][1].append(node)

    def _leaf(self, event: NodeEvent) -> Node:
        if isinstance(event, ScalarEvent):
            marks: tuple[Any, Any] = (event.start_mark, event.end_mark)
            return ScalarNode("", event.value, *marks, event.style)
        return _hole_at(event)

    def _told(self, event: NodeEvent) -> None:
        """Note an anchor, an alias or a tag: a scenario is read as it stands."""
        place = _hole_at(event, ScalarNode)
        advice = "write the value itself"
        if isinstance(event, AliasEvent):
            self.notes.add(place, f"an alias, {quoted(f'*{event.anchor}')}; {advice}")
            return
        if event.anchor is not None:
            self.notes.add(place, f"an anchor, {quoted(f'&{event.anchor}')}; {advice}")
        tag = getattr(event, "tag", None)
        if tag is not None:
            told = tag.replace("tag:yaml.org,2002:", "!!")
            self.notes.add(place, f"a tag, {quoted(told)}; every value is text, write it without")


def _hole_at(event: Event, what: type[ScalarNode] = Hole) -> ScalarNode:
    marks: tuple[Any, Any] = (event.start_mark, event.end_mark)
    return what("", "", *marks)


def scalars(root: Node) -> Iterator[ScalarNode]:
    """Every scalar below `root`, keys too."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ScalarNode):
            yield node
        elif isinstance(node, SequenceNode):
            waiting += node.value
        else:
            for pair in node.value:
                waiting += pair
