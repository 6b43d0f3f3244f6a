"""The report's words: reasons, codes, durations and counts, as people say them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from wa_fsm.durations import format_duration

from .tallies import waits_of

REASONS: Final[Mapping[str, str]] = {
    "window_open": "the window was open",
    "template_approved": "the template was approved",
    "never_opened": "the customer had never written",
    "awaiting_reply": "a template was out, and no reply had come",
    "window_expired": "the window had ended",
    "within_margin": "the window was about to end",
    "template_unknown": "the template was not registered",
    "template_not_approved": "the template was not approved",
    "quiet_hours": "in your quiet hours",
    "quiet_days": "on your quiet days",
    "template_category": "a template of a category that you bar",
}
CODES: Final[Mapping[str, str]] = {
    "131047": "the window was shut",
    "470": "the window was shut",
    "63016": "the window was shut (Twilio)",
    "132001": "there is no such template",
    "132015": "the template was paused",
    "132016": "the template was disabled",
    "131000": "something went wrong, and no code was told",
    "131026": "it could not be delivered",
    "131042": "a payment is due",
    "131049": "WhatsApp held marketing back",
    "131050": "the customer stopped marketing",
    "130472": "the customer is in an experiment of WhatsApp",
    "131056": "too many messages to this customer",
    "130429": "too many messages at once",
}


def number(count: int) -> str:
    """A count, its thousands apart."""
    return f"{count:,}"


def many(count: int, one: str, several: str = "") -> str:
    """A count with its noun."""
    return f"{number(count)} {one if count == 1 else several or f'{one}s'}"


def money(amount: float) -> str:
    """A sum of prices; less than 1 with all of its digits."""
    if amount >= 1:
        return f"{amount:,.2f}"
    whole, part = f"{amount:.6f}".split(".")
    return f"{whole}.{part.rstrip('0'):0<2}"


def waited(upto: int, window: int) -> str:
    """How long customers waited, by the upper end of a stretch, in seconds.

    Args:
        upto: the end.
        window: of the policy, see ``tallies.waits_of``.
    """
    *_, longest, last = waits_of(window)
    return f"later than {length(longest)}" if upto >= last else f"within {length(upto)}"


def length(seconds: float) -> str:
    """A duration, short; whole days from three on are days."""
    left = abs(int(seconds))
    if left > 86_400 * 2 and not left % 86_400:
        return f"{left // 86_400}d"
    return format_duration(timedelta(seconds=left))


def edge(row: Mapping[str, Any]) -> str:
    """How far from the end of the window a free-form send was."""
    millis = row["edge_ms"]
    if millis is None:
        return "no window"
    if millis == 0:
        return "at its very end"
    if millis < 0 and row["window_closes_at"] is None:
        return "WhatsApp had shut it"
    apart = format_duration(timedelta(milliseconds=abs(millis)))
    return f"{apart} {'after its end' if millis > 0 else 'before its end'}"


def reason(word: str) -> str:
    """A reason in words; its name where there are none."""
    return REASONS.get(word, word.replace("_", " "))


def day(stamp: str) -> str:
    """A stamp of the report for people: minutes are enough, in UTC."""
    return f"{stamp[:10]} {stamp[11:16]}"


def moment(stamp: str) -> str:
    """A stamp of the report with its seconds, in UTC."""
    return f"{stamp[:10]} {stamp[11:19]}"


def turned(told: Mapping[str, Any], sends: int) -> str:
    """How many decisions another policy changes, and how."""
    other = told["changed"] - told["now_refused"] - told["now_allowed"]
    ways = (
        (told["now_refused"], "would be refused"),
        (told["now_allowed"], "would be allowed"),
        (other, "would have another reason"),
    )
    verb = "changes" if told["changed"] == 1 else "change"
    said = ", ".join(f"{number(count)} {words}" for count, words in ways if count)
    if not told["changed"]:
        return "no decision changes"
    return f"{number(told['changed'])} of {many(sends, 'decision')} {verb}: {said}"
