"""Clocks and time zones. The only file that reads a clock or uses pendulum.

A clock is a value that is passed: a callable that gives an aware UTC datetime. Everything inside
computes with standard-library datetimes; pendulum stands at the rim only, where it looks up zones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias

from wa_fsm.events import instant

Clock: TypeAlias = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, by this machine's clock, in UTC and whole milliseconds."""
    return instant(datetime.now(UTC))


class ManualClock:
    """A clock that is moved by hand, for tests and simulations. It refuses to run backwards.

    Args:
        start: what it shows at first; must carry a zone.
    """

    __slots__ = ("_now",)

    def __init__(self, start: datetime) -> None:
        self._now = instant(start)

    def __call__(self) -> datetime:
        """What it shows."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on. Raises ValueError when `by` is negative."""
        if by < timedelta(0):
            raise ValueError(f"a clock does not run backwards: `{by}`")
        self._now = instant(self._now + by)

    def move_to(self, then: datetime) -> None:
        """Move on to `then`. Raises ValueError when that has passed."""
        self.advance(instant(then) - self._now)


# What is in the folder of the zones and is no zone of IANA: the machine's own, and second copies.
_NO_NAME: Final = re.compile("localtime|posixrules|(posix|right)/.*")


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """The time zone of an IANA name such as ``Europe/Berlin``. The only lookup of zones there is.

    Raises:
        ValueError: there is none of that name.
    """
    import pendulum  # local: it takes longer to import than all of the core, and few need it

    try:
        if _NO_NAME.fullmatch(name):
            raise ValueError("a name that other machines and browsers do not know")
        found = pendulum.timezone(name)
    except Exception as error:  # pendulum leaks the errors of whatever holds its zone data
        raise ValueError(f"unknown time zone `{name}`; expected one such as `UTC`") from error
    if found.name != name:  # `utc`, which pendulum takes, is no IANA name
        raise ValueError(f"unknown time zone `{name}`; did you mean `{found.name}`?")
    return found
