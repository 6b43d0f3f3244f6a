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


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    Raises:
        ValueError: `text` is none, or is longer than a ``timedelta`` can hold.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"bad duration `{text}`; {_EXPECTED}")
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
        raise ValueError(f"`{text}` is too long a time; expected less than 10000 years") from None


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
