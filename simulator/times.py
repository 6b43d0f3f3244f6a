"""The grammar of times in scenario files.

A time is a base, then any number of `` + DURATION`` or `` - DURATION``. A base is a duration after
the start, ``+DURATION`` after what stands above, the id of a step above, or an instant with a zone.
Parsing (`parse_time`) knows no scenario; `Time.resolve` puts a parsed time into one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, Literal

from wa_fsm.durations import format_duration, meant, parse_duration
from wa_fsm.policies import near

from .mistakes import quoted

IDENTIFIER: Final = r"[A-Za-z0-9_.:=-]+"
EXPECTED: Final = (
    "expected a time such as `2h`, `+10m`, `ID + 24h - 1ms` or `2026-03-02T09:00:00+01:00`"
)
ZERO: Final = timedelta(0)
_IDENTIFIER: Final = re.compile(IDENTIFIER)
_INSTANT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,3}))?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
_UNSPACED: Final = re.compile(rf"{_INSTANT.pattern} ?[+-]")
_LIKE_AN_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ].*)?")
_ZONE: Final = re.compile(r"(?:Z|[+-][0-9]{1,2}(?::?[0-9]{2})?)$", re.IGNORECASE)
_CLOCK_TIME: Final = re.compile(r"([0-9]{1,9}):([0-9]{2})(?::([0-9]{2}))?")
_TOO_FINE: Final = re.compile(r"[0-9]\.[0-9]{4,}|[0-9]\.[0-9]+ ?ms")
_SHIFT: Final = re.compile(r" ([+-]) ")

duration: Final = lru_cache(maxsize=4096)(parse_duration)


class TimeError(ValueError):
    """A text that is no time, or a time that cannot be where it stands. The text says why."""


@dataclass(frozen=True, slots=True)
class Time:
    """A parsed time: where it counts from, and how far.

    Attributes:
        base: ``start``, ``above`` (what ``+`` counts from), ``id`` or ``instant``.
        shift: how far after the base; negative is before.
        id: the step's id, where `base` is ``id``.
        instant: as written, with its zone, where `base` is ``instant``.
    """

    base: Literal["start", "above", "id", "instant"]
    shift: timedelta = ZERO
    id: str = ""
    instant: datetime | None = None

    def resolve(
        self, start: datetime, above: datetime | None, ids: Mapping[str, datetime | None]
    ) -> datetime | None:
        """The instant (UTC) that is meant; None where it hangs on a step whose time is not known.

        Args:
            start: the instant (UTC) of offset 0.
            above: what ``+DURATION`` counts from.
            ids: the instants of the steps above, by id.

        Raises:
            TimeError: no step above has the id.
            OverflowError: the instant is outside the years 1 to 9999.
        """
        base: datetime | None
        if self.base == "start":
            base = start
        elif self.base == "above":
            base = above
        elif self.base == "instant":
            base = self.instant
        else:
            if self.id not in ids:
                raise TimeError(_unknown_id(self.id, ids))
            base = ids[self.id]
        if base is None:
            return None
        return (base.astimezone(UTC) if self.instant else base) + self.shift


@lru_cache(maxsize=4096)
def parse_time(text: str) -> Time:
    """Read a time.

    Raises:
        TimeError: `text` is none; the text says what was expected.
    """
    base, *shifts = _SHIFT.split(text) if " " in text else (text,)
    shift = ZERO
    try:
        for sign, length in zip(shifts[::2], shifts[1::2], strict=True):
            shift += _duration(length) if sign == "+" else -_duration(length)
        if base[:1] == "+":
            if base[1:2] == " ":
                raise TimeError(f"bad time {quoted(text)}; after a leading `+` stands no space")
            return Time("above", _duration(base[1:]) + shift)
        if _LIKE_AN_INSTANT.fullmatch(base):
            return _instant_or_id(base, shift)
        try:
            return Time("start", duration(base) + shift)
        except ValueError:
            if not _IDENTIFIER.fullmatch(base) or "too long" in str(_error(base)):
                raise TimeError(_bad(base, text)) from None
            return Time("id", shift, id=base)
    except OverflowError:
        raise TimeError(f"{quoted(text)} is outside the years 1 to 9999") from None


def _instant_or_id(base: str, shift: timedelta) -> Time:
    try:
        return Time("instant", shift, instant=parse_instant(base))
    except TimeError:
        if _IDENTIFIER.fullmatch(base):  # such as 2026-03-02, which is a bad instant but a good id
            return Time("id", shift, id=base)
        if _UNSPACED.match(base):
            raise TimeError(_spaces(base)) from None
        raise


@lru_cache(maxsize=4096)
def parse_instant(text: str) -> datetime:
    """Read ``YYYY-MM-DDThh:mm:ss[.fff]`` with ``Z`` or ``±hh:mm``; its zone is kept.

    Raises:
        TimeError: `text` is none, has no zone, or names no instant of the years 1 to 9999 in UTC.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise TimeError(_bad_instant(text))
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        value = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0").ljust(3, "0")) * 1000,
            _zone(zone),
        )
        value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise TimeError(_bad_instant(text)) from None
    return value


def parse_identifier(text: str) -> str:
    """Read the id of a step.

    Raises:
        TimeError: `text` has another character in it, or is a duration.
    """
    if not _IDENTIFIER.fullmatch(text):
        raise TimeError(f"bad id {quoted(text)}; expected letters, digits and `_ . : = -` only")
    if _error(text) is None or "too long" in str(_error(text)):
        raise TimeError(f"the id {quoted(text)} is a duration; expected one that is none")
    return text


def format_instant(value: datetime) -> str:
    """Write an instant, in its own zone, so that `parse_instant` reads an equal one."""
    text = value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


@lru_cache(maxsize=256)
def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(away if text[0] == "+" else -away)


def _error(text: str) -> ValueError | None:
    """Why this is no duration; None where it is one."""
    try:
        duration(text)
    except ValueError as error:
        return error
    return None


def _duration(text: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        if _TOO_FINE.search(text):
            raise TimeError(_too_fine(text)) from None
        raise TimeError(str(error) if text else f"a duration is missing; {EXPECTED}") from None


def parse_length(text: str) -> timedelta:
    """Read a duration where no other time may stand.

    Raises:
        TimeError: `text` is none.
    """
    return _duration(text)


def _too_fine(text: str) -> str:
    what = "is finer than milliseconds" if "ms" in text else "has more than three decimals"
    return f"{quoted(text)} {what}; expected milliseconds at the finest"


def _bad(base: str, text: str) -> str:
    error = str(_error(base))
    if "too long" in error:
        return error
    if _TOO_FINE.search(base):
        return _too_fine(base)
    if base.lstrip().startswith("-"):
        return f"{quoted(text)} is before `start`; {EXPECTED}"
    if base != text and _IDENTIFIER.fullmatch(base.strip()):
        return f"bad time {quoted(text)}; around `+` and `-` stands exactly one space"
    if re.fullmatch(r"\S+[+]\S+", base):
        return _spaces(text)
    return f"bad time {quoted(text)}; {EXPECTED}{_hint(base)}"


def _spaces(text: str) -> str:
    return f"bad time {quoted(text)}; around `+` and `-` after a base stand spaces"


def _hint(base: str) -> str:
    length = meant(base)
    return f"; did you mean `{length}`?" if length else ""


def _bad_instant(text: str) -> str:
    if _INSTANT.fullmatch(text):
        return (
            f"{quoted(text)} is no instant of the calendar and clock; expected a day that "
            "there is, `00:00:00` to `23:59:59`, and the years 1 to 9999 in UTC"
        )
    form = "expected `YYYY-MM-DDThh:mm:ss[.fff]` with `Z` or `±hh:mm`"
    if _TOO_FINE.search(text):
        return _too_fine(text)
    if _LIKE_AN_INSTANT.fullmatch(text) and not _ZONE.search(text[10:]):
        return f"{quoted(text)} has no time zone; {form}"
    return f"bad instant {quoted(text)}; {form}"


def _unknown_id(text: str, ids: Mapping[str, datetime | None]) -> str:
    if clock := _CLOCK_TIME.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        length = format_duration(timedelta(hours=hours, minutes=minutes, seconds=seconds))
        return f"bad time {quoted(text)}; {EXPECTED}; did you mean `{length}`?"
    if text.isdigit():
        return f"{quoted(text)} has no unit; {EXPECTED}; did you mean `{text}m`?"
    if _TOO_FINE.search(text):
        return _too_fine(text)
    if text.startswith("-"):
        return f"{quoted(text)} is before `start`; {EXPECTED}"
    if _UNSPACED.match(text):
        return _spaces(text)
    if _LIKE_AN_INSTANT.fullmatch(text):
        return _bad_instant(text)
    said = near(text, ids) if ids else ""
    close = said[said.rindex("did you mean") :] if "did you mean" in said else ""
    if not close and (length := _hint(text)):
        return f"bad time {quoted(text)}; {EXPECTED}{length}"
    return f"bad time {quoted(text)}: no step above has this id; {close or EXPECTED}"
