"""Contacts as reports show them. Whatever leaves the audit goes through here, unless told not to.

A message's id (``wamid.…``) holds the customer's phone number in its first letters, so only its
last ones are shown. In another id the name of the one whose message it is is masked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wa_fsm.identity import masked

from . import codes
from .plain import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

_WAMID: Final = "wamid."
_SHOWN: Final = 8
_MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATES: Final = (
    r"(?:19|20)[0-9]{2}[-/.][01]?[0-9][-/.][0-3]?[0-9]",
    r"[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:19|20)[0-9]{2}",
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?[0-3]?[0-9] (?:{_MONTHS}) (?:19|20)[0-9]{{2}}",
    r"(?:19|20)[0-9]{6}(?=T[0-9]{4})",
)
_CLOCK: Final = "[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?: ?[AaPp][Mm])?"
_TIME: Final = rf"(?:(?:[T ]{_CLOCK}|T[0-9]{{4}}(?:[0-9]{{2}})?)(?![0-9]))?"
_ZONE: Final = r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)(?![0-9A-Za-z]))?"
_INSTANT: Final = rf"(?<![0-9A-Za-z+])(?:{'|'.join(_DATES)})(?![0-9]){_TIME}{_ZONE}"
_BETWEEN: Final = "[ ()./\u00a0\u2010-\u2015\u202f-]{0,4}"  # the digits of a phone number
_PIECE: Final = rf"\+?[0-9](?:{_BETWEEN}[0-9]){{6,}}"
_PHONES: Final = (re.compile("[0-9]{7,}"), re.compile(_PIECE))  # as they may stand in an id
_DIGIT: Final = re.compile("[0-9]")
_NO_DIGIT: Final = re.compile("[^0-9]")
_TAIL: Final = 8  # digits at the end of a phone number, in whatever form it is written
_TELLING: Final = 4  # letters of a name; fewer stand in an id by chance
# What a piece of a log is read as, the first that fits.
_TOKENS: Final = re.compile(
    r"(?P<id>wamid\.[A-Za-z0-9+/=_-]{16,})"
    rf"|(?P<instant>{_INSTANT})"
    rf"|(?P<phone>{_PIECE})"
    r"|(?P<key>(?:(?<=[{,])|(?<=[{,] ))\"(?!wamid\.)[A-Za-z_][A-Za-z0-9_.]*\"(?= ?:))"
    r"|(?P<word>[0-9A-Za-z_\x80-\u2025\u2027-\U0010ffff]+)"
)
_HARMLESS: Final = {  # by the column that they stand in
    **dict.fromkeys(("direction", "kind", "status", "category"), re.compile("[a-z]{1,12}")),
    "error_code": re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,2})?"),
}
_KNOWN: Final = frozenset(  # words that name no contact, also as the parts of others
    "_".join(
        (
            *COLUMNS, *codes.ACTS, *codes.STATUSES, "inbound", "outbound", "in", "out", "incoming",
            "outgoing", "marketing", "utility", "authentication", "service", "message", "body",
            "errorcode", "phone", "queued", "url", "request", "undelivered", "received", "wamid",
            "whatsapp", "true", "false", "null", "none",
        )
    ).split("_")
)  # fmt: skip


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

    def id(self, name: str, contact: str = "") -> str:
        """A message's id; `contact` is whose."""
        if not self.on:
            return name
        if name.startswith(_WAMID) and len(name) > len(_WAMID) + 2 * _SHOWN:
            return f"{_WAMID}…{name[-_SHOWN:]}"
        return _without(name, contact)

    def value(self, text: str, column: str | None) -> str:
        """A bad value of a column; with None, of a whole row.

        It need not be what the column is for: where a field is missing, all that follow stand in
        the wrong place.
        """
        harmless = _HARMLESS.get(column or "")
        if harmless is not None and harmless.fullmatch(text):
            return text
        return self.line(text)

    def line(self, text: str) -> str:
        """A piece of a log: only what is certainly no contact's stays, and the marks between."""
        return _TOKENS.sub(self._token, text) if self.on else text

    def numbers(self, text: str) -> str:
        """Words of ours, among which a piece of a log may be: no phone number or id stays."""
        return _TOKENS.sub(self._number, text) if self.on else text

    def _number(self, found: re.Match[str]) -> str:
        return self._token(found) if found.lastgroup in ("id", "phone") else found[0]

    def _token(self, found: re.Match[str]) -> str:
        text, sort = found[0], found.lastgroup
        if sort == "id":
            return self.id(text)
        if sort == "phone":
            return masked(text)
        return text if sort != "word" or _is_harmless(text) else "***"

    def table(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """A table of sends."""
        return self._contacts(self._ids(rows)) if self.on else rows

    def _ids(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        both = zip(rows.column("id").to_pylist(), rows.column("customer").to_pylist(), strict=True)
        shown = pa.array([self.id(id_, customer) for id_, customer in both], pa.string())
        return rows.set_column(rows.schema.get_field_index("id"), "id", shown)

    def _contacts(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        words = rows.column("customer").dictionary_encode()
        known = pa.array(map(self.contact, words.dictionary.to_pylist()), pa.string())
        place = rows.schema.get_field_index("customer")
        return rows.set_column(place, "customer", known.take(words.indices))


def _is_harmless(word: str) -> bool:
    """Whether a word is a letter, a small number, or one that everybody's log has."""
    if word.isascii() and (len(word) == 1 or word.isdigit()):
        return True
    return all(part in _KNOWN for part in word.lower().split("_"))


def _without(id_: str, contact: str) -> str:
    """An id without the name of its contact, in whatever form that stands in it."""
    tail = _NO_DIGIT.sub("", contact)[-_TAIL:]

    def hidden(found: re.Match[str]) -> str:
        return masked(found[0]) if tail in _NO_DIGIT.sub("", found[0]) else found[0]

    if len(contact) >= _TELLING:
        id_ = id_.replace(contact, masked(contact))
    if len(tail) == _TAIL and tail in _NO_DIGIT.sub("", id_):
        for phone in _PHONES:
            id_ = phone.sub(hidden, id_)
        if tail in _NO_DIGIT.sub("", id_):  # its digits are joined in some other way
            id_ = _DIGIT.sub("*", id_)
    return id_
