"""What became of our sends, and calls."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from wa_fsm.adapters.webhook_people import Names, names_of
from wa_fsm.adapters.webhook_shapes import (
    REFUSED_FOR_WINDOW,
    Json,
    code_of,
    mapping,
    problems,
    text,
    when,
    whole,
)
from wa_fsm.adapters.webhook_values import Evidence, Notice
from wa_fsm.adapters.webhook_walk import Place, Walk
from wa_fsm.events import (
    CustomerCall,
    Delivered,
    FreeForm,
    Message,
    SendFailed,
    Sent,
    Template,
)

UNKNOWN_TEMPLATE: Final = Template("(unknown)")
"""A template that went out, whose name no status says. No template can have this name."""

_DELIVERED: Final = frozenset({"delivered", "read", "played"})
_OF_TEMPLATES: Final = frozenset(
    {
        "marketing",
        "utility",
        "authentication",
        "authentication_international",
        "marketing_lite",
        "group_marketing",
        "group_utility",
    }
)
_OF_SERVICE: Final = frozenset({"service", "group_service"})


def statuses(walk: Walk, place: Place, value: object) -> None:
    """Statuses of sends; those of calls and payments stand in an array of the same name."""
    for path, status in place.each("statuses", value):
        if not isinstance(status, dict):
            walk.unrecognised(path, "the status is no object", status)
        elif place.field == "calls" or text(status.get("type")) == "call":
            _call_status(walk, place, path, status)
        elif text(status.get("type")) == "payment" or mapping(status.get("payment")):
            # Its id is that of the message that asks to pay, which did not fail with the payment.
            walk.add(Notice(path, "statuses: payment", place.when(status), status))
        else:
            _status(walk, place, path, status)


def _status(walk: Walk, place: Place, path: str, status: Json) -> None:
    said, id_ = text(status.get("status")), text(status.get("id"))
    if place.number is None or said is None or id_ is None:
        walk.unrecognised(path, "a status that does not say of what, or from where", status)
        return
    said = said.lower()
    to, group = _recipient(walk, place, status)
    contact, at = group or to.best, place.when(status)
    errors = problems(status.get("errors"))
    walk.add(
        Evidence(
            place.number,
            contact,
            at,
            id_,
            said,
            mapping(status.get("pricing")) or None,
            mapping(status.get("conversation")) or None,
            errors,
            text(status.get("biz_opaque_callback_data")),
            to.best if group else None,
        )
    )
    if contact is None or at is None:
        lacks = "recipient" if contact is None else "time"
        walk.unrecognised(path, f"a status without a {lacks}", status)
    elif said in _DELIVERED:
        walk.add(Delivered(place.number, contact, at, id_))
    elif said == "failed":
        if group is None or to.best is None:  # one member's failure is not that of the message
            _failed(walk, (place.number, contact), at, id_, code_of(errors))
    elif said == "sent":
        message = _kind_of(status)
        if message is not None:
            walk.add(Sent(place.number, contact, at, id_, message))


def _recipient(walk: Walk, place: Place, status: Json) -> tuple[Names, str | None]:
    """To whom it went, or which member of the group, and the group."""
    own = names_of(
        status,
        "recipient_id",
        "recipient_user_id",
        "recipient_parent_user_id",
        "parent_recipient_user_id",
    )
    group = text(status.get("group_id"))
    if text(status.get("recipient_type")) == "group":
        group = group or own.phone
    if group is None:
        to = place.people.complete(own)
    else:
        member = names_of(
            status,
            "recipient_participant_id",
            "recipient_participant_user_id",
            "recipient_participant_parent_user_id",
        )
        other = text(status.get("participant_recipient_id"))  # Meta's own slip of the pen
        member = member._replace(phone=member.phone or other)
        to = member if member.best is None else place.people.complete(member)
    walk.names.append(to)
    return to, group


def _failed(walk: Walk, key: tuple[str, str], at: datetime, id_: str, code: int) -> None:
    """A send failed.

    A refusal for the window proves by itself that something free-form was tried, and it comes
    within seconds of the try. So it is told as a send too: whoever listens only learns of that
    send from here, and without it the refusal would move nothing. Where the gate made the send
    itself, its own record of it is the earlier one and counts.
    """
    if code in REFUSED_FOR_WINDOW:
        walk.add(Sent(*key, at, id_, FreeForm()))
    walk.add(SendFailed(*key, at, id_, code))


def _kind_of(status: Json) -> Message | None:
    """What was sent, where the price proves it; None where it does not.

    Since 2025-07 (``PMP``) each message has the price of its own category: ``service`` is
    free-form, the others are templates. Before (``CBP``) the category was that of the billing
    conversation, in which a free-form answer may ride on a template's; only ``service`` proves.
    A Direct Send (``template_id``) is no template of the account, so neither kind is proven.
    Only ``sent`` is asked: ``delivered`` may come weeks after the send, and a fact at a wrong
    time is worse than none.
    """
    pricing = mapping(status.get("pricing"))
    category = (text(pricing.get("category")) or "").lower().replace("-", "_")
    if category in _OF_SERVICE:
        return FreeForm()
    per_message = (text(pricing.get("pricing_model")) or "").upper() == "PMP"
    if per_message and category in _OF_TEMPLATES and "template_id" not in status:
        return UNKNOWN_TEMPLATE
    return None


# -- calls ---------------------------------------------------------------------------------------


def calls(walk: Walk, place: Place, value: object) -> None:
    """Calls: a customer's call opens, and so does ours that was accepted; nothing else does."""
    for path, call in place.each("calls", value):
        if not isinstance(call, dict):
            walk.unrecognised(path, "the call is no object", call)
            continue
        event = (text(call.get("event")) or "").lower()
        theirs = (text(call.get("direction")) or "").upper() == "USER_INITIATED"
        ours = (text(call.get("direction")) or "").upper() == "BUSINESS_INITIATED"
        completed = (text(call.get("status")) or "").upper() == "COMPLETED"
        if theirs and event in ("connect", "terminate"):
            names = names_of(call, "from", "from_user_id", "from_parent_user_id")
            at = place.when(call) if event == "connect" else _begun(place, call)
            _call(walk, place, path, call, names, at)
        elif ours and event == "terminate" and completed:
            names = names_of(call, "to", "to_user_id", "to_parent_user_id")
            _call(walk, place, path, call, names, _begun(place, call))
        elif event:
            walk.add(Notice(path, f"calls: {event}", place.when(call), call))
        else:
            walk.unrecognised(path, "a call that does not say what happened", call)


def _call_status(walk: Walk, place: Place, path: str, status: Json) -> None:
    if (text(status.get("status")) or "").upper() == "ACCEPTED":
        names = names_of(status, "recipient_id", "recipient_user_id", "recipient_parent_user_id")
        _call(walk, place, path, status, names, place.when(status))
    else:
        walk.add(Notice(path, "calls: status", place.when(status), status))


def _begun(place: Place, call: Json) -> datetime | None:
    """When a call that has ended began: the window counts from there, not from its end."""
    ended, begun = place.when(call), when(call.get("start_time"))
    length = whole(call.get("duration"))
    if begun is None and length and length > 0:
        until = when(call.get("end_time")) or ended
        begun = until - timedelta(seconds=min(length, 10**6)) if until else None
    known = [each for each in (begun, ended) if each is not None]
    return min(known, default=None)


def _call(
    walk: Walk, place: Place, path: str, call: Json, names: Names, at: datetime | None
) -> None:
    names = names._replace(phone=None if place.is_own(names.phone) else names.phone)
    names = place.people.complete(names)
    walk.names.append(names)
    id_ = text(call.get("id"))
    if place.number is None or names.best is None or at is None or id_ is None:
        walk.unrecognised(path, "a call that does not say who, where or when", call)
    else:
        walk.add(CustomerCall(place.number, names.best, at, id_))
