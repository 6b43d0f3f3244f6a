"""The words of Meta's Graph API: a local refusal in its error form, and what an answer of it says.

Every client of the Cloud API gets a refusal as the HTTP 400 that WhatsApp itself would have given,
so that the client raises its own error. ``fbtrace_id`` says that it is ours, and
``error_data.details`` why.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from wa_fsm.adapters.bodies import Body
from wa_fsm.adapters.classify import Category, Classified, classify_send
from wa_fsm.decision import RE_ENGAGEMENT, TEMPLATE_MISSING, Decision

TRACE: Final = "local-gate"
"""The ``fbtrace_id`` of an answer that WhatsApp never gave."""

INVALID_PARAMETER: Final = 100
SERVICE_UNAVAILABLE: Final = 131016
PAIR_RATE: Final = 131056
MAINTENANCE: Final = 131057
NOT_NOW: Final = "the records of this contact cannot be read now; nothing was sent"

# Meta's error page calls these rate limits, outages or "try again": the same request may succeed.
TRANSIENT: Final = frozenset(
    {1, 2, 4, 80007, 130429, 131000, SERVICE_UNAVAILABLE, PAIR_RATE, MAINTENANCE}
)

_JSON: Final = json.JSONDecoder()  # `json.loads` asks first in which encoding bytes are
_BSUID: Final = re.compile(r"[A-Z]{2}(\.[A-Z]+)?\.[A-Za-z0-9]{1,128}")
_TITLES: Final[Mapping[int, str]] = {
    INVALID_PARAMETER: "Invalid parameter",
    SERVICE_UNAVAILABLE: "Service unavailable",
    RE_ENGAGEMENT: "Re-engagement message",
    TEMPLATE_MISSING: "Template name does not exist in the translation",
    132015: "Template is Paused",
    132016: "Template is Disabled",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that is given in WhatsApp's place.

    Attributes:
        status: of HTTP.
        content: JSON.
    """

    status: int
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {"Content-Type": "application/json", "Content-Length": str(len(self.content))}

    @property
    def reason(self) -> str:
        """The words of HTTP's status line."""
        return "Bad Request" if self.status == 400 else "Service Unavailable"


@dataclass(frozen=True, slots=True)
class Went:
    """WhatsApp took the message.

    Attributes:
        id: the wamid.
        names: the contact's names in the answer.
        accepted: its ``message_status``, such as ``held_for_quality_assessment``.
    """

    id: str
    names: tuple[str, ...] = ()
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """WhatsApp did not take the message.

    Attributes:
        status: of HTTP.
        code: WhatsApp's, where it gave one.
        text: what it said.
        transient: the same request may succeed later.
    """

    status: int
    code: int | None = None
    text: str = ""
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say whether WhatsApp took the message: only its status can.

    Attributes:
        why: in a few words.
        transient: a client would try again.
    """

    why: str
    transient: bool = field(default=True)


Outcome: TypeAlias = Went | Failed | Unknown


def error_answer(status: int, code: int, details: str) -> Answer:
    """An error as Graph writes it."""
    title = _TITLES.get(code, "Message failed")
    error = {
        "message": f"(#{code}) {title}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": TRACE,
    }
    return Answer(status, json.dumps({"error": error}).encode())


class Graph:
    """How the Cloud API speaks: which requests send, and what answers mean.

    Args:
        direct_send: the account may Direct Send: all categories of it, or these.
        encrypted: let ``messages_encrypted`` pass, though nobody here can read it.
    """

    def __init__(
        self, *, direct_send: bool | Collection[Category] = False, encrypted: bool = False
    ) -> None:
        self._direct_send = direct_send
        self._encrypted = encrypted

    def classify(self, method: str, url: str, body: Body) -> Classified:
        """See ``classify_send``."""
        return classify_send(
            method, url, body, direct_send=self._direct_send, encrypted=self._encrypted
        )

    def refusal(self, decision: Decision, detail: str = "") -> Answer:
        """A refusal as WhatsApp would give it; the adapters' own reasons carry code 100."""
        if decision.reason == "store_unavailable":
            return self.unavailable()
        details = f"{decision.reason}: {decision.text}" + (f" ({detail})" if detail else "")
        return error_answer(400, decision.error_code or INVALID_PARAMETER, details)

    def unavailable(self) -> Answer:
        """What is said when the store is down: a transient fault, for the client to try again."""
        return error_answer(503, SERVICE_UNAVAILABLE, f"store_unavailable: {NOT_NOW}")

    def outcome(self, status: int, content: bytes) -> Outcome:
        """What an answer of Graph says of the message."""
        return outcome_of(status, content)


def outcome_of(status: int, content: bytes) -> Outcome:
    """What an answer of Graph says of the message.

    A fault without Graph's words comes from something between us and WhatsApp. Of these only those
    that say that nothing was tried are failures; after the others the message may have left.

    Args:
        status: of HTTP.
        content: the body.
    """
    read = _object(content)
    if 200 <= status < 300:
        message, contact = _first(read.get("messages")), _first(read.get("contacts"))
        id_ = _text(message.get("id"))
        if not id_:
            return Unknown("the answer names no message", transient=False)
        names = [_text(contact.get(key)) for key in ("wa_id", "user_id", "parent_user_id")]
        return Went(id_, tuple(filter(None, names)), _text(message.get("message_status")))
    error = read.get("error")
    if isinstance(error, dict):
        return _failed(status, error)
    if status >= 500 and status != 503:
        return Unknown(f"HTTP {status} without a word of WhatsApp")
    return Failed(status, None, f"HTTP {status}", status in (408, 429, 503))


def _failed(status: int, error: Mapping[str, Any]) -> Failed:
    try:
        code = int(error.get("code") or 0)
    except (TypeError, ValueError, OverflowError):
        code = 0
    data = error.get("error_data")
    details = _text(data.get("details")) if isinstance(data, dict) else ""
    text = ": ".join(part for part in (_text(error.get("message")), details) if part)
    return Failed(status, code or None, text, code in TRANSIENT or (not code and status >= 500))


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        read = _JSON.decode(content.removeprefix(BOM_UTF8).decode())
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _first(value: Any) -> Mapping[str, Any]:
    found = value[0] if isinstance(value, list) and value else None
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def addressed(to: str) -> dict[str, str]:
    """``to`` or, for a BSUID such as ``US.13491208655302741918``, ``recipient``."""
    return {"recipient" if _BSUID.fullmatch(to) else "to": to}
