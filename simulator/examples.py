"""Examples: one document with ``<name>`` in it makes one case for each set of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from .fields import BAD, Entry
from .flow import PLACEHOLDER
from .mistakes import Hole, Notes, quoted
from .model import EXAMPLES
from .nodes import DEEPEST, scalars


def expand(root: MappingNode, notes: Notes, *, placeholders: bool) -> Iterator[tuple[str, Node]]:
    """Each case's name (empty without examples) and its document, every ``<name>`` replaced.

    What has no value, or none that can be used, becomes a hole.

    Args:
        root: the document.
        notes: for what is wrong.
        placeholders: whether there may be any ``<name>`` in the file at all.
    """
    at = next((i for i, (key, _) in enumerate(root.value) if key.value == "examples"), None)
    if at is None:
        yield "", _Case({}, "", notes, told=True).replace(root) if placeholders else root
        return
    key, node = root.value[at]
    cases = EXAMPLES.read(node, notes)
    hole = Hole("", "", node.start_mark, node.end_mark)
    rest = [*root.value[:at], (key, hole), *root.value[at + 1 :]]
    document = MappingNode(root.tag, rest, root.start_mark, root.end_mark)
    if cases is BAD or not cases or any(_is_bad(case) for case in cases.values()):
        yield "", _Case({}, "", notes, told=False).replace(document)
        return
    for name, entry in cases.items():
        case = _Case(entry.value, name, notes, told=True)
        yield name, case.replace(document)
        for value, told in entry.value.items():
            if value not in case.used:
                notes.lacks(
                    told.key, f"the value {quoted(value)} is never used; no `<{value}>` stands here"
                )


def may_have_placeholders(text: bytes) -> bool:
    """Whether any scalar of this file may hold a ``<name>``: quick, and never wrong about no."""
    return b"<" in text or b"\\" in text


def _is_bad(case: Entry) -> bool:
    return case.value is BAD or any(entry.value is BAD for entry in case.value.values())


class _Case:
    """Replaces the names of one case; `told`: whether a name without a value is a mistake."""

    def __init__(self, values: Mapping[str, Entry], name: str, notes: Notes, *, told: bool) -> None:
        self._values = values
        self._name = name
        self._notes = notes
        self._told = told
        self.used: set[str] = set()

    def replace(self, root: Node) -> Node:
        """The document with the values in place; nodes without a name in them are kept."""
        if not any("<" in scalar.value for scalar in scalars(root)):
            return root
        return self._replace(root, DEEPEST)

    def _replace(self, node: Node, levels: int) -> Node:
        if isinstance(node, ScalarNode):
            return self._scalar(node) if "<" in node.value else node
        if not levels:
            return Hole("", "", node.start_mark, node.end_mark)
        marks = (node.start_mark, node.end_mark)
        if isinstance(node, SequenceNode):
            items = [self._replace(item, levels - 1) for item in node.value]
            return SequenceNode(node.tag, items, *marks)
        pairs = [
            (self._replace(key, levels - 1), self._replace(value, levels - 1))
            for key, value in node.value
        ]
        return MappingNode(node.tag, pairs, *marks)

    def _scalar(self, node: ScalarNode) -> ScalarNode:
        names = PLACEHOLDER.findall(node.value)
        if not names:
            return node
        missing = [name for name in names if name not in self._values]
        marks = (node.start_mark, node.end_mark)
        self.used.update(names)
        if missing:
            where = f" in the case {quoted(self._name)}" if self._name else ""
            for name in missing if self._told else ():
                self._notes.lacks(
                    node, f"`<{name}>` has no value{where}; give it one under `examples`"
                )
            return Hole("", "", *marks)
        text = PLACEHOLDER.sub(lambda match: str(self._values[match[1]].value), node.value)
        return ScalarNode(node.tag, text, *marks, node.style)
