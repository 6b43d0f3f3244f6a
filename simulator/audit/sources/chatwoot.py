"""``--source chatwoot``: rows of Chatwoot's table `messages`, or its `message_created` webhooks.

The contact stands in another table, so an export names it in `contact_phone` (or
`contact_source_id`, `contact_id`); docs/audit.md has the query. Without any of these a
conversation is taken for a contact.

Sources: Chatwoot's ``app/models/message.rb`` (types and statuses), its WhatsApp services
(``external_error`` is "CODE: TITLE", a template's name stands in ``template_params``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..plain import FREE_FORM, Chunk, Reject
from .files import Log
from .rows import Aside, Bad, Record, Row, convert, inner, instant_of, named, records, text_of

_TYPES: Final[Mapping[str, str]] = {
    **{"0": "inbound", "incoming": "inbound"},
    **{"1": "outbound", "outgoing": "outbound"},
    **{"2": "", "activity": ""},
    **{"3": "outbound", "template": "outbound"},  # Chatwoot's own greetings: no WhatsApp template
}
_STATUSES: Final[Mapping[str, str]] = {
    **{"": "sent", "0": "sent", "1": "delivered", "2": "read", "3": "failed"},
    **{word: word for word in ("sent", "delivered", "read", "failed")},
}
_FILES: Final[Mapping[str, str]] = {
    **{"0": "image", "1": "audio", "2": "video", "3": "document", "4": "location"},
    **{"8": "contacts", "image": "image", "audio": "audio", "video": "video"},
    **{"file": "document", "location": "location", "contact": "contacts"},
}
_CODE: Final = re.compile(r"\s*\(?#?([0-9]{3,6})\b")
_TRUE: Final = ("true", "t", "1")
_WHATSAPP: Final = "Channel::Whatsapp"


def read(logs: Sequence[Log]) -> Iterator[Chunk | Reject | Aside]:
    """The rows of these logs in the plain form.

    Raises:
        NoLog: a file that cannot be read as what it seems to be.
        OSError: a file cannot be read.
    """
    for log in logs:
        yield from convert(log, records(log, inside=("payload", "messages")), _row)


def _row(record: Record) -> Row | Aside:
    row = named(record.row)
    conversation, inbox = inner(row, "conversation"), inner(row, "inbox")
    event = text_of(row, "event", known="message_created")
    if event != "message_created":
        return Aside(f"webhooks of Chatwoot about something else (`{event[:40]}`)")
    word = text_of(row, "messagetype").lower()
    direction = _TYPES.get(word)
    if direction is None:
        raise Bad("direction", f"unknown message_type `{word}`; expected 0, 1, 2 or 3")
    if not direction:
        return Aside("activities of Chatwoot")
    if text_of(row, "private", known="false").lower() in _TRUE:
        return Aside("private notes")
    channel = str(row.get("channel") or conversation.get("channel") or _WHATSAPP)
    if channel != _WHATSAPP:
        return Aside("messages of another channel than WhatsApp")
    made = Row(
        at=instant_of("at", row.get("createdat")),
        direction=direction,
        number=text_of({**row, "inbox": inbox.get("id")}, "number", "inboxid", "inbox"),
        customer=_customer(row, conversation),
        id=text_of(row, "sourceid", "id"),
        kind=_kind(row, "text" if direction == "inbound" else FREE_FORM),
    )
    return made if direction == "inbound" else _sent(row, made)


def _customer(row: Mapping[str, Any], conversation: Mapping[str, Any]) -> str:
    for held in (inner(conversation, "contact_inbox").get("source_id"), row.get("contactphone")):
        if held:
            return str(held).removeprefix("whatsapp:")
    found = text_of(row, "contactsourceid", "contactid", known="")
    return found or "conversation " + text_of(
        {**row, "conversation": conversation.get("id")}, "conversationid", "conversation"
    )


def _kind(row: Mapping[str, Any], otherwise: str) -> str:
    held = row.get("attachments")
    if isinstance(held, list) and held and isinstance(held[0], dict):
        return _FILES.get(str(held[0].get("file_type")), "document")
    if row.get("filetype") is not None:
        return _FILES.get(text_of(row, "filetype"), "document")
    return otherwise


def _sent(row: Mapping[str, Any], made: Row) -> Row:
    word = text_of(row, "status", known="").lower()
    status = _STATUSES.get(word)
    if status is None:
        raise Bad("status", f"unknown status `{word}`; expected 0, 1, 2 or 3, or its word")
    made = made._replace(status=status)
    if status == "failed":
        said = str(inner(row, "contentattributes").get("external_error") or "")
        code = _CODE.match(said)
        made = made._replace(error_code=int(code[1]) if code else None)
    params = inner(inner(row, "additionalattributes"), "template_params")
    if params.get("name"):
        category = str(params.get("category") or "").lower() or None
        made = made._replace(kind="template", template=str(params["name"]), category=category)
        language = params.get("language")
        if isinstance(language, str):
            made = made._replace(language=language)
    return made
