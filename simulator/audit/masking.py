"""Contacts as reports show them. Whatever leaves the audit goes through here, unless told not to.

A message's id (``wamid.…``) holds the customer's phone number in its first letters, so only its
last ones are shown.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wa_fsm.identity import masked

if TYPE_CHECKING:
    import pyarrow as pa

_WAMID: Final = "wamid."
_SHOWN: Final = 8
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])"
_PHONE: Final = re.compile(rf"{_DATE}|\+?[0-9](?:[ ().-]{{0,2}}[0-9]){{6,}}")
_WAMIDS: Final = re.compile(r"wamid\.[A-Za-z0-9+/=_-]{16,}")
_PEOPLE: Final = ("customer", "from", "to", "contact_phone", "sender_phone", "receiver_phone")


@dataclass(frozen=True, slots=True)
class Mask:
    """How names of contacts are shown.

    Args:
        on: whether they are masked at all.
    """

    on: bool = True

    def contact(self, name: str) -> str:
        """A contact's name."""
        return masked(name) if self.on else name

    def id(self, name: str) -> str:
        """A message's id."""
        hides = self.on and name.startswith(_WAMID) and len(name) > len(_WAMID) + 2 * _SHOWN
        return f"{_WAMID}…{name[-_SHOWN:]}" if hides else name

    def line(self, text: str) -> str:
        """A piece of a log: whatever may be a phone number or an id, and the known fields."""
        if not self.on:
            return text
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if isinstance(row, dict):
            for key in row.keys() & set(_PEOPLE):
                row[key] = self.contact(str(row[key]))
            text = json.dumps(row, ensure_ascii=False)
        text = _WAMIDS.sub(lambda found: self.id(found[0]), text)
        return _PHONE.sub(_unless_date, text)

    def table(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """A table of sends."""
        for name, shown in (("customer", self.contact), ("id", self.id)):
            if self.on and name in rows.schema.names:
                rows = _with(rows, name, shown)
        return rows


def _unless_date(found: re.Match[str]) -> str:
    return found[0] if re.fullmatch(_DATE, found[0]) else masked(found[0])


def _with(rows: pa.RecordBatch, name: str, shown: object) -> pa.RecordBatch:
    import pyarrow as pa

    assert callable(shown)
    column = rows.column(name)
    words = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    known = [None if word is None else shown(word) for word in words.dictionary.to_pylist()]
    made = pa.array(known, pa.string()).take(words.indices)
    return rows.set_column(rows.schema.get_field_index(name), name, made)
