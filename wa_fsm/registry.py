"""Where a gatekeeper learns which templates are registered: a mapping, a callable, an object.

What the source does not know, the statuses that the store learnt may: a source comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

from wa_fsm.decide import Categorised
from wa_fsm.events import StatusName, Template, TemplateStatus, status_name
from wa_fsm.stores.base import Status
from wa_fsm.templates import TemplateEntry, Templates


@runtime_checkable
class Registry(Protocol):
    """What a question needs to know of templates; ``Templates`` is one."""

    def status(self, template: Template, at: datetime) -> StatusName | None:
        """The template's status at an instant; None where it is not registered."""

    def any_approved(self, at: datetime) -> bool:
        """Whether any registered template may be sent at an instant."""


@runtime_checkable
class Follower(Registry, Protocol):
    """A registry that takes in, by itself, what a store learnt of statuses."""

    def following(self, learnt: Sequence[Status]) -> Registry:
        """The registry, told of all of them."""


TemplatesSource: TypeAlias = (
    Registry | Mapping[str, TemplateEntry] | Callable[[Template], str | None] | None
)


class _Asked:
    """A callable as a registry. It cannot be listed, so some template may always be approved."""

    def __init__(self, ask: Callable[[Template], str | None]) -> None:
        self._ask = ask

    def status(self, template: Template, at: datetime) -> StatusName | None:
        found = self._ask(template)
        return None if found is None else status_name(found)

    def any_approved(self, at: datetime) -> bool:
        return True


class _Both:
    def __init__(self, first: Registry, then: Registry) -> None:
        self._first, self._then = first, then

    def status(self, template: Template, at: datetime) -> StatusName | None:
        return self._first.status(template, at) or self._then.status(template, at)

    def any_approved(self, at: datetime) -> bool:
        return self._first.any_approved(at) or self._then.any_approved(at)

    def category(self, name: str) -> str | None:
        return self._first.category(name) if isinstance(self._first, Categorised) else None

    def approved_categories(self, at: datetime) -> frozenset[str | None]:
        # What the store learnt speaks of statuses only, so the category there is not known.
        none = frozenset[str | None]()
        known: frozenset[str | None] = frozenset({None}) if self._first.any_approved(at) else none
        if isinstance(self._first, Categorised):
            known = self._first.approved_categories(at)
        return known | ({None} if self._then.any_approved(at) else none)


def registry_of(source: TemplatesSource, learnt: Sequence[Status]) -> Registry:
    """A registry of a source and of the statuses that a store learnt.

    Statuses that were learnt go on from a mapping's entries (the later one holds); beside a
    registry or a callable they speak only of templates that it does not know. A ``Follower`` is
    told of them, and speaks for itself.

    Raises:
        TypeError: the source is none.
        ValueError: a mapping has a status that is none.
    """
    if source is None or isinstance(source, Mapping):
        return _learnt(Templates(source), learnt)
    if isinstance(source, Follower):
        return source.following(learnt)
    if isinstance(source, Registry):
        own: Registry = source
    elif callable(source):
        own = _Asked(source)
    else:
        raise TypeError(f"expected a mapping, a callable or a registry, got `{source!r}`")
    return _Both(own, _learnt(Templates(), learnt)) if learnt else own


def _learnt(templates: Templates, learnt: Sequence[Status]) -> Templates:
    for row in learnt:
        event = TemplateStatus(row.name, status_name(row.status), row.at, row.language or None)
        templates.add(event, row.arrived, row.order)
    return templates
