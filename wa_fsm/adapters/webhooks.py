"""Webhooks in: one body of WhatsApp's Cloud API becomes a list of frozen values.

House rules:

* Nothing is dropped in silence. What is an event of the core comes out as one, what is known and
  moves no window as ``Evidence``, ``Preference``, ``Synced`` or ``Notice``, and what nobody here
  can read as ``Unrecognised``.
* Valid JSON never raises. Only what is no JSON in UTF-8 is a ``WebhookError``.
* Only a customer's message or call opens a window, and only of a kind that the policy counts.
  Statuses, echoes, chat history and system notices never do; a message in a group concerns the
  group; where a body leaves room for doubt, the reading is taken that opens nothing.
* The time is WhatsApp's, never that of arrival: a delivery may come days late.

The number of an event is ``metadata.phone_number_id``, because sends go to that id too. The
displayed phone number stands in only where the id is missing. One physical number that several
partners share has several ids, and they are told apart here.

Sources: Meta's webhook reference (messages, statuses, calls, history, echoes, user preferences,
templates, business-scoped user ids), and bodies that public clients of the API keep as tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NoReturn

from wa_fsm.adapters.webhook_account import account, is_notice, templates
from wa_fsm.adapters.webhook_messages import (
    echoes,
    history,
    messages,
    one_message,
    preferences,
    user_ids,
)
from wa_fsm.adapters.webhook_people import People, same_contacts
from wa_fsm.adapters.webhook_shapes import Json, items, mapping, text
from wa_fsm.adapters.webhook_statuses import calls, statuses
from wa_fsm.adapters.webhook_values import (
    Evidence,
    Learnt,
    Notice,
    Preference,
    Problem,
    Synced,
    Unrecognised,
    Value,
    WebhookError,
)
from wa_fsm.adapters.webhook_walk import Place, Walk
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    Delivered,
    SendFailed,
    Sent,
    TemplateStatus,
    instant,
)
from wa_fsm.identity import ContactChanged, SameContact

__all__ = [
    "Evidence",
    "Learnt",
    "Notice",
    "Preference",
    "Problem",
    "Synced",
    "Unrecognised",
    "Value",
    "WebhookError",
    "learnt",
    "parse_webhook",
]

_LEARNT: Final = (
    CustomerMessage,
    CustomerCall,
    Sent,
    SendFailed,
    TemplateStatus,
    Delivered,
    SameContact,
    ContactChanged,
)
_DEEP: Final = "it is nested too deeply to be read"
# Arrays of a value, and in which fields they are what they are called. A value that names no field
# is taken by its keys, as some deliveries come without the envelope.
_INBOUND: Final = frozenset({None, "messages", "standby"})
_ECHOES: Final = frozenset({"smb_message_echoes", "message_echoes"})
_TEMPLATES: Final = "message_template_status_update"
_WHATSAPP: Final = "whatsapp_business_account"
_KNOWN: Final = frozenset(
    {
        "messaging_product",
        "metadata",
        "contacts",
        "messages",
        "message_echoes",
        "history",
        "statuses",
        "calls",
        "errors",
        "user_preferences",
        "user_id_update",
        "standby",
    }
)
_FIELDS: Final = _INBOUND | _ECHOES | {"calls", "history", "user_preferences", "user_id_update"}


def parse_webhook(
    body: bytes,
    *,
    number: str | None = None,
    account: str | None = None,
    arrived: datetime | None = None,
) -> list[Value]:
    """Read one webhook body.

    Args:
        body: as it came, before anything else has read it.
        number: the business number of what names none; None: that is ``Unrecognised``.
        account: the id of the WhatsApp Business Account whose templates' statuses count: another
            account has its own templates of the same names, and its statuses are a ``Notice``.
            None: any account's count.
        arrived: when it came; stands in as the time of a template's status that has none at all.
            A customer's message without a time is never given one.

    Returns:
        First who is one contact (``SameContact``), then everything else in the body's order:
        events for the core, and values that only tell. ``learnt`` picks out what a gatekeeper
        learns.

    Raises:
        WebhookError: it is not JSON in UTF-8.
    """
    walk = Walk(None if arrived is None else instant(arrived), text(account))
    try:
        read = _json(body)
    except RecursionError:
        return [Unrecognised("", _DEEP, None)]
    place = Place("", text(number), frozenset(), None, None, People(None))
    for index, each in enumerate(items(read)):
        path = f"[{index}]" if isinstance(read, list) else ""
        _body(walk, place.at(path), each)
    if read is None or read == []:
        walk.unrecognised("", "nothing stands in it", read)
    return [*same_contacts(walk.settled_names()), *walk.values]


def learnt(values: Iterable[Value]) -> list[Learnt]:
    """Those of the values that ``Gatekeeper.record`` takes.

    Args:
        values: as ``parse_webhook`` gives them.
    """
    return [value for value in values if isinstance(value, _LEARNT)]


def _json(body: bytes) -> Any:
    try:
        words = bytes(body).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WebhookError(f"the body is not in UTF-8, from byte {error.start} on") from None
    try:
        return json.loads(words, parse_constant=_no_json)
    except json.JSONDecodeError as error:
        raise WebhookError(f"the body is not JSON: {error.msg}, at character {error.pos}") from None
    except WebhookError:
        raise
    except ValueError:  # Python reads no whole number of more than 4300 digits; JSON allows it
        return json.loads(words, parse_constant=_no_json, parse_int=_int)


def _no_json(word: str) -> NoReturn:
    raise WebhookError(f"the body is not JSON: `{word}` is no value of it")


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else float(digits)


# -- the envelope: body, entry, change, value ----------------------------------------------------


def _body(walk: Walk, place: Place, body: object) -> None:
    """A whole body; or, where the envelope is missing, an entry, a change or a value."""
    if not isinstance(body, dict):
        walk.unrecognised(place.path, "it is no object", body)
    elif "entry" in body:
        _others(walk, place, body, {"object", "entry"})
        if body.get("object") not in (None, _WHATSAPP):
            walk.unrecognised(place.below("object"), "another product's webhook", body["object"])
        for path, entry in place.each("entry", body["entry"]):
            _entry(walk, place.at(path), entry)
    elif "changes" in body:
        _entry(walk, place, body)
    elif "value" in body:
        _change(walk, place, body)
    elif body.keys() & _KNOWN - {"errors", "messaging_product"}:
        _value(walk, place, body)
    else:
        walk.unrecognised(place.path, "no `entry`, so it is no webhook of WhatsApp", body)


def _entry(walk: Walk, place: Place, entry: object) -> None:
    if not isinstance(entry, dict):
        walk.unrecognised(place.path, "the entry is no object", entry)
        return
    if "changes" not in entry:
        walk.unrecognised(place.path, "the entry has no `changes`", entry)
        return
    _others(walk, place, entry, {"id", "time", "changes", "uid"})
    place = place.inside(entry)
    for path, change in place.each("changes", entry["changes"]):
        _change(walk, place.at(path), change)


def _change(walk: Walk, place: Place, change: object) -> None:
    if not isinstance(change, dict) or not isinstance(change.get("value"), dict):
        walk.unrecognised(place.path, "the change has no `value`", change)
        return
    _others(walk, place, change, {"field", "value"})
    field = text(change.get("field"))
    _value(walk, place.at(place.below("value"), field), change["value"])


def _others(walk: Walk, place: Place, found: Json, known: set[str]) -> None:
    for key in sorted(found.keys() - known):
        walk.unrecognised(place.below(key), "an unknown key", found[key])


def _value(walk: Walk, place: Place, value: Json) -> None:
    field = place.field
    if "event" in value and (field or _template_of(value)) == _TEMPLATES:
        templates(walk, place, value)
    elif is_notice(field, value):
        account(walk, place, value)
    elif field not in _FIELDS:
        walk.unrecognised(place.path, f"the unknown field `{field}`", value)
    else:
        metadata = mapping(value.get("metadata"))
        people = People(value.get("contacts"))
        walk.names += people.known
        _arrays(walk, place.of(metadata, people), value)


def _template_of(value: Json) -> str | None:
    return _TEMPLATES if "message_template_name" in value else None


def _arrays(walk: Walk, place: Place, value: Json) -> None:
    """Everything that one value holds."""
    field = place.field
    found = value.get("messages")
    if field in _INBOUND:
        messages(walk, place, found)
    elif field in _ECHOES:  # they look like messages, and a reader that takes them for such errs
        echoes(walk, place, "messages", found)
    elif field == "history":
        history(walk, place, [{"threads": [{"messages": items(found)}]}] if found else None)
    else:
        for path, each in place.each("messages", found):
            walk.unrecognised(path, f"a message in the field `{field}`", each)
    echoes(walk, place, "message_echoes", value.get("message_echoes"))
    history(walk, place, value.get("history"))
    statuses(walk, place, value.get("statuses"))
    calls(walk, place, value.get("calls"))
    preferences(walk, place, value.get("user_preferences"))
    user_ids(walk, place, value.get("user_id_update"))
    for path, each in place.each("standby", value.get("standby")):
        if isinstance(each, dict) and "standby" not in each and each.keys() & _KNOWN:
            people = People(each.get("contacts"))
            walk.names += people.known
            _arrays(walk, place.at(path).of(mapping(each.get("metadata")), people), each)
        elif isinstance(each, dict) and "type" in each:
            one_message(walk, place, path, each)
        else:
            walk.unrecognised(path, "no value of `standby`", each)
    for path, each in place.each("errors", value.get("errors")):
        walk.add(Notice(path, "errors", place.time, each))
    for key in sorted(value.keys() - _KNOWN):
        walk.unrecognised(place.below(key), "an unknown key", value[key])
