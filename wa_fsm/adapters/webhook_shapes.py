"""The small shapes of webhook bodies: texts, instants, lists, errors. Nothing here ever raises.

Whatever has another form than expected reads as missing; who asks says what follows from that.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from wa_fsm.adapters.webhook_values import Problem
from wa_fsm.events import instant

Json: TypeAlias = Mapping[str, Any]

REFUSED_FOR_WINDOW: Final = frozenset({131047, 470, 63016})
NO_CODE: Final = 131000
"""WhatsApp's "something went wrong": stands in for a failure that names no code at all."""

_LONGEST: Final = 300
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[0-9]{1,17}(?:\.[0-9]+)?")
_WHOLE: Final = re.compile(r"-?[0-9]{1,9}")
# Meta's two wordings of 131047 ("More than 24 hours have passed since the recipient last
# replied…", "…because more than 24 hours have passed since the customer last replied…") and that
# of gaia#790, which came with no code: "Cannot send non-template messages outside the 24-hour
# window."
_WINDOW_WORDS: Final = re.compile(
    r"24[ -]?hours? have passed since|outside (?:of )?the 24[ -]?hour", re.IGNORECASE
)
_SECONDS_UNTIL: Final = 10**11  # from here on milliseconds are meant: in seconds it is year 5138
_MILLIS_UNTIL: Final = 10**14
_MICROS_UNTIL: Final = 10**17


def text(value: object) -> str | None:
    """A name or an id; None where there is none. Empty is missing, a whole number is its digits.

    It comes in a form that every store can keep: without NUL and lone surrogates, which valid
    JSON may hold, and no longer than an index of a database takes.
    """
    if not isinstance(value, str):
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
            return str(value)
        return None
    value = value.strip()
    if not value:
        return None
    if not value.isprintable():
        value = value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    if len(value) > _LONGEST:
        digest = hashlib.sha256(value.encode("utf-8")).hexdigest()
        value = f"{value[:64]}…{digest}"
    return value


def mapping(value: object) -> Json:
    """An object; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """A list. One thing that is not in a list is a list of it, nothing is an empty one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def when(value: object) -> datetime | None:
    """An instant from a timestamp: seconds since 1970 as text or number, also with a fraction.

    Larger numbers are milliseconds or microseconds. ISO 8601 is read where it has a zone. What is
    no such thing, is not after 1970 or is beyond any date, is missing.
    """
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return _iso(value)
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not 0 < value < _MICROS_UNTIL:
        return None
    if value < _SECONDS_UNTIL:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        return instant(_EPOCH + timedelta(seconds=value))
    if value < _MILLIS_UNTIL:
        return instant(_EPOCH + timedelta(milliseconds=value))
    return instant(_EPOCH + timedelta(microseconds=value))


def _iso(value: str) -> datetime | None:
    if not value[:4].isdigit() or len(value) > 40:
        return None
    try:
        read = instant(datetime.fromisoformat(value))
    except ValueError:
        return None
    return read if read > _EPOCH and read.year < 5000 else None


def whole(value: object) -> int | None:
    """A whole number, also one that is written as text."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return value
    return None


def problems(value: object) -> tuple[Problem, ...]:
    """The errors of a status, a message or an answer."""
    return tuple(map(problem, items(value)))


def problem(value: object) -> Problem:
    """One error: an object of Graph's form, or only its words."""
    if not isinstance(value, dict):
        words = text(value) or ""
        return Problem(_code_of(words), words)
    said = list(_words(value))
    words = " / ".join(dict.fromkeys(said))
    code = whole(value.get("code"))
    return Problem(_code_of(words) if code is None else code, words)


def _words(error: Json) -> Iterator[str]:
    data = error.get("error_data")
    for found in (
        error.get("title"),
        error.get("message"),
        mapping(data).get("details"),
        error.get("details"),
        data,
    ):
        said = text(found)
        if said is not None:
            yield said


def _code_of(words: str) -> int | None:
    """By its words, where there is no code: both wordings mean that the window is shut."""
    return 131047 if _WINDOW_WORDS.search(words) else None


def code_of(found: tuple[Problem, ...]) -> int:
    """The code of a failure: one that refuses for the window if there is any, else the first."""
    codes = [each.code for each in found if each.code is not None]
    return next((code for code in codes if code in REFUSED_FOR_WINDOW), [*codes, NO_CODE][0])
