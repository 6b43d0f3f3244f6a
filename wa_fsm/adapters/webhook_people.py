"""Who a part of a webhook speaks of: the names that stand together, and no others.

A person may be named by a phone number (``from``, ``wa_id``), a business-scoped user id (BSUID)
and a parent BSUID, which is one person's over linked portfolios. Any of them may be missing, and
an empty text is missing. The window must follow the person, so names that stand together are
told as ``SameContact``. A wrong link would hand one person's window to another, so:

* A message and an entry of ``contacts`` belong together only if they share a name, or if one
  entry stands there and the message names nobody.
* Where one body shows a BSUID with two phone numbers, or a parent BSUID with two persons, that id
  links nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from wa_fsm.adapters.webhook_shapes import Json, items, mapping, text
from wa_fsm.identity import SameContact, canonical

_MANY: Final = 8
"""Of one name more entries or persons than this are not looked at: it links nobody anyhow."""


class Names(NamedTuple):
    """The names of one person, as far as one place tells them."""

    phone: str | None = None
    user: str | None = None
    parent: str | None = None
    wa_id: str | None = None  # of `contacts`, where WhatsApp writes it in another way than `phone`

    @property
    def best(self) -> str | None:
        """The name under which facts are kept: the phone number, or what else there is."""
        return self.phone or self.wa_id or self.user or self.parent

    def known_as(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(name for name in (self[0], self[3], *self[1:3]) if name))


def names_of(value: Json, phone: str, user: str, *parents: str) -> Names:
    """The names under these keys."""
    found = (text(value.get(parent)) for parent in parents)
    return Names(text(value.get(phone)), text(value.get(user)), next(filter(None, found), None))


class People:
    """The ``contacts`` of one value: who the names in it may be.

    Args:
        contacts: as they stand in the body.
    """

    def __init__(self, contacts: object) -> None:
        read = (
            names_of(mapping(each), "wa_id", "user_id", "parent_user_id")
            for each in items(contacts)
        )
        self.known = list(dict.fromkeys(names for names in read if names.best is not None))
        self._by_name: dict[str, list[Names]] = defaultdict(list)
        for names in self.known:
            for name in _searched(names):
                self._by_name[name].append(names)

    def complete(self, names: Names) -> Names:
        """These names and those of the entry that is the same person."""
        if names.best is None:
            return self.known[0] if len(self.known) == 1 else names
        found = (each for name in _searched(names) for each in self._by_name.get(name, ())[:_MANY])
        same = [each for each in dict.fromkeys(found) if _same(names, each)]
        if len(same) != 1:
            return names
        entry = same[0]
        wa_id = entry.phone if names.phone != entry.phone else None
        return Names(
            names.phone or entry.phone,
            names.user or entry.user,
            names.parent or entry.parent,
            wa_id if names.phone else None,
        )


def _searched(names: Names) -> Iterator[str]:
    """By what an entry of ``contacts`` is found: a body may hold a thousand of them."""
    if names.phone:
        yield canonical(names.phone)
    if names.user:
        yield names.user
    if names.parent:
        yield names.parent


def _same(a: Names, b: Names) -> bool:
    if a.user and b.user:
        return a.user == b.user
    if a.phone and b.phone:
        return canonical(a.phone) == canonical(b.phone)
    if a.user or b.user or a.phone or b.phone:
        return False
    return a.parent is not None and a.parent == b.parent


def same_contacts(seen: Iterable[Names]) -> Iterator[SameContact]:
    """What the names of one body say of who is one contact, each once."""
    several = [names for names in dict.fromkeys(seen) if len(names.known_as()) > 1]
    shared = _shared(several)
    told = set()
    for names in several:
        kept = tuple(name for name in names.known_as() if name not in shared)
        if len(kept) > 1 and frozenset(kept) not in told:
            told.add(frozenset(kept))
            yield SameContact(kept)


def _shared(several: Iterable[Names]) -> set[str]:
    """The ids that stand with more than one person: whose they are, nobody can say."""
    persons: dict[str, list[set[str]]] = defaultdict(list)
    for names in several:
        phones = {canonical(name) for name in (names.phone, names.wa_id) if name}
        if names.user and phones:
            _gather(persons[names.user], phones)
        if names.parent:
            _gather(persons[names.parent], phones | ({names.user} if names.user else set()))
    return {id_ for id_, groups in persons.items() if len(groups) > 1}


def _gather(groups: list[set[str]], names: set[str]) -> None:
    """Put names to the groups that they have a name in common with."""
    if len(groups) >= _MANY:
        return
    common = [group for group in groups if group & names]
    groups[:] = [group for group in groups if not group & names]
    groups.append(names.union(*common))
