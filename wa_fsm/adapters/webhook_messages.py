"""Messages of webhooks: the customer's, echoes of our own, chat history; and who is who."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final, Literal

from wa_fsm.adapters.webhook_people import Names, names_of
from wa_fsm.adapters.webhook_shapes import Json, items, mapping, text, when
from wa_fsm.adapters.webhook_values import Notice, Preference, Synced
from wa_fsm.adapters.webhook_walk import Place, Walk
from wa_fsm.events import (
    CUSTOMER_KINDS,
    FREE_FORM_KINDS,
    CustomerKind,
    CustomerMessage,
    FreeForm,
    FreeFormKind,
    Message,
    Sent,
    Template,
)
from wa_fsm.identity import ContactChanged, canonical

_KINDS: Final[Mapping[str, CustomerKind]] = {kind: kind for kind in CUSTOMER_KINDS}
_FREE_FORM: Final[Mapping[str, FreeFormKind]] = {kind: kind for kind in FREE_FORM_KINDS}
_UNSUPPORTED: Final = frozenset({"unsupported", "unknown"})
_TAKEN_BACK: Final = frozenset({"edit", "revoke"})


# -- the customer's messages ---------------------------------------------------------------------


def messages(walk: Walk, place: Place, value: object) -> None:
    """Inbound messages: each one a fact of its kind. Only a policy says which kinds open."""
    for path, message in place.each("messages", value):
        one_message(walk, place, path, message)


def one_message(walk: Walk, place: Place, path: str, message: object) -> None:
    """One of them."""
    if not isinstance(message, dict):
        walk.unrecognised(path, "the message is no object", message)
    elif text(message.get("type")) == "system" or ("type" not in message and "system" in message):
        _system(walk, place, path, message)
    else:
        _message(walk, place, path, message)


def _message(walk: Walk, place: Place, path: str, message: Json) -> None:
    kind, unknown = _kind(message)
    names = place.people.complete(
        names_of(message, "from", "from_user_id", "from_parent_user_id", "parent_user_id")
    )
    # In a group the window is the group's; whose message it was moves no window of that person.
    contact = text(message.get("group_id")) or names.best
    walk.names.append(names)
    if unknown is not None:
        walk.unrecognised(path, unknown, message)
    _fact(walk, place, path, message, contact, kind)


def _fact(
    walk: Walk, place: Place, path: str, message: Json, contact: str | None, kind: CustomerKind
) -> None:
    at = place.when(message)
    if place.number is None:
        walk.unrecognised(path, "a message that names no business number", message)
    elif contact is None:
        walk.unrecognised(path, "a message of which nobody says who wrote it", message)
    elif at is None:
        walk.unrecognised(path, "a message without a time", message)
    else:
        id_ = text(message.get("id")) or _id_of(message)
        walk.add(CustomerMessage(place.number, contact, at, id_, kind))


def _kind(message: Json) -> tuple[CustomerKind, str | None]:
    """The kind, and what is unknown about it. In doubt it is `unsupported`, which never opens."""
    type_ = text(message.get("type"))
    if type_ is None:
        named = [kind for kind in CUSTOMER_KINDS if kind in message]
        if len(named) != 1:
            return "unsupported", "a message without a type"
        type_ = named[0]
    if type_ == "reaction" and not text(mapping(message.get("reaction")).get("emoji")):
        # A reaction was taken back. Nothing says that this opens; as a `reaction` it would open
        # under `textbook`, and be named as a reason to hope under `cloud-api`.
        return "unsupported", None
    if type_ == "interactive" and _is_call_permission(mapping(message.get("interactive"))):
        # "Yes, call me", which WhatsApp also says by itself after a call (`response_source:
        # automatic`). Nothing says that it opens, so it is not counted on.
        return "unsupported", None
    if type_ in _UNSUPPORTED:
        inner = text(mapping(message.get(type_)).get("type"))
        return (_KINDS[inner] if inner in _TAKEN_BACK else "unsupported"), None
    if type_ in _KINDS:
        return _KINDS[type_], None
    return "unsupported", f"the unknown message type `{type_[:40]}`"


def _is_call_permission(interactive: Json) -> bool:
    said = "call_permission_reply"
    return text(interactive.get("type")) == said or said in interactive


def _id_of(message: Json) -> str:
    """An id for a message that has none, the same whenever it is delivered again."""
    try:
        words = json.dumps(message, sort_keys=True, separators=(",", ":"))
    except RecursionError:  # nested so deeply that it could just be read
        flat = {key: value for key, value in message.items() if not isinstance(value, (dict, list))}
        words = json.dumps(flat, sort_keys=True)
    return f"no-id:{hashlib.sha256(words.encode()).hexdigest()[:32]}"


# -- system notices ------------------------------------------------------------------------------


def _system(walk: Walk, place: Place, path: str, message: Json) -> None:
    """Somebody has another number or id. WhatsApp wrote it, not the customer: it never opens.

    ``from`` is the old number; ``contacts``, where it stands there at all, the new one, so it is
    not asked. Whether the window goes along nobody says, so the new name starts closed.
    """
    said = mapping(message.get("system"))
    old = names_of(message, "from", "from_user_id", "from_parent_user_id")
    new = names_of(said, "wa_id", "user_id", "parent_user_id")
    was = text(said.get("previous_user_id"))
    old = old._replace(phone=old.phone or text(said.get("customer")), user=was or old.user)
    new = new._replace(phone=new.phone or text(said.get("new_wa_id")))
    contact = text(message.get("group_id")) or old.best or new.best
    if "identity" not in (text(said.get("type")) or ""):
        changed(walk, old, new)
    _fact(walk, place, path, message, contact, "system")


def changed(walk: Walk, old: Names, new: Names) -> None:
    """One person's names before and after; what is the same on both sides did not change.

    The new names are linked with nothing in this body, not with each other and not by an entry of
    ``contacts``: where one of them is an old one after all, that would carry the old window over.
    The customer's next message links them.
    """
    pairs = [(old.phone, new.phone), (old.user, new.user), (old.parent, new.parent)]
    told = [(a, b) for a, b in pairs if a and b]
    if not told and old.best and new.best:
        told = [(old.best, new.best)]
    before, after = _as_told(old), _as_told(new)
    walk.new_names |= after - before
    for a, b in told:
        if canonical(a) not in after and canonical(b) not in before:
            walk.add(ContactChanged(a, b))


def _as_told(names: Names) -> frozenset[str]:
    return frozenset(canonical(name) for name in names.known_as())


def user_ids(walk: Walk, place: Place, value: object) -> None:
    """``user_id_update``: previous and current ids.

    Its ``wa_id`` is linked with neither: Meta's sample shows the number that went with the
    previous id, and its pages say that an id is renewed when the number changes.
    """
    for path, update in place.each("user_id_update", value):
        user, parent = (mapping(mapping(update).get(k)) for k in ("user_id", "parent_user_id"))
        old = Names(None, text(user.get("previous")), text(parent.get("previous")))
        new = Names(None, text(user.get("current")), text(parent.get("current")))
        if old.best is None or new.best is None:
            walk.unrecognised(path, "an update of an id without both ids", update)
        else:
            changed(walk, old, new)


# -- echoes and history --------------------------------------------------------------------------


def echoes(walk: Walk, place: Place, key: str, value: object) -> None:
    """What the business wrote elsewhere, as in the WhatsApp Business app: sent, never inbound."""
    for path, echo in place.each(key, value):
        if not isinstance(echo, dict):
            walk.unrecognised(path, "the echo is no object", echo)
            continue
        type_ = text(echo.get("type"))
        if type_ in _TAKEN_BACK:  # a change of what was sent before; nothing new went out
            walk.add(Notice(path, f"echo of {type_}", place.when(echo), echo))
            continue
        names = place.people.complete(names_of(echo, "to", "to_user_id", "to_parent_user_id"))
        walk.names.append(names)
        contact = text(echo.get("group_id")) or names.best
        at, message = place.when(echo), _message_of(type_, echo)
        if type_ is not None and type_ != "template" and type_ not in FREE_FORM_KINDS:
            walk.unrecognised(path, f"the unknown type `{type_[:40]}` of an echo", echo)
        if place.number is None or contact is None or place.is_own(contact):
            walk.unrecognised(path, "an echo of which nobody says to whom, or from where", echo)
        elif at is None or message is None:
            lacks = "time" if at is None else "template"
            walk.unrecognised(path, f"an echo without a {lacks}", echo)
        else:
            id_ = text(echo.get("id")) or _id_of(echo)
            walk.add(Sent(place.number, contact, at, id_, message))


def _message_of(type_: str | None, echo: Json) -> Message | None:
    """What went out. Whatever is no template is free-form, types that are new to us included."""
    if type_ == "template" or (type_ is None and "template" in echo):
        template = mapping(echo.get("template"))
        name = text(template.get("name"))
        spoken = template.get("language")
        code = text(spoken.get("code") if isinstance(spoken, dict) else spoken)
        return None if name is None else Template(name, code)
    return FreeForm(_FREE_FORM.get(type_ or "text", "text"))


def history(walk: Walk, place: Place, value: object) -> None:
    """Chat history that a Business app shared: what was written before, and opens nothing now."""
    for path, chunk in place.each("history", value):
        if not isinstance(chunk, dict):
            walk.unrecognised(path, "the part of a history is no object", chunk)
            continue
        for key in sorted(chunk.keys() - {"threads", "metadata", "errors"}):
            walk.unrecognised(f"{path}.{key}", "an unknown key", chunk[key])
        for error in items(chunk.get("errors")):
            walk.add(Notice(f"{path}.errors", "history", place.time, error))
        threads = items(chunk.get("threads"))
        for index, thread in enumerate(threads):
            _thread(walk, place.at(f"{path}.threads[{index}]"), thread)
        if not threads and "errors" not in chunk:
            walk.add(Notice(path, "history", place.time, chunk))


def _thread(walk: Walk, place: Place, thread: object) -> None:
    if not isinstance(thread, dict) or "messages" not in thread:
        walk.unrecognised(place.path, "a thread without messages", thread)
        return
    names = names_of(mapping(thread.get("context")), "wa_id", "user_id", "parent_user_id")
    names = names._replace(phone=text(thread.get("id")) or names.phone)
    walk.names.append(names)
    for path, message in place.each("messages", thread["messages"]):
        if not isinstance(message, dict) or place.number is None:
            walk.unrecognised(path, "a message of a history that cannot be placed", message)
            continue
        sender = names_of(message, "from", "from_user_id", "from_parent_user_id")
        by: Literal["business", "customer"] = (
            "business" if place.is_own(sender.phone) else "customer"
        )
        other = names_of(message, "to", "to_user_id") if by == "business" else sender
        contact = names.best or other.best
        kind = text(message.get("type")) or "unknown"
        id_ = text(message.get("id"))
        walk.add(Synced(place.number, contact, place.when(message), id_, by, kind))


# -- preferences ---------------------------------------------------------------------------------


def preferences(walk: Walk, place: Place, value: object) -> None:
    """Marketing stops and the like."""
    for path, each in place.each("user_preferences", value):
        found = mapping(each)
        names = place.people.complete(names_of(found, "wa_id", "user_id"))
        contact = names.phone or names.user
        said = text(found.get("value"))
        if place.number is None or contact is None or said is None:
            walk.unrecognised(path, "a preference that does not say whose, or what", each)
            continue
        walk.names.append(names)
        category = text(found.get("category")) or "unknown"
        at = when(found.get("timestamp")) or place.time
        walk.add(Preference(place.number, contact, at, category, said))
