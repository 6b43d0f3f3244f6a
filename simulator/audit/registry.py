"""``--templates FILE``: what is registered, in the words of a scenario's `templates`."""

from __future__ import annotations

from ..fields import BAD
from ..mistakes import Mistake, Notes
from ..model import TEMPLATES
from ..nodes import compose
from .plain import Registry


class BadRegistry(Exception):
    """A file that cannot be used; `mistakes` are all of them."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


def read_registry(path: str) -> Registry:
    """What the file at `path` says: from a template's name to its status, or to one by language.

    Raises:
        BadRegistry: with every mistake in it.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        text = file.read()
    notes = Notes(path)
    documents = compose(text, notes)
    if not documents and not notes:
        notes.put(1, 1, "the file is empty; expected a mapping from template name to status")
    for extra in documents[1:]:
        notes.add(extra.root, "a second document; expected one mapping from template to status")
    told = TEMPLATES.read(documents[0].root, notes) if documents else BAD
    if notes or told is BAD:
        raise BadRegistry(notes.sorted())
    entries, categories = {}, {}
    for name, entry in told.items():
        statuses = entry.value.statuses
        everywhere = statuses.get(None)
        by_language = {tag: status for tag, status in statuses.items() if tag is not None}
        entries[name] = by_language if everywhere is None else everywhere
        if entry.value.category is not None:
            categories[name] = entry.value.category
    return Registry(entries, categories)
