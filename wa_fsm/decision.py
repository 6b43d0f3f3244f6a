"""What an answer is: the closed lists of reasons, remedies and error codes, and the Decision.

"Allowed" speaks of the customer service window and of template approval only: not of consent,
marketing stops, blocks, rate or messaging limits, payment or quality.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, TypeAlias, get_args

from wa_fsm.durations import format_duration
from wa_fsm.events import Message, StatusName, Template

State: TypeAlias = Literal["closed", "user_opened", "business_opened", "expired"]
Origin: TypeAlias = Literal["user", "business"]
Standing: TypeAlias = Literal["documented", "inferred", "unverified", "ours"]
Reason: TypeAlias = Literal[
    "window_open",
    "template_approved",
    "never_opened",
    "awaiting_reply",
    "window_expired",
    "within_margin",
    "template_unknown",
    "template_not_approved",
    "history_unknown",
    "store_unavailable",
    "category_not_allowed",
    "unreadable_body",
    "unrecognised_send",
    "quiet_hours",
    "quiet_days",
    "template_category",
]
Remedy: TypeAlias = Literal[
    "send_approved_template",
    "wait_for_customer_message",
    "use_another_template",
    "resume_template",
    "wait_for_approval",
    "register_template",
    "wait_until_quiet_ends",
]
AllowedKind: TypeAlias = Literal["free_form", "template"]
UndecidedReason: TypeAlias = Literal[
    "store_unavailable", "category_not_allowed", "unreadable_body", "unrecognised_send"
]

OwnReason: TypeAlias = Literal["quiet_hours", "quiet_days", "template_category"]

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
ALLOWING: Final[frozenset[Reason]] = frozenset({"window_open", "template_approved"})
WINDOW_REASONS: Final[frozenset[Reason]] = frozenset(
    {"never_opened", "awaiting_reply", "window_expired", "within_margin"}
)
TEMPLATE_REASONS: Final[frozenset[Reason]] = frozenset(
    {"template_unknown", "template_not_approved"}
)
OWN_REASONS: Final[tuple[OwnReason, ...]] = get_args(OwnReason)

NO_RULE: Final = "-"
RE_ENGAGEMENT: Final = 131047
TEMPLATE_MISSING: Final = 132001
_STATUS_CODES: Final[dict[str, int]] = {"paused": 132015, "disabled": 132016}
_REASON_CODES: Final[dict[str, int]] = {
    **dict.fromkeys(WINDOW_REASONS, RE_ENGAGEMENT),
    **dict.fromkeys(TEMPLATE_REASONS, TEMPLATE_MISSING),
}
ERROR_CODES: Final[frozenset[int]] = frozenset(
    {RE_ENGAGEMENT, TEMPLATE_MISSING, *_STATUS_CODES.values()}
)
_STATUS_REMEDIES: Final[dict[str, Remedy]] = {
    "paused": "resume_template",
    "pending": "wait_for_approval",
    "in_appeal": "wait_for_approval",
}


def error_code(reason: Reason, status: StatusName | None = None) -> int | None:
    """The code that WhatsApp would answer a refusal with, or None.

    Args:
        reason: why it was refused (or allowed).
        status: the template's status, where there is a template.
    """
    code = _REASON_CODES.get(reason)
    return code if status is None or code is None else _STATUS_CODES.get(status, code)


def remedies(reason: Reason, status: StatusName | None = None) -> tuple[Remedy, ...]:
    """What the one who was refused may do, the most useful first."""
    if reason in WINDOW_REASONS:
        return ("send_approved_template", "wait_for_customer_message")
    if reason == "template_unknown":
        return ("use_another_template", "register_template")
    if reason == "template_not_approved":
        extra = _STATUS_REMEDIES.get(status or "")
        return ("use_another_template", extra) if extra else ("use_another_template",)
    if reason in ("quiet_hours", "quiet_days"):
        return ("wait_until_quiet_ends",)
    return ("use_another_template",) if reason == "template_category" else ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """The stretch of messages that begins when a window opens from nothing.

    Attributes:
        id: opaque; the same whenever number, contact and the first opener's id are the same.
        origin: who began it.
        opened_at: when its first opener happened (UTC).
    """

    id: str
    origin: Origin
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """May this be sent, to this contact, at this instant? If not, why, and what may be instead?

    True or false by `allowed`. All instants are aware UTC datetimes in whole milliseconds.

    Attributes:
        allowed: whether the policy allows the send.
        reason: one of ``REASONS``.
        rule: the id of the row that decided, such as ``T15``; ``-`` where no row was asked.
        cites: the sources of that row.
        standing: how well the row is established.
        at: the instant that was asked about.
        state: the key's state at that instant.
        window_closes_at: the hard end of the window open at `at`, else None.
        free_form_until: the same instant where the state permits free-form, else None.
        valid_until: until when an allowed free-form message stays allowed if nothing else
            happens: the window's end less the margin, or where a refusal of the policy's own
            begins before that; else None.
        conversation: the one that runs at `at`, else None.
        allowed_kinds: what would be allowed now.
        uncounted: ids of reactions any of which, if it counted, would have made it allowed.
        error_code: what WhatsApp would answer, else None.
        policy: the spec in force, such as ``cloud-api,margin=5m``.
        policy_version: a hash over the policy's rows and options.
        message: what was asked about.
        template_status: the template's status, where there is one.
        since: what the state rests on: when the window ended, the unanswered template left, or
            the latest opener happened; None where nothing ever did.
        own: the words of the policy's own refusal that decided, or that keeps back every approved
            template; empty where none did.
    """

    allowed: bool
    reason: Reason
    rule: str
    cites: tuple[str, ...]
    standing: Standing
    at: datetime
    state: State
    window_closes_at: datetime | None
    free_form_until: datetime | None
    valid_until: datetime | None
    conversation: Conversation | None
    allowed_kinds: tuple[AllowedKind, ...]
    uncounted: tuple[str, ...]
    error_code: int | None
    policy: str
    policy_version: str
    message: Message
    template_status: StatusName | None
    since: datetime | None
    own: str = ""

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What may be done instead, in order; empty where allowed."""
        return remedies(self.reason, self.template_status)

    @property
    def text(self) -> str:
        """One sentence for people; times in UTC."""
        return self.explain(UTC)

    def explain(self, zone: tzinfo) -> str:
        """The same sentence with times shown in `zone`."""
        return _sentence(self, zone)


def in_zone(value: datetime, zone: tzinfo) -> datetime:
    """`value` in a zone; at the ends of the calendar, where that cannot be, in UTC."""
    try:
        return value.astimezone(zone)
    except OverflowError:
        return value


def undecided(decision: Decision, reason: UndecidedReason) -> Decision:
    """A refusal that no row of the policy gave, in the form of `decision`."""
    return replace(
        decision,
        allowed=False,
        reason=reason,
        rule=NO_RULE,
        cites=(),
        standing="ours",
        valid_until=None,
        error_code=None,
        allowed_kinds=(),
        template_status=None,
        own="",
    )


def clock_text(value: datetime, beside: datetime, zone: tzinfo) -> str:
    """`value` as people read it: without the date where it is the day of `beside`."""
    shown, near = in_zone(value, zone), in_zone(beside, zone)
    seconds = "%H:%M:%S" if shown.second or shown.microsecond else "%H:%M"
    millis = f".{shown.microsecond // 1000:03d}" if shown.microsecond else ""
    day = "" if shown.date() == near.date() else f"{shown.date().isoformat()} "
    return day + shown.strftime(seconds) + millis + twice(shown)


def twice(shown: datetime) -> str:
    """The offset of a time that its zone's clocks show twice, on a night in autumn; else empty."""
    if shown.utcoffset() == shown.replace(fold=1 - shown.fold).utcoffset():
        return ""
    return shown.isoformat()[-6:]


def _sentence(d: Decision, zone: tzinfo) -> str:
    def when(value: datetime | None) -> str:
        return "an unknown time" if value is None else clock_text(value, d.at, zone)

    template = d.message.name if isinstance(d.message, Template) else ""
    language = d.message.language if isinstance(d.message, Template) else None
    named = f"`{template}`" + (f" in `{language}`" if language else "")
    status = (d.template_status or "").replace("_", " ")
    may = "only approved templates may be sent"
    if "template" not in d.allowed_kinds:
        may += f", and now none may be: {d.own}" if d.own else ", and none is approved now"
    whys: dict[Reason, str] = {
        "window_open": f"the customer service window is open until {when(d.window_closes_at)}; "
        "any message may be sent",
        "template_approved": f"the template {named} is approved",
        "never_opened": f"no customer service window was ever open here; {may}",
        "awaiting_reply": f"the template sent at {when(d.since)} has no reply yet; {may}",
        "window_expired": f"the customer service window ended at {when(d.since)}; {may}",
        "within_margin": f"the customer service window closes at {when(d.window_closes_at)}, "
        f"{_left(d)} from now and inside the safety margin; {may}",
        "template_unknown": f"the template {named} is not registered; "
        "only approved templates may be sent",
        "template_not_approved": f"the template {named} is {status}, not approved; "
        "only approved templates may be sent",
        "history_unknown": "nothing is known of this contact from before the records began; "
        f"{may} until the customer writes",
        "store_unavailable": "the records of this contact cannot be read now; nothing was decided",
        "category_not_allowed": "a free-form message of this category may not be sent",
        "unreadable_body": "the request cannot be read, so what it sends cannot be judged",
        "unrecognised_send": "the request looks like a send, but of no known form",
        **dict.fromkeys(OWN_REASONS, f"{d.own}; {_MAY_NOW[d.allowed_kinds]}"),
    }
    return f"{'Allowed' if d.allowed else 'Refused'}: {whys[d.reason]}."


_MAY_NOW: Final[dict[tuple[AllowedKind, ...], str]] = {
    (): "nothing may be sent now",
    ("free_form",): "free-form messages may be sent",
    ("template",): "approved templates may be sent",
    ("free_form", "template"): "free-form messages and other approved templates may be sent",
}


def _left(d: Decision) -> str:
    return "0s" if d.window_closes_at is None else format_duration(d.window_closes_at - d.at)
