"""Types that scenario files and policy files share."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final
from zoneinfo import available_timezones

from wa_fsm import clock, policies

from .fields import Parsed, Word
from .mistakes import quoted
from .times import parse_length

LENGTH_PATTERN: Final = (
    r"(?=[0-9])(?:[0-9]+d)?(?: ?[0-9]+h)?(?: ?[0-9]+m)?"
    r"(?: ?[0-9]+(?:\.[0-9]{1,3})?s)?(?: ?[0-9]+ms)?"
)


def zone(name: str) -> tzinfo:
    """The IANA time zone of this name. Raises ValueError when there is none, with a hint."""
    try:
        return clock.zone(name)
    except ValueError:
        known = available_timezones() - {name, "localtime"}  # each machine's own, which is refused
        near = policies.near(name, sorted(known))
        _, asks, meant = near.rpartition("did you mean")
        hint = f"; {asks}{meant}" if asks else ""
        raise ValueError(
            f"unknown time zone {quoted(name)}; expected an IANA name such as `Europe/Berlin`{hint}"
        ) from None


LENGTH: Final = Parsed("a duration", parse_length, LENGTH_PATTERN)
FLAG: Final = Word("flag", {"true": True, "false": False})
