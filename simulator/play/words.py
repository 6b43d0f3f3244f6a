"""The page's words for the words of scenario files, and times as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from wa_fsm.decision import Standing, in_zone, twice
from wa_fsm.events import (
    CustomerCall,
    CustomerKind,
    CustomerMessage,
    FreeForm,
    FreeFormKind,
    SendFailed,
    StatusName,
    Template,
    TemplateStatus,
)

from ..scenario import Step

CUSTOMER: Final[dict[CustomerKind, str]] = {
    "text": "a text",
    "image": "a picture",
    "video": "a video",
    "audio": "a voice message",
    "document": "a document",
    "sticker": "a sticker",
    "location": "a location",
    "contacts": "a contact card",
    "order": "an order",
    "button": "a tap on a template's button",
    "interactive": "a choice from a list or of a button",
    "reaction": "a reaction (emoji on a message)",
    "request_welcome": "opening the chat for the first time",
    "system": "a change of the customer's number",
    "unsupported": "something that WhatsApp cannot show",
    "edit": "an edit of an earlier message",
    "revoke": "a deletion of an earlier message",
}
CALL: Final = "a call"
ORDINARY: Final[dict[FreeFormKind, str]] = {
    "text": "text",
    "image": "picture",
    "video": "video",
    "audio": "voice message",
    "document": "document",
    "sticker": "sticker",
    "location": "location",
    "contacts": "contact card",
    "interactive": "list or buttons",
    "reaction": "reaction",
}
STATUSES: Final[dict[StatusName, str]] = {
    "approved": "approved",
    "pending": "pending: waiting for review",
    "in_appeal": "in appeal",
    "rejected": "rejected",
    "paused": "paused for low quality",
    "disabled": "disabled",
    "limit_exceeded": "over its limit",
    "pending_deletion": "about to be deleted",
    "deleted": "deleted",
    "archived": "archived",
}
CODES: Final[dict[str, str]] = {
    "131047": "131047: refused, the window was shut",
    "131026": "131026: could not be delivered",
    "131049": "131049: held back, too much marketing",
    "470": "470: refused for the window (older code)",
    "63016": "63016: refused for the window (Twilio)",
}
POLICIES: Final = {
    "cloud-api": "What WhatsApp enforces",
    "textbook": "As many guides explain it",
}
OPTIONS: Final = {
    "window": "Window",
    "margin": "Safety margin",
    "response_restarts_window": "First answer restarts",
    "reactions_open_window": "Reactions count",
}
STANDINGS: Final[dict[Standing, str]] = {
    "documented": "This is documented.",
    "inferred": "This follows from what is documented; it is not said in so many words.",
    "unverified": "Nobody has verified this.",
    "ours": "This is a rule of our own, not WhatsApp's.",
}
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_MS: Final = timedelta(milliseconds=1)


def title(step: Step, steps: Sequence[Step]) -> str:
    """A step in a few words; `steps` are all of its case."""
    tries = "You ask" if step.asked_only else "You try to send"
    fact = step.facts[0] if step.facts else None
    if isinstance(fact, CustomerMessage):
        return f"The customer sends {CUSTOMER[fact.kind]}"
    if isinstance(fact, CustomerCall):
        return "The customer calls"
    if isinstance(fact, TemplateStatus):
        language = f" in {fact.language}" if fact.language else ""
        status = fact.status.replace("_", " ")
        return f"WhatsApp reports: the template “{fact.name}” is {status}{language}"
    if isinstance(fact, SendFailed):
        sent = _position(step, fact.message_id, steps)
        return f"WhatsApp reports: your message of step {sent} failed ({fact.code})"
    if isinstance(step.message, Template):
        language = f" in {step.message.language}" if step.message.language else ""
        return f"{tries}: template “{step.message.name}”{language}"
    if isinstance(step.message, FreeForm):
        return f"{tries}: {ORDINARY[step.message.kind]}"
    return "Time passes"


def _position(report: Step, message: str, steps: Sequence[Step]) -> int:
    """Which step sent what is reported as failed, from 1; the loader has seen that one did."""
    wanted = (message, report.number, report.contact)
    return next(
        at
        for at, each in enumerate(steps, 1)
        if each.message is not None
        and not each.asked_only
        and (each.id, each.number, each.contact) == wanted
    )


def when(value: datetime, zone: tzinfo) -> str:
    """An instant: ``Mon 2 Mar 2026, 09:00``; seconds and milliseconds where there are any.

    Where clocks are set back, they show the same times once more; these have their offset too.
    """
    shown = in_zone(value, zone)
    day = f"{_DAYS[shown.weekday()]} {shown.day} {_MONTHS[shown.month - 1]} {shown.year}"
    clock = f"{shown.hour:02}:{shown.minute:02}"
    if shown.second or shown.microsecond:
        clock += f":{shown.second:02}"
    if shown.microsecond:
        clock += f".{shown.microsecond // 1000:03}"
    return f"{day}, {clock}{twice(shown)}"


def length(value: timedelta) -> str:
    """How long: ``23 h 59 min``, ``1 ms``."""
    hours, rest = divmod(value, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    seconds, millis = divmod(rest // _MS, 1000)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s"), (millis, "ms")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
