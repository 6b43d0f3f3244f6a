"""What an HTTP request would send on WhatsApp, if it is a send at all. Pure: bytes in, a value out.

House rules:

* Any host, prefix and version: a door is known by the last two segments of its path.
* Closed where in doubt: what looks like a WhatsApp send and cannot be judged is a ``Misfit``.
* Whatever is not a template is a free-form message, types that are new to us included.

Sources: Meta's API (``messages``, ``marketing_messages``, ``messages_encrypted``), its Direct Send
pages of 2026-07, and its business-scoped user ids, by which a body may name ``recipient``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import unquote, urlsplit

from wa_fsm.adapters.bodies import (
    Body,
    Fields,
    Twice,
    decoded,
    fields_of,
    query_of,
    raw_of,
    readings,
)
from wa_fsm.events import FREE_FORM_KINDS, FreeForm, Message, Template
from wa_fsm.identity import canonical

Category: TypeAlias = Literal["utility", "authentication"]
MisfitReason: TypeAlias = Literal["category_not_allowed", "unreadable_body", "unrecognised_send"]

DIRECT_KINDS: Final[Mapping[Category, frozenset[str]]] = {
    "utility": frozenset({"text", "interactive"}),
    "authentication": frozenset({"text"}),
}
"""What Direct Send takes, by category."""

_DOORS: Final = ("messages", "marketing_messages", "messages_encrypted")
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "CONNECT"})
_DIGITS: Final = re.compile("[0-9]{1,40}")
_VERSION: Final = re.compile(r"v\d{1,3}(\.\d{1,3})?")
_CALL_ACTIONS: Final = ("connect", "pre_accept", "accept", "reject", "terminate")
_PRODUCT: Final = "messaging_product"
_MAY_NAME: Final = re.compile(rb"messaging_product|batch|\\u|%")  # escapes may spell either
_FREE_FORM: Final[Mapping[str, FreeForm]] = {kind: FreeForm(kind) for kind in FREE_FORM_KINDS}


@dataclass(frozen=True, slots=True)
class Send:
    """A message that would leave.

    Attributes:
        number: the business number: phone_number_id.
        names: who it goes to. The first is whom WhatsApp would take: the phone number, if any.
        message: what policies judge.
        kind: the type as the body says it; ``template`` for templates.
        group: it goes to a group, whose id is the name.
        direct: the category of a Direct Send, which needs no window.
    """

    number: str
    names: tuple[str, ...]
    message: Message
    kind: str
    group: bool = False
    direct: Category | None = None


@dataclass(frozen=True, slots=True)
class NotASend:
    """Nothing that a window or a template's approval speaks of: let it pass.

    Attributes:
        why: in a few words.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Misfit:
    """It may be a send, and may not leave: nobody here can judge it, or its category bars it.

    Attributes:
        reason: one of the adapters' own reasons.
        detail: what is wrong, for whoever reads the refusal.
        number: the business number, as far as it is known.
        send: what would be sent, where that is known.
    """

    reason: MisfitReason
    detail: str
    number: str = ""
    send: Send | None = None


Classified: TypeAlias = Send | NotASend | Misfit


def door_of(url: str) -> tuple[str, str] | None:
    """The business number and the door of a URL that sends; None for other URLs.

    Args:
        url: absolute, or only a path.
    """
    return _door_at(url.partition("?")[0])  # a query may hold a token, and is not kept


@lru_cache(maxsize=256)
def _door_at(url: str) -> tuple[str, str] | None:
    parts = [part for part in unquote(_path(url)).split("/") if part][-2:]
    if len(parts) < 2 or not _DIGITS.fullmatch(parts[0]):
        return None
    door = parts[1].lower()
    return (parts[0], door) if door in _DOORS else None


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # such as an IPv6 address that is not closed: no client can send it
        return url


def _takes_batches(url: str) -> bool:
    """Whether it is the root of an API, or of one version of it: there Graph takes batches."""
    last = _path(url).rstrip("/").rpartition("/")[2].lower()
    return not last or _VERSION.fullmatch(last) is not None


def needs_body(method: str, url: str, headers: Mapping[str, Any]) -> bool:
    """Whether ``classify_send`` must see the body. Spares reading uploads.

    Args:
        method: as the request has it.
        url: as the request has it.
        headers: of the request, by names in any case.
    """
    if _method(method, url) in _READING:
        return False
    if door_of(url) is not None:
        return True
    said = headers.get("Content-Type")
    kind = said.lower() if isinstance(said, str) else ""
    if "multipart" in kind:  # as a rule an upload
        return _takes_batches(url)
    return not kind or "json" in kind or "form-urlencoded" in kind or kind.startswith("text/")


def classify_send(
    method: str,
    url: str,
    body: Body,
    *,
    direct_send: bool | Collection[Category] = False,
    encrypted: bool = False,
) -> Classified:
    """What a request would send.

    Args:
        method: such as ``POST``.
        url: absolute or only a path; query and trailing slash do not matter.
        body: JSON or form fields as bytes or text, or the fields; None where it cannot be read.
        direct_send: the account may Direct Send: all categories of it, or these.
        encrypted: let ``messages_encrypted`` pass, though nobody here can read it.
    """
    if _method(method, url) in _READING:
        return NotASend("it only reads")
    door = door_of(url)
    if door is not None and door[1] == "messages_encrypted":
        if encrypted:
            return NotASend("encrypted, and let pass by an option")
        return Misfit("unreadable_body", "the door `messages_encrypted` takes ciphers", door[0])
    if door is None:
        return _elsewhere(url, body, direct_send)
    try:
        fields = fields_of(url, body)
    except Twice as twice:
        return Misfit("unrecognised_send", str(twice), door[0])
    except RecursionError:
        fields = None
    if fields is None:
        return Misfit("unreadable_body", "the body is neither JSON nor form fields", door[0])
    return _at_door(door[0], fields, direct_send)


def _method(method: str, url: str) -> str:
    """The method, or the one that Graph takes from the query in its place."""
    said = method.upper()
    if "method=" in url:
        override = query_of(url).get("method", "").upper()
        if override and said in _READING:
            return override
    return said


def _elsewhere(url: str, body: Body, direct: bool | Collection[Category]) -> Classified:
    """A request that knocks at no door: it must not carry a WhatsApp message all the same."""
    try:
        found = [_at_no_door(url, fields, direct) for fields in readings(url, body)]
    except RecursionError:
        return _too_deep(url, body)
    return next((each for each in found if isinstance(each, Misfit)), found[0])


def _at_no_door(
    url: str, fields: Fields | None, direct: bool | Collection[Category]
) -> NotASend | Misfit:
    if fields is None:
        return NotASend("no door of WhatsApp")
    if "batch" in fields and _batch_sends(fields["batch"], direct):
        return Misfit("unrecognised_send", "a send inside a batch; send it by itself")
    if _PRODUCT not in fields or not _is_whatsapp(fields[_PRODUCT]):
        return NotASend("no door of WhatsApp")
    if not (fields.get("to") or fields.get("recipient")):
        return NotASend("it names no recipient")
    last = _path(url).rstrip("/").rpartition("/")[2]
    if last.lower() == "calls" and fields.get("action") in _CALL_ACTIONS:
        return NotASend("a call, which has permissions of its own")
    return Misfit("unrecognised_send", "it names a recipient on WhatsApp, at no door that sends")


def _too_deep(url: str, body: Body) -> NotASend | Misfit:
    """A body that nests deeper than anybody here can read. It passes if it cannot be a send."""
    if isinstance(body, (bytes, str)) and not _MAY_NAME.search(raw_of(url) + raw_of(body)):
        return NotASend("no door of WhatsApp")
    return Misfit("unrecognised_send", "the body nests too deep to be read")


def _batch_sends(value: Any, direct: bool | Collection[Category]) -> bool:
    """Whether a batch of Graph, which is several requests in one, holds a send."""
    if isinstance(value, str):
        try:
            value = decoded(value)
        except Twice:
            return True
        except ValueError:
            return False
    if not isinstance(value, list):
        return False
    for each in value:
        if not isinstance(each, Mapping):
            continue
        body = each.get("body")
        inner = classify_send(
            str(each.get("method", "POST")),
            "/" + str(each.get("relative_url", "")).lstrip("/"),
            body if isinstance(body, (str, Mapping)) else "",
            direct_send=direct,
        )
        if not isinstance(inner, NotASend):
            return True
    return False


def _is_whatsapp(product: Any) -> bool:
    return isinstance(product, str) and product.strip().lower() == "whatsapp"


def _at_door(
    number: str, fields: Mapping[str, Any], direct: bool | Collection[Category]
) -> Classified:
    product = fields.get(_PRODUCT)
    if product is not None and not _is_whatsapp(product):
        return NotASend("another product's message")
    if product is None and isinstance(fields.get("recipient"), Mapping):
        return NotASend("Messenger's form of a message")
    if isinstance(fields.get("status"), str) and not (fields.get("to") or fields.get("recipient")):
        return NotASend("a read receipt or typing indicator")
    names = _names(fields)
    if not names:
        return Misfit("unrecognised_send", "it names no recipient that can be read", number)
    group = fields.get("recipient_type") == "group"
    if group:
        names = names[:1]  # a person beside it is another contact
    kind = "text" if fields.get("type") is None else fields["type"]
    if not isinstance(kind, str) or not kind:
        return Misfit("unrecognised_send", "its `type` is no text", number)
    if kind == "template":
        return _template(number, names, group, fields.get("template"))
    send = Send(number, names, _FREE_FORM.get(kind, _FREE_FORM["text"]), kind, group)
    return _of_category(send, fields.get("category"), direct)


def _names(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Phone number and BSUID, as far as they are given; the phone wins. Empty: unreadable."""
    names = []
    for key in ("to", "recipient"):
        value = fields.get(key)
        if value is None or value == "":
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return ()
        name = str(value).strip()
        if not name or not canonical(name).isprintable():
            return ()
        names.append(name)
    return tuple(dict.fromkeys(names))


def _template(number: str, names: tuple[str, ...], group: bool, template: Any) -> Classified:
    if isinstance(template, Mapping):
        name, language = template.get("name"), template.get("language")
        code = language.get("code") if isinstance(language, Mapping) else language
        if isinstance(name, str) and name and (code is None or isinstance(code, str)):
            return Send(number, names, Template(name, code or None), "template", group)
    return Misfit("unrecognised_send", "its template has no name or language to be read", number)


def _of_category(send: Send, category: Any, direct: bool | Collection[Category]) -> Classified:
    """A free-form message by its category: `service` is the usual one, two are Direct Send."""
    if category is None or category == "service":
        return send
    shown = category if isinstance(category, str) else type(category).__name__
    barred = Misfit("category_not_allowed", "", send.number, send)
    if category not in ("utility", "authentication"):
        detail = f"`{shown[:40]}` is no category that a free-form message may have"
        return _because(barred, detail)
    allowed = direct if isinstance(direct, bool) else category in direct
    if not allowed:
        return _because(
            barred, f"`{category}` needs Direct Send, which is not enabled here (`direct_send`)"
        )
    if send.kind not in DIRECT_KINDS[cast(Category, category)]:
        return _because(
            barred, f"Direct Send of `{category}` takes no message of type `{send.kind}`"
        )
    return Send(send.number, send.names, send.message, send.kind, send.group, cast(Any, category))


def _because(misfit: Misfit, detail: str) -> Misfit:
    return Misfit(misfit.reason, detail, misfit.number, misfit.send)
