"""What the small numbers of one audit stand for. Shared by its threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from . import codes

Pair: TypeAlias = tuple[str | None, str | None]  # a template's name and language
List: TypeAlias = Literal["numbers", "categories", "templates", "failures", "files", "names"]

_MOST: Final[Mapping[List, tuple[int, str]]] = {
    "numbers": (codes.MOST_NUMBERS, "business numbers"),
    "categories": (codes.MOST_CATEGORIES, "categories"),
    "templates": (codes.MOST_TEMPLATES, "templates"),
    "failures": (codes.MOST_CODES, "error codes"),
    "files": (1 << 31, "files"),
    "names": (1 << 62, "names"),
}


class TooMany(ValueError):
    """A column has more different values than an audit can tell apart."""


class Words:
    """Lists of what occurs; a thing's number is its place. Some begin with "none".

    Attributes:
        lists: of each sort what occurs, in the order of learning: business numbers, categories,
            templates as (name, language), error codes, files as (name, unit), and in small logs
            names that are no phone numbers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.lists: dict[List, list[Any]] = {sort: [] for sort in _MOST}
        self._places: dict[List, dict[Any, int]] = {sort: {} for sort in _MOST}
        self.places("categories", [None])
        self.places("templates", [(None, None)])
        self.places("failures", [0])

    def places(self, sort: List, things: Iterable[Any]) -> list[int]:
        """The numbers of some things, new ones included.

        Raises:
            TooMany: there are no numbers left.
        """
        known, listed = self._places[sort], self.lists[sort]
        most, what = _MOST[sort]
        found = []
        with self._lock:
            for thing in things:
                place = known.get(thing)
                if place is None:
                    place = len(listed)
                    if place >= most:
                        raise TooMany(f"more than {most - 1:,} {what}; an audit can hold no more")
                    known[thing] = place
                    listed.append(thing)
                found.append(place)
        return found

    def __getitem__(self, sort: List) -> list[Any]:
        return self.lists[sort]

    def saved(self) -> dict[str, list[Any]]:
        """As plain values, for a file."""
        return {sort: list(listed) for sort, listed in self.lists.items()}

    @classmethod
    def loaded(cls, saved: Mapping[str, list[Any]]) -> Words:
        """What ``saved`` gave, from a file."""
        words = cls()
        for sort in _MOST:
            listed = [tuple(t) if isinstance(t, list) else t for t in saved[sort]]
            words.places(sort, listed)
        return words
