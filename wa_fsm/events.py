"""What can happen and what can be asked.

House rules:

* An event is a fact that somebody reports; a message is something one may ask about or send.
* Every value here is frozen and checks itself when it is made: an invalid one cannot exist.
* ``at`` is when it happened by WhatsApp's timestamp (for our own sends: by our clock when the
  request left). It must carry a zone; it is kept in UTC and cut to whole milliseconds, once, here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, cast, get_args

CustomerKind: TypeAlias = Literal[
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "order",
    "button",
    "interactive",
    "reaction",
    "request_welcome",
    "system",
    "unsupported",
    "edit",
    "revoke",
]
FreeFormKind: TypeAlias = Literal[
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "reaction",
]
StatusName: TypeAlias = Literal[
    "approved",
    "pending",
    "in_appeal",
    "rejected",
    "paused",
    "disabled",
    "limit_exceeded",
    "pending_deletion",
    "deleted",
    "archived",
]

CUSTOMER_KINDS: Final[tuple[CustomerKind, ...]] = get_args(CustomerKind)
FREE_FORM_KINDS: Final[tuple[FreeFormKind, ...]] = get_args(FreeFormKind)
TEMPLATE_STATUSES: Final[tuple[StatusName, ...]] = get_args(StatusName)

_MILLISECOND: Final = 1000


def instant(value: datetime) -> datetime:
    """The same instant in UTC, cut (not rounded) to whole milliseconds.

    Raises:
        TypeError: `value` is no ``datetime``.
        ValueError: it carries no zone, or lies outside the years 1 to 9999 in UTC.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"expected an aware datetime, got `{value!r}`")
    if value.tzinfo is not UTC or type(value) is not datetime:
        value = _plain_utc(value)
    spare = value.microsecond % _MILLISECOND
    return value.replace(microsecond=value.microsecond - spare, fold=0) if spare else value


def _plain_utc(value: datetime) -> datetime:
    """`value` in UTC as the standard library's datetime, whatever subclass it is."""
    if value.utcoffset() is None:
        raise ValueError(f"`{value!r}` has no time zone; give an aware datetime")
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"`{value!r}` lies outside the years 1 to 9999 in UTC") from None
    day, clock = (utc.year, utc.month, utc.day), (utc.hour, utc.minute, utc.second)
    return datetime(*day, *clock, utc.microsecond, UTC)


def text_field(name: str, value: object) -> str:
    """`value` if it is a text with something in it; `name` is what an error calls it."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a text, got `{value!r}`")
    if not value:
        raise ValueError(f"`{name}` must not be empty")
    return value


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"unknown {name} `{value}`; expected one of {', '.join(allowed)}")


@dataclass(frozen=True, slots=True)
class FreeForm:
    """Any business message that is not a template, to be asked about or sent.

    Args:
        kind: one of ``FREE_FORM_KINDS``.

    Raises:
        ValueError: no such kind.
    """

    kind: FreeFormKind = "text"

    def __post_init__(self) -> None:
        _one_of("free-form kind", self.kind, FREE_FORM_KINDS)


@dataclass(frozen=True, slots=True)
class Template:
    """A pre-approved message, known by name and language, to be asked about or sent.

    Args:
        name: the template's name in the business account.
        language: such as ``en_US`` (``en-US`` is the same); None names no language.

    Raises:
        ValueError: an empty text.
        TypeError: a name or language that is no text.
    """

    name: str
    language: str | None = None

    def __post_init__(self) -> None:
        text_field("name", self.name)
        if self.language is not None:
            text_field("language", self.language)


Message: TypeAlias = FreeForm | Template
"""What can be asked about and sent."""


def _keyed(event: CustomerMessage | CustomerCall | Sent | SendFailed | Delivered) -> None:
    text_field("number", event.number)
    text_field("contact", event.contact)
    at = instant(event.at)
    if at is not event.at:
        object.__setattr__(event, "at", at)


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """The customer wrote (or WhatsApp reported something in their place, by `kind`).

    Args:
        number: the business number (phone_number_id) that it reached.
        contact: who wrote, as that number knows them.
        at: WhatsApp's timestamp of the message, an aware datetime; kept in UTC, cut to
            milliseconds.
        id: the message's id (wamid).
        kind: one of ``CUSTOMER_KINDS``.

    Raises:
        ValueError: an empty text, an unknown kind, or an `at` without a zone.
        TypeError: a value of another type.
    """

    number: str
    contact: str
    at: datetime
    id: str
    kind: CustomerKind = "text"

    def __post_init__(self) -> None:
        _keyed(self)
        text_field("id", self.id)
        _one_of("customer message kind", self.kind, CUSTOMER_KINDS)


@dataclass(frozen=True, slots=True)
class CustomerCall:
    """The customer called, or accepted our call.

    Args:
        number: the business number.
        contact: who called.
        at: WhatsApp's timestamp of the call, an aware datetime; kept in UTC, cut to
            milliseconds.
        id: the call's id; its ``connect`` and ``terminate`` share it and are one event.

    Raises:
        ValueError: an empty text, or an `at` without a zone.
        TypeError: a value of another type.
    """

    number: str
    contact: str
    at: datetime
    id: str

    def __post_init__(self) -> None:
        _keyed(self)
        text_field("id", self.id)


@dataclass(frozen=True, slots=True)
class Sent:
    """A business message left, whatever a policy would have said of it.

    Args:
        number: the business number that sent it.
        contact: to whom.
        at: our clock when the request left, an aware datetime; kept in UTC, cut to
            milliseconds.
        id: the message's id (wamid).
        message: what was sent.

    Raises:
        ValueError: an empty text, or an `at` without a zone.
        TypeError: a value of another type.
    """

    number: str
    contact: str
    at: datetime
    id: str
    message: Message

    def __post_init__(self) -> None:
        _keyed(self)
        text_field("id", self.id)
        if not isinstance(self.message, (FreeForm, Template)):
            raise TypeError(f"`message` must be a FreeForm or a Template, got `{self.message!r}`")


@dataclass(frozen=True, slots=True)
class SendFailed:
    """WhatsApp reported that a send failed.

    Args:
        number: the business number that sent it.
        contact: to whom.
        at: the report's own timestamp, an aware datetime; the rules use the failed send's
            ``at`` instead.
        message_id: the failed message's id (wamid).
        code: WhatsApp's error code; 131047, 470 and 63016 refuse for the window.

    Raises:
        ValueError: an empty text, or an `at` without a zone.
        TypeError: a value of another type.
    """

    number: str
    contact: str
    at: datetime
    message_id: str
    code: int

    def __post_init__(self) -> None:
        _keyed(self)
        text_field("message_id", self.message_id)
        if not isinstance(self.code, int) or isinstance(self.code, bool):
            raise TypeError(f"`code` must be a whole number, got `{self.code!r}`")


@dataclass(frozen=True, slots=True)
class TemplateStatus:
    """A template of the business account has a status from `at` on.

    Args:
        name: the template's name.
        status: one of ``TEMPLATE_STATUSES``; only ``approved`` may be sent.
        at: from when on, an aware datetime; kept in UTC, cut to milliseconds.
        language: None means all languages that are listed.

    Raises:
        ValueError: an empty text, an unknown status, or an `at` without a zone.
        TypeError: a value of another type.
    """

    name: str
    status: StatusName
    at: datetime
    language: str | None = None

    def __post_init__(self) -> None:
        text_field("name", self.name)
        _one_of("template status", self.status, TEMPLATE_STATUSES)
        object.__setattr__(self, "at", instant(self.at))
        if self.language is not None:
            text_field("language", self.language)


Event: TypeAlias = CustomerMessage | CustomerCall | Sent | SendFailed | TemplateStatus
"""What can happen."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """WhatsApp reported that a send was delivered. Evidence of what it allows; no fact of a fold.

    Args:
        number: the business number that sent it.
        contact: to whom.
        at: the report's own timestamp, an aware datetime.
        message_id: the message's id (wamid).

    Raises:
        ValueError: an empty text, or an `at` without a zone.
        TypeError: a value of another type.
    """

    number: str
    contact: str
    at: datetime
    message_id: str

    def __post_init__(self) -> None:
        _keyed(self)
        text_field("message_id", self.message_id)


def status_name(value: str) -> StatusName:
    """`value` as a template status. Raises ValueError when there is no such status."""
    _one_of("template status", value, TEMPLATE_STATUSES)
    return cast(StatusName, value)
