"""What a webhook may hold besides the core's events: kept as values, never as facts of a window.

House rules:

* Everything that a body says comes out as a value: an event, or one of these.
* None of these opens, shuts or moves a window. They are for reports, audits and people.
* ``raw`` is the part of the body as JSON gave it, contents of messages included: it is for the
  caller only. The gatekeeper is never given any of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from wa_fsm.events import Delivered, Event
from wa_fsm.identity import ContactChanged, SameContact


class WebhookError(ValueError):
    """The body is not JSON in UTF-8. What it holds can never be the reason for this."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error that WhatsApp reported.

    Attributes:
        code: as reported, or known by its words; None where neither tells.
        text: title, message and details, each once.
    """

    code: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One status of a send, as WhatsApp reported it.

    Attributes:
        number: the business number that sent it.
        contact: to whom, a group's id for a group; None where the status does not say.
        at: the status's own timestamp; None where it has none.
        message_id: the message's id (wamid).
        status: ``sent``, ``delivered``, ``read``, ``played``, ``failed`` or whatever it says.
        pricing: the object as it stands in the body. ``type`` ``free_customer_service`` on a
            ``service`` message shows that the window was open when it was sent.
        conversation: the object as it stands in the body. It is about billing: its
            ``expiration_timestamp`` is never the end of the customer service window.
        errors: what was reported with it.
        callback: ``biz_opaque_callback_data``, by which a sender knows its own request again.
        participant: in a group, whose status it is.
    """

    number: str
    contact: str | None
    at: datetime | None
    message_id: str
    status: str
    pricing: Mapping[str, Any] | None = None
    conversation: Mapping[str, Any] | None = None
    errors: tuple[Problem, ...] = ()
    callback: str | None = None
    participant: str | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """A customer stopped or resumed a category of messages. No rule of the window speaks of it.

    Attributes:
        number: the business number.
        contact: who: never a parent id, as the preference is one person's.
        at: when; None where it does not say.
        category: such as ``marketing_messages``.
        value: such as ``stop`` or ``resume``.
    """

    number: str
    contact: str
    at: datetime | None
    category: str
    value: str


@dataclass(frozen=True, slots=True)
class Synced:
    """A message of the chat history that a WhatsApp Business app shared. It never opens anything.

    Attributes:
        number: the business number.
        contact: with whom; None where the thread does not say.
        at: when it was written, up to 180 days ago; None where it does not say.
        message_id: its id (wamid); None where it has none.
        by: who wrote it.
        kind: its type, as it stands in the body.
    """

    number: str
    contact: str | None
    at: datetime | None
    message_id: str | None
    by: Literal["customer", "business"]
    kind: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something known of which nothing follows for a window: account, quality, groups, errors.

    Attributes:
        path: where in the body, such as ``entry[0].changes[1].value``.
        field: the webhook field, or what it is.
        at: when, as far as the body says.
        raw: that part of the body.
    """

    path: str
    field: str
    at: datetime | None
    raw: Any


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """Something that nobody here can read, kept so that it is not lost in silence.

    Attributes:
        path: where in the body, such as ``entry[0].changes[1].value.messages[3]``.
        what: what is the matter with it.
        raw: that part of the body.
    """

    path: str
    what: str
    raw: Any


Learnt: TypeAlias = Event | Delivered | SameContact | ContactChanged
Told: TypeAlias = Evidence | Preference | Synced | Notice | Unrecognised
Value: TypeAlias = Learnt | Told
