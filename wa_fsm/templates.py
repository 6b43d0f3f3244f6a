"""Registered templates and their statuses. They belong to the business account, not to a key.

A template is known by name and language; ``en-US`` and ``en_US`` are one language. An entry
without a language serves all. A language that is not listed is unknown. The status at an instant
is the known one with the greatest ``at`` up to then; of equals the one learnt later.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from wa_fsm.events import (
    TEMPLATE_STATUSES,
    StatusName,
    Template,
    TemplateStatus,
    instant,
    status_name,
)

TemplateEntry: TypeAlias = str | Mapping[str, str]
_MOST_KEPT: Final = 4096
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
# When several languages would do and none is approved, the refusal speaks of the one nearest to
# being sendable.
_NEARNESS: Final = {
    name: rank
    for rank, name in enumerate(
        ("approved", "paused", "in_appeal", "pending", "limit_exceeded", "rejected", "disabled")
    )
}
_Known: TypeAlias = tuple[datetime, datetime, int, str]  # at, arrived, order, status


def plain_language(language: str) -> str:
    """The language as it is kept: ``en-US`` and ``en_US`` are one."""
    return language.replace("-", "_")


class Templates:
    """What is registered, and what became of it.

    Args:
        entries: from name to a status, or to a mapping from language to status. They hold from
            the beginning of time until a later ``TemplateStatus``.
        categories: from name to category, such as ``marketing``, where that is known. Only a
            policy with refusals of its own asks for it; of a word that is no category it assumes
            every one.

    Raises:
        ValueError: a status that is none.
        TypeError: `entries` is no mapping.
    """

    __slots__ = ("_approved", "_categories", "_known", "_serves_all", "_statuses", "_timed")

    def __init__(
        self,
        entries: Mapping[str, TemplateEntry] | None = None,
        categories: Mapping[str, str] | None = None,
    ) -> None:
        self._categories = {
            name: word.strip().lower() for name, word in (categories or {}).items() if word
        }
        self._known: dict[str, dict[str | None, list[_Known]]] = {}
        self._serves_all: set[str] = set()
        self._approved: bool | None = None
        self._timed = False  # some status holds only from an instant on
        # What `status` gave, while none hangs on the instant.
        self._statuses: dict[tuple[str, str | None], StatusName | None] | None = None
        if entries is not None and not isinstance(entries, Mapping):
            raise TypeError(f"expected a mapping from name to status, got `{entries!r}`")
        for name, entry in (entries or {}).items():
            if isinstance(entry, str):
                self._known[name] = {None: [(_ALWAYS, _ALWAYS, 0, status_name(entry))]}
                self._serves_all.add(name)
                continue
            by_language: dict[str | None, str] = dict(entry.items())
            for language, status in by_language.items():
                self._learn(name, language, (_ALWAYS, _ALWAYS, 0, status_name(status)))
                if language is None:
                    self._serves_all.add(name)

    def add(self, event: TemplateStatus, arrived: datetime | None = None, order: int = 0) -> None:
        """Learn a status.

        Args:
            event: the status; without a language it is that of all languages listed.
            arrived: when we learnt of it; None: at its ``at``.
            order: tells apart what arrived at the same instant.
        """
        when = event.at if arrived is None else instant(arrived)
        self._learn(event.name, event.language, (event.at, when, order, event.status))

    def _learn(self, name: str, language: str | None, known: _Known) -> None:
        kept = None if language is None else plain_language(language)
        learnt = self._known.setdefault(name, {}).setdefault(kept, [])
        at, _, _, status = known
        same = [each for each in learnt if each[0] == at and each[3] == status]
        if same and same[0] <= known:  # told again, which changes nothing: it was learnt before
            return
        for each in same:
            learnt.remove(each)
        insort(learnt, known)
        self._approved = self._statuses = None
        self._timed = self._timed or known[0] != _ALWAYS

    def status(self, template: Template, at: datetime) -> StatusName | None:
        """The template's status at `at`; None where it is not registered (then).

        A send that names no language is approved if any listed language is.
        """
        if at.tzinfo is not UTC:
            at = instant(at)
        kept, key = self._statuses, (template.name, template.language)
        if kept is not None and key in kept:
            return kept[key]
        found = self._status(template, at)
        if kept is None and not self._timed:
            kept = self._statuses = {}
        if kept is not None and len(kept) < _MOST_KEPT:
            kept[key] = found
        return found

    def _status(self, template: Template, at: datetime) -> StatusName | None:
        name, language = template.name, template.language
        entry = self._known.get(name)
        if entry is None:
            return None
        if language is not None:
            return self._of_language(name, entry, plain_language(language), at)
        return self._best(name, entry, at)

    def _best(
        self, name: str, entry: Mapping[str | None, list[_Known]], at: datetime
    ) -> StatusName | None:
        languages: list[str | None] = [listed for listed in entry if listed is not None]
        if self._all(name, entry):
            languages.append(None)
        found = (self._of_language(name, entry, language, at) for language in languages)
        return min((status for status in found if status), key=_nearness, default=None)

    def _of_language(
        self,
        name: str,
        entry: Mapping[str | None, list[_Known]],
        language: str | None,
        at: datetime,
    ) -> StatusName | None:
        listed = entry.get(language, []) if language is not None else []
        if not listed and not self._all(name, entry):
            return None
        known = [*_newest(listed, at), *_newest(entry.get(None, []), at)]
        return status_name(max(known)[3]) if known else None

    def _all(self, name: str, entry: Mapping[str | None, list[_Known]]) -> bool:
        return name in self._serves_all or entry.keys() == {None}

    def any_approved(self, at: datetime) -> bool:
        """Whether any registered template may be sent at `at`."""
        if at.tzinfo is not UTC:
            at = instant(at)
        if self._approved is not None:
            return self._approved
        found = any(self._best(n, e, at) == "approved" for n, e in self._known.items())
        if not self._timed:
            self._approved = found
        return found

    def category(self, name: str) -> str | None:
        """The category of the template of this name, in lower case; None where it is not known."""
        return self._categories.get(name)

    def approved_categories(self, at: datetime) -> frozenset[str | None]:
        """The categories of the templates that may be sent at `at`; None is an unknown one."""
        at = instant(at)
        approved = (n for n, e in self._known.items() if self._best(n, e, at) == "approved")
        return frozenset(map(self.category, approved))


def _newest(known: list[_Known], at: datetime) -> list[_Known]:
    """The last of these, which are sorted, that holds at `at`; none or one."""
    count = bisect_right(known, at, key=lambda status: status[0])
    return known[count - 1 : count] if count else []


def _nearness(status: str) -> int:
    return _NEARNESS.get(status, len(TEMPLATE_STATUSES))
