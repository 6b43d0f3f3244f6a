"""Bodies of requests, written for these tests: one for each thing that may knock at a door."""

from __future__ import annotations

from typing import Any

TO = "16505551234"
BSUID = "US.13491208655302741918"
GROUP = "Z3JvdXA6MTY1MDU1NTEyMzQ6MTIwMzYz"
WHATSAPP = {"messaging_product": "whatsapp"}


def to(kind: str | None = None, said: Any = None, **more: Any) -> dict[str, Any]:
    """A message to a phone number."""
    body: dict[str, Any] = {**WHATSAPP, "recipient_type": "individual", "to": TO}
    if kind is not None:
        body |= {"type": kind, kind: said if said is not None else {"body": "hi"}}
    return body | more


FREE_FORM = {
    "text": to("text"),
    "image": to("image", {"link": "https://example.com/a.png"}),
    "video": to("video", {"id": "1013859600285441"}),
    "audio": to("audio", {"id": "1013859600285441"}),
    "document": to("document", {"id": "1013859600285441", "filename": "a.pdf"}),
    "sticker": to("sticker", {"id": "1013859600285441"}),
    "location": to("location", {"latitude": "52.5", "longitude": "13.4"}),
    "contacts": to("contacts", [{"name": {"formatted_name": "Ana"}}]),
    "interactive": to("interactive", {"type": "button", "body": {"text": "?"}, "action": {}}),
    "reaction": to("reaction", {"message_id": "wamid.1", "emoji": "\N{THUMBS UP SIGN}"}),
}
RECEIPTS = {
    "read": {**WHATSAPP, "status": "read", "message_id": "wamid.1"},
    "typing": {
        **WHATSAPP,
        "status": "read",
        "message_id": "wamid.1",
        "typing_indicator": {"type": "text"},
    },
}


def template(name: Any = "order_update", language: Any = "en_US", **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"name": name}
    if language is not None:
        said["language"] = {"policy": "deterministic", "code": language}
    return to("template", said, **more)
