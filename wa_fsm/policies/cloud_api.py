"""The policy ``cloud-api``: the permission rule that Meta documents and enforces.

Only the customer's messages and calls open and refresh the window; a template never does.

House rules:

* ``business_opened`` means: a template is out, no reply has come, the window is shut. It does not
  lapse. A template sent while a window is open leaves everything as it is.
* The window is open exactly in ``user_opened``.
* A reaction may or may not open the window: Meta does not say. It is not counted unless the
  option ``reactions_open_window`` is on, and a refusal names the reactions it did not count.
* The names cited are Meta's pages under
  https://developers.facebook.com/documentation/business-messaging/whatsapp/ , read in 2026.
"""

from collections.abc import Mapping
from typing import Final

from wa_fsm.decision import Standing
from wa_fsm.policies.both import ENDS, OPENERS, SOURCES, failures
from wa_fsm.rows import Cell, Effect, Row

NAME: Final = "cloud-api"
SUMMARY: Final = (
    "What Meta documents and enforces: only the customer's messages and calls open and refresh "
    "the window; a template never does."
)
CAUTION: Final = ""
OPENER_KINDS: Final = OPENERS
UNCOUNTED: Final = frozenset({"reaction"})
FLAGS: Final = {
    "reactions_open_window": "a customer's reaction opens and refreshes the window (Meta does not say whether it "
    "does)",
}
KIND_STANDING: Final[Mapping[str, Standing]] = {  # of M3: that a kind opens no window
    "system": "inferred",
    "reaction": "unverified",
    "unsupported": "unverified",
    "edit": "unverified",
    "revoke": "unverified",
}
OPENERS_BY_FLAG: Final = {"reactions_open_window": frozenset({"reaction"})}

_refreshes = Effect(window="starts")
_user_begins = Effect(to="user_opened", begins="user", window="starts")
_answers_template = Effect(to="user_opened", begins="business", window="starts")
_template_out = Effect(to="business_opened")


def _opens(guard: str) -> tuple[Cell, ...]:
    return (
        Cell("closed expired", guard, _user_begins),
        Cell("business_opened", guard, _answers_template),
        Cell("user_opened", guard, _refreshes),
    )


ROWS: Final = (
    Row("M1", "customer_message", _opens("opener_kind"), ("send-messages",),
        note="begins a conversation unless one is running"),
    Row("M2", "customer_call", _opens(""), ("calling", "send-messages"),
        note="as M1: a call counts whether or not it is answered"),
    Row("M3", "customer_message", (Cell("any", "not opener_kind"),), ("kinds",), "inferred",
        note="the standing is per kind"),
    Row("M4", "template", (Cell("closed expired", "approved", _template_out),),
        ("templates", "pricing"), verdict="template_approved",
        note="no window opens, no conversation begins"),
    Row("M5", "template",
        (Cell("user_opened", "approved"), Cell("business_opened", "approved", _template_out)),
        ("templates", "pricing"), verdict="template_approved", note="the window is not touched"),
    Row("M6", "template", (Cell("any", "not registered"),),
        ("error-codes", "templates"), verdict="template_unknown"),
    Row("M7", "template", (Cell("any", "registered, not approved"),),
        ("templates",), verdict="template_not_approved"),
    Row("M8", "free_form", (Cell("user_opened", "not inside_margin"),),
        ("send-messages",), verdict="window_open"),
    Row("M9", "free_form", (Cell("business_opened"),),
        ("send-messages", "conversation-based-pricing"), verdict="awaiting_reply"),
    Row("M10", "free_form", (Cell("closed"),),
        ("send-messages", "error-codes"), verdict="never_opened"),
    Row("M11", "free_form", (Cell("expired"),),
        ("send-messages", "error-codes"), verdict="window_expired"),
    Row("M12", "free_form", (Cell("user_opened", "inside_margin"),),
        ("margin",), "ours", "within_margin",
        note="a safety margin: what is decided now is sent a moment later"),
    Row("M13", "lapse", (Cell("user_opened", "window_over", ENDS),),
        ("send-messages", "pricing")),
    *failures("user_opened", "closed business_opened expired"),
)  # fmt: skip

ALL_SOURCES: Final = {
    "send-messages": "Meta, messages/send-messages: when a user messages or calls you, a 24-hour timer "
    "starts, or is refreshed if it already runs; while it runs you may send any type of "
    "message, outside of it only templates",
    "calling": "Meta, calling: a user's call opens or refreshes the window whether or not you accept "
    "it; so does a user's acceptance of your call",
    "pricing": "Meta, pricing: a template at hour 0 opens no window; the user writes at hour 2, and at"
    " hour 26 the window closes, since 24 hours have passed",
    "conversation-based-pricing": "Meta, pricing/conversation-based-pricing: for you to send a non-template message, a "
    "customer service window must exist",
    "templates": "Meta, templates: a template may be sent only while its status is approved, inside the "
    "window and outside of it",
    "kinds": "Meta, webhooks/reference/messages: what is not content from the user does not open the"
    " window; of reactions, unsupported messages, edits and revocations Meta says nothing",
    **SOURCES,
    "margin": "wa-fsm, the option `margin`: what is decided now reaches WhatsApp a moment later",
}
