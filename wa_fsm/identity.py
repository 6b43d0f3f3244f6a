"""The names of one contact: phone numbers as they are written, and their variants.

A contact may be known by a wa_id, a phone number, a business-scoped user id (BSUID, such as
``US.13491208655302741918``) and a parent BSUID. WhatsApp itself writes some phone numbers in two
ways, so that we address one form and the customer answers from the other:

* Mexico: ``52`` + 10 digits is the same line as ``521`` + 10 digits.
* Argentina: ``54`` + 10 digits is the same mobile as ``549`` + 10 digits.
* Brazil: a mobile ``55`` + area code + 8 digits is the same as with a ``9`` before the 8 digits.
  Only numbers that begin with 6 to 9 are mobiles: a landline of 12 digits stays as it is.

Sources: Meta's note that "for Brazil and Mexico the extra prefix may be modified by the Cloud
API"; chatwoot#14048, #14174, #14264 and, for the landline, the review of chatwoot#14657.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from wa_fsm.events import text_field

# What people, spreadsheets and address books put into a phone number: blanks, also those that keep
# a line together, brackets, marks of the direction of writing; between digits dots and hyphens too.
ANYWHERE: Final = (
    " \t\r\n\u00a0\u2007\u202f()"
    "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
BETWEEN: Final = ".-\u2010\u2011\u2012\u2013"

_PHONE: Final = re.compile(
    f"[{ANYWHERE}]*(?:\\+[{ANYWHERE}]*)?[0-9][0-9{ANYWHERE}{re.escape(BETWEEN)}]*"
)
_NO_DIGIT: Final = re.compile(r"[^0-9]")
_FORMS: Final = (
    (re.compile(r"521([0-9]{10})"), r"52\1"),
    (re.compile(r"54([1-9][0-9]{9})"), r"549\1"),
    (re.compile(r"55([1-9]{2})([6-9][0-9]{7})"), r"55\g<1>9\2"),
)
_COUNTRIES: Final = ("52", "54", "55")  # of these forms


def canonical(name: str) -> str:
    """The one spelling under which a contact's name is kept.

    A phone number of 8 to 15 digits loses ``+``, blanks, punctuation and marks that are not seen,
    and gets the form that its country's numbers have today; any other name (a BSUID, a name of
    your own) stays as it is.

    Args:
        name: as an event, a send or a person wrote it.

    Raises:
        ValueError: it is empty.
        TypeError: it is no text.
    """
    text_field("contact", name)
    digits = name
    if not (name.isdigit() and name.isascii()):  # as a rule they are digits already
        if not _PHONE.fullmatch(name):
            return name
        digits = _NO_DIGIT.sub("", name)
    if not 8 <= len(digits) <= 15:
        return name
    if digits.startswith(_COUNTRIES):
        for written, kept in _FORMS:
            if written.fullmatch(digits):
                return written.sub(kept, digits)
    return digits


def masked(name: str) -> str:
    """A name as logs show it: enough to tell people apart in a small list, not to find them.

    Phone numbers keep their first two and last two digits; other names their first two characters.
    """
    if len(name) <= 4:
        return "*" * len(name)
    digits = name.lstrip("+").isdigit()
    return f"{name[:2]}{'*' * (len(name) - 4)}{name[-2:]}" if digits else f"{name[:2]}…"


@dataclass(frozen=True, slots=True)
class SameContact:
    """These names were seen together in one event or in one send's answer: they are one contact.

    Args:
        names: two or more, in any spelling.

    Raises:
        ValueError: fewer than two, or an empty one.
        TypeError: a name that is no text.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))  # a list will do
        if len(self.names) < 2:
            raise ValueError(f"expected two or more names, got `{self.names!r}`")
        for name in self.names:
            text_field("names", name)


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A contact has another number or id: it starts closed, and the old history is shown with it.

    Args:
        old: the name that it had.
        new: the name that it has now.

    Raises:
        ValueError: an empty name.
        TypeError: a name that is no text.
    """

    old: str
    new: str

    def __post_init__(self) -> None:
        text_field("old", self.old)
        text_field("new", self.new)
