"""The grammar of durations: ``[Nd][Nh][Nm][N[.fff]s][Nms]``.

Units stand in this order, each at most once, at least one, with at most a single space between
them. ``1d`` is 24 elapsed hours. Nothing finer than a millisecond can be written.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_DURATION: Final = re.compile(
    r"(?:(?P<d>[0-9]+)d)?"
    r"(?:(?:(?<=[a-z]) )?(?P<h>[0-9]+)h)?"
    r"(?:(?:(?<=[a-z]) )?(?P<m>[0-9]+)m(?!s))?"
    r"(?:(?:(?<=[a-z]) )?(?P<s>[0-9]+)(?:\.(?P<f>[0-9]{1,3}))?s)?"
    r"(?:(?:(?<=[a-z]) )?(?P<ms>[0-9]+)ms)?"
)
_EXPECTED: Final = "expected a duration such as `24h`, `2h 30m`, `1.5s` or `90ms`"
MILLISECOND: Final = timedelta(milliseconds=1)
_LONGEST: Final = 60
_BREAK: Final = re.compile("\r\n|[\n-\r\x1c-\x1e\x85\u2028\u2029]")
_PART: Final = re.compile(r" *([0-9]{1,9}(?:[.,][0-9]{1,3})?) *([a-z]+)")
_SAID: Final = re.compile(rf"(?:{_PART.pattern})+ *")
_SPOKEN: Final = {
    1: "ms msec msecs millisecond milliseconds",
    1000: "s sec secs second seconds",
    60_000: "m min mins minute minutes",
    3_600_000: "h hr hrs hour hours",
    86_400_000: "d day days",
    604_800_000: "w week weeks",
}
_UNITS: Final = {word: length for length, words in _SPOKEN.items() for word in words.split()}


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    Raises:
        ValueError: `text` is none, or is longer than a ``timedelta`` can hold.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        hint = meant(text)
        hint = f"; did you mean `{hint}`?" if hint else ""
        raise ValueError(f"bad duration `{_cut(text)}`; {_EXPECTED}{hint}")
    days, hours, minutes, seconds, fraction, millis = match.groups()
    try:
        return timedelta(
            days=int(days or 0),
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=int(seconds or 0),
            milliseconds=int(millis or 0) + int((fraction or "0").ljust(3, "0")),
        )
    except (OverflowError, ValueError):
        said = f"`{_cut(text)}` is too long a time; expected less than 10000 years"
        raise ValueError(said) from None


def meant(text: str) -> str:
    """The duration that a text such as ``1.5h``, ``10 min`` or ``2h1d`` means; empty where none.

    It is for "did you mean": such a text is not read, because ``1h30`` could be two things.
    """
    text = text.casefold()
    if not _SAID.fullmatch(text):
        return ""
    total = 0.0
    for number, unit in _PART.findall(text):
        if unit not in _UNITS:
            return ""
        total += float(number.replace(",", ".")) * _UNITS[unit]
    whole = round(total)
    if abs(total - whole) > 0.0001 or total >= _UNITS["d"] * 36_500:  # finer, or far too long
        return ""
    return format_duration(MILLISECOND * whole)


def _cut(text: str) -> str:
    """The user's words, on one line and cut where they are long."""
    text = _BREAK.sub(r"\\n", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def format_duration(value: timedelta) -> str:
    """Write a duration so that ``parse_duration`` reads the same: ``26h``, ``1m30s``, ``1ms``.

    Hours are not gathered into days, because the field says "24 h". Negative ones get a ``-``.
    """
    total = value // MILLISECOND
    sign, total = ("-", -total) if total < 0 else ("", total)
    hours, rest = divmod(total, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, millis = divmod(rest, 1000)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"), (millis, "ms"))
    return sign + ("".join(f"{n}{unit}" for n, unit in parts if n) or "0s")
