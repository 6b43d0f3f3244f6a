"""Where a reader of a webhook body stands, and what it has found so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from wa_fsm.adapters.webhook_people import Names, People
from wa_fsm.adapters.webhook_shapes import Json, items, text, when
from wa_fsm.adapters.webhook_values import Unrecognised, Value
from wa_fsm.identity import canonical


@dataclass(slots=True)
class Walk:
    """What one body holds, as far as it was read.

    Attributes:
        arrived: when it came, where that is known.
        account: whose templates' statuses are taken in; None: any business account's.
        values: what was found.
        names: whose names stand together.
        new_names: those that somebody has from now on, canonical.
    """

    arrived: datetime | None
    account: str | None = None
    values: list[Value] = field(default_factory=list)
    names: list[Names] = field(default_factory=list)
    new_names: set[str] = field(default_factory=set)

    def add(self, *values: Value) -> None:
        """Keep these."""
        self.values += values

    def unrecognised(self, path: str, what: str, raw: Any) -> None:
        """Keep something that cannot be read."""
        self.values.append(Unrecognised(path, what, raw))

    def settled_names(self) -> list[Names]:
        """Whose names stand together, but for those with a new name.

        Beside it may stand an old one, and the link would carry the old window over.
        """
        new = self.new_names
        return [
            names
            for names in self.names
            if not new or new.isdisjoint(canonical(name) for name in names.known_as())
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a body something stands.

    Attributes:
        path: such as ``entry[0].changes[0].value``.
        number: the business number; None where nobody says.
        own: the names of the business number itself, canonical.
        time: of the entry.
        account: the business account of the entry.
        field: of the change.
        people: the ``contacts`` of the value.
    """

    path: str
    number: str | None
    own: frozenset[str]
    time: datetime | None
    field: str | None
    people: People
    account: str | None = None

    def at(self, path: str, field: str | None = None) -> Place:
        """Further down."""
        return replace(self, path=path, field=field or self.field)

    def inside(self, entry: Json) -> Place:
        """In an entry."""
        return replace(self, time=when(entry.get("time")), account=text(entry.get("id")))

    def of(self, metadata: Json, people: People) -> Place:
        """In a value with these contacts, of this business number."""
        shown = text(metadata.get("display_phone_number"))
        id_ = text(metadata.get("phone_number_id"))
        own = frozenset(canonical(name) for name in (shown, id_) if name)
        number = id_ or (canonical(shown) if shown else None) or self.number
        return replace(self, number=number, own=own or self.own, people=people)

    def below(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def each(self, key: str, value: object) -> Iterator[tuple[str, Any]]:
        """What stands under a key, one by one, with the path of each."""
        path = self.below(key)
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield f"{path}[{index}]", each
        else:
            for each in items(value):
                yield path, each

    def when(self, value: Json, *keys: str) -> datetime | None:
        """When it was: by the first of these keys (``timestamp`` if none is named), or the entry's.

        The entry's time is WhatsApp's own and not earlier, so it errs by the seconds in which a
        webhook is made. The time of arrival may err by days, and is never taken.
        """
        for key in keys or ("timestamp",):
            found = when(value.get(key))
            if found is not None:
                return found
        return self.time

    def is_own(self, name: str | None) -> bool:
        """Whether this is the business number itself."""
        return name is not None and canonical(name) in self.own
